/* Gradients of group and batch normalisation. */
#include "engine/ops/norm_backward.h"

#include <math.h>

#include "engine/ops/dispatch.h"
#include "engine/ops/lanes.h"
#include "engine/ops/pointwise.h"

/* ---- reference ----------------------------------------------------------------------- */

static void
sums_ref(const float *dy, const float *x, gsize n, float shift, double *sum_dy, double *sum_dyx)
{
    double s = 0.0, sx = 0.0;

    for (gsize i = 0; i < n; i++) {
        s += (double)dy[i];
        sx += (double)dy[i] * ((double)x[i] - (double)shift);
    }
    *sum_dy = s;
    *sum_dyx = sx;
}

static void
combine_ref(float *dx, const float *dy, const float *x, gsize n, float a, float b, float d)
{
    for (gsize i = 0; i < n; i++)
        dx[i] = (float)((double)dx[i] + (double)a * (double)dy[i] + (double)b * (double)x[i] +
                        (double)d);
}

#if M2N_HAVE_X86
/* ---- bodies for vectors ---------------------------------------------------------------- */

#define BLOCK 4096u /* values between two emptyings of the lanes: 64 terms in each of the four */

M2N_BODY void
sums_body(const float *dy, const float *x, gsize n, float shift, double *sum_dy, double *sum_dyx)
{
    double s = 0.0, sx = 0.0;
    gsize i = 0;

    while (n - i >= M2N_LANES) {
        const gsize end = i + MIN(BLOCK, (n - i) / M2N_LANES * M2N_LANES);
        M2nLanes lane[4] = {{0}, {0}, {0}, {0}}, lane_x[4] = {{0}, {0}, {0}, {0}};

        for (; end - i >= 4 * M2N_LANES; i += 4 * M2N_LANES) /* one sum would wait for every addition */
            for (gsize k = 0; k < 4; k++) {
                const M2nLanes g = M2N_LOAD(dy + i + k * M2N_LANES);

                lane[k] += g;
                lane_x[k] += g * (M2N_LOAD(x + i + k * M2N_LANES) - shift);
            }
        for (; i < end; i += M2N_LANES) {
            const M2nLanes g = M2N_LOAD(dy + i);

            lane[0] += g;
            lane_x[0] += g * (M2N_LOAD(x + i) - shift);
        }
        lane[0] = (lane[0] + lane[1]) + (lane[2] + lane[3]);
        lane_x[0] = (lane_x[0] + lane_x[1]) + (lane_x[2] + lane_x[3]);
        s += m2n_lanes_sum(&lane[0]);
        sx += m2n_lanes_sum(&lane_x[0]);
    }
    for (; i < n; i++) {
        s += (double)dy[i];
        sx += (double)dy[i] * (double)(x[i] - shift);
    }
    *sum_dy = s;
    *sum_dyx = sx;
}

M2N_BODY void
combine_body(float *dx, const float *dy, const float *x, gsize n, float a, float b, float d)
{
#pragma omp simd
    for (gsize i = 0; i < n; i++)
        dx[i] += a * dy[i] + (b * x[i] + d);
}

/* ---- AVX2 and AVX-512 ------------------------------------------------------------------ */

M2N_AVX2 static void
sums_avx2(const float *dy, const float *x, gsize n, float shift, double *sum_dy, double *sum_dyx)
{
    sums_body(dy, x, n, shift, sum_dy, sum_dyx);
}

M2N_AVX2 static void
combine_avx2(float *dx, const float *dy, const float *x, gsize n, float a, float b, float d)
{
    combine_body(dx, dy, x, n, a, b, d);
}

M2N_AVX512 static void
sums_avx512(const float *dy, const float *x, gsize n, float shift, double *sum_dy, double *sum_dyx)
{
    sums_body(dy, x, n, shift, sum_dy, sum_dyx);
}

M2N_AVX512 static void
combine_avx512(float *dx, const float *dy, const float *x, gsize n, float a, float b, float d)
{
    combine_body(dx, dy, x, n, a, b, d);
}
#endif

/* ---- table and dispatch -------------------------------------------------------------- */

const M2nNormBackwardVariant m2n_norm_backward_variants[M2N_N_ISA] = {
    {M2N_ISA_SCALAR, sums_ref, combine_ref},
#if M2N_HAVE_X86
    {M2N_ISA_AVX2, sums_avx2, combine_avx2},
    {M2N_ISA_AVX512, sums_avx512, combine_avx512},
#endif
};

