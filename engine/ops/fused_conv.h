/* 3x3 convolution of one image with what surrounds it: one stage of an encoder or decoder.
 *
 *   v[c]  = x[c], or silu(scale[c] x[c] + shift[c]): norm and activation of the stage before
 *   y[o][i][j] = bias[o] + sum_{c,a,b} w[o][c][a][b] v[c][stride*i + a - 1][stride*j + b - 1], v zero outside,
 *           or the pixel shuffle of that by 2 (pixel_shuffle.h)
 *   m     = moments of y for the group norm that follows
 *
 * The image goes through in bands of rows that stay in L2: it is read and written once.
 *
 * x, y        [in][height][width], [out][height/stride][width/stride] or [out/4][2 height][2 width]
 * scale       [in] with shift, or both NULL
 * packed      m2n_fused_conv_pack() of w[out][in][3][3]; the order depends on the instruction set in use
 * bias        [out], or NULL: none
 * m           [groups][bands], each group's channels being neighbours; see m2n_fused_conv_norm(); NULL: not wanted
 * scratch     m2n_fused_conv_scratch() floats, 64-byte aligned
 * numerics    float32: 1e-6 sqrt(9 in) of the largest product, four times that with winograd.h, where a NaN
 *             reaches all positions of its blocks of 4 x 2 */
#pragma once
#include "engine/base/cpu.h"
#include "engine/ops/panel.h"

G_BEGIN_DECLS

typedef struct {
    gsize in, out, height, width; /* of x */
    gsize stride;                 /* 1 or 2 */
    gsize groups;                 /* of the norm that follows; divides the channels of y */
    gboolean shuffle;             /* out divisible by 4, stride 1 */
} M2nFusedConv;

gsize m2n_fused_conv_packed_floats(gsize out, gsize in, gsize stride);
void m2n_fused_conv_pack(gsize out, gsize in, gsize stride, const float *w, float *packed);
gsize m2n_fused_conv_scratch(const M2nFusedConv *s);
gsize m2n_fused_conv_bands(const M2nFusedConv *s);
void m2n_fused_conv(const M2nFusedConv *s, float *y, const float *x, const float *scale,
                    const float *shift, const float *packed, const float *bias, M2nMoments *m,
                    float *scratch);

/* The group norm that follows, from its moments, as scale and shift [channels of y]; mean, rstd [groups] or NULL. */
void m2n_fused_conv_norm(const M2nFusedConv *s, const M2nMoments *m, const float *gamma,
                         const float *beta, float *scale, float *shift, float *mean, float *rstd);

/* What follows the last stage.  n positions of one channel:
 *   activate  y = silu(scale x + shift)
 *   readout   y += weight silu(scale x + shift) */
void m2n_norm_silu(gsize n, const float *x, float scale, float shift, float *y);
void m2n_norm_silu_readout(gsize n, const float *x, float scale, float shift, float weight,
                           float *y);

/* All variants, reference first.  For the dispatcher, the tests and the benchmark only. */
typedef struct {
    M2nIsa isa;
    gsize rows; /* output channels a tile, a multiple of 4 */
    /* y[rows][32], rows `pitch` apart, from lines of `in` channels: channel c, line a, column b of the filter
     * begins at x + c channel + a line + shift[b] */
    void (*tile)(gsize in, const float *w, const float *bias, const float *x, gsize channel,
                 gsize line, const gsize shift[3], float *y, gsize pitch);
    void (*activate)(gsize n, const float *x, float scale, float shift, float *y);
    void (*readout)(gsize n, const float *x, float scale, float shift, float weight, float *y);
    void (*split)(gsize n, const float *x, float *even, float *odd);            /* 2n -> n and n */
    void (*interleave)(gsize n, const float *even, const float *odd, float *y); /* n and n -> 2n */
} M2nFusedConvVariant;

extern const M2nFusedConvVariant m2n_fused_conv_variants[M2N_N_ISA];

G_END_DECLS
