/* Group normalisation of one image: 1 group in the translator, 2 in encoders and decoders.
 *
 *   y[c][p] = (x[c][p] - mean_g) * rstd_g * gamma[c] + beta[c],   rstd_g = 1 / sqrt(variance_g +
 * 1e-5)
 *
 * over the channels c of group g = c / (channels/groups) and all hw positions; biased variance.
 *
 * x, y         [channels][hw]; y may be x
 * gamma, beta  [channels]
 * mean, rstd   [groups], written for the backward pass; either may be NULL
 * numerics     two passes, sums in double: 1e-6 (1 + |mean| / deviation)
 * source       Wu and He 2018, arXiv:1803.08494 */
#pragma once
#include "engine/base/cpu.h"

G_BEGIN_DECLS

#define M2N_NORM_EPSILON 1e-5

typedef struct {
    gsize channels, hw, groups; /* groups divides channels */
} M2nGroupNorm;

/* mean and rstd [groups] alone */
void m2n_group_norm_statistics(const M2nGroupNorm *shape, const float *x, float *mean, float *rstd);
void m2n_group_norm(const M2nGroupNorm *shape, float *y, const float *x, const float *gamma,
                    const float *beta, float *mean, float *rstd);

/* All variants, reference first.  For the dispatcher, the tests and the benchmark only. */
typedef struct {
    M2nIsa isa;
    void (*forward)(const M2nGroupNorm *shape, float *y, const float *x, const float *gamma,
                    const float *beta, float *mean, float *rstd);
    void (*statistics)(const M2nGroupNorm *shape, const float *x, float *mean, float *rstd);
} M2nGroupNormVariant;

extern const M2nGroupNormVariant m2n_group_norm_variants[M2N_N_ISA];

G_END_DECLS
