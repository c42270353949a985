/* Gradients of the depthwise convolution. */
#include "engine/ops/depthwise_backward.h"

#include "engine/ops/activation_simd.h"
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
    const gsize hw = s->height * s->width;

    (void)scratch;
    for (gsize c = 0; c < s->channels; c++, dx += hw, dy += hw, w += s->k * s->k)
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
                dx[i * width + j] = (float)sum;
            }
}

/* ---- planes with a rim of zeros ---------------------------------------------------------- */

static gsize
round_width(const M2nDepthwise *s)
{
    return (s->width + M2N_LANES - 1) / M2N_LANES * M2N_LANES;
}

gsize
m2n_depthwise_backward_scratch(const M2nDepthwise *s)
{
    const gsize rim = s->k / 2 * s->dilation;

    return MAX(s->height * (2 * round_width(s) + 2 * rim),
               s->channels * (s->k * s->k + 1) + m2n_depthwise_scratch(s));
}

#if M2N_HAVE_X86
M2N_BODY void
pad_plane(const M2nDepthwise *s, gsize rim, gsize columns, float *out, const float *in)
{
    for (gsize i = 0; i < s->height; i++, out += columns, in += s->width) {
        gsize j = 0;

        memset(out, 0, rim * sizeof *out);
        for (; j + M2N_LANES <= s->width; j += M2N_LANES)
            M2N_STORE(out + rim + j, M2N_LOAD(in + j));
        memcpy(out + rim + j, in + j, (s->width - j) * sizeof *out);
        memset(out + rim + s->width, 0, (columns - rim - s->width) * sizeof *out);
    }
}

/* The same convolution with filters turned around. */
static void
input(const M2nDepthwise *s, float *dx, const float *dy, const float *w, float *scratch, M2nIsa isa)
{
    const gsize taps = s->k * s->k, n = s->channels * taps;
    float *turned = scratch, *bias = scratch + n;

    for (gsize i = 0; i < n; i++)
        turned[i / taps * taps + taps - 1 - i % taps] = w[i];
    memset(bias, 0, s->channels * sizeof *bias);
    m2n_depthwise_variants[isa].forward(s, dx, dy, turned, bias, bias + s->channels);
}

/* ---- weights ------------------------------------------------------------------------------ */

#define R 6         /* rows of dy in registers */
#define MAX_SUM 60u /* rows whose products are added up in float32 */

/* dw[a][b] += sum dy x for rows of one residue of the dilation and one column b of taps: R rows of dy stay in
 * registers while each row of x is read once for all the taps that meet it.  g: dy at the first row, x: the same of the
 * padded plane at column b, `height` rows of this residue. */
