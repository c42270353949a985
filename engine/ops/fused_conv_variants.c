/* The innermost loops of fused_conv.c. */
#include <math.h>

#include "engine/ops/activation_simd.h"
#include "engine/ops/fused_conv.h"

#define COLUMNS 32u

/* ---- reference ----------------------------------------------------------------------- */

#define ROWS_REF 4u

static void
tile_ref(gsize in, const float *w, const float *bias, const float *x, gsize channel, gsize line,
         const gsize shift[3], float *y, gsize pitch)
{
    for (gsize r = 0; r < ROWS_REF; r++)
        for (gsize j = 0; j < COLUMNS; j++) {
            double sum = (double)bias[r];

            for (gsize k = 0; k < in * 9; k++)
                sum += (double)w[k * ROWS_REF + r] *
                       (double)x[k / 9 * channel + k / 3 % 3 * line + shift[k % 3] + j];
            y[r * pitch + j] = (float)sum;
        }
}

static float
norm_silu_ref(float x, float scale, float shift)
{
    const double v = (double)scale * (double)x + (double)shift;

    return v < -1000.0 ? 0.0f : (float)(v / (1.0 + exp(-v)));
}

static void
activate_ref(gsize n, const float *x, float scale, float shift, float *y)
{
    for (gsize i = 0; i < n; i++)
        y[i] = norm_silu_ref(x[i], scale, shift);
}

static void
readout_ref(gsize n, const float *x, float scale, float shift, float weight, float *y)
{
    for (gsize i = 0; i < n; i++)
        y[i] += weight * norm_silu_ref(x[i], scale, shift);
}

static void
split_ref(gsize n, const float *x, float *even, float *odd)
{
    for (gsize i = 0; i < n; i++) {
        even[i] = x[2 * i];
        odd[i] = x[2 * i + 1];
    }
}

static void
interleave_ref(gsize n, const float *even, const float *odd, float *y)
{
    for (gsize i = 0; i < n; i++) {
        y[2 * i] = even[i];
        y[2 * i + 1] = odd[i];
    }
}

#if M2N_HAVE_X86
/* ---- AVX2: 4 x 16 in registers, two of them a tile; 6 rows would not fit pixel shuffle --------- */

#define ROWS_AVX2 4

M2N_AVX2 static void
tile_avx2(gsize in, const float *w, const float *bias, const float *x, gsize channel, gsize line,
          const gsize shift[3], float *y, gsize pitch)
{
    for (gsize half = 0; half < COLUMNS; half += 16) {
        const float *v = w;
        __m256 acc[ROWS_AVX2][2];

#pragma GCC unroll 4
        for (int i = 0; i < ROWS_AVX2; i++)
            acc[i][0] = acc[i][1] = _mm256_set1_ps(bias[i]);
        for (gsize k = 0; k < in * 3; k++)
            for (gsize b = 0; b < 3; b++, v += ROWS_AVX2) {
                const float *at = x + k / 3 * channel + k % 3 * line + shift[b] + half;
                const __m256 x0 = _mm256_loadu_ps(at), x1 = _mm256_loadu_ps(at + 8);

#pragma GCC unroll 4
                for (int i = 0; i < ROWS_AVX2; i++) {
                    const __m256 weight = _mm256_set1_ps(v[i]);
                    acc[i][0] = _mm256_fmadd_ps(weight, x0, acc[i][0]);
                    acc[i][1] = _mm256_fmadd_ps(weight, x1, acc[i][1]);
                }
            }
#pragma GCC unroll 4
        for (int i = 0; i < ROWS_AVX2; i++) {
            _mm256_storeu_ps(y + (gsize)i * pitch + half, acc[i][0]);
            _mm256_storeu_ps(y + (gsize)i * pitch + half + 8, acc[i][1]);
        }
    }
}

