/* Depthwise convolution of one image.
 *
 * Variants copy a tile of the image with a rim of zeros and keep R rows of outputs, as far apart as the
 * dilation, in registers: such rows share their inputs, so that each load feeds up to k products and the
 * multipliers, not the load ports, are the limit. */
#include "engine/ops/depthwise.h"

#include <string.h>

#include "engine/ops/activation_simd.h"
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

static void
plane_ref(const M2nDepthwise *s, float *y, gsize y_pitch, const float *x, gsize x_pitch,
          const float *w, float bias)
{
    const gsize d = s->dilation, radius = s->k / 2 * d;
    const float *corner = x - radius * x_pitch - radius;

    for (gsize i = 0; i < s->height; i++)
        for (gsize j = 0; j < s->width; j++) {
            double sum = (double)bias;

            for (gsize a = 0; a < s->k; a++)
                for (gsize b = 0; b < s->k; b++)
                    sum +=
                        (double)w[a * s->k + b] * (double)corner[(i + a * d) * x_pitch + j + b * d];
            y[i * y_pitch + j] = (float)sum;
        }
}

#if M2N_HAVE_X86
/* ---- tiles --------------------------------------------------------------------------- */

#define R 6            /* rows of outputs in registers */
#define COLUMNS 32     /* of a tile */
#define MAX_DILATION 3 /* of the variants; others take the reference */
#define MAX_ROWS 24    /* of a tile: blocks of R rows for each residue of the dilation */
#define PITCH 64       /* of the padded tile: COLUMNS + 2 * 9, rounded up */
#define IN_ROWS (MAX_ROWS + 6 * MAX_DILATION)

typedef float Vector8 __attribute__((vector_size(32), aligned(4), may_alias));
typedef float Vector16 __attribute__((vector_size(64), aligned(4), may_alias));

/* rows x columns outputs (columns a multiple of 32); in[0] is the upper left corner of the first filter.
 * K and the vector type are constants where this is inlined. */
#define TILE_BODY(Vector, K)                                                                       \
    const gsize lanes = sizeof(Vector) / sizeof(float);                                            \
    for (gsize residue = 0; residue < dilation; residue++)                                         \
        for (gsize i0 = residue; i0 < rows; i0 += R * dilation)                                    \
            for (gsize j = 0; j < columns; j += lanes) {                                           \
                Vector acc[R];                                                                     \
                _Pragma("GCC unroll 6") for (int t = 0; t < R; t++) acc[t] = (Vector){0} + bias;   \
                for (gsize b = 0; b < K; b++) {                                                    \
                    const float *x = in + i0 * pitch + j + b * dilation;                           \
                    _Pragma("GCC unroll 12") for (int s = 0; s < R + K - 1; s++)                   \
                    {                                                                              \
                        const Vector v = *(const Vector *)(gconstpointer)x;                        \
                        _Pragma("GCC unroll 7") for (int a = 0; a < K;                             \
                                                     a++) if (s >= a && s - a < R) acc[s - a] +=   \
                            v * w[(gsize)a * K + b];                                               \
                        x += dilation * pitch;                                                     \
                    }                                                                              \
                }                                                                                  \
                _Pragma("GCC unroll 6") for (int t = 0; t < R;                                     \
                                             t++) if (i0 + (gsize)t * dilation < rows) *           \
                    (Vector *)(gpointer)(out + (i0 + (gsize)t * dilation) * out_pitch + j) =       \
                    acc[t];                                                                        \
            }

typedef void (*Tile)(const float *in, gsize pitch, const float *w, float bias, gsize dilation,
                     gsize rows, gsize columns, float *out, gsize out_pitch);

/* Rows i0 .. and columns j0 .. of the image, moved so that the first filter's corner comes first. */
static void
fill_tile(const M2nDepthwise *s, const float *x, gsize i0, gsize j0, gsize rows, float *tile)
{
    const gsize radius = s->k / 2 * s->dilation;
    const gsize in_rows = rows + 2 * radius, left = radius > j0 ? radius - j0 : 0;
    const gsize from = j0 + left - radius, to = MIN(j0 + COLUMNS + radius, s->width);

    for (gsize i = 0; i < in_rows; i++) {
        float *out = tile + i * PITCH;

        memset(out, 0, PITCH * sizeof(float));
        if (i0 + i >= radius && i0 + i - radius < s->height)
            memcpy(out + left, x + (i0 + i - radius) * s->width + from,
                   (to - from) * sizeof(float));
    }
}

