/* Sums of scaled arrays, n values each: what stands between the other kernels of a training step, called channel
 * by channel so that a chain of them stays in the first-level cache.
 *
 * m2n_scale_shift   y = a x + b
 * m2n_add_scaled    y = x + a z
 * m2n_multiply      y = x z
 * m2n_blend         y = a x + b z + c
 *
 * y may be x or z.  Numerics: one or two float32 roundings a value.  A NaN stays where it is. */
#pragma once
#include "engine/base/cpu.h"

G_BEGIN_DECLS

void m2n_scale_shift(float *y, const float *x, gsize n, float a, float b);
void m2n_add_scaled(float *y, const float *x, const float *z, gsize n, float a);
void m2n_multiply(float *y, const float *x, const float *z, gsize n);
void m2n_blend(float *y, const float *x, const float *z, gsize n, float a, float b, float c);

/* All variants, reference first.  For the dispatcher and the tests only. */
typedef struct {
    M2nIsa isa;
    void (*scale_shift)(float *y, const float *x, gsize n, float a, float b);
    void (*add_scaled)(float *y, const float *x, const float *z, gsize n, float a);
    void (*multiply)(float *y, const float *x, const float *z, gsize n);
    void (*blend)(float *y, const float *x, const float *z, gsize n, float a, float b, float c);
} M2nPointwiseVariant;

extern const M2nPointwiseVariant m2n_pointwise_variants[M2N_N_ISA];

G_END_DECLS
