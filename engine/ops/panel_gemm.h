/* Matrix product with packed weights on panels: the 1x1 convolutions of a forecast, and, by image_gemm.h,
 * of training.
 *
 * A panel is 32 neighbouring positions of an image with all their channels, x[channel][32]: what one product
 * needs lies together and no copy is made of it.  An image of hw positions is ceil(hw/32) panels; lanes past
 * hw in the last one hold anything and influence nothing but themselves.
 *
 *   y[o][p] = bias[o] + sum_i w[o][i] x[i][p]
 *
 * A pair of whole panels takes seven multiplications of half-sized matrices for eight: see panel_gemm.c.  Its
 * panels mix: a NaN in a lane of one reaches the same lane of the other.  So no pairs of panels with lanes
 * past hw, nor of different images.
 *
 * x [in][32], y [out][32], 64-byte aligned, not overlapping; out and in even; bias [out] or NULL
 * w         m2n_panel_pack() of [out][in] row-major: the order depends on the instruction set in use
 * more      m2n_panel_expand() of it
 * scratch   m2n_panel_scratch() floats, 64-byte aligned
 * numerics  float32 (M2N_ISA=scalar: products summed in double): 4e-6 sqrt(in) of the largest product, twice
 *           that for a pair */
#pragma once
#include "engine/ops/panel_chain.h"

G_BEGIN_DECLS

gsize m2n_panel_packed_floats(gsize out, gsize in);
void m2n_panel_pack(gsize out, gsize in, const float *w, float *packed);
/* The same piece by piece: rows begin .. begin + n of each half of the output channels, w[2][n][in].  begin, and n
 * but of the last piece: multiples of m2n_panel_pack_step(). */
void m2n_panel_pack_piece(gsize out, gsize in, gsize begin, gsize n, const float *w, float *packed);
gsize m2n_panel_pack_step(void);
/* The same of w[in][out]: the product is then with its transpose. */
void m2n_panel_pack_transposed(gsize out, gsize in, const float *w, float *packed);

/* What a pair needs besides: sums of blocks of `packed`, three quarters of its size, made where they are used, as
 * they take less time to make than to fetch from memory.  Part `part` of `parts`: for several threads. */
gsize m2n_panel_expanded_floats(gsize out, gsize in);
void m2n_panel_expand(gsize out, gsize in, gsize part, gsize parts, const float *packed,
                      float *more);

gsize m2n_panel_scratch(gsize out, gsize in);
void m2n_panel_gemm(gsize out, gsize in, const float *packed, const float *bias, const float *x,
                    float *y, float *scratch);
void m2n_panel_gemm_pair(gsize out, gsize in, const float *packed, const float *more,
                         const float *bias, const float *const x[2], float *const y[2],
                         float *scratch);

/* The same of n panels, 1 or 2, into rows of an image: y[out][pitch], panel k at columns 32 k ..; add: to what is
 * there. */
void m2n_panel_gemm_rows(gsize n, gsize out, gsize in, const float *packed, const float *more,
                         const float *bias, const float *const x[2], gsize pitch, gboolean add,
                         float *y, float *scratch);

/* packed[out/rows][in][rows], zero below the last row: tiles of `rows` output channels. */
void m2n_panel_pack_rows(gsize rows, gsize out, gsize in, const float *w, float *packed);

G_END_DECLS
