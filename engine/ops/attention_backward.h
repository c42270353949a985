/* Gradient of the attention across variables (attention.h), one batch item.
 *
 *   dv[j] = sum_i weight[i][j] dy[i]
 *   dweight[i][j] = sum dy[i] v[j]      dscore[i][j] = weight (dweight - sum_l weight[i][l] dweight[i][l])
 *   dq[i] = scale sum_j dscore[i][j] k[j]        dk[j] = scale sum_i dscore[i][j] q[i]
 *
 * per head, scale = 1 / sqrt(D/8 * hw).
 *
 * q, k, v            before their norm, see M2nAttentionInput
 * dy, dq, dk, dv     [variables][channels][hw], gradients of what the norms give; they overlap nothing
 * weight             [M2N_ATTENTION_HEADS][variables][variables], as the forward pass wrote it
 * head               which one: heads are independent, so threads may share them out
 * scratch            m2n_attention_scratch() floats, one per thread
 * numerics           products in float32 lanes emptied into double; 2e-6 of the largest term */
#pragma once
#include "engine/ops/attention.h"

G_BEGIN_DECLS

void m2n_attention_backward(const M2nAttention *shape, gsize head, float *dq, float *dk, float *dv,
                            const float *dy, const float *weight, const M2nAttentionInput *q,
                            const M2nAttentionInput *k, const M2nAttentionInput *v, float *scratch);

G_END_DECLS
