/* SiLU and GELU of one register, for the ops that apply them to numbers they already hold.
 *
 * exp(c x) = 2^n 2^f, n + f = c x log2(e), |f| <= 1/2; 2^f by a polynomial of degree 5, relative error 1e-7.
 * gelu(x) = max(x, 0) - h(|x|), h(a) = a erfc(a/sqrt 2)/2:
 *   AVX-512  h by polynomials of degree 5 on pieces of width 0.4, the first without constant term; zero from 5.8
 *            on, where h is 2e-8.  Sixteen coefficients are one register, which an instruction permutes by piece
 *   AVX2     h(a) = a exp(-a^2/2) Q(1/(1 + 0.28 a)); Q minimax of degree 6 without constant term, error 6e-9
 *            (form after Hastings 1955)
 * Coefficients are fitted here, to Chebyshev nodes.  Both within 3e-7 |x| + 1e-7. */
#pragma once
#include "engine/base/cpu.h"

#if M2N_HAVE_X86
#include <immintrin.h>

#define M2N_LOG2E 1.44269504f
#define M2N_EXP_LIMIT 87.0f   /* both exp(87) and exp(-87) are normal numbers */
#define M2N_ROUND 12582912.0f /* 1.5 2^23: x + it is x rounded, and has its bits at the low end */

#define M2N_EXP2_1 0.693146884f
#define M2N_EXP2_2 0.240222380f
#define M2N_EXP2_3 0.0555089302f
#define M2N_EXP2_4 0.00967169832f
#define M2N_EXP2_5 0.00132186722f

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
m2n_exp_avx2(float c, __m256 x) /* exp(c x), |c x| <= M2N_EXP_LIMIT */
{
    const __m256 scale = _mm256_set1_ps(c * M2N_LOG2E), round = _mm256_set1_ps(M2N_ROUND);
    const __m256 bits = _mm256_fmadd_ps(scale, x, round);
    const __m256 f = _mm256_fmsub_ps(scale, x, _mm256_sub_ps(bits, round));
    __m256 p = _mm256_fmadd_ps(_mm256_set1_ps(M2N_EXP2_5), f, _mm256_set1_ps(M2N_EXP2_4));

    p = _mm256_fmadd_ps(p, f, _mm256_set1_ps(M2N_EXP2_3));
    p = _mm256_fmadd_ps(p, f, _mm256_set1_ps(M2N_EXP2_2));
    p = _mm256_fmadd_ps(p, f, _mm256_set1_ps(M2N_EXP2_1));
    p = _mm256_fmadd_ps(p, f, _mm256_set1_ps(1.0f));
    return _mm256_castsi256_ps(
        _mm256_add_epi32(_mm256_castps_si256(p), _mm256_slli_epi32(_mm256_castps_si256(bits), 23)));
}

M2N_AVX2 M2N_INLINE __m256
m2n_silu_avx2(__m256 x)
{
    const __m256 limit = _mm256_set1_ps(M2N_EXP_LIMIT), one = _mm256_set1_ps(1.0f);
    const __m256 low = _mm256_max_ps(_mm256_sub_ps(_mm256_setzero_ps(), limit), x);

    return _mm256_div_ps(low, _mm256_add_ps(one, m2n_exp_avx2(-1.0f, _mm256_min_ps(limit, low))));
}

M2N_AVX2 M2N_INLINE __m256
m2n_gelu_avx2(__m256 x)
{
    const __m256 a =
        _mm256_min_ps(_mm256_set1_ps(M2N_GELU_LIMIT), _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x));
    const __m256 one = _mm256_set1_ps(1.0f), e = m2n_exp_avx2(-0.5f, _mm256_mul_ps(a, a));
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
m2n_exp_avx512(float c, __m512 x) /* exp(c x), |c x| <= M2N_EXP_LIMIT */
{
    const __m512 scale = _mm512_set1_ps(c * M2N_LOG2E), round = _mm512_set1_ps(M2N_ROUND);
    const __m512 bits = _mm512_fmadd_ps(scale, x, round);
    const __m512 f = _mm512_fmsub_ps(scale, x, _mm512_sub_ps(bits, round));
    __m512 p = _mm512_fmadd_ps(_mm512_set1_ps(M2N_EXP2_5), f, _mm512_set1_ps(M2N_EXP2_4));

    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(M2N_EXP2_3));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(M2N_EXP2_2));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(M2N_EXP2_1));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(1.0f));
    return _mm512_castsi512_ps(
        _mm512_add_epi32(_mm512_castps_si512(p), _mm512_slli_epi32(_mm512_castps_si512(bits), 23)));
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
    const __m512 e = m2n_exp_avx512(-1.0f, _mm512_min_ps(limit, low));

    return _mm512_mul_ps(low, m2n_reciprocal_avx512(_mm512_add_ps(one, e)));
}

