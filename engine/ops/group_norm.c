/* Group normalisation of one image. */
#include "engine/ops/group_norm.h"

#include "engine/ops/dispatch.h"
#include "engine/ops/lanes.h"

#include <math.h>

/* ---- reference ----------------------------------------------------------------------- */

static double
deviation_sum(const float *x, gsize n, double mean, gboolean square)
{
    double sum = 0.0;

    for (gsize i = 0; i < n; i++) {
        const double d = (double)x[i] - mean;
        sum += square ? d * d : d;
    }
    return sum;
}

static void
statistics_ref(const M2nGroupNorm *s, const float *x, float *mean, float *rstd)
{
    const gsize n = s->channels / s->groups * s->hw;

    for (gsize g = 0; g < s->groups; g++) {
        const double m = deviation_sum(x + g * n, n, 0.0, FALSE) / (double)n;
        const double variance = deviation_sum(x + g * n, n, m, TRUE) / (double)n;

        mean[g] = (float)m;
        rstd[g] = (float)(1.0 / sqrt(variance + M2N_NORM_EPSILON));
    }
}

static void
forward_ref(const M2nGroupNorm *s, float *y, const float *x, const float *gamma, const float *beta,
            float *mean, float *rstd)
{
    const gsize per_group = s->channels / s->groups, n = per_group * s->hw;

    for (gsize g = 0; g < s->groups; g++) {
        const double m = deviation_sum(x + g * n, n, 0.0, FALSE) / (double)n;
        const double variance = deviation_sum(x + g * n, n, m, TRUE) / (double)n;
        const double r = 1.0 / sqrt(variance + M2N_NORM_EPSILON);

        for (gsize c = g * per_group; c < (g + 1) * per_group; c++)
            for (gsize p = c * s->hw; p < (c + 1) * s->hw; p++)
                y[p] = (float)(((double)x[p] - m) * r * (double)gamma[c] + (double)beta[c]);
        if (mean != NULL)
            mean[g] = (float)m;
        if (rstd != NULL)
            rstd[g] = (float)r;
    }
}

#if M2N_HAVE_X86
/* ---- vectors ------------------------------------------------------------------------- */

/* Sums of one lane before they move into a double. */
#define BLOCK 2048u

/* sum of (x - mean)^power; the mean is a float close to the true one, which only makes the sums small */
M2N_BODY double
deviation_body(const float *x, gsize n, float mean, gboolean square)
{
    double sum = 0.0;
    gsize i = 0;

    while (n - i >= M2N_LANES) {
        const gsize end = i + MIN(BLOCK, (n - i) / M2N_LANES * M2N_LANES);
        M2nLanes lanes = {0};

        for (; i < end; i += M2N_LANES) {
            const M2nLanes d = M2N_LOAD(x + i) - mean;
            lanes += square ? d * d : d;
        }
        sum += m2n_lanes_sum(&lanes);
    }
    for (; i < n; i++) {
        const float d = x[i] - mean;
        sum += (double)(square ? d * d : d);
    }
    return sum;
}

M2N_BODY void
scale_body(float *y, const float *x, gsize n, float mean, float scale, float beta)
{
    gsize i = 0;

    for (; n - i >= M2N_LANES; i += M2N_LANES)
        M2N_STORE(y + i, (M2N_LOAD(x + i) - mean) * scale + beta);
    for (; i < n; i++)
        y[i] = (x[i] - mean) * scale + beta;
}

/* Mean and 1 / standard deviation of n values. */
M2N_BODY void
moments_body(const float *x, gsize n, double *mean, double *rstd)
{
    const float pivot = x[0];
    const double m = (double)pivot + deviation_body(x, n, pivot, FALSE) / (double)n;
    const double miss = m - (double)(float)m;
    const double variance = deviation_body(x, n, (float)m, TRUE) / (double)n - miss * miss;

    *mean = m;
    *rstd = 1.0 / sqrt(variance + M2N_NORM_EPSILON);
}

M2N_BODY void
statistics_body(const M2nGroupNorm *s, const float *x, float *mean, float *rstd)
{
    const gsize n = s->channels / s->groups * s->hw;

    for (gsize g = 0; g < s->groups; g++) {
        double m, r;

        moments_body(x + g * n, n, &m, &r);
        mean[g] = (float)m;
        rstd[g] = (float)r;
    }
}

M2N_BODY void
forward_body(const M2nGroupNorm *s, float *y, const float *x, const float *gamma, const float *beta,
             float *mean, float *rstd)
{
    const gsize per_group = s->channels / s->groups, n = per_group * s->hw;

    for (gsize g = 0; g < s->groups; g++) {
        double m, r;

        moments_body(x + g * n, n, &m, &r);
        for (gsize c = g * per_group; c < (g + 1) * per_group; c++)
            scale_body(y + c * s->hw, x + c * s->hw, s->hw, (float)m, (float)(r * (double)gamma[c]),
                       beta[c]);
        if (mean != NULL)
            mean[g] = (float)m;
        if (rstd != NULL)
            rstd[g] = (float)r;
    }
}

M2N_AVX2 static void
statistics_avx2(const M2nGroupNorm *s, const float *x, float *mean, float *rstd)
{
    statistics_body(s, x, mean, rstd);
}

M2N_AVX512 static void
statistics_avx512(const M2nGroupNorm *s, const float *x, float *mean, float *rstd)
{
    statistics_body(s, x, mean, rstd);
}

M2N_AVX2 static void
forward_avx2(const M2nGroupNorm *s, float *y, const float *x, const float *gamma, const float *beta,
             float *mean, float *rstd)
{
    forward_body(s, y, x, gamma, beta, mean, rstd);
}

M2N_AVX512 static void
forward_avx512(const M2nGroupNorm *s, float *y, const float *x, const float *gamma,
               const float *beta, float *mean, float *rstd)
{
    forward_body(s, y, x, gamma, beta, mean, rstd);
}
#endif

/* ---- table and dispatch -------------------------------------------------------------- */

const M2nGroupNormVariant m2n_group_norm_variants[M2N_N_ISA] = {
    {M2N_ISA_SCALAR, forward_ref, statistics_ref},
#if M2N_HAVE_X86
    {M2N_ISA_AVX2, forward_avx2, statistics_avx2},
    {M2N_ISA_AVX512, forward_avx512, statistics_avx512},
#endif
};

void
m2n_group_norm(const M2nGroupNorm *s, float *y, const float *x, const float *gamma,
               const float *beta, float *mean, float *rstd)
{
    g_assert(s->groups > 0 && s->channels % s->groups == 0);
    M2N_DISPATCH(m2n_group_norm_variants, forward)(s, y, x, gamma, beta, mean, rstd);
}

void
m2n_group_norm_statistics(const M2nGroupNorm *s, const float *x, float *mean, float *rstd)
{
    g_assert(s->groups > 0 && s->channels % s->groups == 0);
    M2N_DISPATCH(m2n_group_norm_variants, statistics)(s, x, mean, rstd);
}
