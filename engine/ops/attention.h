/* Attention across the V variables of one batch item, heads of D/8 channels.
 *
 *   score[h][i][j] = sum_{c in head h, p} q[i][c][p] k[j][c][p] / sqrt(D/8 * hw)
 *   weight[h][i]   = softmax over j of score[h][i]
 *   y[i][c][p]     = sum_j weight[h(c)][i][j] v[j][c][p]
 *
 * q, k, v, y  [variables][channels][hw], already normalised; y overlaps none of them
 * weight      [M2N_ATTENTION_HEADS][variables][variables], written for the backward pass
 * numerics    scores in double; variants in float32 lanes emptied into double every 32 terms
 * source      Li et al. 2025, arXiv:2507.17189 (variable attention; no code taken) */
#pragma once
#include "engine/base/cpu.h"

G_BEGIN_DECLS

#define M2N_ATTENTION_HEADS 8
#define M2N_ATTENTION_MAX_VARIABLES 64

typedef struct {
    gsize variables, channels, hw; /* at most MAX_VARIABLES; divisible by the heads */
} M2nAttention;

/* One head: its part of y and of weight. */
void m2n_attention(const M2nAttention *shape, gsize head, float *y, float *weight, const float *q,
                   const float *k, const float *v);

/* sum_i a[i] b[i] as the scores sum it. */
double m2n_attention_dot(const float *a, const float *b, gsize n);

/* Softmax of one row of n scores, largest subtracted first.  A NaN or +inf score gives NaN weights.
 */
void m2n_softmax(double *score, gsize n);

/* All variants, reference first.  For the dispatcher, the tests and the benchmark only. */
typedef struct {
    M2nIsa isa;
    double (*dot)(const float *a, const float *b, gsize n);
} M2nAttentionVariant;

extern const M2nAttentionVariant m2n_attention_variants[M2N_N_ISA];

G_END_DECLS
