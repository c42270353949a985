/* Gradients of the 3x3 convolution.  The input's, stride 1, is a convolution with the filters turned around;
 * the weights', stride 1, winograd_backward.h; the others are GEMM on unfolded bands.  Variants are theirs. */
#include "engine/ops/fused_conv_backward.h"

#include <string.h>

#include "engine/ops/gemm.h"
#include "engine/ops/norm_backward.h"
#include "engine/ops/winograd_backward.h"

/* Positions of a band: its unfolded columns (9 * 32 channels of them) then stay in a 1 MiB L2. */
#define BAND 512u
#define WINOGRAD_IN 16u

/* Output rows per band, at least one. */
static gsize
band_rows(const M2nFusedConv *s)
{
    const gsize width = s->width / s->stride;

    return CLAMP(BAND / width, 1, s->height / s->stride);
}

/* Whether the weights' gradient goes through winograd_backward.h: with few input channels it would be zeros mostly. */
static gboolean
by_winograd(const M2nFusedConv *s)
{
    return s->stride == 1 && s->in >= WINOGRAD_IN && m2n_isa() != M2N_ISA_SCALAR;
}

/* The convolution that gives the input's gradient. */
static M2nFusedConv
turned(const M2nFusedConv *s)
{
    return (M2nFusedConv){s->out, s->in, s->height, s->width, 1, 1, FALSE};
}

gsize
m2n_fused_conv_backward_scratch(const M2nFusedConv *s)
{
    const M2nFusedConv back = turned(s);
    const gsize columns = 9 * s->in * band_rows(s) * (s->width / s->stride);
    const gsize weight = by_winograd(s)
                             ? m2n_winograd_backward_scratch(s)
                             : m2n_gemm_scratch() + columns + s->in * s->height * s->width;

    return MAX(weight, MAX(m2n_fused_conv_scratch(&back), 9 * s->in * s->out));
}

/* The columns j of one output row whose input column stride*j + b - 1 lies inside. */
static void
inside(const M2nFusedConv *s, gsize b, gsize *first, gsize *end)
{
    const gsize width = s->width / s->stride;

    *first = b == 0 ? 1 : 0; /* stride*0 + 0 - 1 < 0 */
    *end = b == 2 && s->stride == 1 ? width - 1 : width;
    *end = MAX(*end, *first);
}

/* columns[(c, a, b)][rows][width] of output rows i0 .. i0 + rows */
static void
unfold(const M2nFusedConv *s, const float *x, gsize i0, gsize rows, float *columns)
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
fold(const M2nFusedConv *s, float *dx, gsize i0, gsize rows, const float *columns)
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

gsize
m2n_fused_conv_backward_packed_floats(const M2nFusedConv *s)
{
    return s->stride == 1 ? m2n_fused_conv_packed_floats(s->in, s->out, 1) : 9 * s->in * s->out;
}

/* Stride 1: inputs and outputs exchanged, and the filters turned by half a circle. */
void
m2n_fused_conv_backward_pack(const M2nFusedConv *s, const float *w, float *packed, float *scratch)
{
    if (s->stride == 2) {
        memcpy(packed, w, 9 * s->in * s->out * sizeof *w);
        return;
    }
    for (gsize o = 0; o < s->out; o++)
        for (gsize c = 0; c < s->in; c++)
            for (gsize tap = 0; tap < 9; tap++)
                scratch[(c * s->out + o) * 9 + 8 - tap] = w[(o * s->in + c) * 9 + tap];
    m2n_fused_conv_pack(s->in, s->out, 1, scratch, packed);
}

void
m2n_fused_conv_backward_input(const M2nFusedConv *s, float *dv, const float *dy,
                              const float *packed, float *scratch)
{
    const gsize width = s->width / s->stride, height = s->height / s->stride, step = band_rows(s);
    float *columns = scratch + m2n_gemm_scratch();

    if (s->stride == 1) {
        const M2nFusedConv back = turned(s);

        m2n_fused_conv(&back, dv, dy, NULL, NULL, packed, NULL, NULL, scratch);
        return;
    }
    memset(dv, 0, s->in * s->height * s->width * sizeof *dv);
    for (gsize i = 0; i < height; i += step) {
        const gsize rows = MIN(step, height - i), n = rows * width;

        m2n_gemm(TRUE, FALSE, 9 * s->in, n, s->out, packed, 9 * s->in, dy + i * width,
                 height * width, FALSE, columns, n, scratch);
        fold(s, dv, i, rows, columns);
    }
}

/* dw on unfolded bands */
static void
weight_by_gemm(const M2nFusedConv *s, float *dw, const float *dy, const float *x,
               const float *scale, const float *shift, float *scratch)
{
    const gsize width = s->width / s->stride, height = s->height / s->stride, step = band_rows(s);
    const gsize hw = s->height * s->width;
    float *columns = scratch + m2n_gemm_scratch(), *v = columns + 9 * s->in * step * width;

    for (gsize c = 0; scale != NULL && c < s->in; c++)
        m2n_norm_silu(hw, x + c * hw, scale[c], shift[c], v + c * hw);
    for (gsize i = 0; i < height; i += step) {
        const gsize rows = MIN(step, height - i), n = rows * width;

        unfold(s, scale != NULL ? v : x, i, rows, columns);
        m2n_gemm(FALSE, TRUE, s->out, 9 * s->in, n, dy + i * width, height * width, columns, n,
                 TRUE, dw, 9 * s->in, scratch);
    }
}

void
m2n_fused_conv_backward_weight(const M2nFusedConv *s, float *dw, float *dbias, const float *dy,
                               const float *x, const float *scale, const float *shift,
                               float *scratch)
{
    const gsize n = s->height * s->width / s->stride / s->stride;

    if (by_winograd(s))
        m2n_winograd_backward_weight(s, dw, dy, x, scale, shift, scratch);
    else
        weight_by_gemm(s, dw, dy, x, scale, shift, scratch);
    for (gsize o = 0; o < s->out; o++) {
        double sum, square;

        m2n_moments(dy + o * n, n, 0.0f, &sum, &square);
        dbias[o] += (float)sum;
    }
}
