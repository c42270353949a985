/* Gradients of the 3x3 convolution inside m2n_fused_conv(): of its input v = silu(scale x + shift), or x, and of
 * its weights.  dy is the gradient of y before the pixel shuffle.
 *
 *   dv[c][s i + a - 1][s j + b - 1] = sum_o w[o][c][a][b] dy[o][i][j]          s the stride
 *   dw[o][c][a][b]                 += sum_{i,j} dy[o][i][j] v[c][s i + a - 1][s j + b - 1]
 *   dbias[o]                       += sum_{i,j} dy[o][i][j]
 *
 * x, dv     [in][height][width]; dv overlaps neither x nor dy
 * dy        [out][height/stride][width/stride]
 * scale     [in] with shift, or both NULL
 * packed    m2n_fused_conv_backward_pack() of w[out][in][3][3]; the order depends on the instruction set in use
 * scratch   m2n_fused_conv_backward_scratch() floats, 64-byte aligned, one per thread
 * numerics  dv as m2n_fused_conv(), dw as m2n_gemm() */
#pragma once
#include "engine/ops/fused_conv.h"

G_BEGIN_DECLS

gsize m2n_fused_conv_backward_scratch(const M2nFusedConv *s);
gsize m2n_fused_conv_backward_packed_floats(const M2nFusedConv *s);
void m2n_fused_conv_backward_pack(const M2nFusedConv *s, const float *w, float *packed,
                                  float *scratch);
void m2n_fused_conv_backward_input(const M2nFusedConv *s, float *dv, const float *dy,
                                   const float *packed, float *scratch);
void m2n_fused_conv_backward_weight(const M2nFusedConv *s, float *dw, float *dbias, const float *dy,
                                    const float *x, const float *scale, const float *shift,
                                    float *scratch);

G_END_DECLS