M2N_AVX2 static void
activate_avx2(gsize n, const float *x, float scale, float shift, float *y)
{
    const __m256 a = _mm256_set1_ps(scale), b = _mm256_set1_ps(shift);
    gsize i = 0;

    for (; n - i >= 8; i += 8)
        _mm256_storeu_ps(y + i, m2n_silu_avx2(_mm256_fmadd_ps(a, _mm256_loadu_ps(x + i), b)));
    activate_ref(n - i, x + i, scale, shift, y + i);
}

M2N_AVX2 static void
readout_avx2(gsize n, const float *x, float scale, float shift, float weight, float *y)
{
    const __m256 a = _mm256_set1_ps(scale), b = _mm256_set1_ps(shift), w = _mm256_set1_ps(weight);
    gsize i = 0;

    for (; n - i >= 8; i += 8) {
        const __m256 v = m2n_silu_avx2(_mm256_fmadd_ps(a, _mm256_loadu_ps(x + i), b));
        _mm256_storeu_ps(y + i, _mm256_fmadd_ps(w, v, _mm256_loadu_ps(y + i)));
    }
    readout_ref(n - i, x + i, scale, shift, weight, y + i);
}

M2N_AVX2 static void
split_avx2(gsize n, const float *x, float *even, float *odd)
{
    gsize i = 0;

    for (; n - i >= 8; i += 8) {
        const __m256 a = _mm256_loadu_ps(x + 2 * i), b = _mm256_loadu_ps(x + 2 * i + 8);
        const __m256d e = _mm256_castps_pd(_mm256_shuffle_ps(a, b, 0x88)); /* halves mixed */
        const __m256d o = _mm256_castps_pd(_mm256_shuffle_ps(a, b, 0xDD));
        _mm256_storeu_ps(even + i, _mm256_castpd_ps(_mm256_permute4x64_pd(e, 0xD8)));
        _mm256_storeu_ps(odd + i, _mm256_castpd_ps(_mm256_permute4x64_pd(o, 0xD8)));
    }
    split_ref(n - i, x + 2 * i, even + i, odd + i);
}

M2N_AVX2 static void
interleave_avx2(gsize n, const float *even, const float *odd, float *y)
{
    gsize i = 0;

    for (; n - i >= 8; i += 8) {
        const __m256 e = _mm256_loadu_ps(even + i), o = _mm256_loadu_ps(odd + i);
        const __m256 low = _mm256_unpacklo_ps(e, o), high = _mm256_unpackhi_ps(e, o);
        _mm256_storeu_ps(y + 2 * i, _mm256_permute2f128_ps(low, high, 0x20));
        _mm256_storeu_ps(y + 2 * i + 8, _mm256_permute2f128_ps(low, high, 0x31));
    }
    interleave_ref(n - i, even + i, odd + i, y + 2 * i);
}

/* ---- AVX-512: 8 x 32 in registers ------------------------------------------------------ */

#define ROWS_AVX512 8

M2N_AVX512 static void
tile_avx512(gsize in, const float *w, const float *bias, const float *x, gsize channel, gsize line,
            const gsize shift[3], float *y, gsize pitch)
{
    __m512 acc[ROWS_AVX512][2];

#pragma GCC unroll 8
    for (int i = 0; i < ROWS_AVX512; i++)
        acc[i][0] = acc[i][1] = _mm512_set1_ps(bias[i]);
    for (gsize c = 0; c < in; c++)
        for (gsize a = 0; a < 3; a++)
            for (gsize b = 0; b < 3; b++, w += ROWS_AVX512) {
                const float *at = x + c * channel + a * line + shift[b];
                const __m512 x0 = _mm512_loadu_ps(at), x1 = _mm512_loadu_ps(at + 16);

#pragma GCC unroll 8
                for (int i = 0; i < ROWS_AVX512; i++) {
                    const __m512 weight = _mm512_set1_ps(w[i]);
                    acc[i][0] = _mm512_fmadd_ps(weight, x0, acc[i][0]);
                    acc[i][1] = _mm512_fmadd_ps(weight, x1, acc[i][1]);
                }
            }
#pragma GCC unroll 8
    for (int i = 0; i < ROWS_AVX512; i++) {
        _mm512_storeu_ps(y + (gsize)i * pitch, acc[i][0]);
        _mm512_storeu_ps(y + (gsize)i * pitch + 16, acc[i][1]);
    }
}

