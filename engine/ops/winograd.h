/* Winograd's F(4x2, 3x3): a 3x3 convolution of stride 1 as 24 products for each 4 x 2 outputs, where the plain
 * sum has 72; the inside of fused_conv.c.
 *
 *   y = A4^T [ (G4 w G2^T) * (B4^T d B2) ] A2      d: the 6 x 4 inputs around 4 x 2 outputs, * element by element
 *
 *   B2^T = 1  0 -1  0     G2 = 1    0    0     A2^T = 1 1  1  0
 *          0  1  1  0          1/2  1/2  1/2          0 1 -1 -1
 *          0 -1  1  0          1/2 -1/2  1/2
 *          0  1  0 -1          0    0    1
 *
 *   B4^T = 4  0 -5  0  1  0     G4 =  1/4     0     0     A4^T = 1  1  1  1  1  0
 *          0 -4 -4  1  1  0          -1/6  -1/6  -1/6            0  1 -1  2 -2  0
 *          0  4 -4 -1  1  0          -1/6   1/6  -1/6            0  1  1  4  4  0
 *          0 -2 -1  2  1  0           1/24  1/12  1/6            0  1 -1  8 -8  1
 *          0  2 -1 -2  1  0           1/24 -1/12  1/6
 *          0  4  0 -5  0  1            0     0     1
 *
 * With sums over the input channels each of the 24 is a matrix product (panel_chain.h) of [rows][in] and [in][32
 * neighbouring blocks of outputs], two segments of 16 blocks of a row of blocks.  Four columns a block would take
 * 36 products for 16 outputs, but images of 32 columns are then eight blocks wide.
 *
 * numerics  float32: about four times the rounding of the plain sum
 * source    Lavin, Gray, "Fast algorithms for convolutional neural networks", 2015, arXiv:1509.09308 */
#pragma once
#include "engine/ops/panel_chain.h"

G_BEGIN_DECLS

#define M2N_WINOGRAD 24u         /* products */
#define M2N_WINOGRAD_BLOCKS 16u  /* of a segment */
#define M2N_WINOGRAD_ROWS 4u     /* of a segment */
#define M2N_WINOGRAD_COLUMNS 32u /* of a segment */

/* packed[out/rows][24][in][rows] of w[out][in][3][3], zero below the last row. */
void m2n_winograd_pack(gsize rows, gsize out, gsize in, const float *w, float *packed);

/* Floats from one of the 24 operands to the next: not a power of two, whose lines would share a set of L1. */
static inline gsize
m2n_winograd_pitch(gsize in)
{
    return (in + 1) * M2N_PANEL;
}

typedef struct {
    M2nIsa isa;
    /* B4^T d B2 of a segment: v[24][in][32] (m2n_winograd_pitch() apart), 16 lanes of it.  Column 2k of channel c,
     * line a is x[c channel + a line + k], column 2k - 1 `odd` floats after it */
    void (*input)(gsize in, const float *x, gsize channel, gsize line, gsize odd, float *v);
    /* bias + A4^T m A2 of a segment: m[24][rows][32], 16 lanes of it, -> y: row a of channel r is the 32 columns
     * at a line + r channel */
    void (*output)(gsize rows, const float *m, const float *bias, float *y, gsize line,
                   gsize channel);
} M2nWinogradVariant;

extern const M2nWinogradVariant m2n_winograd_variants[M2N_N_ISA];

G_END_DECLS
