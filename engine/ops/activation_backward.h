/* Gradients of SiLU and GELU.
 *
 *   silu'(x) = s + x s (1 - s),  s = 1 / (1 + exp(-x))
 *   gelu'(x) = Phi(x) + x phi(x), the normal distribution and its density
 *
 *   dx[i] = dy[i] f'(x[i])
 *
 * dx, dy, x  n contiguous float32; dx may be dy.  Written, not added: every use is inside a chain whose
 *            next gradient replaces the last in place
 * numerics   f' within 6e-7 of libm in double; f'(-inf) = 0, f'(+inf) = 1; NaN stays NaN */
#pragma once
#include "engine/base/cpu.h"

G_BEGIN_DECLS

void m2n_silu_backward(float *dx, const float *dy, const float *x, gsize n);
void m2n_gelu_backward(float *dx, const float *dy, const float *x, gsize n);

/* All variants, reference first.  For the dispatcher, the tests and the benchmark only. */
typedef struct {
    M2nIsa isa;
    void (*silu)(float *dx, const float *dy, const float *x, gsize n);
    void (*gelu)(float *dx, const float *dy, const float *x, gsize n);
} M2nActivationBackwardVariant;

extern const M2nActivationBackwardVariant m2n_activation_backward_variants[M2N_N_ISA];

G_END_DECLS
