/* SiLU and GELU of one register, for the ops that apply them to numbers they already hold.
 *
 * exp(x) = 2^n (1 + r + r^2 P(r)), |r| <= ln2/2; P minimax of degree 4, relative error 3e-9.
 * gelu(x) = max(x, 0) - a q(a), a = |x|, q(a) = erfc(a/sqrt 2)/2 = exp(-a^2/2) Q(1/(1 + 0.28 a)); Q minimax of
 * degree 6 without constant term, error of q 6e-9 (form after Hastings 1955; coefficients fitted here).
 * What is left is float rounding: both within 3e-7 |x| + 1e-7. */
#pragma once
#include "engine/base/cpu.h"

#if M2N_HAVE_X86
#include <immintrin.h>

#define M2N_LOG2E 1.44269504f
#define M2N_LN2_HIGH 0.693359375f /* few bits: its product with n is exact */
#define M2N_LN2_LOW -2.12194440e-4f
#define M2N_EXP_LIMIT 87.0f /* both exp(87) and exp(-87) are normal numbers */

#define M2N_EXP_2 0.49999994f
#define M2N_EXP_3 0.166665211f
#define M2N_EXP_4 0.0416683890f
#define M2N_EXP_5 0.00836871658f
#define M2N_EXP_6 0.00138146011f

#define M2N_GELU_LIMIT 13.0f /* q(13) = 6e-39 */
#define M2N_GELU_P 0.28f
#define M2N_GELU_1 0.116959319f
#define M2N_GELU_2 0.0647659674f
#define M2N_GELU_3 0.275662839f
#define M2N_GELU_4 -0.245284304f
#define M2N_GELU_5 0.394929498f
#define M2N_GELU_6 -0.107033357f

#define M2N_INLINE static inline __attribute__((always_inline))

/* max and min keep a NaN in their second operand: the order of operands below is not free. */

M2N_AVX2 M2N_INLINE __m256
m2n_exp_avx2(__m256 x) /* |x| <= M2N_EXP_LIMIT */
{
    const __m256 n = _mm256_round_ps(_mm256_mul_ps(x, _mm256_set1_ps(M2N_LOG2E)),
                                     _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const __m256 one = _mm256_set1_ps(1.0f);
    __m256 r = _mm256_fnmadd_ps(n, _mm256_set1_ps(M2N_LN2_HIGH), x), p;

    r = _mm256_fnmadd_ps(n, _mm256_set1_ps(M2N_LN2_LOW), r);
    p = _mm256_fmadd_ps(_mm256_set1_ps(M2N_EXP_6), r, _mm256_set1_ps(M2N_EXP_5));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(M2N_EXP_4));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(M2N_EXP_3));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(M2N_EXP_2));
    p = _mm256_fmadd_ps(_mm256_fmadd_ps(p, r, one), r, one);
    const __m256i bits =
        _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
    return _mm256_mul_ps(p, _mm256_castsi256_ps(bits));
}

M2N_AVX2 M2N_INLINE __m256
m2n_silu_avx2(__m256 x)
{
    const __m256 limit = _mm256_set1_ps(M2N_EXP_LIMIT), one = _mm256_set1_ps(1.0f);
    const __m256 low = _mm256_max_ps(_mm256_sub_ps(_mm256_setzero_ps(), limit), x);
    const __m256 minus = _mm256_sub_ps(_mm256_setzero_ps(), _mm256_min_ps(limit, low));

    return _mm256_div_ps(low, _mm256_add_ps(one, m2n_exp_avx2(minus)));
}

