/* Batch normalisation, per channel over all rows and positions.
 *
 *   y[n][c][p] = (x[n][c][p] - mean[c]) * rstd[c] * gamma[c] + beta[c]
 *
 * m2n_batch_norm_statistics   mean and biased variance of a batch (training)
 * m2n_batch_norm_running      running = 0.9 running + 0.1 batch; variance unbiased (times n/(n-1))
 * m2n_batch_norm_fold         mean, variance, gamma, beta -> scale, shift with y = scale x + shift
 * m2n_batch_norm_apply        y = scale x + shift of one image; y may be x
 *
 * x, y       [rows][channels][hw] (apply: [channels][hw])
 * numerics   statistics in double, two passes; rstd = 1 / sqrt(variance + 1e-5)
 * source     Ioffe and Szegedy 2015, arXiv:1502.03167 */
#pragma once
#include "engine/base/cpu.h"

G_BEGIN_DECLS

#define M2N_BATCH_NORM_MOMENTUM 0.1

void m2n_batch_norm_statistics(gsize rows, gsize channels, gsize hw, const float *x, float *mean,
                               float *variance);
void m2n_batch_norm_running(gsize rows, gsize channels, gsize hw, const float *mean,
                            const float *variance, float *running_mean, float *running_variance);
void m2n_batch_norm_fold(gsize channels, const float *mean, const float *variance,
                         const float *gamma, const float *beta, float *scale, float *shift);
void m2n_batch_norm_apply(gsize channels, gsize hw, float *y, const float *x, const float *scale,
                          const float *shift);

G_END_DECLS