static void
tiled(const M2nDepthwise *s, float *y, const float *x, const float *w, const float *bias, Tile tile)
{
    const gsize hw = s->height * s->width, step = s->dilation == 1 ? MAX_ROWS : R * s->dilation;
    /* rows after the last needed one are read for outputs that are then dropped */
    float in[(IN_ROWS + R * MAX_DILATION) * PITCH] __attribute__((aligned(64)));
    float out[MAX_ROWS * COLUMNS] __attribute__((aligned(64)));

    memset(in, 0, sizeof in);
    for (gsize c = 0; c < s->channels; c++)
        for (gsize i0 = 0; i0 < s->height; i0 += step)
            for (gsize j0 = 0; j0 < s->width; j0 += COLUMNS) {
                const gsize rows = MIN(step, s->height - i0), columns = MIN(COLUMNS, s->width - j0);

                fill_tile(s, x + c * hw, i0, j0, rows, in);
                tile(in, PITCH, w + c * s->k * s->k, bias[c], s->dilation, rows, COLUMNS, out,
                     COLUMNS);
                for (gsize i = 0; i < rows; i++)
                    memcpy(y + c * hw + (i0 + i) * s->width + j0, out + i * COLUMNS,
                           columns * sizeof(float));
            }
}

static void
choose(const M2nDepthwise *s, float *y, const float *x, const float *w, const float *bias,
       const Tile *tile)
{
    if (s->k < 3 || s->dilation > MAX_DILATION)
        forward_ref(s, y, x, w, bias);
    else
        tiled(s, y, x, w, bias, tile[s->k / 2 - 1]);
}

static void
plane(const M2nDepthwise *s, float *y, gsize y_pitch, const float *x, gsize x_pitch, const float *w,
      float bias, const Tile *tile)
{
    const gsize radius = s->k / 2 * s->dilation;

    tile[s->k / 2 - 1](x - radius * x_pitch - radius, x_pitch, w, bias, s->dilation, s->height,
                       (s->width + COLUMNS - 1) / COLUMNS * COLUMNS, y, y_pitch);
}

#define DEFINE_TILE(name, target, Vector, K)                                                       \
    target static void name(const float *in, gsize pitch, const float *w, float bias,              \
                            gsize dilation, gsize rows, gsize columns, float *out,                 \
                            gsize out_pitch)                                                       \
    {                                                                                              \
        TILE_BODY(Vector, K)                                                                       \
    }

/* ---- AVX2 ---------------------------------------------------------------------------- */

DEFINE_TILE(tile3_avx2, M2N_AVX2, Vector8, 3)
DEFINE_TILE(tile5_avx2, M2N_AVX2, Vector8, 5)
DEFINE_TILE(tile7_avx2, M2N_AVX2, Vector8, 7)

static const Tile tiles_avx2[] = {tile3_avx2, tile5_avx2, tile7_avx2};

static void
forward_avx2(const M2nDepthwise *s, float *y, const float *x, const float *w, const float *bias)
{
    choose(s, y, x, w, bias, tiles_avx2);
}

static void
plane_avx2(const M2nDepthwise *s, float *y, gsize y_pitch, const float *x, gsize x_pitch,
           const float *w, float bias)
{
    plane(s, y, y_pitch, x, x_pitch, w, bias, tiles_avx2);
}

/* ---- AVX-512 ------------------------------------------------------------------------- */

DEFINE_TILE(tile3_avx512, M2N_AVX512, Vector16, 3)
DEFINE_TILE(tile5_avx512, M2N_AVX512, Vector16, 5)
DEFINE_TILE(tile7_avx512, M2N_AVX512, Vector16, 7)

static const Tile tiles_avx512[] = {tile3_avx512, tile5_avx512, tile7_avx512};

static void
forward_avx512(const M2nDepthwise *s, float *y, const float *x, const float *w, const float *bias)
{
    choose(s, y, x, w, bias, tiles_avx512);
}

static void
plane_avx512(const M2nDepthwise *s, float *y, gsize y_pitch, const float *x, gsize x_pitch,
             const float *w, float bias)
{
    plane(s, y, y_pitch, x, x_pitch, w, bias, tiles_avx512);
}
/* A row of 32 and its neighbours to the left and right, zeros moving in at the edges. */
typedef struct {
    __m512 v[3][2];
} Row;