M2N_AVX2 M2N_INLINE __m256
m2n_gelu_avx2(__m256 x)
{
    const __m256 a =
        _mm256_min_ps(_mm256_set1_ps(M2N_GELU_LIMIT), _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x));
    const __m256 one = _mm256_set1_ps(1.0f), half = _mm256_set1_ps(-0.5f);
    const __m256 e = m2n_exp_avx2(_mm256_mul_ps(_mm256_mul_ps(a, half), a));
    const __m256 k = _mm256_div_ps(one, _mm256_fmadd_ps(_mm256_set1_ps(M2N_GELU_P), a, one));
    __m256 q = _mm256_fmadd_ps(_mm256_set1_ps(M2N_GELU_6), k, _mm256_set1_ps(M2N_GELU_5));

    q = _mm256_fmadd_ps(q, k, _mm256_set1_ps(M2N_GELU_4));
    q = _mm256_fmadd_ps(q, k, _mm256_set1_ps(M2N_GELU_3));
    q = _mm256_fmadd_ps(q, k, _mm256_set1_ps(M2N_GELU_2));
    q = _mm256_fmadd_ps(q, k, _mm256_set1_ps(M2N_GELU_1));
    q = _mm256_mul_ps(_mm256_mul_ps(q, k), _mm256_mul_ps(a, e));
    return _mm256_sub_ps(_mm256_max_ps(_mm256_setzero_ps(), x), q);
}

M2N_AVX512 M2N_INLINE __m512
m2n_exp_avx512(__m512 x) /* |x| <= M2N_EXP_LIMIT */
{
    const __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(M2N_LOG2E)),
                                          _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const __m512 one = _mm512_set1_ps(1.0f);
    __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(M2N_LN2_HIGH), x), p;

    r = _mm512_fnmadd_ps(n, _mm512_set1_ps(M2N_LN2_LOW), r);
    p = _mm512_fmadd_ps(_mm512_set1_ps(M2N_EXP_6), r, _mm512_set1_ps(M2N_EXP_5));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(M2N_EXP_4));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(M2N_EXP_3));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(M2N_EXP_2));
    p = _mm512_fmadd_ps(_mm512_fmadd_ps(p, r, one), r, one);
    return _mm512_scalef_ps(p, n);
}

/* 1/x, x > 0 normal: 14 bits of the instruction doubled by one Newton step; a third of a division's time. */
M2N_AVX512 M2N_INLINE __m512
m2n_reciprocal_avx512(__m512 x)
{
    const __m512 r = _mm512_rcp14_ps(x);

    return _mm512_mul_ps(r, _mm512_fnmadd_ps(x, r, _mm512_set1_ps(2.0f)));
}

M2N_AVX512 M2N_INLINE __m512
m2n_silu_avx512(__m512 x)
{
    const __m512 limit = _mm512_set1_ps(M2N_EXP_LIMIT), one = _mm512_set1_ps(1.0f);
    const __m512 low = _mm512_max_ps(_mm512_sub_ps(_mm512_setzero_ps(), limit), x);
    const __m512 minus = _mm512_sub_ps(_mm512_setzero_ps(), _mm512_min_ps(limit, low));

    return _mm512_mul_ps(low, m2n_reciprocal_avx512(_mm512_add_ps(one, m2n_exp_avx512(minus))));
}

M2N_AVX512 M2N_INLINE __m512
m2n_gelu_avx512(__m512 x)
{
    const __m512 a = _mm512_min_ps(_mm512_set1_ps(M2N_GELU_LIMIT), _mm512_abs_ps(x));
    const __m512 one = _mm512_set1_ps(1.0f), half = _mm512_set1_ps(-0.5f);
    const __m512 e = m2n_exp_avx512(_mm512_mul_ps(_mm512_mul_ps(a, half), a));
    const __m512 k = m2n_reciprocal_avx512(_mm512_fmadd_ps(_mm512_set1_ps(M2N_GELU_P), a, one));
    __m512 q = _mm512_fmadd_ps(_mm512_set1_ps(M2N_GELU_6), k, _mm512_set1_ps(M2N_GELU_5));

    q = _mm512_fmadd_ps(q, k, _mm512_set1_ps(M2N_GELU_4));
    q = _mm512_fmadd_ps(q, k, _mm512_set1_ps(M2N_GELU_3));
    q = _mm512_fmadd_ps(q, k, _mm512_set1_ps(M2N_GELU_2));
    q = _mm512_fmadd_ps(q, k, _mm512_set1_ps(M2N_GELU_1));
    q = _mm512_mul_ps(_mm512_mul_ps(q, k), _mm512_mul_ps(a, e));
    return _mm512_sub_ps(_mm512_max_ps(_mm512_setzero_ps(), x), q);
}
#endif
