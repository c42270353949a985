/* Sums of scaled arrays. */
#include "engine/ops/pointwise.h"

#include "engine/ops/dispatch.h"
#include "engine/ops/lanes.h"

/* ---- reference ----------------------------------------------------------------------- */

static void
scale_shift_ref(float *y, const float *x, gsize n, float a, float b)
{
    for (gsize i = 0; i < n; i++)
        y[i] = (float)((double)a * (double)x[i] + (double)b);
}

static void
add_scaled_ref(float *y, const float *x, const float *z, gsize n, float a)
{
    for (gsize i = 0; i < n; i++)
        y[i] = (float)((double)x[i] + (double)a * (double)z[i]);
}

static void
multiply_ref(float *y, const float *x, const float *z, gsize n)
{
    for (gsize i = 0; i < n; i++)
        y[i] = (float)((double)x[i] * (double)z[i]);
}

static void
blend_ref(float *y, const float *x, const float *z, gsize n, float a, float b, float c)
{
    for (gsize i = 0; i < n; i++)
        y[i] = (float)((double)a * (double)x[i] + (double)b * (double)z[i] + (double)c);
}

#if M2N_HAVE_X86
/* ---- bodies for vectors ---------------------------------------------------------------- */

M2N_BODY void
scale_shift_body(float *y, const float *x, gsize n, float a, float b)
{
#pragma omp simd
    for (gsize i = 0; i < n; i++)
        y[i] = a * x[i] + b;
}

M2N_BODY void
add_scaled_body(float *y, const float *x, const float *z, gsize n, float a)
{
#pragma omp simd
    for (gsize i = 0; i < n; i++)
        y[i] = x[i] + a * z[i];
}

M2N_BODY void
multiply_body(float *y, const float *x, const float *z, gsize n)
{
#pragma omp simd
    for (gsize i = 0; i < n; i++)
        y[i] = x[i] * z[i];
}

M2N_BODY void
blend_body(float *y, const float *x, const float *z, gsize n, float a, float b, float c)
{
#pragma omp simd
    for (gsize i = 0; i < n; i++)
        y[i] = a * x[i] + (b * z[i] + c);
}

/* ---- AVX2 and AVX-512 ------------------------------------------------------------------ */

M2N_AVX2 static void
scale_shift_avx2(float *y, const float *x, gsize n, float a, float b)
{
    scale_shift_body(y, x, n, a, b);
}

M2N_AVX2 static void
add_scaled_avx2(float *y, const float *x, const float *z, gsize n, float a)
{
    add_scaled_body(y, x, z, n, a);
}

M2N_AVX2 static void
multiply_avx2(float *y, const float *x, const float *z, gsize n)
{
    multiply_body(y, x, z, n);
}

M2N_AVX2 static void
blend_avx2(float *y, const float *x, const float *z, gsize n, float a, float b, float c)
{
    blend_body(y, x, z, n, a, b, c);
}

M2N_AVX512 static void
scale_shift_avx512(float *y, const float *x, gsize n, float a, float b)
{
    scale_shift_body(y, x, n, a, b);
}

M2N_AVX512 static void
add_scaled_avx512(float *y, const float *x, const float *z, gsize n, float a)
{
    add_scaled_body(y, x, z, n, a);
}

M2N_AVX512 static void
multiply_avx512(float *y, const float *x, const float *z, gsize n)
{
    multiply_body(y, x, z, n);
}

M2N_AVX512 static void
blend_avx512(float *y, const float *x, const float *z, gsize n, float a, float b, float c)
{
    blend_body(y, x, z, n, a, b, c);
}
#endif

/* ---- table and dispatch -------------------------------------------------------------- */

const M2nPointwiseVariant m2n_pointwise_variants[M2N_N_ISA] = {
    {M2N_ISA_SCALAR, scale_shift_ref, add_scaled_ref, multiply_ref, blend_ref},
#if M2N_HAVE_X86
    {M2N_ISA_AVX2, scale_shift_avx2, add_scaled_avx2, multiply_avx2, blend_avx2},
    {M2N_ISA_AVX512, scale_shift_avx512, add_scaled_avx512, multiply_avx512, blend_avx512},
#endif
};

void
m2n_scale_shift(float *y, const float *x, gsize n, float a, float b)
{
    M2N_DISPATCH(m2n_pointwise_variants, scale_shift)(y, x, n, a, b);
}

void
m2n_add_scaled(float *y, const float *x, const float *z, gsize n, float a)
{
    M2N_DISPATCH(m2n_pointwise_variants, add_scaled)(y, x, z, n, a);
}

void
m2n_multiply(float *y, const float *x, const float *z, gsize n)
{
    M2N_DISPATCH(m2n_pointwise_variants, multiply)(y, x, z, n);
}

void
m2n_blend(float *y, const float *x, const float *z, gsize n, float a, float b, float c)
{
    M2N_DISPATCH(m2n_pointwise_variants, blend)(y, x, z, n, a, b, c);
}
