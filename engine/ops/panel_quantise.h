/* One panel (see panel_gemm.h) in 8 bits, each position with its own step: the operand of panel_int8.h.
 *
 *   v[c][p] = scale[c] x[c][p] + shift[c]                    x itself when scale is NULL
 *   step[p] = max_c |v[c][p]| / 127
 *   q[c][p] = 128 + round(v[c][p] / step[p])                 1 .. 255; 128 is zero
 *
 * The step follows the values, so that nothing has to be calibrated and nothing is ever clipped.
 *
 * x         [channels][32], channels a multiple of 4
 * q         [channels / 4][32][4]: four channels of a position lie together; 64-byte aligned
 * step      [32]; NaN where a value of the position is NaN or infinite: all that is computed from it will be
 *           NaN too, never a number that looks right
 * numerics  all variants give the same bits */
#pragma once
#include "engine/base/cpu.h"
#include "engine/ops/panel_gemm.h"

G_BEGIN_DECLS

void m2n_panel_quantise(gsize channels, const float *x, const float *scale, const float *shift,
                        guint8 *q, float *step);

/* All variants, reference first.  For the dispatcher, the tests and the benchmark only. */
typedef struct {
    M2nIsa isa;
    void (*quantise)(gsize channels, const float *x, const float *scale, const float *shift,
                     guint8 *q, float *step);
} M2nPanelQuantiseVariant;

extern const M2nPanelQuantiseVariant m2n_panel_quantise_variants[M2N_N_ISA];

G_END_DECLS
