/* Gradients of the depthwise convolution of one image (depthwise.h).
 *
 *   dx[c][i][j]  = sum_{a,b} w[c][a][b] dy[c][i - d (a - r)][j - d (b - r)]
 *   dw[c][a][b] += sum_{i,j} dy[c][i][j] x[c][i + d (a - r)][j + d (b - r)]
 *   dbias[c]    += sum_{i,j} dy[c][i][j]
 *
 * x, dx, dy  [channels][height][width]; dx overlaps neither
 * scratch    m2n_depthwise_backward_scratch() floats, one per thread
 * numerics   the reference sums in double; variants in float32 lanes emptied into double every 60 rows:
 *            1e-6 k of the largest product (dx), 2e-6 of the sum of |dy x| (dw) */
#pragma once
#include "engine/ops/depthwise.h"

G_BEGIN_DECLS

gsize m2n_depthwise_backward_scratch(const M2nDepthwise *shape);
void m2n_depthwise_backward_input(const M2nDepthwise *shape, float *dx, const float *dy,
                                  const float *w, float *scratch);
void m2n_depthwise_backward_weight(const M2nDepthwise *shape, float *dw, float *dbias,
                                   const float *dy, const float *x, float *scratch);

/* All variants, reference first; `weight` works on one channel.  For the dispatcher, the tests and the
 * benchmark only. */
typedef struct {
    M2nIsa isa;
    void (*input)(const M2nDepthwise *shape, float *dx, const float *dy, const float *w,
                  float *scratch);
    void (*weight)(const M2nDepthwise *shape, float *dw, const float *dy, const float *x,
                   float *scratch);
} M2nDepthwiseBackwardVariant;

extern const M2nDepthwiseBackwardVariant m2n_depthwise_backward_variants[M2N_N_ISA];

G_END_DECLS
