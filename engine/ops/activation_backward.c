/* Gradients of SiLU and GELU. */
#include "engine/ops/activation_backward.h"

#include <math.h>
#include <string.h>

#include "engine/ops/activation_simd.h"
#include "engine/ops/dispatch.h"
#include "engine/ops/lanes.h"

/* ---- reference ----------------------------------------------------------------------- */

static void
silu_ref(float *dx, const float *dy, const float *x, gsize n)
{
    for (gsize i = 0; i < n; i++) {
        const double v = CLAMP((double)x[i], -1e3, 1e3), s = 1.0 / (1.0 + exp(-v));

        dx[i] = isnan(x[i]) ? x[i] : (float)((double)dy[i] * (s + v * s * (1.0 - s)));
    }
}

static void
gelu_ref(float *dx, const float *dy, const float *x, gsize n)
{
    for (gsize i = 0; i < n; i++) {
        const double v = CLAMP((double)x[i], -1e3, 1e3);
        const double slope =
            0.5 * erfc(-v * M_SQRT1_2) + v * exp(-0.5 * v * v) * (0.5 * M_SQRT1_2 * M_2_SQRTPI);

        dx[i] = isnan(x[i]) ? x[i] : (float)((double)dy[i] * slope);
    }
}

static void
norm_silu_ref(const M2nNormSilu *c, float *dv, const float *dy, float weight, M2nNormSiluSums *sums)
{
    M2nNormSiluSums sum = {0};

    for (gsize i = 0; i < c->n; i++) {
        const float v = (float)((double)c->scale * (double)c->x[i] + (double)c->shift);
        const double bounded = CLAMP((double)v, -1e3, 1e3), g = (double)dy[i];

        silu_ref(&dv[i], &dy[i], &v, 1);
        dv[i] *= weight;
        sum.dv += (double)dv[i];
        sum.dvx += (double)dv[i] * ((double)c->x[i] - (double)c->mean);
        sum.readout += isnan(v) ? (double)v : g * bounded / (1.0 + exp(-bounded));
    }
    *sums = sum;
}

#if M2N_HAVE_X86
/* ---- bodies for AVX2 ------------------------------------------------------------------- */

/* exp(x) for x in [-87, 0]: 2^k times the Taylor series of the rest, |rest| <= ln2 / 2, where its first
 * left-out term is 2e-9. */
M2N_BODY float
exp_negative(float x)
{
    const float magic = 12582912.0f; /* 1.5 * 2^23: adding it rounds to a whole number */
    const float k = (x * 1.44269504f + magic) - magic;
    const float r = (x - k * 0.693359375f) + k * 2.12194440e-4f;
    float p = 1.0f / 5040.0f, scale;
    gint32 bits;

    p = p * r + 1.0f / 720.0f;
    p = p * r + 1.0f / 120.0f;
    p = p * r + 1.0f / 24.0f;
    p = p * r + 1.0f / 6.0f;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    bits = ((gint32)k + 127) * (1 << 23);
    memcpy(&scale, &bits, sizeof scale);
    return p * scale;
}

/* logistic: 1 / (1 + exp(-x)), which times x is SiLU */
M2N_BODY float
silu_slope(float x, float *logistic)
{
    const float a = fabsf(x) < 87.0f ? fabsf(x) : 87.0f;
    const float e = exp_negative(-a), s = 1.0f / (1.0f + e); /* of |x| */
    const float rest = e * s, t = a * s * rest;              /* rest = 1 - s, exact in the tail */
    const float slope = x < 0.0f ? rest - t : s + t;

    *logistic = x < 0.0f ? rest : s;
    return x == x ? slope : x;
}

/* erf by Abramowitz and Stegun 7.1.26, whose exp(-z^2) is the density needed anyway. */
M2N_BODY float
gelu_slope(float x)
{
    const float a = fabsf(x) < 13.0f ? fabsf(x) : 13.0f;
    const float e = exp_negative(-0.5f * a * a);
    const float t = 1.0f / (1.0f + 0.3275911f * 0.70710678f * a);
    float p = 1.061405429f;

    p = p * t - 1.453152027f;
    p = p * t + 1.421413741f;
    p = p * t - 0.284496736f;
    p = p * t + 0.254829592f;
    const float half_tail = 0.5f * p * t * e, density = 0.39894228f * a * e;
    const float negative = half_tail - density; /* f'(-a); f'(a) = 1 - f'(-a) */
    const float slope = x < 0.0f ? negative : 1.0f - negative;

    return x == x ? slope : x;
}

M2N_BODY void
silu_body(float *dx, const float *dy, const float *x, gsize n)
{
#pragma omp simd
    for (gsize i = 0; i < n; i++) {
        float logistic;

        dx[i] = dy[i] * silu_slope(x[i], &logistic);
    }
}

M2N_BODY void
gelu_body(float *dx, const float *dy, const float *x, gsize n)
{
#pragma omp simd
    for (gsize i = 0; i < n; i++)
        dx[i] = dy[i] * gelu_slope(x[i]);
}

