/* Gradients of the depthwise convolution. */
#include "engine/ops/depthwise_backward.h"

#include "engine/ops/dispatch.h"
#include "engine/ops/lanes.h"
#include "engine/ops/norm_backward.h"

#define MAX_K 7u

/* ---- reference ----------------------------------------------------------------------- */

/* sum over the plane of a[i][j] b[i + down][j + right], b zero outside */
static double
shifted_product(const M2nDepthwise *s, const float *a, const float *b, gssize down, gssize right)
{
    const gssize height = (gssize)s->height, width = (gssize)s->width;
    double sum = 0.0;

    for (gssize i = MAX(0, -down); i < MIN(height, height - down); i++)
        for (gssize j = MAX(0, -right); j < MIN(width, width - right); j++)
            sum += (double)a[i * width + j] * (double)b[(i + down) * width + j + right];
    return sum;
}

static void
weight_ref(const M2nDepthwise *s, float *dw, const float *dy, const float *x, float *scratch)
{
    const gssize r = (gssize)(s->k / 2), d = (gssize)s->dilation;

    (void)scratch;
    for (gssize a = -r; a <= r; a++)
        for (gssize b = -r; b <= r; b++)
            dw[(a + r) * (gssize)s->k + b + r] += (float)shifted_product(s, dy, x, d * a, d * b);
}

static void
input_ref(const M2nDepthwise *s, float *dx, const float *dy, const float *w, float *scratch)
{
    const gssize r = (gssize)(s->k / 2), d = (gssize)s->dilation;
    const gssize height = (gssize)s->height, width = (gssize)s->width;

    (void)scratch;
    for (gssize i = 0; i < height; i++)
        for (gssize j = 0; j < width; j++) {
            double sum = 0.0;

            for (gssize a = -r; a <= r; a++)
                for (gssize b = -r; b <= r; b++) {
                    const gssize row = i - d * a, column = j - d * b;

                    if (row >= 0 && row < height && column >= 0 && column < width)
                        sum += (double)w[(a + r) * (gssize)s->k + b + r] *
                               (double)dy[row * width + column];
                }
            dx[i * width + j] += (float)sum;
        }
}

/* ---- planes with a rim of zeros ---------------------------------------------------------- */

/* Columns of the padded plane: the rim on both sides and room for a whole vector at the end. */
static gsize
padded_width(const M2nDepthwise *s)
{
    const gsize rim = s->k / 2 * s->dilation;

    return (s->width + M2N_LANES - 1) / M2N_LANES * M2N_LANES + 2 * rim;
}

gsize
m2n_depthwise_backward_scratch(const M2nDepthwise *s)
{
    const gsize rim = s->k / 2 * s->dilation;
    const gsize columns = (s->width + M2N_LANES - 1) / M2N_LANES * M2N_LANES;

    return (s->height + 2 * rim) * padded_width(s) + s->height * columns;
}

#if M2N_HAVE_X86
static void
pad_plane(const M2nDepthwise *s, gsize rim, gsize columns, float *out, const float *in)
{
    memset(out, 0, (s->height + 2 * rim) * columns * sizeof *out);
    for (gsize i = 0; i < s->height; i++)
        memcpy(out + (i + rim) * columns + rim, in + i * s->width, s->width * sizeof *out);
}

/* ---- bodies for vectors ---------------------------------------------------------------- */

/* One row of dx, all taps for 16 columns at a time; `w` is flipped by reading it backwards. */
M2N_BODY void
input_row(const M2nDepthwise *s, gsize k, float *dx, const float *rows, gsize columns,
          const float *w)
{
    for (gsize j = 0; j < s->width; j += M2N_LANES) {
        M2nLanes acc[2] = {{0}, {0}}; /* two chains hide the latency of the adds */

        for (gsize a = 0; a < k; a++)
#pragma GCC unroll 7
            for (gsize b = 0; b < k; b++)
                acc[b & 1] += w[k * k - 1 - (a * k + b)] *
                              M2N_LOAD(rows + a * s->dilation * columns + b * s->dilation + j);
        acc[0] += acc[1];
        if (j + M2N_LANES <= s->width)
            M2N_STORE(dx + j, M2N_LOAD(dx + j) + acc[0]);
        else
            for (gsize l = 0; j + l < s->width; l++)
                dx[j + l] += acc[0][l];
    }
}

M2N_BODY void
input_body(const M2nDepthwise *s, gsize k, float *dx, const float *dy, const float *w,
           float *scratch)
{
    const gsize columns = padded_width(s), rim = k / 2 * s->dilation;

    pad_plane(s, rim, columns, scratch, dy);
    for (gsize i = 0; i < s->height; i++)
        input_row(s, k, dx + i * s->width, scratch + i * columns, columns, w);
}

