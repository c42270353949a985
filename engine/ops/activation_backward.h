/* Gradients of SiLU and GELU, and of SiLU after a norm with all the sums its neighbours need.
 *
 *   silu'(x) = s + x s (1 - s),  s = 1 / (1 + exp(-x))
 *   gelu'(x) = Phi(x) + x phi(x), the normal distribution and its density
 *
 *   dx[i] = dy[i] f'(x[i])
 *
 * m2n_norm_silu_backward: one channel of a = silu(v), v = scale x + shift, whose output's gradient is weight dy:
 *
 *   dv[i] = weight dy[i] silu'(v[i])
 *   sums  = sum dv, sum dv (x - mean), sum dy a
 *
 * the first two for the norm's gradient (norm_backward.h), the third that of a weight with which a is read out
 *
 * dx, dy, x  n contiguous float32; dx may be dy.  Written, not added: every use is inside a chain whose
 *            next gradient replaces the last in place.  dv may be dy
 * numerics   f' within 6e-7 of libm in double; f'(-inf) = 0, f'(+inf) = 1; NaN stays NaN; sums leave
 *            float32 lanes for double after 64 terms */
#pragma once
#include "engine/base/cpu.h"

G_BEGIN_DECLS

void m2n_silu_backward(float *dx, const float *dy, const float *x, gsize n);
void m2n_gelu_backward(float *dx, const float *dy, const float *x, gsize n);

typedef struct {
    double dv, dvx, readout;
} M2nNormSiluSums;

/* What a channel's forward pass had: v = scale x + shift of n values, `mean` that of the norm's group. */
typedef struct {
    gsize n;
    const float *x;
    float scale, shift, mean;
} M2nNormSilu;

void m2n_norm_silu_backward(const M2nNormSilu *channel, float *dv, const float *dy, float weight,
                            M2nNormSiluSums *sums);

/* All variants, reference first.  For the dispatcher, the tests and the benchmark only. */
typedef struct {
    M2nIsa isa;
    void (*silu)(float *dx, const float *dy, const float *x, gsize n);
    void (*gelu)(float *dx, const float *dy, const float *x, gsize n);
    void (*norm_silu)(const M2nNormSilu *channel, float *dv, const float *dy, float weight,
                      M2nNormSiluSums *sums);
} M2nActivationBackwardVariant;

extern const M2nActivationBackwardVariant m2n_activation_backward_variants[M2N_N_ISA];

G_END_DECLS