#define SUMMED 512u /* values whose sums are float32: 64 in each of eight lanes */

M2N_BODY void
norm_silu_body(const M2nNormSilu *c, float *dv, const float *dy, float weight,
               M2nNormSiluSums *sums)
{
    const float *x = c->x, scale = c->scale, shift = c->shift, mean = c->mean;
    M2nNormSiluSums all = {0};

    for (gsize begin = 0; begin < c->n; begin += SUMMED) {
        const gsize end = MIN(begin + SUMMED, c->n);
        float sum = 0.0f, product = 0.0f, readout = 0.0f;

#pragma omp simd reduction(+ : sum, product, readout)
        for (gsize i = begin; i < end; i++) {
            const float v = scale * x[i] + shift, g = dy[i];
            float logistic;
            const float d = weight * g * silu_slope(v, &logistic);

            dv[i] = d;
            sum += d;
            product += d * (x[i] - mean);
            readout += g * (v * logistic);
        }
        all.dv += (double)sum;
        all.dvx += (double)product;
        all.readout += (double)readout;
    }
    *sums = all;
}

/* ---- AVX2 and AVX-512 ------------------------------------------------------------------ */

M2N_AVX2 static void
silu_avx2(float *dx, const float *dy, const float *x, gsize n)
{
    silu_body(dx, dy, x, n);
}

M2N_AVX2 static void
gelu_avx2(float *dx, const float *dy, const float *x, gsize n)
{
    gelu_body(dx, dy, x, n);
}

M2N_AVX2 static void
norm_silu_avx2(const M2nNormSilu *c, float *dv, const float *dy, float weight,
               M2nNormSiluSums *sums)
{
    norm_silu_body(c, dv, dy, weight, sums);
}

/* gelu'(-a), a >= 0, by polynomials of degree 5 on pieces of width 0.4, as activation_simd.h has GELU's: [power][piece];
 * zero from 5.8 on, where it is 1e-7.  Fitted here, to Chebyshev nodes. */
static const float slope_piece[6][16] __attribute__((aligned(64))) = {
    {0.5f, 0.197270244f, -0.0198978093f, -0.117953598f, -0.12267407f, -0.0852318183f,
     -0.0455493368f, -0.0196081288f, -0.00694194064f, -0.00204373733f, -0.000503649935f,
     -0.000104334671f, -1.82210715e-05f, -2.68814642e-06f, -3.35521577e-07f, 0.0f},
    {-0.319153816f, -0.271046817f, -0.157592222f, -0.0434976928f, 0.0248462651f, 0.0431927815f,
     0.0336813778f, 0.0184904952f, 0.0078579532f, 0.00268257712f, 0.000749449013f, 0.000173200591f,
     3.33383723e-05f, 5.36964671e-06f, 7.26096687e-07f, 0.0f},
    {0.0f, 0.0452500507f, 0.0622927323f, 0.0477232933f, 0.0204465799f, 1.11968063e-06f,
     -0.0075675156f, -0.00680894405f, -0.00380870537f, -0.00157906685f, -0.000513888896f,
     -0.000134832531f, -2.89507207e-05f, -5.13460145e-06f, -7.56928614e-07f, 0.0f},
    {0.0170209948f, 0.0114134876f, -0.000217065768f, -0.00829796121f, -0.00871551782f,
     -0.00460747629f, -0.000750825449f, 0.000893742021f, 0.000945486594f, 0.000530293153f,
     0.000211280494f, 6.47255511e-05f, 1.57818922e-05f, 3.12050497e-06f, 5.06123399e-07f, 0.0f},
    {0.0f, -0.00252390606f, -0.00278347405f, -0.00105369068f, 0.000665043248f, 0.00113985513f,
     0.000697961426f, 0.000164316414f, -8.02933719e-05f, -0.000101277888f, -5.6164572e-05f,
     -2.1314534e-05f, -6.11665291e-06f, -1.38322116e-06f, -2.51930459e-07f, 0.0f},
    {-0.000606972317f, -0.000319300045f, 0.000202582611f, 0.000413836242f, 0.000231075435f,
     -2.56625935e-05f, -0.000120784374f, -8.07392207e-05f, -2.06924014e-05f, 6.64744721e-06f,
     9.05613706e-06f, 4.76284276e-06f, 1.674597e-06f, 4.40208339e-07f, 9.05159609e-08f, 0.0f},
};

M2N_AVX512 M2N_INLINE __m512
gelu_slope_avx512(__m512 x)
{
    const __mmask16 positive = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_GE_OQ);
    const __m512 s = m2n_pieces_avx512(slope_piece, x);

    return _mm512_mask_sub_ps(s, positive, _mm512_set1_ps(1.0f), s);
}

