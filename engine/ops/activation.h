/* SiLU (encoders, decoders, attention output) and GELU (temporal unit), element by element.
 *
 *   silu(x) = x / (1 + exp(-x))            gelu(x) = x (1 + erf(x / sqrt 2)) / 2     (exact form)
 *
 * x, y      n contiguous float32; y may be x
 * numerics  the reference is libm in double; variants agree to 3e-7 |x| + 1e-7 (see activation.c
 * for the polynomials).  Limits: silu, gelu(-inf) = 0, (+inf) = +inf; NaN stays NaN */
#pragma once
#include "engine/base/cpu.h"

G_BEGIN_DECLS

void m2n_silu(float *y, const float *x, gsize n);
void m2n_gelu(float *y, const float *x, gsize n);

/* All variants, reference first.  For the dispatcher, the tests and the benchmark only. */
typedef struct {
    M2nIsa isa;
    void (*silu)(float *y, const float *x, gsize n);
    void (*gelu)(float *y, const float *x, gsize n);
} M2nActivationVariant;

extern const M2nActivationVariant m2n_activation_variants[M2N_N_ISA];

G_END_DECLS
