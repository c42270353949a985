/* Matrix product with packed weights on one panel: the 1x1 convolutions of a forecast.
 *
 * A panel is 32 neighbouring positions of an image with all their channels, x[channel][32]: what one product
 * needs lies together and no copy is made of it.  An image of hw positions is ceil(hw/32) panels; lanes past
 * hw in the last one hold anything and influence nothing but themselves.
 *
 *   y[o][p] = bias[o] + sum_i w[o][i] x[i][p]
 *
 * x [in][32], y [out][32], 64-byte aligned, not overlapping; bias [out] or NULL
 * next      `next_floats` floats (or NULL) that this thread will want soon: they are asked for while the
 *           multipliers are busy.  A hint without influence on y
 * w         m2n_panel_pack() of [out][in] row-major: the order depends on the instruction set in use
 * numerics  variants in float32, the reference sums in double: 2e-6 sqrt(in) of the largest product */
#pragma once
#include "engine/base/cpu.h"

G_BEGIN_DECLS

#define M2N_PANEL 32u

gsize m2n_panel_packed_floats(gsize out, gsize in);
void m2n_panel_pack(gsize out, gsize in, const float *w, float *packed);
void m2n_panel_gemm(gsize out, gsize in, const float *packed, const float *bias, const float *x,
                    float *y, const float *next, gsize next_floats);

/* All variants, reference first.  For the dispatcher, the tests and the benchmark only. */
typedef struct {
    M2nIsa isa;
    gsize rows; /* output channels a tile: how the weights are packed */
    void (*forward)(gsize out, gsize in, const float *packed, const float *bias, const float *x,
                    float *y, const float *next, gsize next_floats);
} M2nPanelGemmVariant;

extern const M2nPanelGemmVariant m2n_panel_gemm_variants[M2N_N_ISA];

/* The packing for one variant: packed[out/rows][in][rows], zero below the last row. */
void m2n_panel_pack_rows(gsize rows, gsize out, gsize in, const float *w, float *packed);

G_END_DECLS
