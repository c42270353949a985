/* Winograd's F(2x2, 3x3): a 3x3 convolution of stride 1 as sixteen products for each 2 x 2 outputs, where the
 * plain sum has 36; the inside of fused_conv.c.
 *
 *   y = A^T [ (G w G^T) * (B^T d B) ] A        d: the 4 x 4 inputs around 2 x 2 outputs, * element by element
 *
 *   B^T = 1  0 -1  0     G = 1    0    0     A^T = 1 1  1  0
 *         0  1  1  0         1/2  1/2  1/2         0 1 -1 -1
 *         0 -1  1  0         1/2 -1/2  1/2
 *         0  1  0 -1         0    0    1
 *
 * With sums over the input channels each of the sixteen is a matrix product (panel_chain.h) of [rows][in] and
 * [in][32 neighbouring 2 x 2 blocks], two segments of 16 blocks of a row of blocks.
 *
 * numerics  float32: about twice the rounding of the plain sum
 * source    Lavin, Gray, "Fast algorithms for convolutional neural networks", 2015, arXiv:1509.09308 */
#pragma once
#include "engine/ops/panel_chain.h"

G_BEGIN_DECLS

#define M2N_WINOGRAD 16u         /* products, and blocks of a segment */
#define M2N_WINOGRAD_COLUMNS 32u /* of a segment */

/* packed[out/rows][16][in][rows] of w[out][in][3][3], zero below the last row. */
void m2n_winograd_pack(gsize rows, gsize out, gsize in, const float *w, float *packed);

/* Floats from one of the sixteen operands to the next: not a power of two, whose lines would share a set of L1. */
static inline gsize
m2n_winograd_pitch(gsize in)
{
    return (in + 1) * M2N_PANEL;
}

typedef struct {
    M2nIsa isa;
    /* B^T d B of a segment: v[16][in][32] (m2n_winograd_pitch() apart), 16 lanes of it.  Column 2k of channel c,
     * line a is x[c channel + a line + k], column 2k - 1 `odd` floats after it */
    void (*input)(gsize in, const float *x, gsize channel, gsize line, gsize odd, float *v);
    /* bias + A^T m A of a segment: m[16][rows][32], 16 lanes of it, -> y[2][rows][32 columns] */
    void (*output)(gsize rows, const float *m, const float *bias, float *y);
} M2nWinogradVariant;

extern const M2nWinogradVariant m2n_winograd_variants[M2N_N_ISA];

G_END_DECLS
