/* 3x3 convolution of one image.
 *
 * Variants are a matrix product without the matrix: for a row of 32 outputs the input rows around it are
 * copied with their zeros (stride 2: odd and even columns apart), and the element of that matrix for
 * (channel, a, b) is then the row of (channel, a) read from b columns further on. */
#include "engine/ops/conv3x3.h"

#include <string.h>

#include "engine/ops/dispatch.h"

#if M2N_HAVE_X86
#include <immintrin.h>
#endif

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

#if M2N_HAVE_X86
/* ---- tiles --------------------------------------------------------------------------- */

#define COLUMNS 32u
#define IN_BLOCK 16u  /* input channels at a time */
#define OUT_BLOCK 48u /* output channels at a time: a multiple of every variant's rows */
#define MAX_ROWS 8u
#define EVEN 48u  /* where even columns begin in a copied row, stride 2 */
#define PITCH 96u /* of a copied row */

/* tile[rows][COLUMNS] = packed weights [lines * 3][rows] times lines; the three columns of the filter are
 * read at `shift` in each line. */
typedef void (*Kernel)(gsize lines, const float *w, const float *in, const gsize shift[3],
                       float *tile);

/* out[o/rows][c][a][b][rows], zero below the last output channel */
static void
pack_weights(const M2nConv3x3 *s, const float *w, gsize o0, gsize outs, gsize c0, gsize ins,
             gsize rows, float *out)
{
    for (gsize o = o0; o < o0 + outs; o += rows)
        for (gsize k = 0; k < ins * 9; k++, out += rows)
            for (gsize r = 0; r < rows; r++)
                out[r] = o + r < o0 + outs ? w[((o + r) * s->in + c0) * 9 + k] : 0.0f;
}

/* One input row for outputs j0 ..: out[0] is the column left of the first output. */
static void
copy_line(const M2nConv3x3 *s, const float *row, gsize j0, float *out)
{
    const gsize left = j0 == 0 ? 1 : 0, first = s->stride * j0; /* column of the middle tap */

    memset(out, 0, PITCH * sizeof(float));
    if (s->stride == 1) {
        memcpy(out + left, row + first + left - 1,
               (MIN(first + COLUMNS + 1, s->width) - (first + left - 1)) * sizeof(float));
        return;
    }
    const gsize n = MIN(COLUMNS, (s->width - first) / 2);
    out[0] = j0 == 0 ? 0.0f : row[first - 1];
    for (gsize j = 0; j < n; j++) {
        out[EVEN + j] = row[first + 2 * j];
        out[j + 1] = row[first + 2 * j + 1];
    }
}

static void
copy_lines(const M2nConv3x3 *s, const float *x, gsize c0, gsize ins, gsize i, gsize j0, float *out)
{
    for (gsize c = c0; c < c0 + ins; c++)
        for (gsize a = 0; a < 3; a++, out += PITCH) {
            const gsize row = s->stride * i + a; /* + 1 */

            if (row >= 1 && row <= s->height)
                copy_line(s, x + (c * s->height + row - 1) * s->width, j0, out);
            else
                memset(out, 0, PITCH * sizeof(float));
        }
}

/* First block of input channels: bias + tile; later ones add. */
static void
store_tile(const float *tile, gsize rows, gsize columns, const float *bias, float *y, gsize plane)
{
    for (gsize r = 0; r < rows; r++)
        for (gsize j = 0; j < columns; j++)
            y[r * plane + j] = tile[r * COLUMNS + j] + (bias != NULL ? bias[r] : y[r * plane + j]);
}

static void
block(const M2nConv3x3 *s, float *y, const float *x, const float *w, const float *bias, gsize o0,
      gsize c0, Kernel kernel, gsize rows)
{
    static const gsize shifts[2][3] = {{0, 1, 2}, {0, EVEN, 1}};
    const gsize height = s->height / s->stride, width = s->width / s->stride;
    const gsize ins = MIN(IN_BLOCK, s->in - c0), outs = MIN(OUT_BLOCK, s->out - o0);
    float packed[OUT_BLOCK * IN_BLOCK * 9] __attribute__((aligned(64)));
    float lines[IN_BLOCK * 3 * PITCH] __attribute__((aligned(64)));
    float tile[MAX_ROWS * COLUMNS] __attribute__((aligned(64)));

    pack_weights(s, w, o0, outs, c0, ins, rows, packed);
    for (gsize i = 0; i < height; i++)
        for (gsize j = 0; j < width; j += COLUMNS) {
            copy_lines(s, x, c0, ins, i, j, lines);
            for (gsize o = 0; o < outs; o += rows) {
                kernel(ins * 3, packed + o * ins * 9, lines, shifts[s->stride - 1], tile);
                store_tile(tile, MIN(rows, outs - o), MIN(COLUMNS, width - j),
                           c0 == 0 ? bias + o0 + o : NULL, y + ((o0 + o) * height + i) * width + j,
                           height * width);
            }
        }
}