void
m2n_group_norm_add(M2nGroupTotal *total, double sum_dy, double sum_dyx, float gamma, float rstd,
                   float *dgamma, float *dbeta)
{
    const double sum_dyh = sum_dyx * (double)rstd;

    if (dgamma != NULL) {
        *dgamma += (float)sum_dyh;
        *dbeta += (float)sum_dy;
    }
    total->g += (double)gamma * sum_dy;
    total->gh += (double)gamma * sum_dyh;
}

void
m2n_group_norm_finish(const M2nGroupTotal *total, gsize n, float mean, float rstd, float *b,
                      float *d)
{
    const double r = (double)rstd, slope = -r * r * total->gh / (double)n;

    *b = (float)slope;
    *d = (float)(-r * total->g / (double)n - slope * (double)mean);
}

void
m2n_group_norm_coefficients(gsize channels, gsize hw, const float *dy, const float *x,
                            const float *gamma, float mean, float rstd, float *b, float *d,
                            float *dgamma, float *dbeta)
{
    M2nGroupTotal total = {0};

    for (gsize c = 0; c < channels; c++) {
        double sum_dy, sum_dyx;

        M2N_DISPATCH(m2n_norm_backward_variants, sums)
        (dy + c * hw, x + c * hw, hw, mean, &sum_dy, &sum_dyx);
        m2n_group_norm_add(&total, sum_dy, sum_dyx, gamma[c], rstd,
                           dgamma != NULL ? dgamma + c : NULL, dgamma != NULL ? dbeta + c : NULL);
    }
    m2n_group_norm_finish(&total, channels * hw, mean, rstd, b, d);
}

void
m2n_group_norm_backward(const M2nGroupNorm *s, float *dx, const float *dy, const float *x,
                        const float *gamma, const float *mean, const float *rstd, float *dgamma,
                        float *dbeta)
{
    const gsize channels = s->channels / s->groups;

    for (gsize g = 0; g < s->groups; g++) {
        const gsize first = g * channels, at = first * s->hw;
        float b, d;

        m2n_group_norm_coefficients(channels, s->hw, dy + at, x + at, gamma + first, mean[g],
                                    rstd[g], &b, &d, dgamma != NULL ? dgamma + first : NULL,
                                    dgamma != NULL ? dbeta + first : NULL);
        for (gsize c = first; c < first + channels; c++)
            m2n_blend(dx + c * s->hw, dy + c * s->hw, x + c * s->hw, s->hw, rstd[g] * gamma[c], b,
                      d);
    }
}

void
m2n_batch_norm_sums(gsize channels, gsize hw, const float *dy, const float *x, const float *mean,
                    double *sum_dy, double *sum_dyx)
{
    for (gsize c = 0; c < channels; c++) {
        double s, sx;

        M2N_DISPATCH(m2n_norm_backward_variants, sums)
        (dy + c * hw, x + c * hw, hw, mean[c], &s, &sx);
        sum_dy[c] += s;
        sum_dyx[c] += sx;
    }
}

void
m2n_batch_norm_coefficients(gsize rows, gsize channels, gsize hw, const double *sum_dy,
                            const double *sum_dyx, const float *gamma, const float *mean,
                            const float *variance, float *a, float *b, float *d, float *dgamma,
                            float *dbeta)
{
    const double n = (double)rows * (double)hw;

    for (gsize c = 0; c < channels; c++) {
        const double r = 1.0 / sqrt((double)variance[c] + M2N_NORM_EPSILON), g = (double)gamma[c];
        const double slope = -g * r * r * r * sum_dyx[c] / n;

        a[c] = (float)(g * r);
        b[c] = (float)slope;
        d[c] = (float)(-g * r * sum_dy[c] / n - slope * (double)mean[c]);
        if (dgamma != NULL) {
            dgamma[c] += (float)(sum_dyx[c] * r);
            dbeta[c] += (float)sum_dy[c];
        }
    }
}

void
m2n_norm_combine(gsize channels, gsize hw, float *dx, const float *dy, const float *x,
                 const float *a, const float *b, const float *d)
{
    for (gsize c = 0; c < channels; c++)
        M2N_DISPATCH(m2n_norm_backward_variants, combine)
    (dx + c * hw, dy + c * hw, x + c * hw, hw, a[c], b[c], d[c]);
}

void
m2n_moments(const float *x, gsize n, float shift, double *sum, double *square)
{
    double s, sx;

    /* sum x (x - shift) = sum (x - shift)^2 + shift sum (x - shift) */
    M2N_DISPATCH(m2n_norm_backward_variants, sums)(x, x, n, shift, &s, &sx);
    *sum = s - (double)shift * (double)n;
    *square = sx - (double)shift * *sum;
}
