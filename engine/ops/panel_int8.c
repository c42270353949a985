/* Matrix product with 8-bit weights on a quantised panel.
 *
 * VPDPBUSD takes four neighbouring input channels of a position at once, activations without sign and weights
 * with one: hence the offset of 128 in q, whose part of the sum is known when weights are packed and where sums
 * start.  Packed are, for all rows of the tiles: scales, starts, weights. */
#include "engine/ops/panel_int8.h"

#include <math.h>
#include <string.h>

#if M2N_HAVE_X86
#include <cpuid.h>
#include <immintrin.h>
#endif

#define MAX_ROWS 8u

/* ---- reference: one row a tile, weights as they are ------------------------------------- */

static void
pack_ref(gsize rows, gsize in, const gint8 *w8, void *packed)
{
    memcpy(packed, w8, rows * in);
}

static void
tile_ref(gsize in, const void *w, const gint32 *start, const float *scale, const float *bias,
         const guint8 *q, const float *step, float *y)
{
    const gint8 *row = w;

    for (gsize p = 0; p < M2N_PANEL; p++) {
        gint32 sum = start[0];

        for (gsize i = 0; i < in; i++)
            sum += row[i] * q[(i / 4 * M2N_PANEL + p) * 4 + i % 4];
        y[p] = (float)((double)scale[0] * (double)step[p] * sum +
                       (bias != NULL ? (double)bias[0] : 0.0));
    }
}

#if M2N_HAVE_X86
/* Packed [in/4][rows][4]. */
static void
pack_fours(gsize rows, gsize in, const gint8 *w8, void *packed)
{
    gint8 *out = packed;

    for (gsize i = 0; i < in; i += 4)
        for (gsize r = 0; r < rows; r++, out += 4)
            memcpy(out, w8 + r * in + i, 4);
}

static inline gint32
load_four(const void *w, gsize i)
{
    gint32 four;

    memcpy(&four, (const guint8 *)w + 4 * i, 4);
    return four;
}

/* ---- AVX2: as fast as float32, no faster --------------------------------------------------
 * VPMADDUBSW would saturate its sums of two products; so even and odd channels apart, in 16 bits. */

#define ROWS_AVX2 4

/* Packed [in/4][rows][4] in 16 bits: channels 0 2 1 3. */
static void
pack_avx2(gsize rows, gsize in, const gint8 *w8, void *packed)
{
    static const gsize order[4] = {0, 2, 1, 3};
    gint16 *out = packed;

    for (gsize i = 0; i < in; i += 4)
        for (gsize r = 0; r < rows; r++)
            for (gsize k = 0; k < 4; k++)
                *out++ = w8[r * in + i + order[k]];
}

M2N_AVX2 static inline void
store_avx2(__m256i sum, float scale, const float *bias, const float *step, float *y)
{
    const __m256 factor = _mm256_mul_ps(_mm256_set1_ps(scale), _mm256_loadu_ps(step));

    _mm256_storeu_ps(y, _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), factor,
                                        _mm256_set1_ps(bias != NULL ? *bias : 0.0f)));
}

M2N_AVX2 static void
tile_avx2(gsize in, const void *w, const gint32 *start, const float *scale, const float *bias,
          const guint8 *q, const float *step, float *y)
{
    const __m256i low = _mm256_set1_epi16(0xFF);

    for (gsize p = 0; p < M2N_PANEL; p += 16) {
        __m256i acc[ROWS_AVX2][2];

#pragma GCC unroll 4
        for (int r = 0; r < ROWS_AVX2; r++)
            acc[r][0] = acc[r][1] = _mm256_set1_epi32(start[r]);
        for (gsize g = 0; g < in / 4; g++) {
            const guint8 *at = q + (g * M2N_PANEL + p) * 4;
            const __m256i a = _mm256_loadu_si256((const __m256i *)(gconstpointer)at);
            const __m256i b = _mm256_loadu_si256((const __m256i *)(gconstpointer)(at + 32));
            const __m256i even[2] = {_mm256_and_si256(a, low), _mm256_and_si256(b, low)};
            const __m256i odd[2] = {_mm256_srli_epi16(a, 8), _mm256_srli_epi16(b, 8)};

#pragma GCC unroll 4
            for (int r = 0; r < ROWS_AVX2; r++) {
                const gsize i = (g * ROWS_AVX2 + (gsize)r) * 2;
                const __m256i w0 = _mm256_set1_epi32(load_four(w, i));
                const __m256i w1 = _mm256_set1_epi32(load_four(w, i + 1));

#pragma GCC unroll 2
                for (int h = 0; h < 2; h++) {
                    acc[r][h] = _mm256_add_epi32(acc[r][h], _mm256_madd_epi16(even[h], w0));
                    acc[r][h] = _mm256_add_epi32(acc[r][h], _mm256_madd_epi16(odd[h], w1));
                }
            }
        }
#pragma GCC unroll 4
        for (int r = 0; r < ROWS_AVX2; r++)
            for (gsize h = 0; h < 2; h++)
                store_avx2(acc[r][h], scale[r], bias != NULL ? bias + r : NULL, step + p + 8 * h,
                           y + (gsize)r * M2N_PANEL + p + 8 * h);
    }
}

