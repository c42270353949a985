/* Gradients of SiLU and GELU. */
#include "engine/ops/activation_backward.h"

#include <math.h>
#include <string.h>

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

#if M2N_HAVE_X86
/* ---- bodies for vectors ---------------------------------------------------------------- */

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

M2N_BODY float
silu_slope(float x)
{
    const float a = fabsf(x) < 87.0f ? fabsf(x) : 87.0f;
    const float e = exp_negative(-a), s = 1.0f / (1.0f + e); /* of |x| */
    const float rest = e * s, t = a * s * rest;              /* rest = 1 - s, exact in the tail */
    const float slope = x < 0.0f ? rest - t : s + t;

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
    for (gsize i = 0; i < n; i++)
        dx[i] = dy[i] * silu_slope(x[i]);
}

M2N_BODY void
gelu_body(float *dx, const float *dy, const float *x, gsize n)
{
#pragma omp simd
    for (gsize i = 0; i < n; i++)
        dx[i] = dy[i] * gelu_slope(x[i]);
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

M2N_AVX512 static void
silu_avx512(float *dx, const float *dy, const float *x, gsize n)
{
    silu_body(dx, dy, x, n);
}

M2N_AVX512 static void
gelu_avx512(float *dx, const float *dy, const float *x, gsize n)
{
    gelu_body(dx, dy, x, n);
}
#endif

/* ---- table and dispatch -------------------------------------------------------------- */

const M2nActivationBackwardVariant m2n_activation_backward_variants[M2N_N_ISA] = {
    {M2N_ISA_SCALAR, silu_ref, gelu_ref},
#if M2N_HAVE_X86
    {M2N_ISA_AVX2, silu_avx2, gelu_avx2},
    {M2N_ISA_AVX512, silu_avx512, gelu_avx512},
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
