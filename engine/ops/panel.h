/* What else happens to panels (see panel_gemm.h): sums of scaled panels, gates, moments, copies to and from
 * images.
 *
 *   combine   y[c][p] = shift[c] + sum_k scale_k[c] x_k[c][p]             n panels x_k
 *   silu_add  y[c][p] = scale_x[c] x[c][p] + shift_x[c] + silu(scale_y[c] y[c][p] + shift_y[c])
 *   multiply  y[c][p] *= x[c][p]
 *   moments   sums over channels and the first `lanes` lanes, around a pivot: see M2nMoments
 *   fetch     rows of a channel of an image in panels -> rows of floats; put: the way back
 *
 * x, y      [channels][32], 64-byte aligned; y may be one of the x_k; NULL scale_k: ones
 * numerics  float32; moments in float32 lanes emptied into double every 64 vectors */
#pragma once
#include "engine/base/cpu.h"
#include "engine/ops/panel_gemm.h"

G_BEGIN_DECLS

/* Sums of x - pivot and of its square: mean and variance of many panels can be put together from these
 * without loss when the mean is far from zero. */
typedef struct {
    double n, pivot, sum, square;
} M2nMoments;

#define M2N_MAX_COMBINE 64

void m2n_panel_combine(gsize channels, gsize n, const float *const *x, const float *const *scale,
                       const float *shift, float *y);
void m2n_panel_silu_add(gsize channels, const float *x, const float *scale_x, const float *shift_x,
                        float *y, const float *scale_y, const float *shift_y);
void m2n_panel_multiply(gsize channels, const float *x, float *y);
void m2n_panel_moments(gsize channels, gsize lanes, const float *x, M2nMoments *m);

/* The same of n floats in a row; `first` starts afresh, with x[0] as the pivot. */
void m2n_moments_add(M2nMoments *m, const float *x, gsize n, gboolean first);

/* Mean and 1 / sqrt(variance + 1e-5) of n moments together. */
void m2n_moments_finish(const M2nMoments *m, gsize n, double *mean, double *rstd);

/* `panels` is channel 0 of panel 0 of an image with `channels` channels; `channel` of it, positions [first,
 * first + n). */
void m2n_panel_fetch(const float *panels, gsize channels, gsize channel, gsize first, gsize n,
                     float *out);
void m2n_panel_put(float *panels, gsize channels, gsize channel, gsize first, gsize n,
                   const float *in);

/* All variants, reference first.  For the dispatcher, the tests and the benchmark only. */
typedef struct {
    M2nIsa isa;
    void (*combine)(gsize channels, gsize n, const float *const *x, const float *const *scale,
                    const float *shift, float *y);
    void (*silu_add)(gsize channels, const float *x, const float *scale_x, const float *shift_x,
                     float *y, const float *scale_y, const float *shift_y);
    void (*multiply)(gsize channels, const float *x, float *y);
    void (*moments)(gsize channels, const float *x, float pivot, double *sum, double *square);
} M2nPanelVariant;

extern const M2nPanelVariant m2n_panel_variants[M2N_N_ISA];

G_END_DECLS