#define M2N_GELU_PIECES 2.5f /* a unit of a */
#define M2N_GELU_END 6.0f    /* in the middle of the last piece */

/* [power][piece] of the distance from the middle of the piece, in pieces. */
static const float m2n_gelu_piece[6][16] __attribute__((aligned(64))) = {
    {0.0f, 0.137831286f, 0.169484332f, 0.138083622f, 0.087678872f, 0.0455002636f, 0.0196740814f,
     0.00715436228f, 0.00219884072f, 0.000572791148f, 0.000126685263f, 2.3815348e-05f,
     3.80802953e-06f, 5.18164427e-07f, 6.00214349e-08f, 0.0f},
    {0.199999988f, 0.0789080858f, -0.00795913022f, -0.0471814387f, -0.0490696207f, -0.0340927243f,
     -0.0182197355f, -0.00784325227f, -0.00277677691f, -0.000817495165f, -0.000201459916f,
     -4.17338015e-05f, -7.28839586e-06f, -1.07524806e-06f, -1.34206147e-07f, 0.0f},
    {-0.0638303533f, -0.0542086139f, -0.0315189175f, -0.00870050862f, 0.00496871118f,
     0.00863861665f, 0.00673655886f, 0.00369828823f, 0.00157163909f, 0.000536499836f,
     0.000149868589f, 3.46289562e-05f, 6.66374945e-06f, 1.0728977e-06f, 1.45007192e-07f, 0.0f},
    {-5.09473603e-06f, 0.00603347272f, 0.00830581039f, 0.00636310037f, 0.00272613741f,
     9.9569661e-08f, -0.00100900407f, -0.000907841953f, -0.000507815508f, -0.000210539292f,
     -6.85193663e-05f, -1.79787567e-05f, -3.86061947e-06f, -6.84781014e-07f, -1.00963661e-07f,
     0.0f},
    {0.00172724901f, 0.00113336626f, -1.66420105e-05f, -0.000819450186f, -0.000865774928f,
     -0.000461389165f, -7.8102159e-05f, 8.73557219e-05f, 9.40313475e-05f, 5.31954975e-05f,
     2.13544517e-05f, 6.59162606e-06f, 1.62005415e-06f, 3.23055701e-07f, 5.28752402e-08f, 0.0f},
    {-5.3261967e-05f, -0.000202335534f, -0.000223038369f, -8.4277417e-05f, 5.34377905e-05f,
     9.1347516e-05f, 5.58433967e-05f, 1.30900989e-05f, -6.46150238e-06f, -8.11167683e-06f,
     -4.49046547e-06f, -1.70169346e-06f, -4.8765736e-07f, -1.10121746e-07f, -2.00269525e-08f, 0.0f},
};

/* The polynomial of |x|, coefficients [power][piece]. */
M2N_AVX512 M2N_INLINE __m512
m2n_pieces_avx512(const float coefficient[6][16], __m512 x)
{
    const __m512 a = _mm512_min_ps(_mm512_set1_ps(M2N_GELU_END), _mm512_abs_ps(x));
    const __m512 scale = _mm512_set1_ps(M2N_GELU_PIECES), round = _mm512_set1_ps(M2N_ROUND);
    const __m512 bits = _mm512_fmadd_ps(scale, a, round);
    const __m512 f = _mm512_fmsub_ps(scale, a, _mm512_sub_ps(bits, round));
    const __m512i piece = _mm512_castps_si512(bits); /* its low four bits */
    __m512 h = _mm512_permutexvar_ps(piece, _mm512_load_ps(coefficient[5]));

#pragma GCC unroll 5
    for (int k = 4; k >= 0; k--)
        h = _mm512_fmadd_ps(h, f, _mm512_permutexvar_ps(piece, _mm512_load_ps(coefficient[k])));
    return h;
}

M2N_AVX512 M2N_INLINE __m512
m2n_gelu_avx512(__m512 x)
{
    return _mm512_sub_ps(_mm512_max_ps(_mm512_setzero_ps(), x), m2n_pieces_avx512(m2n_gelu_piece, x));
}
#endif
