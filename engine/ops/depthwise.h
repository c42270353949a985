/* Depthwise convolution of one image: each channel with its own k x k filter, output as large as
 * the input. Met2Net has 5x5, 7x7 dilated by 3 and 3x3.
 *
 *   y[c][i][j] = bias[c] + sum_{a,b} w[c][a][b] x[c][i + d (a - r)][j + d (b - r)],   r = (k-1)/2
 *
 * with x zero outside the image: weights are finite there, so that a NaN stays where filters reach it.
 *
 * x, y      [channels][height][width], not overlapping
 * w, bias   [channels][k][k], [channels]; k odd, <= 7; dilation d >= 1
 * scratch   m2n_depthwise_scratch() floats, one per thread
 * numerics  the reference sums in double, variants in float32: 1e-6 k of the largest product */
#pragma once
#include "engine/base/cpu.h"

G_BEGIN_DECLS

typedef struct {
    gsize channels, height, width, k, dilation;
} M2nDepthwise;

gsize m2n_depthwise_scratch(const M2nDepthwise *shape);
void m2n_depthwise(const M2nDepthwise *shape, float *y, const float *x, const float *w,
                   const float *bias, float *scratch);

/* One channel with zeros beside it: x is its first pixel, the r = dilation (k-1)/2 columns to the left and those up to
 * round32(width) + r are readable, and zero where outputs within the width reach them.  y gets round32(width)
 * columns, those past width without meaning.  `channels` is not looked at; k is 3, 5 or 7. */
void m2n_depthwise_plane(const M2nDepthwise *shape, float *y, gsize y_pitch, const float *x,
                         gsize x_pitch, const float *w, float bias);

/* x = gelu(3x3 convolution of x) in place, one channel of width 32 whose rows lie `stride` floats apart: the
 * hidden layer of the temporal unit where a panel is a row of the image.  FALSE: the instruction set in use has
 * no such kernel, nothing was done. */
gboolean m2n_depthwise3_gelu(float *x, gsize stride, gsize rows, const float *w, float bias);

/* All variants, reference first.  For the dispatcher, the tests and the benchmark only. */
typedef struct {
    M2nIsa isa;
    void (*forward)(const M2nDepthwise *shape, float *y, const float *x, const float *w,
                    const float *bias, float *scratch);
    void (*plane)(const M2nDepthwise *shape, float *y, gsize y_pitch, const float *x, gsize x_pitch,
                  const float *w, float bias);
    void (*rows3_gelu)(float *x, gsize stride, gsize rows, const float *w,
                       float bias); /* or NULL */
} M2nDepthwiseVariant;

extern const M2nDepthwiseVariant m2n_depthwise_variants[M2N_N_ISA];

G_END_DECLS
