/* The 3x3 convolution of engine/ops/fused_conv.h by its formula, sums in double: what the fast ones are held against. */
#pragma once
#include "engine/ops/fused_conv.h"

static inline double
plain_conv3x3_at(const M2nFusedConv *s, const float *x, const float *w, gsize i, gsize j)
{
    double sum = 0.0;

    for (gsize c = 0; c < s->in; c++)
        for (gsize a = 0; a < 3; a++)
            for (gsize b = 0; b < 3; b++) {
                const gsize row = s->stride * i + a, column = s->stride * j + b; /* both + 1 */

                if (row >= 1 && row <= s->height && column >= 1 && column <= s->width)
                    sum += (double)w[(c * 3 + a) * 3 + b] *
                           (double)x[(c * s->height + row - 1) * s->width + column - 1];
            }
    return sum;
}

/* y before any shuffle */
static inline void
plain_conv3x3(const M2nFusedConv *s, float *y, const float *x, const float *w, const float *bias)
{
    const gsize height = s->height / s->stride, width = s->width / s->stride;

    for (gsize o = 0; o < s->out; o++)
        for (gsize i = 0; i < height; i++)
            for (gsize j = 0; j < width; j++)
                y[(o * height + i) * width + j] =
                    (float)((double)bias[o] + plain_conv3x3_at(s, x, w + o * s->in * 9, i, j));
}