/* ---- VNNI in 256 bits: processors with AVX-VNNI and no AVX-512 ----------------------------- */

#define M2N_AVXVNNI __attribute__((target("avx2,fma,avxvnni")))
#define ROWS_AVXVNNI 6

static gboolean
avxvnni_runs(void)
{
    guint a, b, c, d;

    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & 1u << 4) != 0;
}

M2N_AVXVNNI static void
tile_avxvnni(gsize in, const void *w, const gint32 *start, const float *scale, const float *bias,
             const guint8 *q, const float *step, float *y)
{
    for (gsize p = 0; p < M2N_PANEL; p += 16) {
        __m256i acc[ROWS_AVXVNNI][2];

#pragma GCC unroll 6
        for (int r = 0; r < ROWS_AVXVNNI; r++)
            acc[r][0] = acc[r][1] = _mm256_set1_epi32(start[r]);
        for (gsize g = 0; g < in / 4; g++) {
            const guint8 *at = q + (g * M2N_PANEL + p) * 4;
            const __m256i a = _mm256_loadu_si256((const __m256i *)(gconstpointer)at);
            const __m256i b = _mm256_loadu_si256((const __m256i *)(gconstpointer)(at + 32));

#pragma GCC unroll 6
            for (int r = 0; r < ROWS_AVXVNNI; r++) {
                const __m256i four = _mm256_set1_epi32(load_four(w, g * ROWS_AVXVNNI + (gsize)r));
                acc[r][0] = _mm256_dpbusd_avx_epi32(acc[r][0], a, four);
                acc[r][1] = _mm256_dpbusd_avx_epi32(acc[r][1], b, four);
            }
        }
#pragma GCC unroll 6
        for (int r = 0; r < ROWS_AVXVNNI; r++)
            for (gsize h = 0; h < 2; h++)
                store_avx2(acc[r][h], scale[r], bias != NULL ? bias + r : NULL, step + p + 8 * h,
                           y + (gsize)r * M2N_PANEL + p + 8 * h);
    }
}

/* ---- VNNI in 512 bits ---------------------------------------------------------------------- */

#define M2N_AVX512VNNI __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx512vnni,fma")))
#define ROWS_AVX512 8

static gboolean
avx512vnni_runs(void)
{
    return __builtin_cpu_supports("avx512vnni") != 0;
}

