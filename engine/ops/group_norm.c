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

#define BLOCK 2048u /* values: 128 a lane before their sum moves into a double, 8 KiB */

M2N_BODY void
add_deviation(M2nLanes *sum, const float *x, float mean, gboolean square)
{
    const M2nLanes d = M2N_LOAD(x) - mean;

    *sum += square ? d * d : d;
}

/* sum of (x - mean)^power of at most BLOCK values; the mean is a float close to the true one, which only makes the sums
 * small.  Four sums, for one would wait for every addition. */
M2N_BODY double
deviation_body(const float *x, gsize n, float mean, gboolean square)
{
    M2nLanes lanes[4] = {{0}, {0}, {0}, {0}};
    double sum;
    gsize i = 0;

    for (; n - i >= 4 * M2N_LANES; i += 4 * M2N_LANES)
        for (gsize k = 0; k < 4; k++)
            add_deviation(&lanes[k], x + i + k * M2N_LANES, mean, square);
    for (; n - i >= M2N_LANES; i += M2N_LANES)
        add_deviation(&lanes[0], x + i, mean, square);
    lanes[0] = (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
    sum = m2n_lanes_sum(&lanes[0]);
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

/* Mean and 1 / standard deviation of n values, read from memory once: both sums of a block while it is in L1, blocks put
 * together as Chan, Golub and LeVeque 1979 do. */
M2N_BODY void
moments_body(const float *x, gsize n, double *mean, double *rstd)
{
    double m = 0.0, square = 0.0;

    for (gsize i = 0; i < n; i += BLOCK) {
        const gsize count = MIN(BLOCK, n - i);
        const double some = (double)count, share = some / (double)(i + count);
        const double own = (double)x[i] + deviation_body(x + i, count, x[i], FALSE) / some;
        const double miss = own - (double)(float)own, apart = own - m;

        square += deviation_body(x + i, count, (float)own, TRUE) - some * miss * miss;
        square += apart * apart * share * (double)i;
        m += apart * share;
    }
    *mean = m;
    *rstd = 1.0 / sqrt(square / (double)n + M2N_NORM_EPSILON);
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
