#include "engine/ops/batch_norm.h"

#include <math.h>

#include "engine/ops/group_norm.h"
#include "engine/ops/pointwise.h"

static double
channel_sum(gsize rows, gsize channels, gsize hw, const float *x, double mean, gboolean square)
{
    double sum = 0.0;

    for (gsize n = 0; n < rows; n++)
        for (gsize p = 0; p < hw; p++) {
            const double d = (double)x[n * channels * hw + p] - mean;
            sum += square ? d * d : d;
        }
    return sum;
}

void
m2n_batch_norm_statistics(gsize rows, gsize channels, gsize hw, const float *x, float *mean,
                          float *variance)
{
    const double count = (double)rows * (double)hw;

    for (gsize c = 0; c < channels; c++) {
        const float *first = x + c * hw;
        const double m = channel_sum(rows, channels, hw, first, 0.0, FALSE) / count;

        mean[c] = (float)m;
        variance[c] = (float)(channel_sum(rows, channels, hw, first, m, TRUE) / count);
    }
}

void
m2n_batch_norm_running(gsize rows, gsize channels, gsize hw, const float *mean,
                       const float *variance, float *running_mean, float *running_variance)
{
    const double count = (double)rows * (double)hw, new = M2N_BATCH_NORM_MOMENTUM;

    for (gsize c = 0; c < channels; c++) {
        const double unbiased = (double)variance[c] * count / (count - 1.0);

        running_mean[c] = (float)((1 - new) * (double)running_mean[c] + new *(double)mean[c]);
        running_variance[c] = (float)((1 - new) * (double)running_variance[c] + new *unbiased);
    }
}

void
m2n_batch_norm_fold(gsize channels, const float *mean, const float *variance, const float *gamma,
                    const float *beta, float *scale, float *shift)
{
    for (gsize c = 0; c < channels; c++) {
        const double s = (double)gamma[c] / sqrt((double)variance[c] + M2N_NORM_EPSILON);

        scale[c] = (float)s;
        shift[c] = (float)((double)beta[c] - (double)mean[c] * s);
    }
}

void
m2n_batch_norm_apply(gsize channels, gsize hw, float *y, const float *x, const float *scale,
                     const float *shift)
{
    for (gsize c = 0; c < channels; c++)
        m2n_scale_shift(y + c * hw, x + c * hw, hw, scale[c], shift[c]);
}