/* One row of taps: dy is read once for all k of them. */
M2N_BODY void
weight_taps(const M2nDepthwise *s, gsize k, float *dw, const float *dy, const float *rows,
            gsize columns, gsize dy_columns)
{
    double sum[MAX_K] = {0};

    for (gsize i = 0; i < s->height;) {
        const gsize end = MIN(s->height, i + 32);
        M2nLanes acc[MAX_K] = {{0}};

        for (; i < end; i++)
            for (gsize j = 0; j < dy_columns; j += M2N_LANES) {
                const M2nLanes g = M2N_LOAD(dy + i * dy_columns + j);

#pragma GCC unroll 7
                for (gsize b = 0; b < k; b++)
                    acc[b] += g * M2N_LOAD(rows + i * columns + b * s->dilation + j);
            }
        for (gsize b = 0; b < k; b++)
            sum[b] += m2n_lanes_sum(&acc[b]);
    }
    for (gsize b = 0; b < k; b++)
        dw[b] += (float)sum[b];
}

M2N_BODY void
weight_body(const M2nDepthwise *s, gsize k, float *dw, const float *dy, const float *x,
            float *scratch)
{
    const gsize columns = padded_width(s), rim = k / 2 * s->dilation;
    const gsize dy_columns = columns - 2 * rim;
    float *padded_dy = scratch + (s->height + 2 * rim) * columns;

    pad_plane(s, rim, columns, scratch, x);
    pad_plane(s, 0, dy_columns, padded_dy, dy); /* lanes right of the image multiply zeros */
    for (gsize a = 0; a < k; a++)
        weight_taps(s, k, dw + a * k, padded_dy, scratch + a * s->dilation * columns, columns,
                    dy_columns);
}

/* A constant k lets the compiler keep the accumulators in registers. */
#define FOR_CONSTANT_K(body, ...)                                                                  \
    switch (s->k) {                                                                                \
    case 3:                                                                                        \
        body(s, 3, __VA_ARGS__);                                                                   \
        break;                                                                                     \
    case 5:                                                                                        \
        body(s, 5, __VA_ARGS__);                                                                   \
        break;                                                                                     \
    case 7:                                                                                        \
        body(s, 7, __VA_ARGS__);                                                                   \
        break;                                                                                     \
    default:                                                                                       \
        body(s, 1, __VA_ARGS__);                                                                   \
    }

/* ---- AVX2 and AVX-512 ------------------------------------------------------------------ */

M2N_AVX2 static void
input_avx2(const M2nDepthwise *s, float *dx, const float *dy, const float *w,
           float *scratch){FOR_CONSTANT_K(input_body, dx, dy, w, scratch)}

M2N_AVX2 static void weight_avx2(const M2nDepthwise *s, float *dw, const float *dy, const float *x,
                                 float *scratch){FOR_CONSTANT_K(weight_body, dw, dy, x, scratch)}

M2N_AVX512
    static void input_avx512(const M2nDepthwise *s, float *dx, const float *dy, const float *w,
                             float *scratch){FOR_CONSTANT_K(input_body, dx, dy, w, scratch)}

M2N_AVX512 static void weight_avx512(const M2nDepthwise *s, float *dw, const float *dy,
                                     const float *x, float *scratch)
{
    FOR_CONSTANT_K(weight_body, dw, dy, x, scratch)
}
#endif

/* ---- table and dispatch -------------------------------------------------------------- */

const M2nDepthwiseBackwardVariant m2n_depthwise_backward_variants[M2N_N_ISA] = {
    {M2N_ISA_SCALAR, input_ref, weight_ref},
#if M2N_HAVE_X86
    {M2N_ISA_AVX2, input_avx2, weight_avx2},
    {M2N_ISA_AVX512, input_avx512, weight_avx512},
#endif
};

void
m2n_depthwise_backward_input(const M2nDepthwise *s, float *dx, const float *dy, const float *w,
                             float *scratch)
{
    const gsize hw = s->height * s->width;

    g_assert(s->k % 2 == 1 && s->k <= MAX_K);
    for (gsize c = 0; c < s->channels; c++)
        M2N_DISPATCH(m2n_depthwise_backward_variants, input)
    (s, dx + c * hw, dy + c * hw, w + c * s->k * s->k, scratch);
}

void
m2n_depthwise_backward_weight(const M2nDepthwise *s, float *dw, float *dbias, const float *dy,
                              const float *x, float *scratch)
{
    const gsize hw = s->height * s->width;

    g_assert(s->k % 2 == 1 && s->k <= MAX_K);
    for (gsize c = 0; c < s->channels; c++) {
        double sum, square;

        M2N_DISPATCH(m2n_depthwise_backward_variants, weight)
        (s, dw + c * s->k * s->k, dy + c * hw, x + c * hw, scratch);
        m2n_moments(dy + c * hw, hw, 0.0f, &sum, &square);
        dbias[c] += (float)sum;
    }
}
