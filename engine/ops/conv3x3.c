/* 3x3 convolution of one image. */
#include "engine/ops/conv3x3.h"

#include "engine/ops/dispatch.h"

/* ---- reference ----------------------------------------------------------------------- */

static double
at_ref(const M2nConv3x3 *s, const float *x, const float *w, gsize i, gsize j)
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

static void
forward_ref(const M2nConv3x3 *s, float *y, const float *x, const float *w, const float *bias)
{
    const gsize height = s->height / s->stride, width = s->width / s->stride;

    for (gsize o = 0; o < s->out; o++)
        for (gsize i = 0; i < height; i++)
            for (gsize j = 0; j < width; j++)
                y[(o * height + i) * width + j] =
                    (float)((double)bias[o] + at_ref(s, x, w + o * s->in * 9, i, j));
}

/* ---- table and dispatch -------------------------------------------------------------- */

const M2nConv3x3Variant m2n_conv3x3_variants[M2N_N_ISA] = {
    {M2N_ISA_SCALAR, forward_ref},
};

void
m2n_conv3x3(const M2nConv3x3 *s, float *y, const float *x, const float *w, const float *bias)
{
    g_assert((s->stride == 1 || s->stride == 2) && s->height % s->stride == 0 &&
             s->width % s->stride == 0);
    M2N_DISPATCH(m2n_conv3x3_variants, forward)(s, y, x, w, bias);
}
