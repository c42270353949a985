/* Matrix product with weights in BF16.  (VDPBF16PS, which multiplies them directly, has half the rate of float32
 * on the processors measured: see SPEED.md.) */
#include "engine/ops/panel_bf16.h"

#include <string.h>

#include "engine/base/half.h"
#include "engine/ops/dispatch.h"

#if M2N_HAVE_X86
#include <immintrin.h>
#endif

/* ---- widening: n a multiple of 16 or the reference ----------------------------------------- */

static void
widen_ref(gsize n, const guint16 *in, float *out)
{
    for (gsize i = 0; i < n; i++)
        out[i] = m2n_float_from_bf16(in[i]);
}

#if M2N_HAVE_X86
M2N_AVX2 static void
widen_avx2(gsize n, const guint16 *in, float *out)
{
    gsize i = 0;

    for (; i + 8 <= n; i += 8) {
        const __m256i v =
            _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(gconstpointer)(in + i)));
        _mm256_storeu_ps(out + i, _mm256_castsi256_ps(_mm256_slli_epi32(v, 16)));
    }
    widen_ref(n - i, in + i, out + i);
}

M2N_AVX512 static void
widen_avx512(gsize n, const guint16 *in, float *out)
{
    gsize i = 0;

    for (; i + 16 <= n; i += 16) {
        const __m512i v =
            _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(gconstpointer)(in + i)));
        _mm512_storeu_ps(out + i, _mm512_castsi512_ps(_mm512_slli_epi32(v, 16)));
    }
    widen_ref(n - i, in + i, out + i);
}
#endif

const M2nPanelBf16Variant m2n_panel_bf16_variants[M2N_N_ISA] = {
    {M2N_ISA_SCALAR, widen_ref},
#if M2N_HAVE_X86
    {M2N_ISA_AVX2, widen_avx2},
    {M2N_ISA_AVX512, widen_avx512},
#endif
};

/* ---- packing and products: tiles of panel_chain.h ------------------------------------------- */

#define SLICE 256u /* input channels at a time: 32 KiB of x, which stays in L1 */

static const M2nChainVariant *
tiles(void)
{
    return &m2n_chain_variants[m2n_isa()];
}

static gsize
packed_weights(gsize out, gsize in)
{
    const gsize rows = tiles()->rows;

    return (out + rows - 1) / rows * rows * in;
}

gsize
m2n_panel_bf16_packed_floats(gsize out, gsize in)
{
    return (packed_weights(out, in) + 1) / 2;
}

/* packed[in/SLICE][out/rows][SLICE][rows] */
void
m2n_panel_bf16_pack(gsize out, gsize in, const float *w, float *packed)
{
    const gsize rows = tiles()->rows;
    guint16 *half = (guint16 *)(gpointer)packed;

    for (gsize first = 0; first < in; first += SLICE)
        for (gsize o = 0; o < out; o += rows)
            for (gsize i = first; i < MIN(first + SLICE, in); i++)
                for (gsize r = o; r < o + rows; r++)
                    *half++ = r < out ? m2n_bf16_from_float(w[r * in + i]) : 0;
}

gsize
m2n_panel_bf16_space(void)
{
    return tiles()->rows * SLICE;
}

/* The last, incomplete tile: a whole one would go past y and bias. */
static void
last_tile(gsize count, gsize k, M2nChain c)
{
    float to[M2N_CHAIN_MAX_ROWS * M2N_PANEL] = {0}, bias[M2N_CHAIN_MAX_ROWS] = {0};
    float *y = c.end.to;

    if (c.end.from != NULL)
        memcpy(to, y, count * M2N_PANEL * sizeof(float));
    if (c.end.bias != NULL)
        memcpy(bias, c.end.bias, count * sizeof(float));
    c.end = (M2nChainEnd){.to = to, .from = c.end.from != NULL ? to : NULL, .bias = bias};
    tiles()->chain(k, &c);
    memcpy(y, to, count * M2N_PANEL * sizeof(float));
}

void
m2n_panel_bf16_gemm(gsize out, gsize in, const float *packed, const float *bias, gsize n,
                    const float *const *x, float *const *y, float *space)
{
    const M2nChainVariant *v = tiles();
    const guint16 *half = (const guint16 *)(gconstpointer)packed;

    for (gsize first = 0; first < in; first += SLICE) {
        const gsize k = MIN(SLICE, in - first);

        for (gsize o = 0; o < out; o += v->rows, half += v->rows * k) {
            M2N_DISPATCH(m2n_panel_bf16_variants, widen)(v->rows * k, half, space);
            for (gsize i = 0; i < n; i++) {
                float *to = y[i] + o * M2N_PANEL;
                M2nChain c = {.w = {space, NULL}, .x = {x[i] + first * M2N_PANEL, NULL}};

                c.end.to = to;
                c.end.from = first > 0 ? to : NULL;
                c.end.bias = first == 0 && bias != NULL ? bias + o : NULL;
                if (out - o >= v->rows)
                    v->chain(k, &c);
                else
                    last_tile(out - o, k, c);
            }
        }
    }
}
