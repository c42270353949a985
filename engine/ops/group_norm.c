/* Group normalisation of one image. */
#include "engine/ops/group_norm.h"

#include "engine/ops/dispatch.h"

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

/* ---- table and dispatch -------------------------------------------------------------- */

const M2nGroupNormVariant m2n_group_norm_variants[M2N_N_ISA] = {
    {M2N_ISA_SCALAR, forward_ref},
};

void
m2n_group_norm(const M2nGroupNorm *s, float *y, const float *x, const float *gamma,
               const float *beta, float *mean, float *rstd)
{
    g_assert(s->groups > 0 && s->channels % s->groups == 0);
    M2N_DISPATCH(m2n_group_norm_variants, forward)(s, y, x, gamma, beta, mean, rstd);
}
