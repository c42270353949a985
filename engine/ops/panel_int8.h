/* panel_gemm.h in 8 bits: packed weights with one scale per output channel, a quantised panel.
 *
 *   y[o][p] = bias[o] + s[o] step[p] sum_i w8[o][i] (q[i][p] - 128)
 *   s[o] = max_i |w[o][i]| / 127,  w8[o][i] = round(w[o][i] / s[o])
 *
 * q, step   of m2n_panel_quantise(); y [out][32], 64-byte aligned; bias [out] or NULL
 * in        a multiple of 4, at most 65536: sums of products are exact in 32 bits
 * packed    m2n_panel_int8_pack() of w [out][in]: the order depends on the instruction set in use.  A row with
 *           a NaN or an infinity has the scale NaN
 * numerics  exact but for the last conversion: 2e-7 of the result, and of bias */
#pragma once
#include "engine/base/cpu.h"
#include "engine/ops/panel_gemm.h"

G_BEGIN_DECLS

gsize m2n_panel_int8_packed_floats(gsize out, gsize in); /* room for it, in floats */
void m2n_panel_int8_pack(gsize out, gsize in, const float *w, float *packed);
void m2n_panel_int8_gemm(gsize out, gsize in, const float *packed, const float *bias,
                         const guint8 *q, const float *step, float *y);

/* TRUE: this processor multiplies in 8 bits faster than in float32. */
gboolean m2n_panel_int8_is_fast(void);

/* One tile of `rows` output channels: start[r] = -128 sum_i w8[r][i]; bias NULL: none. */
typedef void (*M2nInt8Tile)(gsize in, const void *w, const gint32 *start, const float *scale,
                            const float *bias, const guint8 *q, const float *step, float *y);

/* All variants, reference first, the best last.  For the dispatcher, the tests and the benchmark only. */
typedef struct {
    const char *name;
    M2nIsa isa;
    gboolean (*runs)(void); /* beyond isa; NULL: nothing more is needed */
    gboolean fast;
    gsize rows, weight_bytes; /* of a packed tile, of one weight */
    void (*pack)(gsize rows, gsize in, const gint8 *w8, void *packed); /* one tile; w8 [rows][in] */
    M2nInt8Tile tile;
} M2nPanelInt8Variant;

#define M2N_N_INT8 4
extern const M2nPanelInt8Variant m2n_panel_int8_variants[M2N_N_INT8];

/* The same for one variant. */
gboolean m2n_panel_int8_runs(const M2nPanelInt8Variant *v);
gsize m2n_panel_int8_floats_with(const M2nPanelInt8Variant *v, gsize out, gsize in);
void m2n_panel_int8_pack_with(const M2nPanelInt8Variant *v, gsize out, gsize in, const float *w,
                              float *packed);
void m2n_panel_int8_gemm_with(const M2nPanelInt8Variant *v, gsize out, gsize in,
                              const float *packed, const float *bias, const guint8 *q,
                              const float *step, float *y);

G_END_DECLS
