/* SiLU and GELU. */
#include "engine/ops/activation.h"

#include "engine/ops/activation_simd.h"
#include "engine/ops/dispatch.h"

#include <math.h>
#include <string.h>

/* ---- reference ----------------------------------------------------------------------- */

static void
silu_ref(float *y, const float *x, gsize n)
{
    for (gsize i = 0; i < n; i++) {
        const double v = (double)x[i];
        /* -inf / inf would be NaN; below -1000 the true value rounds to 0 */
        y[i] = v < -1000.0 ? -0.0f : (float)(v / (1.0 + exp(-v)));
    }
}

static void
gelu_ref(float *y, const float *x, gsize n)
{
    for (gsize i = 0; i < n; i++) {
        const double v = (double)x[i];
        y[i] = v < -1000.0 ? -0.0f : (float)(0.5 * v * erfc(-v * M_SQRT1_2));
    }
}

#if M2N_HAVE_X86
/* ---- AVX2 ---------------------------------------------------------------------------- */

M2N_AVX2 static void
silu_avx2(float *y, const float *x, gsize n)
{
    float rest[8] = {0};
    gsize i = 0;

    for (; n - i >= 8; i += 8)
        _mm256_storeu_ps(y + i, m2n_silu_avx2(_mm256_loadu_ps(x + i)));
    if (i == n)
        return;
    memcpy(rest, x + i, (n - i) * sizeof(float));
    _mm256_storeu_ps(rest, m2n_silu_avx2(_mm256_loadu_ps(rest)));
    memcpy(y + i, rest, (n - i) * sizeof(float));
}

M2N_AVX2 static void
gelu_avx2(float *y, const float *x, gsize n)
{
    float rest[8] = {0};
    gsize i = 0;

    for (; n - i >= 8; i += 8)
        _mm256_storeu_ps(y + i, m2n_gelu_avx2(_mm256_loadu_ps(x + i)));
    if (i == n)
        return;
    memcpy(rest, x + i, (n - i) * sizeof(float));
    _mm256_storeu_ps(rest, m2n_gelu_avx2(_mm256_loadu_ps(rest)));
    memcpy(y + i, rest, (n - i) * sizeof(float));
}

/* ---- AVX-512: masked tail -------------------------------------------------------------- */

M2N_AVX512 static void
silu_avx512(float *y, const float *x, gsize n)
{
    for (gsize i = 0; i < n; i += 16) {
        const __mmask16 m = _cvtu32_mask16(n - i >= 16 ? 0xffffu : (1u << (n - i)) - 1u);
        _mm512_mask_storeu_ps(y + i, m, m2n_silu_avx512(_mm512_maskz_loadu_ps(m, x + i)));
    }
}

M2N_AVX512 static void
gelu_avx512(float *y, const float *x, gsize n)
{
    for (gsize i = 0; i < n; i += 16) {
        const __mmask16 m = _cvtu32_mask16(n - i >= 16 ? 0xffffu : (1u << (n - i)) - 1u);
        _mm512_mask_storeu_ps(y + i, m, m2n_gelu_avx512(_mm512_maskz_loadu_ps(m, x + i)));
    }
}
#endif

/* ---- table and dispatch -------------------------------------------------------------- */

const M2nActivationVariant m2n_activation_variants[M2N_N_ISA] = {
    {M2N_ISA_SCALAR, silu_ref, gelu_ref},
#if M2N_HAVE_X86
    {M2N_ISA_AVX2, silu_avx2, gelu_avx2},
    {M2N_ISA_AVX512, silu_avx512, gelu_avx512},
#endif
};

void
m2n_silu(float *y, const float *x, gsize n)
{
    M2N_DISPATCH(m2n_activation_variants, silu)(y, x, n);
}

void
m2n_gelu(float *y, const float *x, gsize n)
{
    M2N_DISPATCH(m2n_activation_variants, gelu)(y, x, n);
}
