/* One panel in 8 bits: two passes over values that lie in L1, the first for the largest of each position. */
#include "engine/ops/panel_quantise.h"

#include <math.h>
#include <string.h>

#include "engine/ops/dispatch.h"

#if M2N_HAVE_X86
#include <immintrin.h>
#endif

#define TOP 127.0f
/* Below this a position counts as zero, for 127 / max would overflow. */
#define LEAST 1e-30f

/* ---- reference ----------------------------------------------------------------------- */

static float
value(const float *x, const float *scale, const float *shift, gsize c, gsize p)
{
    const float v = x[c * M2N_PANEL + p];

    return scale != NULL ? fmaf(scale[c], v, shift[c]) : v;
}

static void
quantise_ref(gsize channels, const float *x, const float *scale, const float *shift, guint8 *q,
             float *step)
{
    for (gsize p = 0; p < M2N_PANEL; p++) {
        float max = LEAST;

        for (gsize c = 0; c < channels; c++) {
            const float a = fabsf(value(x, scale, shift, c, p));
            if (a > max || isnan(a)) /* a NaN stays: nothing is > it */
                max = a;
        }
        step[p] = max * (1.0f / TOP) + (max - max); /* infinity - infinity is NaN */
        for (gsize c = 0; c < channels; c++) {
            const float v = rintf(value(x, scale, shift, c, p) * (TOP / max));
            q[(c / 4 * M2N_PANEL + p) * 4 + c % 4] = isnan(step[p]) ? 0 : (guint8)(128 + (int)v);
        }
    }
}

#if M2N_HAVE_X86
/* ---- vectors: magnitudes are compared as integers, which puts NaN above infinity above all else ---------- */

/* Four channels of four positions, in each 16 bytes, to four positions of four channels. */
#define TRANSPOSE 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15

M2N_AVX2 static void
quantise_avx2(gsize channels, const float *x, const float *scale, const float *shift, guint8 *q,
              float *step)
{
    const __m256 one = _mm256_set1_ps(1.0f), zero = _mm256_set1_ps(-0.0f);
    const __m256i magnitude = _mm256_set1_epi32(0x7FFFFFFF), offset = _mm256_set1_epi8(-128);
    const __m256i order = _mm256_setr_epi8(TRANSPOSE, TRANSPOSE);

    for (gsize p = 0; p < M2N_PANEL; p += 8) {
        __m256i top = _mm256_castps_si256(_mm256_set1_ps(LEAST));

        for (gsize c = 0; c < channels; c++) {
            const __m256 a = scale != NULL ? _mm256_set1_ps(scale[c]) : one;
            const __m256 b = scale != NULL ? _mm256_set1_ps(shift[c]) : zero;
            const __m256 v = _mm256_fmadd_ps(a, _mm256_loadu_ps(x + c * M2N_PANEL + p), b);
            top = _mm256_max_epi32(top, _mm256_and_si256(_mm256_castps_si256(v), magnitude));
        }
        const __m256 max = _mm256_castsi256_ps(top);
        const __m256 inverse = _mm256_div_ps(_mm256_set1_ps(TOP), max);
        _mm256_storeu_ps(step + p, _mm256_add_ps(_mm256_mul_ps(max, _mm256_set1_ps(1.0f / TOP)),
                                                 _mm256_sub_ps(max, max)));
        for (gsize c = 0; c < channels; c += 4) {
            __m256i v[4];

            for (gsize k = 0; k < 4; k++) {
                const __m256 a = scale != NULL ? _mm256_set1_ps(scale[c + k]) : one;
                const __m256 b = scale != NULL ? _mm256_set1_ps(shift[c + k]) : zero;
                const __m256 f =
                    _mm256_fmadd_ps(a, _mm256_loadu_ps(x + (c + k) * M2N_PANEL + p), b);
                v[k] = _mm256_cvtps_epi32(_mm256_mul_ps(f, inverse));
            }
            const __m256i bytes =
                _mm256_packs_epi16(_mm256_packs_epi32(v[0], v[1]), _mm256_packs_epi32(v[2], v[3]));
            _mm256_storeu_si256((__m256i *)(gpointer)(q + (c / 4 * M2N_PANEL + p) * 4),
                                _mm256_xor_si256(_mm256_shuffle_epi8(bytes, order), offset));
        }
    }
}

M2N_AVX512 static void
quantise_avx512(gsize channels, const float *x, const float *scale, const float *shift, guint8 *q,
                float *step)
{
    const __m512 one = _mm512_set1_ps(1.0f), zero = _mm512_set1_ps(-0.0f);
    const __m512i magnitude = _mm512_set1_epi32(0x7FFFFFFF), offset = _mm512_set1_epi8(-128);
    const __m512i order = _mm512_broadcast_i32x4(_mm_setr_epi8(TRANSPOSE));
    __m512i top[2] = {_mm512_castps_si512(_mm512_set1_ps(LEAST)), top[0]};
    __m512 inverse[2];

    for (gsize c = 0; c < channels; c++) {
        const __m512 a = scale != NULL ? _mm512_set1_ps(scale[c]) : one;
        const __m512 b = scale != NULL ? _mm512_set1_ps(shift[c]) : zero;

        for (gsize h = 0; h < 2; h++) {
            const __m512 v = _mm512_fmadd_ps(a, _mm512_loadu_ps(x + c * M2N_PANEL + 16 * h), b);
            top[h] = _mm512_max_epi32(top[h], _mm512_and_si512(_mm512_castps_si512(v), magnitude));
        }
    }
    for (gsize h = 0; h < 2; h++) {
        const __m512 max = _mm512_castsi512_ps(top[h]);
        inverse[h] = _mm512_div_ps(_mm512_set1_ps(TOP), max);
        _mm512_storeu_ps(
            step + 16 * h,
            _mm512_add_ps(_mm512_mul_ps(max, _mm512_set1_ps(1.0f / TOP)), _mm512_sub_ps(max, max)));
    }
    for (gsize c = 0; c < channels; c += 4)
        for (gsize h = 0; h < 2; h++) {
            __m512i v[4];

            for (gsize k = 0; k < 4; k++) {
                const __m512 a = scale != NULL ? _mm512_set1_ps(scale[c + k]) : one;
                const __m512 b = scale != NULL ? _mm512_set1_ps(shift[c + k]) : zero;
                const __m512 f =
                    _mm512_fmadd_ps(a, _mm512_loadu_ps(x + (c + k) * M2N_PANEL + 16 * h), b);
                v[k] = _mm512_cvtps_epi32(_mm512_mul_ps(f, inverse[h]));
            }
            const __m512i bytes =
                _mm512_packs_epi16(_mm512_packs_epi32(v[0], v[1]), _mm512_packs_epi32(v[2], v[3]));
            _mm512_storeu_si512(q + (c / 4 * M2N_PANEL + 16 * h) * 4,
                                _mm512_xor_si512(_mm512_shuffle_epi8(bytes, order), offset));
        }
}
#endif

/* ---- table and dispatch -------------------------------------------------------------- */

const M2nPanelQuantiseVariant m2n_panel_quantise_variants[M2N_N_ISA] = {
    {M2N_ISA_SCALAR, quantise_ref},
#if M2N_HAVE_X86
    {M2N_ISA_AVX2, quantise_avx2},
    {M2N_ISA_AVX512, quantise_avx512},
#endif
};

void
m2n_panel_quantise(gsize channels, const float *x, const float *scale, const float *shift,
                   guint8 *q, float *step)
{
    M2N_DISPATCH(m2n_panel_quantise_variants, quantise)(channels, x, scale, shift, q, step);
}
