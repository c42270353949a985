/* Depthwise convolution of one image.
 *
 * Variants copy a channel into a plane with zeros left and right and keep R rows of outputs, as far apart as
 * the dilation, in registers: such rows share their inputs, so that each load feeds up to k products and the
 * multipliers, not the load ports, are the limit.  Rows above and below the image are left out: a third of
 * the dilated 7x7 filter where the image has 16 rows. */
#include "engine/ops/depthwise.h"

#include <string.h>

#include "engine/ops/activation_simd.h"
#include "engine/ops/dispatch.h"
#include "engine/ops/lanes.h"

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
forward_ref(const M2nDepthwise *s, float *y, const float *x, const float *w, const float *bias,
            float *scratch)
{
    const gsize hw = s->height * s->width;

    (void)scratch;
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

    for (gsize i = 0; i < s->height; i++)
        for (gsize j = 0; j < s->width; j++) {
            double sum = (double)bias;

            for (gsize a = 0; a < s->k; a++)
                if (i + a * d >= radius && i + a * d - radius < s->height)
                    for (gsize b = 0; b < s->k; b++)
                        sum += (double)w[a * s->k + b] *
                               (double)(x + (i + a * d - radius) * x_pitch - radius)[j + b * d];
            y[i * y_pitch + j] = (float)sum;
        }
}

#if M2N_HAVE_X86
/* ---- tiles --------------------------------------------------------------------------- */

#define R 6            /* rows of outputs in registers */
#define COLUMNS 32u    /* outputs of a row come in multiples of these */
#define MAX_DILATION 3 /* of the variants; others take the reference */
#define RIM 16u /* columns left of a plane's first: the largest radius, 9, in whole vectors */

/* All rows of an image, columns a multiple of 32; in is left of its first row by the filter's radius.  Rows outside the
 * image are not read.  K and the vector type are constants where this is inlined. */
#define TILE_BODY(Vector, K)                                                                       \
    const gsize lanes = sizeof(Vector) / sizeof(float);                                            \
    for (gsize residue = 0; residue < dilation; residue++)                                         \
        for (gsize i0 = residue; i0 < rows; i0 += R * dilation)                                    \
            for (gsize j = 0; j < columns; j += lanes) {                                           \
                const gsize above = i0 / dilation; /* rows of this residue above the first */      \
                const gsize below = (rows - 1 - residue) / dilation - above;                       \
                Vector acc[R];                                                                     \
                _Pragma("GCC unroll 6") for (int t = 0; t < R; t++) acc[t] = (Vector){0} + bias;   \
                for (gsize b = 0; b < K; b++) {                                                    \
                    const float *x = in + i0 * pitch + j + b * dilation;                           \
                    _Pragma("GCC unroll 12") for (int s = 0; s < R + K - 1; s++)                   \
                    {                                                                              \
                        const int down = s - K / 2; /* rows below the first output */              \
                        if (down < 0 ? (gsize)-down > above : (gsize)down > below)                 \
                            continue;                                                              \
                        const Vector v =                                                           \
                            (Vector) * (const Vector##Load *)(gconstpointer)(x + down * step);     \
                        _Pragma("GCC unroll 7") for (int a = 0; a < K;                             \
                                                     a++) if (s >= a && s - a < R) acc[s - a] +=   \
                            v * w[(gsize)a * K + b];                                               \
                    }                                                                              \
                }                                                                                  \
                _Pragma("GCC unroll 6") for (int t = 0; t < R;                                     \
                                             t++) if (i0 + (gsize)t * dilation < rows) *           \
                    (Vector##Load *)(gpointer)(out + (i0 + (gsize)t * dilation) * out_pitch + j) = \
                    acc[t];                                                                        \
            }

typedef void (*Tile)(const float *in, gsize pitch, const float *w, float bias, gsize dilation,
                     gsize rows, gsize columns, float *out, gsize out_pitch);

static gsize
round_width(const M2nDepthwise *s)
{
    return (s->width + COLUMNS - 1) / COLUMNS * COLUMNS;
}

static gsize
plane_pitch(const M2nDepthwise *s)
{
    return RIM + round_width(s) + RIM;
}

M2N_BODY void
copy_rows(float *to, gsize to_pitch, const float *from, gsize from_pitch, gsize rows, gsize columns)
{
    for (gsize i = 0; i < rows; i++, to += to_pitch, from += from_pitch) {
        gsize j = 0;

        for (; j + M2N_LANES <= columns; j += M2N_LANES)
            M2N_STORE(to + j, M2N_LOAD(from + j));
        for (; j < columns; j++)
            to[j] = from[j];
    }
}

/* Channel after channel through one plane, whose rim stays zero. */
M2N_BODY void
planes(const M2nDepthwise *s, float *y, const float *x, const float *w, const float *bias,
       float *scratch, const Tile *tiles)
{
    if (s->k < 3 || s->dilation > MAX_DILATION) {
        forward_ref(s, y, x, w, bias, NULL);
        return;
    }
    const gsize rounded = round_width(s), pitch = plane_pitch(s), hw = s->height * s->width;
    const Tile tile = tiles[s->k / 2 - 1];
    float *image = scratch + s->height * pitch;

    memset(scratch, 0, s->height * pitch * sizeof *scratch);
    for (gsize c = 0; c < s->channels; c++) {
        const float *in = scratch + RIM - s->k / 2 * s->dilation, *filter = w + c * s->k * s->k;

        copy_rows(scratch + RIM, pitch, x + c * hw, s->width, s->height, s->width);
        if (rounded == s->width) {
            tile(in, pitch, filter, bias[c], s->dilation, s->height, rounded, y + c * hw, rounded);
            continue;
        }
        tile(in, pitch, filter, bias[c], s->dilation, s->height, rounded, image, rounded);
        copy_rows(y + c * hw, s->width, image, rounded, s->height, s->width);
    }
}

static void
plane(const M2nDepthwise *s, float *y, gsize y_pitch, const float *x, gsize x_pitch, const float *w,
      float bias, const Tile *tile)
{
    tile[s->k / 2 - 1](x - s->k / 2 * s->dilation, x_pitch, w, bias, s->dilation, s->height,
                       round_width(s), y, y_pitch);
}

#define DEFINE_TILE(name, target, Vector, K)                                                       \
    target static void name(const float *in, gsize pitch, const float *w, float bias,              \
                            gsize dilation, gsize rows, gsize columns, float *out,                 \
                            gsize out_pitch)                                                       \
    {                                                                                              \
        const gssize step = (gssize)(dilation * pitch);                                            \
        TILE_BODY(Vector, K)                                                                       \
    }

/* ---- AVX2 ---------------------------------------------------------------------------- */

DEFINE_TILE(tile3_avx2, M2N_AVX2, M2nLanes8, 3)
DEFINE_TILE(tile5_avx2, M2N_AVX2, M2nLanes8, 5)
DEFINE_TILE(tile7_avx2, M2N_AVX2, M2nLanes8, 7)

static const Tile tiles_avx2[] = {tile3_avx2, tile5_avx2, tile7_avx2};

M2N_AVX2 static void
forward_avx2(const M2nDepthwise *s, float *y, const float *x, const float *w, const float *bias,
             float *scratch)
{
    planes(s, y, x, w, bias, scratch, tiles_avx2);
}

static void
plane_avx2(const M2nDepthwise *s, float *y, gsize y_pitch, const float *x, gsize x_pitch,
           const float *w, float bias)
{
    plane(s, y, y_pitch, x, x_pitch, w, bias, tiles_avx2);
}

/* ---- AVX-512 ------------------------------------------------------------------------- */

DEFINE_TILE(tile3_avx512, M2N_AVX512, M2nLanes, 3)
DEFINE_TILE(tile5_avx512, M2N_AVX512, M2nLanes, 5)
DEFINE_TILE(tile7_avx512, M2N_AVX512, M2nLanes, 7)

static const Tile tiles_avx512[] = {tile3_avx512, tile5_avx512, tile7_avx512};

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

M2N_AVX512 M2N_INLINE void
store_row(float *y, const __m512 v[2], gboolean gelu)
{
    _mm512_storeu_ps(y, gelu ? m2n_gelu_avx512(v[0]) : v[0]);
    _mm512_storeu_ps(y + 16, gelu ? m2n_gelu_avx512(v[1]) : v[1]);
}

/* y, which may be x: the 3x3 convolution of rows of 32, then GELU or not.  Each row is read once: it ends the sums
 * of the row above, adds to its own and begins those below. */
M2N_AVX512 M2N_INLINE void
rows3(float *y, const float *x, gsize stride, gsize rows, const float *w, float bias, gboolean gelu)
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
        if (i > 0)
            store_row(y + (i - 1) * stride, above, gelu);
        above[0] = own[0], above[1] = own[1];
        own[0] = below[0], own[1] = below[1];
    }
    store_row(y + (rows - 1) * stride, above, gelu);
}

