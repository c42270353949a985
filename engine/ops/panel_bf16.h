/* panel_gemm.h with weights kept in BF16, half the memory: a few output channels at a time are widened to
 * float32 in L1 and multiplied there, for n panels.
 *
 *   y[k][o][p] = bias[o] + sum_i bf16(w[o][i]) x[k][i][p]
 *
 * x, y, bias  as m2n_panel_gemm(), n of each
 * packed      m2n_panel_bf16_pack() of [out][in]: the order depends on the instruction set in use
 * space       m2n_panel_bf16_space() floats to work with, 64-byte aligned
 * numerics    as m2n_panel_gemm() with weights rounded to BF16; panels do not mix */
#pragma once
#include "engine/ops/panel_gemm.h"

G_BEGIN_DECLS

gsize m2n_panel_bf16_packed_floats(gsize out, gsize in); /* room for it, in floats */
void m2n_panel_bf16_pack(gsize out, gsize in, const float *w, float *packed);
gsize m2n_panel_bf16_space(void);
void m2n_panel_bf16_gemm(gsize out, gsize in, const float *packed, const float *bias, gsize n,
                         const float *const *x, float *const *y, float *space);

/* All variants, reference first.  For the dispatcher, the tests and the benchmark only. */
typedef struct {
    M2nIsa isa;
    void (*widen)(gsize n, const guint16 *in, float *out);
} M2nPanelBf16Variant;

extern const M2nPanelBf16Variant m2n_panel_bf16_variants[M2N_N_ISA];

G_END_DECLS