/* logistic: as of silu_slope() */
M2N_AVX512 M2N_INLINE __m512
silu_slope_avx512(__m512 x, __m512 *logistic)
{
    const __m512 one = _mm512_set1_ps(1.0f);
    const __m512 a = _mm512_min_ps(_mm512_set1_ps(M2N_EXP_LIMIT), _mm512_abs_ps(x));
    const __m512 e = m2n_exp_avx512(-1.0f, a), s = m2n_reciprocal_avx512(_mm512_add_ps(one, e));
    const __m512 rest = _mm512_mul_ps(e, s), t = _mm512_mul_ps(_mm512_mul_ps(a, s), rest);
    const __mmask16 negative = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LT_OQ);

    *logistic = _mm512_mask_mov_ps(s, negative, rest);
    return _mm512_mask_sub_ps(_mm512_add_ps(s, t), negative, rest, t);
}

M2N_AVX512 static void
silu_avx512(float *dx, const float *dy, const float *x, gsize n)
{
    for (gsize i = 0; i < n; i += 16) {
        const __mmask16 m = _cvtu32_mask16(n - i >= 16 ? 0xffffu : (1u << (n - i)) - 1u);
        __m512 logistic;
        const __m512 slope = silu_slope_avx512(_mm512_maskz_loadu_ps(m, x + i), &logistic);

        _mm512_mask_storeu_ps(dx + i, m, _mm512_mul_ps(_mm512_maskz_loadu_ps(m, dy + i), slope));
    }
}

M2N_AVX512 static void
gelu_avx512(float *dx, const float *dy, const float *x, gsize n)
{
    for (gsize i = 0; i < n; i += 16) {
        const __mmask16 m = _cvtu32_mask16(n - i >= 16 ? 0xffffu : (1u << (n - i)) - 1u);
        const __m512 slope = gelu_slope_avx512(_mm512_maskz_loadu_ps(m, x + i));

        _mm512_mask_storeu_ps(dx + i, m, _mm512_mul_ps(_mm512_maskz_loadu_ps(m, dy + i), slope));
    }
}

/* One register of the sums of 1024 values. */
M2N_AVX512 M2N_INLINE double
emptied(M2nLanes *sum)
{
    const double d = m2n_lanes_sum(sum);

    *sum = (M2nLanes){0};
    return d;
}

M2N_AVX512 static void
norm_silu_avx512(const M2nNormSilu *c, float *dv, const float *dy, float weight,
                 M2nNormSiluSums *sums)
{
    const __m512 scale = _mm512_set1_ps(c->scale), shift = _mm512_set1_ps(c->shift);
    const __m512 mean = _mm512_set1_ps(c->mean), factor = _mm512_set1_ps(weight);
    M2nLanes sum = {0}, product = {0}, readout = {0};
    M2nNormSiluSums all = {0};

    for (gsize i = 0; i < c->n; i += 16) {
        const __mmask16 m = _cvtu32_mask16(c->n - i >= 16 ? 0xffffu : (1u << (c->n - i)) - 1u);
        const __m512 x = _mm512_maskz_loadu_ps(m, c->x + i), g = _mm512_maskz_loadu_ps(m, dy + i);
        const __m512 v = _mm512_fmadd_ps(scale, x, shift);
        __m512 logistic;
        const __m512 slope = silu_slope_avx512(v, &logistic);
        const __m512 d = _mm512_mul_ps(_mm512_mul_ps(factor, g), slope);

        _mm512_mask_storeu_ps(dv + i, m, d);
        sum += (M2nLanes)d;
        product = (M2nLanes)_mm512_fmadd_ps(d, _mm512_sub_ps(x, mean), (__m512)product);
        readout = (M2nLanes)_mm512_fmadd_ps(g, _mm512_mul_ps(v, logistic), (__m512)readout);
        if (i % 1024 == 1008 || c->n - i <= 16) {
            all.dv += emptied(&sum);
            all.dvx += emptied(&product);
            all.readout += emptied(&readout);
        }
    }
    *sums = all;
}
#endif

/* ---- table and dispatch -------------------------------------------------------------- */

const M2nActivationBackwardVariant m2n_activation_backward_variants[M2N_N_ISA] = {
    {M2N_ISA_SCALAR, silu_ref, gelu_ref, norm_silu_ref},
#if M2N_HAVE_X86
    {M2N_ISA_AVX2, silu_avx2, gelu_avx2, norm_silu_avx2},
    {M2N_ISA_AVX512, silu_avx512, gelu_avx512, norm_silu_avx512},
#endif
};

void
m2n_silu_backward(float *dx, const float *dy, const float *x, gsize n)
{
    M2N_DISPATCH(m2n_activation_backward_variants, silu)(dx, dy, x, n);
}

void
m2n_gelu_backward(float *dx, const float *dy, const float *x, gsize n)
{
    M2N_DISPATCH(m2n_activation_backward_variants, gelu)(dx, dy, x, n);
}

void
m2n_norm_silu_backward(const M2nNormSilu *channel, float *dv, const float *dy, float weight,
                       M2nNormSiluSums *sums)
{
    M2N_DISPATCH(m2n_activation_backward_variants, norm_silu)(channel, dv, dy, weight, sums);
}
