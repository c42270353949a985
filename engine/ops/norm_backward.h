/* Gradients of group and batch normalisation.  Both are sums over channels, a little algebra, and
 *
 *   dx[c][p] = a[c] dy[c][p] + b[c] x[c][p] + d[c]
 *
 * Group normalisation (one image, group g of n = channels/groups * hw values, h = (x - mean) rstd):
 *   dgamma[c] += sum_p dy h            dbeta[c] += sum_p dy
 *   dx = rstd (gamma dy - mean_g(gamma dy) - h mean_g(gamma dy h))
 * Batch normalisation: the same per channel, the mean over all rows and positions.
 *
 * m2n_group_norm_backward      all of it for one image: dx is written; dgamma and dbeta may be NULL together
 * m2n_group_norm_coefficients  the b and d of channels of one group, a being rstd gamma: dx = a dy + b x + d
 * m2n_group_norm_add, _finish  the same from sums that the caller has, channel by channel: *total is zero before the
 *                              first; n values in all channels
 * m2n_batch_norm_sums          sum_dy[c] += sum_p dy, sum_dyx[c] += sum_p dy (x - mean[c]), one image
 * m2n_batch_norm_coefficients  a, b, d [channels] from the sums over `rows` images; dgamma, dbeta as above
 * m2n_norm_combine             dx += a dy + b x + d, one image
 *
 * x, dy, dx  [channels][hw]; dx may be dy in group norm, else overlaps neither
 * numerics   sums leave float32 lanes for double every 4096 values; 2e-6 of the largest term
 * source     Ioffe and Szegedy 2015, arXiv:1502.03167; Wu and He 2018, arXiv:1803.08494 */
#pragma once
#include "engine/ops/group_norm.h"

G_BEGIN_DECLS

void m2n_group_norm_backward(const M2nGroupNorm *shape, float *dx, const float *dy, const float *x,
                             const float *gamma, const float *mean, const float *rstd,
                             float *dgamma, float *dbeta);

void m2n_group_norm_coefficients(gsize channels, gsize hw, const float *dy, const float *x,
                                 const float *gamma, float mean, float rstd, float *b, float *d,
                                 float *dgamma, float *dbeta);

typedef struct {
    double g, gh; /* of gamma dy, and of gamma dy h */
} M2nGroupTotal;

/* sum_dyx: of dy (x - mean) */
void m2n_group_norm_add(M2nGroupTotal *total, double sum_dy, double sum_dyx, float gamma, float rstd,
                        float *dgamma, float *dbeta);
void m2n_group_norm_finish(const M2nGroupTotal *total, gsize n, float mean, float rstd, float *b,
                           float *d);

void m2n_batch_norm_sums(gsize channels, gsize hw, const float *dy, const float *x,
                         const float *mean, double *sum_dy, double *sum_dyx);
void m2n_batch_norm_coefficients(gsize rows, gsize channels, gsize hw, const double *sum_dy,
                                 const double *sum_dyx, const float *gamma, const float *mean,
                                 const float *variance, float *a, float *b, float *d, float *dgamma,
                                 float *dbeta);
void m2n_norm_combine(gsize channels, gsize hw, float *dx, const float *dy, const float *x,
                      const float *a, const float *b, const float *d);

/* sum and square of (x - shift) over n values: what batch statistics are made of */
void m2n_moments(const float *x, gsize n, float shift, double *sum, double *square);

/* All variants, reference first.  For the dispatcher, the tests and the benchmark only. */
typedef struct {
    M2nIsa isa;
    /* sums of dy and of dy (x - shift) over n values */
    void (*sums)(const float *dy, const float *x, gsize n, float shift, double *sum_dy,
                 double *sum_dyx);
    /* dx += a dy + b x + d over n values */
    void (*combine)(float *dx, const float *dy, const float *x, gsize n, float a, float b, float d);
} M2nNormBackwardVariant;

extern const M2nNormBackwardVariant m2n_norm_backward_variants[M2N_N_ISA];

G_END_DECLS
