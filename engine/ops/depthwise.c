/* Depthwise convolution of one image. */
#include "engine/ops/depthwise.h"

#include "engine/ops/dispatch.h"

/* ---- reference ----------------------------------------------------------------------- */

static double
at_ref(const M2nDepthwise *s, const float *x, const float *w, gsize i, gsize j)
{
    const gssize radius = (gssize)(s->k / 2), d = (gssize)s->dilation;
    double sum = 0.0;

    for (gsize a = 0; a < s->k; a++)
        for (gsize b = 0; b < s->k; b++) {
            const gssize row = (gssize)i + d * ((gssize)a - radius);
            const gssize column = (gssize)j + d * ((gssize)b - radius);

            if (row >= 0 && row < (gssize)s->height && column >= 0 && column < (gssize)s->width)
                sum += (double)w[a * s->k + b] * (double)x[row * (gssize)s->width + column];
        }
    return sum;
}

static void
forward_ref(const M2nDepthwise *s, float *y, const float *x, const float *w, const float *bias)
{
    const gsize hw = s->height * s->width;

    for (gsize c = 0; c < s->channels; c++)
        for (gsize i = 0; i < s->height; i++)
            for (gsize j = 0; j < s->width; j++)
                y[c * hw + i * s->width + j] =
                    (float)((double)bias[c] + at_ref(s, x + c * hw, w + c * s->k * s->k, i, j));
}

/* ---- table and dispatch -------------------------------------------------------------- */

const M2nDepthwiseVariant m2n_depthwise_variants[M2N_N_ISA] = {
    {M2N_ISA_SCALAR, forward_ref},
};

void
m2n_depthwise(const M2nDepthwise *s, float *y, const float *x, const float *w, const float *bias)
{
    g_assert(s->k % 2 == 1 && s->k <= 7 && s->dilation >= 1);
    M2N_DISPATCH(m2n_depthwise_variants, forward)(s, y, x, w, bias);
}