M2N_AVX512 static void
rows3_gelu_avx512(float *x, gsize stride, gsize rows, const float *w, float bias)
{
    rows3(x, x, stride, rows, w, bias, TRUE);
}

M2N_AVX512 static void
forward_avx512(const M2nDepthwise *s, float *y, const float *x, const float *w, const float *bias,
               float *scratch)
{
    const gsize hw = s->height * s->width;

    if (s->k != 3 || s->dilation != 1 || s->width != 32) {
        planes(s, y, x, w, bias, scratch, tiles_avx512);
        return;
    }
    for (gsize c = 0; c < s->channels; c++)
        rows3(y + c * hw, x + c * hw, 32, s->height, w + 9 * c, bias[c], FALSE);
}

static void
plane_avx512(const M2nDepthwise *s, float *y, gsize y_pitch, const float *x, gsize x_pitch,
             const float *w, float bias)
{
    plane(s, y, y_pitch, x, x_pitch, w, bias, tiles_avx512);
}
#endif

/* ---- table and dispatch -------------------------------------------------------------- */

gsize
m2n_depthwise_scratch(const M2nDepthwise *s)
{
    return s->height * (plane_pitch(s) + round_width(s));
}

const M2nDepthwiseVariant m2n_depthwise_variants[M2N_N_ISA] = {
    {M2N_ISA_SCALAR, forward_ref, plane_ref, NULL},
#if M2N_HAVE_X86
    {M2N_ISA_AVX2, forward_avx2, plane_avx2, NULL},
    {M2N_ISA_AVX512, forward_avx512, plane_avx512, rows3_gelu_avx512},
#endif
};

void
m2n_depthwise(const M2nDepthwise *s, float *y, const float *x, const float *w, const float *bias,
              float *scratch)
{
    g_assert(s->k % 2 == 1 && s->k <= 7 && s->dilation >= 1);
    M2N_DISPATCH(m2n_depthwise_variants, forward)(s, y, x, w, bias, scratch);
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
