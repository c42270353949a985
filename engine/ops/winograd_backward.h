/* Gradient of the weights of a 3x3 convolution of stride 1, by Winograd's F(2x2, 3x3) (winograd.h) read backwards:
 * sixteen products for each 2 x 2 outputs, where the plain sum has 36; the inside of fused_conv_backward.c.
 *
 *   dw += G^T [ sum over blocks of (A dy A^T) * (B^T v B) ] G
 *
 *   v: the 4 x 4 inputs around the 2 x 2 outputs dy; * element by element; A, B and G as there
 *
 * Each of the sixteen is a matrix product (panel_chain.h) of [out][blocks] and [blocks][32 input channels].
 *
 * Arguments as of m2n_fused_conv_backward_weight(); scratch m2n_winograd_backward_scratch() floats.
 * numerics  float32: about twice the rounding of the plain sum */
#pragma once
#include "engine/ops/fused_conv.h"

G_BEGIN_DECLS

gsize m2n_winograd_backward_scratch(const M2nFusedConv *s);
void m2n_winograd_backward_weight(const M2nFusedConv *s, float *dw, const float *dy, const float *x,
                                  const float *scale, const float *shift, float *scratch);

typedef struct {
    M2nIsa isa;
    /* out[k][pitch] of in[channels][k]: element l of channel c from in[c stride + l] */
    void (*turn)(gsize channels, gsize k, const float *in, gsize stride, float *out, gsize pitch);
    /* A dy A^T of one block: rows 0 and 1, columns 0 and 1 of dy[2][2][outs], `line` floats from row to row, ->
     * u[16][outs/rows][rows], `pitch` floats and `group` floats apart */
    void (*outputs)(gsize rows, gsize outs, const float *dy, gsize line, float *u, gsize pitch,
                    gsize group);
    /* B^T v B of one block: x[4][4][32], `line` floats from row to row, -> v[16][32], `pitch` floats apart */
    void (*inputs)(const float *x, gsize line, float *v, gsize pitch);
} M2nWinogradBackwardVariant;

/* All variants, reference first. */
extern const M2nWinogradBackwardVariant m2n_winograd_backward_variants[M2N_N_ISA];

G_END_DECLS
