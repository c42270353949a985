/* Gradients of the 3x3 convolution of one image (conv3x3.h).
 *
 *   dx[c][s i + a - 1][s j + b - 1] = sum_o w[o][c][a][b] dy[o][i][j]          s the stride
 *   dw[o][c][a][b]                 += sum_{i,j} dy[o][i][j] x[c][s i + a - 1][s j + b - 1]
 *   dbias[o]                       += sum_{i,j} dy[o][i][j]
 *
 * x, dx     [in][height][width]; dx overlaps neither x nor dy
 * dy        [out][height/stride][width/stride]
 * scratch   m2n_conv3x3_backward_scratch() floats, 64-byte aligned, one per thread
 * numerics  as m2n_gemm: 2e-7 sqrt(K) of the largest product */
#pragma once
#include "engine/ops/conv3x3.h"

G_BEGIN_DECLS

gsize m2n_conv3x3_backward_scratch(const M2nConv3x3 *shape);
void m2n_conv3x3_backward_input(const M2nConv3x3 *shape, float *dx, const float *dy, const float *w,
                                float *scratch);
void m2n_conv3x3_backward_weight(const M2nConv3x3 *shape, float *dw, float *dbias, const float *dy,
                                 const float *x, float *scratch);

G_END_DECLS