M2N_AVX512 M2N_INLINE Row
load_row(const float *x)
{
    const __m512i zero = _mm512_setzero_si512();
    const __m512i a = _mm512_loadu_si512(x), b = _mm512_loadu_si512(x + 16);

    return (Row){{{_mm512_castsi512_ps(_mm512_alignr_epi32(a, zero, 15)),
                   _mm512_castsi512_ps(_mm512_alignr_epi32(b, a, 15))},
                  {_mm512_castsi512_ps(a), _mm512_castsi512_ps(b)},
                  {_mm512_castsi512_ps(_mm512_alignr_epi32(b, a, 1)),
                   _mm512_castsi512_ps(_mm512_alignr_epi32(zero, b, 1))}}};
}

#define ADD_ROW(acc, row, w)                                                                       \
    do {                                                                                           \
        for (int b_ = 0; b_ < 3; b_++) {                                                           \
            acc[0] = _mm512_fmadd_ps(w[b_], row.v[b_][0], acc[0]);                                 \
            acc[1] = _mm512_fmadd_ps(w[b_], row.v[b_][1], acc[1]);                                 \
        }                                                                                          \
    } while (0)

/* Each row is read once: it ends the sums of the row above, adds to its own and begins those below. */
M2N_AVX512 static void
rows3_gelu_avx512(float *x, gsize stride, gsize rows, const float *w, float bias)
{
    const __m512 start = _mm512_set1_ps(bias);
    __m512 weight[3][3], above[2] = {start, start}, own[2] = {start, start};

    for (int a = 0; a < 3; a++)
        for (int b = 0; b < 3; b++)
            weight[a][b] = _mm512_set1_ps(w[3 * a + b]);
    for (gsize i = 0; i < rows; i++) {
        const Row row = load_row(x + i * stride);
        __m512 below[2] = {start, start};

        ADD_ROW(above, row, weight[2]);
        ADD_ROW(own, row, weight[1]);
        ADD_ROW(below, row, weight[0]);
        if (i > 0) {
            _mm512_storeu_ps(x + (i - 1) * stride, m2n_gelu_avx512(above[0]));
            _mm512_storeu_ps(x + (i - 1) * stride + 16, m2n_gelu_avx512(above[1]));
        }
        above[0] = own[0], above[1] = own[1];
        own[0] = below[0], own[1] = below[1];
    }
    _mm512_storeu_ps(x + (rows - 1) * stride, m2n_gelu_avx512(above[0]));
    _mm512_storeu_ps(x + (rows - 1) * stride + 16, m2n_gelu_avx512(above[1]));
}
#endif

/* ---- table and dispatch -------------------------------------------------------------- */

const M2nDepthwiseVariant m2n_depthwise_variants[M2N_N_ISA] = {
    {M2N_ISA_SCALAR, forward_ref, plane_ref, NULL},
#if M2N_HAVE_X86
    {M2N_ISA_AVX2, forward_avx2, plane_avx2, NULL},
    {M2N_ISA_AVX512, forward_avx512, plane_avx512, rows3_gelu_avx512},
#endif
};

void
m2n_depthwise(const M2nDepthwise *s, float *y, const float *x, const float *w, const float *bias)
{
    g_assert(s->k % 2 == 1 && s->k <= 7 && s->dilation >= 1);
    M2N_DISPATCH(m2n_depthwise_variants, forward)(s, y, x, w, bias);
}

void
m2n_depthwise_plane(const M2nDepthwise *s, float *y, gsize y_pitch, const float *x, gsize x_pitch,
                    const float *w, float bias)
{
    g_assert(s->k == 3 || s->k == 5 || s->k == 7);
    M2N_DISPATCH(m2n_depthwise_variants, plane)(s, y, y_pitch, x, x_pitch, w, bias);
}

gboolean
m2n_depthwise3_gelu(float *x, gsize stride, gsize rows, const float *w, float bias)
{
    const M2nDepthwiseVariant *v = &m2n_depthwise_variants[m2n_isa()];

    if (v->rows3_gelu != NULL)
        v->rows3_gelu(x, stride, rows, w, bias);
    return v->rows3_gelu != NULL;
}