static void
tiled(const M2nConv3x3 *s, float *y, const float *x, const float *w, const float *bias,
      Kernel kernel, gsize rows)
{
    for (gsize o = 0; o < s->out; o += OUT_BLOCK)
        for (gsize c = 0; c < s->in; c += IN_BLOCK)
            block(s, y, x, w, bias, o, c, kernel, rows);
}

/* ---- AVX2: 6 x 16 in registers, two of them a tile ------------------------------------- */

#define ROWS_AVX2 6

M2N_AVX2 static void
kernel_avx2(gsize lines, const float *w, const float *in, const gsize shift[3], float *tile)
{
    for (gsize half = 0; half < COLUMNS; half += 16) {
        const float *v = w;
        __m256 acc[ROWS_AVX2][2];

#pragma GCC unroll 6
        for (int i = 0; i < ROWS_AVX2; i++)
            acc[i][0] = acc[i][1] = _mm256_setzero_ps();
        for (gsize l = 0; l < lines; l++)
            for (gsize b = 0; b < 3; b++, v += ROWS_AVX2) {
                const float *x = in + l * PITCH + shift[b] + half;
                const __m256 x0 = _mm256_loadu_ps(x), x1 = _mm256_loadu_ps(x + 8);

#pragma GCC unroll 6
                for (int i = 0; i < ROWS_AVX2; i++) {
                    const __m256 weight = _mm256_set1_ps(v[i]);
                    acc[i][0] = _mm256_fmadd_ps(weight, x0, acc[i][0]);
                    acc[i][1] = _mm256_fmadd_ps(weight, x1, acc[i][1]);
                }
            }
#pragma GCC unroll 6
        for (int i = 0; i < ROWS_AVX2; i++) {
            _mm256_storeu_ps(tile + (gsize)i * COLUMNS + half, acc[i][0]);
            _mm256_storeu_ps(tile + (gsize)i * COLUMNS + half + 8, acc[i][1]);
        }
    }
}

static void
forward_avx2(const M2nConv3x3 *s, float *y, const float *x, const float *w, const float *bias)
{
    tiled(s, y, x, w, bias, kernel_avx2, ROWS_AVX2);
}

/* ---- AVX-512: 8 x 32 in registers ------------------------------------------------------ */

#define ROWS_AVX512 8

M2N_AVX512 static void
kernel_avx512(gsize lines, const float *w, const float *in, const gsize shift[3], float *tile)
{
    __m512 acc[ROWS_AVX512][2];

#pragma GCC unroll 8
    for (int i = 0; i < ROWS_AVX512; i++)
        acc[i][0] = acc[i][1] = _mm512_setzero_ps();
    for (gsize l = 0; l < lines; l++)
        for (gsize b = 0; b < 3; b++, w += ROWS_AVX512) {
            const float *x = in + l * PITCH + shift[b];
            const __m512 x0 = _mm512_loadu_ps(x), x1 = _mm512_loadu_ps(x + 16);

#pragma GCC unroll 8
            for (int i = 0; i < ROWS_AVX512; i++) {
                const __m512 weight = _mm512_set1_ps(w[i]);
                acc[i][0] = _mm512_fmadd_ps(weight, x0, acc[i][0]);
                acc[i][1] = _mm512_fmadd_ps(weight, x1, acc[i][1]);
            }
        }
#pragma GCC unroll 8
    for (int i = 0; i < ROWS_AVX512; i++) {
        _mm512_storeu_ps(tile + (gsize)i * COLUMNS, acc[i][0]);
        _mm512_storeu_ps(tile + (gsize)i * COLUMNS + 16, acc[i][1]);
    }
}

static void
forward_avx512(const M2nConv3x3 *s, float *y, const float *x, const float *w, const float *bias)
{
    tiled(s, y, x, w, bias, kernel_avx512, ROWS_AVX512);
}
#endif

/* ---- table and dispatch -------------------------------------------------------------- */

const M2nConv3x3Variant m2n_conv3x3_variants[M2N_N_ISA] = {
    {M2N_ISA_SCALAR, forward_ref},
#if M2N_HAVE_X86
    {M2N_ISA_AVX2, forward_avx2},
    {M2N_ISA_AVX512, forward_avx512},
#endif
};

void
m2n_conv3x3(const M2nConv3x3 *s, float *y, const float *x, const float *w, const float *bias)
{
    g_assert((s->stride == 1 || s->stride == 2) && s->height % s->stride == 0 &&
             s->width % s->stride == 0);
    M2N_DISPATCH(m2n_conv3x3_variants, forward)(s, y, x, w, bias);
}
