/* Gradients of the 3x3 convolution.  The input's, stride 1, is a convolution with the filters turned around;
 * the others are GEMM on unfolded bands.  The variants are m2n_conv3x3's and m2n_gemm's. */
#include "engine/ops/conv3x3_backward.h"

#include <string.h>

#include "engine/ops/gemm.h"
#include "engine/ops/norm_backward.h"

/* Positions of a band: its unfolded columns (9 * 32 channels of them) then stay in a 1 MiB L2. */
#define BAND 512u

/* Output rows per band, at least one. */
static gsize
band_rows(const M2nConv3x3 *s)
{
    const gsize width = s->width / s->stride;

    return CLAMP(BAND / width, 1, s->height / s->stride);
}

gsize
m2n_conv3x3_backward_scratch(const M2nConv3x3 *s)
{
    const gsize turned = 9 * s->in * s->out + s->in;

    return MAX(turned, m2n_gemm_scratch() + 9 * s->in * band_rows(s) * (s->width / s->stride));
}

/* The columns j of one output row whose input column stride*j + b - 1 lies inside. */
static void
inside(const M2nConv3x3 *s, gsize b, gsize *first, gsize *end)
{
    const gsize width = s->width / s->stride;

    *first = b == 0 ? 1 : 0; /* stride*0 + 0 - 1 < 0 */
    *end = b == 2 && s->stride == 1 ? width - 1 : width;
    *end = MAX(*end, *first);
}

/* columns[(c, a, b)][rows][width] of output rows i0 .. i0 + rows */
static void
unfold(const M2nConv3x3 *s, const float *x, gsize i0, gsize rows, float *columns)
{
    const gsize width = s->width / s->stride;

    for (gsize tap = 0; tap < 9 * s->in; tap++) {
        const gsize a = tap / 3 % 3, b = tap % 3;
        const float *plane = x + tap / 9 * s->height * s->width;
        gsize first, end;

        inside(s, b, &first, &end);
        for (gsize i = i0; i < i0 + rows; i++, columns += width) {
            const gsize row = s->stride * i + a; /* one more than the input's */
            const float *in = plane + (row - 1) * s->width + b - 1;

            memset(columns, 0, width * sizeof *columns);
            if (row < 1 || row > s->height)
                continue;
            if (s->stride == 1)
                memcpy(columns + first, in + first, (end - first) * sizeof *columns);
            else
                for (gsize j = first; j < end; j++)
                    columns[j] = in[2 * j];
        }
    }
}

/* The transpose of unfold() with stride 2: adds. */
static void
fold(const M2nConv3x3 *s, float *dx, gsize i0, gsize rows, const float *columns)
{
    const gsize width = s->width / 2;

    for (gsize tap = 0; tap < 9 * s->in; tap++) {
        const gsize a = tap / 3 % 3, b = tap % 3;
        float *plane = dx + tap / 9 * s->height * s->width;
        gsize first, end;

        inside(s, b, &first, &end);
        for (gsize i = i0; i < i0 + rows; i++, columns += width) {
            const gsize row = 2 * i + a;
            float *out = plane + (row - 1) * s->width + b - 1;

            if (row < 1 || row > s->height)
                continue;
            for (gsize j = first; j < end; j++)
                out[2 * j] += columns[j];
        }
    }
}

/* dx = the sum over outputs of dy and the filters, inputs and outputs exchanged and turned by half a circle */
static void
convolve_back(const M2nConv3x3 *s, float *dx, const float *dy, const float *w, float *scratch)
{
    const M2nConv3x3 back = {s->out, s->in, s->height, s->width, 1};
    float *turned = scratch, *bias = scratch + 9 * s->in * s->out;

    for (gsize o = 0; o < s->out; o++)
        for (gsize c = 0; c < s->in; c++)
            for (gsize tap = 0; tap < 9; tap++)
                turned[(c * s->out + o) * 9 + 8 - tap] = w[(o * s->in + c) * 9 + tap];
    memset(bias, 0, s->in * sizeof *bias);
    m2n_conv3x3(&back, dx, dy, turned, bias);
}

void
m2n_conv3x3_backward_input(const M2nConv3x3 *s, float *dx, const float *dy, const float *w,
                           float *scratch)
{
    const gsize width = s->width / s->stride, height = s->height / s->stride, step = band_rows(s);
    float *columns = scratch + m2n_gemm_scratch();

    if (s->stride == 1) {
        convolve_back(s, dx, dy, w, scratch);
        return;
    }
    memset(dx, 0, s->in * s->height * s->width * sizeof *dx);
    for (gsize i = 0; i < height; i += step) {
        const gsize rows = MIN(step, height - i), n = rows * width;

        m2n_gemm(TRUE, FALSE, 9 * s->in, n, s->out, w, 9 * s->in, dy + i * width, height * width,
                 FALSE, columns, n, scratch);
        fold(s, dx, i, rows, columns);
    }
}

void
m2n_conv3x3_backward_weight(const M2nConv3x3 *s, float *dw, float *dbias, const float *dy,
                            const float *x, float *scratch)
{
    const gsize width = s->width / s->stride, height = s->height / s->stride, step = band_rows(s);
    float *columns = scratch + m2n_gemm_scratch();

    for (gsize i = 0; i < height; i += step) {
        const gsize rows = MIN(step, height - i), n = rows * width;

        unfold(s, x, i, rows, columns);
        m2n_gemm(FALSE, TRUE, s->out, 9 * s->in, n, dy + i * width, height * width, columns, n,
                 TRUE, dw, 9 * s->in, scratch);
    }
    for (gsize o = 0; o < s->out; o++) {
        double sum, square;

        m2n_moments(dy + o * height * width, height * width, 0.0f, &sum, &square);
        dbias[o] += (float)sum;
    }
}