M2N_AVX512 static inline __mmask16
tail(gsize left)
{
    return _cvtu32_mask16(left >= 16 ? 0xffffu : (1u << left) - 1u);
}

M2N_AVX512 static void
activate_avx512(gsize n, const float *x, float scale, float shift, float *y)
{
    const __m512 a = _mm512_set1_ps(scale), b = _mm512_set1_ps(shift);

    for (gsize i = 0; i < n; i += 16) {
        const __mmask16 m = tail(n - i);
        const __m512 v = _mm512_fmadd_ps(a, _mm512_maskz_loadu_ps(m, x + i), b);
        _mm512_mask_storeu_ps(y + i, m, m2n_silu_avx512(v));
    }
}

M2N_AVX512 static void
readout_avx512(gsize n, const float *x, float scale, float shift, float weight, float *y)
{
    const __m512 a = _mm512_set1_ps(scale), b = _mm512_set1_ps(shift), w = _mm512_set1_ps(weight);

    for (gsize i = 0; i < n; i += 16) {
        const __mmask16 m = tail(n - i);
        const __m512 v = m2n_silu_avx512(_mm512_fmadd_ps(a, _mm512_maskz_loadu_ps(m, x + i), b));
        _mm512_mask_storeu_ps(y + i, m, _mm512_fmadd_ps(w, v, _mm512_maskz_loadu_ps(m, y + i)));
    }
}

M2N_AVX512 static void
split_avx512(gsize n, const float *x, float *even, float *odd)
{
    const __m512i e = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i o = _mm512_add_epi32(e, _mm512_set1_epi32(1));
    gsize i = 0;

    for (; n - i >= 16; i += 16) {
        const __m512 a = _mm512_loadu_ps(x + 2 * i), b = _mm512_loadu_ps(x + 2 * i + 16);
        _mm512_storeu_ps(even + i, _mm512_permutex2var_ps(a, e, b));
        _mm512_storeu_ps(odd + i, _mm512_permutex2var_ps(a, o, b));
    }
    split_ref(n - i, x + 2 * i, even + i, odd + i);
}

M2N_AVX512 static void
interleave_avx512(gsize n, const float *even, const float *odd, float *y)
{
    const __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const __m512i high = _mm512_add_epi32(low, _mm512_set1_epi32(8));
    gsize i = 0;

    for (; n - i >= 16; i += 16) {
        const __m512 e = _mm512_loadu_ps(even + i), o = _mm512_loadu_ps(odd + i);
        _mm512_storeu_ps(y + 2 * i, _mm512_permutex2var_ps(e, low, o));
        _mm512_storeu_ps(y + 2 * i + 16, _mm512_permutex2var_ps(e, high, o));
    }
    interleave_ref(n - i, even + i, odd + i, y + 2 * i);
}
#endif

/* ---- table ----------------------------------------------------------------------------- */

const M2nFusedConvVariant m2n_fused_conv_variants[M2N_N_ISA] = {
    {M2N_ISA_SCALAR, ROWS_REF, tile_ref, activate_ref, readout_ref, split_ref, interleave_ref},
#if M2N_HAVE_X86
    {M2N_ISA_AVX2, ROWS_AVX2, tile_avx2, activate_avx2, readout_avx2, split_avx2, interleave_avx2},
    {M2N_ISA_AVX512, ROWS_AVX512, tile_avx512, activate_avx512, readout_avx512, split_avx512,
     interleave_avx512},
#endif
};
