/* Matrix product with packed weights on images as they lie: the 1x1 convolutions of training and their input
 * gradients.
 *
 *   y[o][p] = bias[o] + sum_i w[o][i] (scale[i] x[i][p] + shift[i])         add: y[o][p] += that
 *
 * 64 positions at a time are copied into a pair of panels, for panel_gemm.h: a norm before the product costs nothing there.
 *
 * x, y      [in][pitch], [out][pitch], n positions of each, not overlapping; out and in even.  An image may be cut
 *           at multiples of M2N_IMAGE_COLUMNS without changing a bit
 * packed    m2n_image_gemm_pack() of w[out][in], or m2n_image_gemm_pack_transposed() of w[in][out]: all that
 *           panel_gemm.h asks for
 * bias      [out], or NULL
 * scale     [in], or NULL: 1
 * shift     [in], or NULL: 0
 * scratch   m2n_image_gemm_scratch() floats, 64-byte aligned, one per thread
 * numerics  as m2n_panel_gemm() */
#pragma once
#include "engine/ops/panel_gemm.h"

G_BEGIN_DECLS

#define M2N_IMAGE_COLUMNS (2 * M2N_PANEL)

gsize m2n_image_gemm_packed_floats(gsize out, gsize in);
void m2n_image_gemm_pack(gsize out, gsize in, const float *w, float *packed);
void m2n_image_gemm_pack_transposed(gsize out, gsize in, const float *w, float *packed);
gsize m2n_image_gemm_scratch(gsize out, gsize in);
void m2n_image_gemm(gsize out, gsize in, gsize n, gsize pitch, const float *packed,
                    const float *bias, const float *x, const float *scale, const float *shift,
                    gboolean add, float *y, float *scratch);

/* All variants, reference first: 32 or 64 columns of an image -> one panel or two, one behind the other. */
typedef struct {
    M2nIsa isa;
    void (*fetch)(gsize channels, gsize panels, gsize pitch, const float *x, const float *scale,
                  const float *shift, float *panel);
} M2nImageGemmVariant;

extern const M2nImageGemmVariant m2n_image_gemm_variants[M2N_N_ISA];

G_END_DECLS
