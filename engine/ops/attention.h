/* Attention across the V variables of one batch item, heads of D/8 channels.
 *
 *   score[h][i][j] = sum_{c in head h, p} q[i][c][p] k[j][c][p] / sqrt(D/8 * hw)
 *   weight[h][i]   = softmax over j of score[h][i]
 *   y[i][c][p]     = sum_j weight[h(c)][i][j] v[j][c][p]
 *
 * q, k, v  before their norm, see M2nAttentionInput
 * y        [variables][channels][hw], overlaps none of them
 * weight   [M2N_ATTENTION_HEADS][variables][variables]
 * scratch  m2n_attention_scratch() floats, one per thread
 * numerics scores in double; variants in float32 lanes emptied into double every 32 terms
 * source   Li et al. 2025, arXiv:2507.17189 (variable attention; no code taken) */
#pragma once
#include "engine/base/cpu.h"

G_BEGIN_DECLS

#define M2N_ATTENTION_HEADS 8
#define M2N_ATTENTION_MAX_VARIABLES 64

typedef struct {
    gsize variables, channels, hw; /* at most MAX_VARIABLES; divisible by the heads */
} M2nAttention;

/* x [variables][channels][hw] stands for scale[i][c] x[i][c][p] + shift[i][c], scale and shift [variables][channels]: a norm
 * is applied where its result is used, a channel at a time. */
typedef struct {
    const float *x, *scale, *shift; /* the last two NULL: 1 and 0 */
} M2nAttentionInput;

gsize m2n_attention_scratch(const M2nAttention *shape);
/* One head: its part of weight, and of y. */
void m2n_attention_weights(const M2nAttention *shape, gsize head, float *weight,
                           const M2nAttentionInput *q, const M2nAttentionInput *k, float *scratch);
void m2n_attention_mix(const M2nAttention *shape, gsize head, float *y, const float *weight,
                       const M2nAttentionInput *v);

/* Channel c of all variables, its norm applied, into out [variables][hw]; and y[i] = sum_j weight[i][j] x[j], with
 * weight [variables][variables] in C order or, transposed, summed over its rows. */
void m2n_attention_channel(const M2nAttention *shape, gsize c, float *out, const M2nAttentionInput *in);
void m2n_attention_mix_channel(const M2nAttention *shape, gsize c, float *y, const float *weight,
                               gboolean transposed, const M2nAttentionInput *in);

/* sum_i a[i] b[i] as the scores sum it. */
double m2n_attention_dot(const float *a, const float *b, gsize n);

/* Softmax of one row of n scores, largest subtracted first.  A NaN or +inf score gives NaN weights.
 */
void m2n_softmax(double *score, gsize n);

/* All variants, reference first.  For the dispatcher, the tests and the benchmark only. */
typedef struct {
    M2nIsa isa;
    double (*dot)(const float *a, const float *b, gsize n);
    /* y[i][p] = shift[i] + sum_j weight[i][j] x[j][p], rows of x and of y `stride` apart */
    void (*mix)(gsize variables, gsize n, gsize stride, float *y, const float *weight,
                const float *shift, const float *x);
} M2nAttentionVariant;

extern const M2nAttentionVariant m2n_attention_variants[M2N_N_ISA];

G_END_DECLS