#define COLUMN_BODY(Vector, K, sum_of)                                                             \
    for (gsize i = 0; i < height;) {                                                               \
        const gsize end = MIN(height, i + MAX_SUM);                                                \
        Vector acc[K];                                                                             \
        _Pragma("GCC unroll 7") for (int a = 0; a < K; a++) acc[a] = (Vector){0};                  \
        for (; i < end; i += R)                                                                    \
            for (gsize j = 0; j < columns; j += sizeof(Vector) / sizeof(float)) {                  \
                Vector g[R];                                                                       \
                _Pragma("GCC unroll 6") for (int t = 0; t < R; t++) g[t] =                         \
                    i + (gsize)t < height                                                          \
                        ? (Vector) * (const Vector##Load *)(gconstpointer)                         \
                          (dy + (i + (gsize)t) * dy_step + j)                                      \
                        : (Vector){0};                                                             \
                _Pragma("GCC unroll 12") for (int s = 0; s < R + K - 1; s++)                       \
                {                                                                                  \
                    const gssize row = (gssize)i + s - K / 2;                                      \
                    if (row < 0 || row >= (gssize)height)                                          \
                        continue;                                                                  \
                    const Vector v =                                                               \
                        (Vector) * (const Vector##Load *)(gconstpointer)                           \
                            (x + (gsize)row * x_step + j);                                         \
                    _Pragma("GCC unroll 7") for (int a = 0; a < K; a++) if (s >= a && s - a < R)   \
                        acc[a] += v * g[s - a];                                                    \
                }                                                                                  \
            }                                                                                      \
        _Pragma("GCC unroll 7") for (int a = 0; a < K; a++) dw[a * K] += (double)sum_of(acc[a]);   \
    }

typedef void (*Column)(double *dw, const float *dy, gsize dy_step, const float *x, gsize x_step,
                       gsize height, gsize columns);

#define DEFINE_COLUMN(name, target, Vector, K, sum_of)                                             \
    target static void name(double *dw, const float *dy, gsize dy_step, const float *x,            \
                            gsize x_step, gsize height, gsize columns)                             \
    {                                                                                              \
        COLUMN_BODY(Vector, K, sum_of)                                                             \
    }

M2N_BODY void
weight_body(const M2nDepthwise *s, float *dw, const float *dy, const float *x, float *scratch,
            const Column *column)
{
    const gsize rim = s->k / 2 * s->dilation, dy_columns = round_width(s);
    const gsize columns = dy_columns + 2 * rim, d = s->dilation;
    float *padded_dy = scratch + s->height * columns;
    double sum[MAX_K * MAX_K] = {0};

    pad_plane(s, rim, columns, scratch, x);
    if (dy_columns > s->width) { /* lanes right of the image multiply zeros */
        pad_plane(s, 0, dy_columns, padded_dy, dy);
        dy = padded_dy;
    }
    for (gsize residue = 0; residue < MIN(d, s->height); residue++)
        for (gsize b = 0; b < s->k; b++)
            column[s->k / 2](sum + b, dy + residue * dy_columns, d * dy_columns,
                             scratch + residue * columns + b * d, d * columns,
                             (s->height - residue + d - 1) / d, dy_columns);
    for (gsize i = 0; i < s->k * s->k; i++)
        dw[i] += (float)sum[i];
}

/* ---- AVX2 ---------------------------------------------------------------------------- */

M2N_AVX2 M2N_INLINE float
sum8(__m256 v)
{
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));

    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

DEFINE_COLUMN(column1_avx2, M2N_AVX2, M2nLanes8, 1, sum8)
DEFINE_COLUMN(column3_avx2, M2N_AVX2, M2nLanes8, 3, sum8)
DEFINE_COLUMN(column5_avx2, M2N_AVX2, M2nLanes8, 5, sum8)
DEFINE_COLUMN(column7_avx2, M2N_AVX2, M2nLanes8, 7, sum8)

static const Column columns_avx2[] = {column1_avx2, column3_avx2, column5_avx2, column7_avx2};

static void
input_avx2(const M2nDepthwise *s, float *dx, const float *dy, const float *w, float *scratch)
{
    input(s, dx, dy, w, scratch, M2N_ISA_AVX2);
}

M2N_AVX2 static void
weight_avx2(const M2nDepthwise *s, float *dw, const float *dy, const float *x, float *scratch)
{
    weight_body(s, dw, dy, x, scratch, columns_avx2);
}

/* ---- AVX-512 ------------------------------------------------------------------------- */

M2N_AVX512 M2N_INLINE float
sum16(__m512 v)
{
    return _mm512_reduce_add_ps(v);
}

DEFINE_COLUMN(column1_avx512, M2N_AVX512, M2nLanes, 1, sum16)
DEFINE_COLUMN(column3_avx512, M2N_AVX512, M2nLanes, 3, sum16)
DEFINE_COLUMN(column5_avx512, M2N_AVX512, M2nLanes, 5, sum16)
DEFINE_COLUMN(column7_avx512, M2N_AVX512, M2nLanes, 7, sum16)

static const Column columns_avx512[] = {column1_avx512, column3_avx512, column5_avx512,
                                        column7_avx512};

static void
input_avx512(const M2nDepthwise *s, float *dx, const float *dy, const float *w, float *scratch)
{
    input(s, dx, dy, w, scratch, M2N_ISA_AVX512);
}

M2N_AVX512 static void
weight_avx512(const M2nDepthwise *s, float *dw, const float *dy, const float *x, float *scratch)
{
    weight_body(s, dw, dy, x, scratch, columns_avx512);
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
    g_assert(s->k % 2 == 1 && s->k <= MAX_K);
    M2N_DISPATCH(m2n_depthwise_backward_variants, input)(s, dx, dy, w, scratch);
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
