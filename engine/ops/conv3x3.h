/* 3x3 convolution with padding 1 of one image: the encoders and decoders.
 *
 *   y[o][i][j] = bias[o] + sum_{c,a,b} w[o][c][a][b] x[c][stride*i + a - 1][stride*j + b - 1]
 *
 * with x zero outside the image: a NaN inside reaches its eight neighbours alone.
 *
 * x         [in][height][width]; height and width divisible by stride
 * w, bias   [out][in][3][3], [out]
 * y         [out][height/stride][width/stride], not overlapping x
 * stride    1 or 2
 * numerics  the reference sums in double, variants in float32: 1e-6 sqrt(9 in) of the largest
 * product */
#pragma once
#include "engine/base/cpu.h"

G_BEGIN_DECLS

typedef struct {
    gsize in, out, height, width, stride;
} M2nConv3x3;

void m2n_conv3x3(const M2nConv3x3 *shape, float *y, const float *x, const float *w,
                 const float *bias);

/* All variants, reference first.  For the dispatcher, the tests and the benchmark only. */
typedef struct {
    M2nIsa isa;
    void (*forward)(const M2nConv3x3 *shape, float *y, const float *x, const float *w,
                    const float *bias);
} M2nConv3x3Variant;

extern const M2nConv3x3Variant m2n_conv3x3_variants[M2N_N_ISA];

G_END_DECLS