M2N_AVX512VNNI static void
tile_avx512vnni(gsize in, const void *w, const gint32 *start, const float *scale, const float *bias,
                const guint8 *q, const float *step, float *y)
{
    __m512i acc[ROWS_AVX512][2];

#pragma GCC unroll 8
    for (int r = 0; r < ROWS_AVX512; r++)
        acc[r][0] = acc[r][1] = _mm512_set1_epi32(start[r]);
    for (gsize g = 0; g < in / 4; g++) {
        const __m512i a = _mm512_loadu_si512(q + g * M2N_PANEL * 4);
        const __m512i b = _mm512_loadu_si512(q + g * M2N_PANEL * 4 + 64);

#pragma GCC unroll 8
        for (int r = 0; r < ROWS_AVX512; r++) {
            const __m512i four = _mm512_set1_epi32(load_four(w, g * ROWS_AVX512 + (gsize)r));
            acc[r][0] = _mm512_dpbusd_epi32(acc[r][0], a, four);
            acc[r][1] = _mm512_dpbusd_epi32(acc[r][1], b, four);
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < ROWS_AVX512; r++) {
        const __m512 start_at = _mm512_set1_ps(bias != NULL ? bias[r] : 0.0f);

        for (gsize h = 0; h < 2; h++) {
            const __m512 factor =
                _mm512_mul_ps(_mm512_set1_ps(scale[r]), _mm512_loadu_ps(step + 16 * h));
            _mm512_storeu_ps(y + (gsize)r * M2N_PANEL + 16 * h,
                             _mm512_fmadd_ps(_mm512_cvtepi32_ps(acc[r][h]), factor, start_at));
        }
    }
}
#endif

/* ---- table ------------------------------------------------------------------------------- */

const M2nPanelInt8Variant m2n_panel_int8_variants[M2N_N_INT8] = {
    {"scalar", M2N_ISA_SCALAR, NULL, FALSE, 1, 1, pack_ref, tile_ref},
#if M2N_HAVE_X86
    {"avx2", M2N_ISA_AVX2, NULL, FALSE, ROWS_AVX2, 2, pack_avx2, tile_avx2},
    {"avxvnni", M2N_ISA_AVX2, avxvnni_runs, TRUE, ROWS_AVXVNNI, 1, pack_fours, tile_avxvnni},
    {"avx512vnni", M2N_ISA_AVX512, avx512vnni_runs, TRUE, ROWS_AVX512, 1, pack_fours,
     tile_avx512vnni},
#endif
};

gboolean
m2n_panel_int8_runs(const M2nPanelInt8Variant *v)
{
    return v->tile != NULL && m2n_isa_runs(v->isa) && (v->runs == NULL || v->runs());
}

static const M2nPanelInt8Variant *
choose(void)
{
    static gsize once = 0; /* index + 1 */

    if (g_once_init_enter(&once)) {
        gsize best = 0;

        for (gsize i = 1; i < M2N_N_INT8; i++)
            if (m2n_panel_int8_variants[i].isa <= m2n_isa() &&
                m2n_panel_int8_runs(&m2n_panel_int8_variants[i]))
                best = i;
        g_once_init_leave(&once, best + 1);
    }
    return &m2n_panel_int8_variants[once - 1];
}

gboolean
m2n_panel_int8_is_fast(void)
{
    return choose()->fast;
}

/* ---- packing ------------------------------------------------------------------------------ */

static gsize
round_rows(const M2nPanelInt8Variant *v, gsize out)
{
    return (out + v->rows - 1) / v->rows * v->rows;
}

gsize
m2n_panel_int8_floats_with(const M2nPanelInt8Variant *v, gsize out, gsize in)
{
    const gsize rows = round_rows(v, out);

    return 2 * rows + (rows * in * v->weight_bytes + sizeof(float) - 1) / sizeof(float);
}

/* A row in 8 bits; returns the sum of them. */
static gint32
round_row(gsize in, const float *w, gint8 *w8, float *scale)
{
    float max = 0.0f;
    gint32 sum = 0;

    for (gsize i = 0; i < in; i++)
        if (fabsf(w[i]) > max || isnan(w[i])) /* a NaN stays: nothing is > it */
            max = fabsf(w[i]);
    *scale = max / 127.0f + (max - max); /* infinity - infinity is NaN */
    for (gsize i = 0; i < in; i++) {
        w8[i] = max > 0.0f && isfinite(max) ? (gint8)rint((double)w[i] / (double)max * 127.0) : 0;
        sum += w8[i];
    }
    return sum;
}

void
m2n_panel_int8_pack_with(const M2nPanelInt8Variant *v, gsize out, gsize in, const float *w,
                         float *packed)
{
    const gsize rows = round_rows(v, out);
    gint32 *start = (gint32 *)(gpointer)(packed + rows);
    guint8 *weights = (guint8 *)(packed + 2 * rows);
    g_autofree gint8 *w8 = g_new(gint8, v->rows * in);

    for (gsize o = 0; o < rows; o += v->rows) {
        for (gsize r = 0; r < v->rows; r++) {
            const gboolean there = o + r < out;

            if (there)
                start[o + r] = -128 * round_row(in, w + (o + r) * in, w8 + r * in, &packed[o + r]);
            else
                packed[o + r] = 0.0f, start[o + r] = 0, memset(w8 + r * in, 0, in);
        }
        v->pack(v->rows, in, w8, weights + o * in * v->weight_bytes);
    }
}

/* ---- all tiles of a panel -------------------------------------------------------------- */

/* The last, incomplete tile: a whole one would write past y. */
static void
edge(const M2nPanelInt8Variant *v, gsize count, gsize in, const void *w, const gint32 *start,
     const float *scale, const float *bias, const guint8 *q, const float *step, float *y)
{
    float last[MAX_ROWS * M2N_PANEL], last_bias[MAX_ROWS] = {0};

    if (bias != NULL)
        memcpy(last_bias, bias, count * sizeof(float));
    v->tile(in, w, start, scale, last_bias, q, step, last);
    memcpy(y, last, count * M2N_PANEL * sizeof(float));
}

void
m2n_panel_int8_gemm_with(const M2nPanelInt8Variant *v, gsize out, gsize in, const float *packed,
                         const float *bias, const guint8 *q, const float *step, float *y)
{
    const gsize rows = round_rows(v, out);
    const gint32 *start = (const gint32 *)(gconstpointer)(packed + rows);
    const guint8 *weights = (const guint8 *)(packed + 2 * rows);

    for (gsize o = 0; o < out; o += v->rows) {
        const guint8 *w = weights + o * in * v->weight_bytes;
        const float *b = bias != NULL ? bias + o : NULL;

        if (out - o >= v->rows)
            v->tile(in, w, start + o, packed + o, b, q, step, y + o * M2N_PANEL);
        else
            edge(v, out - o, in, w, start + o, packed + o, b, q, step, y + o * M2N_PANEL);
    }
}

/* ---- dispatch --------------------------------------------------------------------------- */

gsize
m2n_panel_int8_packed_floats(gsize out, gsize in)
{
    return m2n_panel_int8_floats_with(choose(), out, in);
}

void
m2n_panel_int8_pack(gsize out, gsize in, const float *w, float *packed)
{
    m2n_panel_int8_pack_with(choose(), out, in, w, packed);
}

void
m2n_panel_int8_gemm(gsize out, gsize in, const float *packed, const float *bias, const guint8 *q,
                    const float *step, float *y)
{
    m2n_panel_int8_gemm_with(choose(), out, in, packed, bias, q, step, y);
}
