/* Matrix product: a panel of B is packed just before all rows of A go over it.
 *
 * The kernel holds a tile of C in registers, 8 x 32 (AVX-512) or twice 6 x 16 (AVX2), and for each k
 * multiplies one broadcast element of A with a row of the B panel.  Blocking after Goto and van de Geijn,
 * "Anatomy of high-performance matrix multiplication", 2008: a panel of B (256 x 32) stays in L1, a block of A
 * (264 x 256) in L2.  A is read where it lies, for its rows run along k; transposed it is packed, because its
 * columns fall on few sets of the cache. */
#include "engine/ops/gemm.h"

#include "engine/ops/dispatch.h"
#include "engine/ops/lanes.h"
#include "engine/ops/transpose.h"

#define PANEL 32u /* columns of a B panel */
#define BLOCK_K 256u
#define BLOCK_M 264u /* a multiple of every variant's rows */
#define MAX_ROWS 8u

typedef struct {
    const float *at;
    gsize row, column; /* distance of neighbours */
} Matrix;

/* ---- reference ----------------------------------------------------------------------- */

static void
forward_ref(gboolean ta, gboolean tb, gsize m, gsize n, gsize k, const float *a, gsize lda,
            const float *b, gsize ldb, gboolean add, float *c, gsize ldc, float *scratch)
{
    (void)scratch;
    for (gsize i = 0; i < m; i++)
        for (gsize j0 = 0; j0 < n; j0 += PANEL) {
            const gsize width = MIN(PANEL, n - j0);
            double sum[PANEL] = {0};

            for (gsize l = 0; l < k; l++) {
                const double x = (double)(ta ? a[l * lda + i] : a[i * lda + l]);

                for (gsize j = 0; j < width; j++)
                    sum[j] += x * (double)(tb ? b[(j0 + j) * ldb + l] : b[l * ldb + j0 + j]);
            }
            for (gsize j = 0; j < width; j++)
                c[i * ldc + j0 + j] = (float)(sum[j] + (add ? (double)c[i * ldc + j0 + j] : 0.0));
        }
}

#if M2N_HAVE_X86
/* ---- packing ------------------------------------------------------------------------- */

/* out[k][width] = in[k][count], columns from count on zero */
M2N_BODY void
pack_straight(const float *in, gsize stride, gsize count, gsize k, gsize width, float *out)
{
    for (gsize l = 0; l < k; l++, in += stride, out += width) {
        if (count == width && width % M2N_LANES == 0) {
            for (gsize i = 0; i < width; i += M2N_LANES)
                M2N_STORE(out + i, M2N_LOAD(in + i));
            continue;
        }
        for (gsize i = 0; i < width; i++)
            out[i] = i < count ? in[i] : 0.0f;
    }
}

/* One panel of B, out[k][PANEL]; columns from `count` on are zero. */
M2N_BODY void
pack_panel(M2nTranspose transpose, gsize square, const Matrix *b, gsize count, gsize k, float *out)
{
    const gsize whole = count == PANEL ? k / square * square : 0;

    if (b->column == 1) {
        pack_straight(b->at, b->row, count, k, PANEL, out);
        return;
    }
    transpose(b->at, b->column, whole, PANEL, out, PANEL);
    for (gsize l = whole; l < k; l++)
        for (gsize j = 0; j < PANEL; j++)
            out[l * PANEL + j] = j < count ? b->at[j * b->column + l] : 0.0f;
}

/* ---- blocking ------------------------------------------------------------------------ */

/* c[rows][PANEL] = or += A times B panel [k][PANEL]; A [rows][k] with distances `row` and `column` */
typedef void (*Kernel)(gsize k, const float *a, gsize row, gsize column, const float *b,
                       gboolean add, float *c, gsize ldc);

/* A tile that hangs over the edge of C goes through memory of its own, and so do its rows of A. */
static void
edge_tile(Kernel kernel, gsize kernel_rows, gsize k, const Matrix *a, const float *b, gsize rows,
          gsize columns, gboolean add, float *c, gsize ldc)
{
    float tile[MAX_ROWS * PANEL] __attribute__((aligned(64)));
    float packed[MAX_ROWS * BLOCK_K];

    for (gsize l = 0; l < k; l++)
        for (gsize i = 0; i < kernel_rows; i++)
            packed[l * kernel_rows + i] = i < rows ? a->at[i * a->row + l * a->column] : 0.0f;
    kernel(k, packed, 1, kernel_rows, b, FALSE, tile, PANEL);
    for (gsize i = 0; i < rows; i++)
        for (gsize j = 0; j < columns; j++)
            c[i * ldc + j] = tile[i * PANEL + j] + (add ? c[i * ldc + j] : 0.0f);
}

/* c[m][count] = or += A [m][k] B panel; A in tiles of rows that lie `next` apart */
M2N_BODY void
panel_product(Kernel kernel, gsize rows, gsize m, gsize count, gsize k, Matrix a, gsize next,
              const float *b, gboolean add, float *c, gsize ldc)
{
    for (gsize i = 0; i < m; i += rows, a.at += next, c += rows * ldc) {
        if (i + rows <= m && count == PANEL)
            kernel(k, a.at, a.row, a.column, b, add, c, ldc);
        else
            edge_tile(kernel, rows, k, &a, b, MIN(rows, m - i), count, add, c, ldc);
    }
}

M2N_BODY void
blocked(Kernel kernel, gsize rows, M2nTranspose transpose, gsize square, Matrix a, Matrix b, gsize m,
        gsize n, gsize k, gboolean add, float *c, gsize ldc, float *scratch)
{
    float *packed_a = scratch, *panel = scratch + BLOCK_M * BLOCK_K;

    if (k == 0 && !add)
        for (gsize i = 0; i < m; i++)
            for (gsize j = 0; j < n; j++)
                c[i * ldc + j] = 0.0f;
    for (gsize i = 0; i < m; i += BLOCK_M)
        for (gsize l = 0; l < k; l += BLOCK_K) {
            const gsize now_m = MIN(BLOCK_M, m - i), now_k = MIN(BLOCK_K, k - l);
            Matrix block = {a.at + i * a.row + l * a.column, a.row, a.column};
            gsize next = rows * a.row;

            if (a.column != 1) {
                for (gsize r = 0; r < now_m; r += rows)
                    pack_straight(block.at + r, a.column, MIN(rows, now_m - r), now_k, rows,
                                  packed_a + r * now_k);
                block = (Matrix){packed_a, 1, rows};
                next = rows * now_k;
            }
            for (gsize j = 0; j < n; j += PANEL) {
                const Matrix part = {b.at + l * b.row + j * b.column, b.row, b.column};
                const gsize count = MIN(PANEL, n - j);

                pack_panel(transpose, square, &part, count, now_k, panel);
                panel_product(kernel, rows, now_m, count, now_k, block, next, panel, add || l > 0,
                              c + i * ldc + j, ldc);
            }
        }
}

/* ---- AVX2: 6 x 16 in registers, two of them a tile ------------------------------------- */

#define ROWS_AVX2 6

M2N_AVX2 static void
kernel_avx2(gsize k, const float *a, gsize row, gsize column, const float *b, gboolean add,
            float *c, gsize ldc)
{
    for (gsize half = 0; half < PANEL; half += 16) {
        const float *low = a, *high = a + 3 * row;
        __m256 acc[ROWS_AVX2][2];

#pragma GCC unroll 6
        for (int i = 0; i < ROWS_AVX2; i++)
            acc[i][0] = acc[i][1] = _mm256_setzero_ps();
        for (gsize l = 0; l < k; l++, low += column, high += column) {
            const __m256 b0 = _mm256_loadu_ps(b + l * PANEL + half);
            const __m256 b1 = _mm256_loadu_ps(b + l * PANEL + half + 8);

#pragma GCC unroll 6
            for (gsize i = 0; i < ROWS_AVX2; i++) {
                const __m256 x = _mm256_set1_ps(i < 3 ? low[i * row] : high[(i - 3) * row]);
                acc[i][0] = _mm256_fmadd_ps(x, b0, acc[i][0]);
                acc[i][1] = _mm256_fmadd_ps(x, b1, acc[i][1]);
            }
        }
#pragma GCC unroll 6
        for (int i = 0; i < ROWS_AVX2; i++) {
            float *to = c + (gsize)i * ldc + half;

            if (add) {
                acc[i][0] = _mm256_add_ps(acc[i][0], _mm256_loadu_ps(to));
                acc[i][1] = _mm256_add_ps(acc[i][1], _mm256_loadu_ps(to + 8));
            }
            _mm256_storeu_ps(to, acc[i][0]);
            _mm256_storeu_ps(to + 8, acc[i][1]);
        }
    }
}

M2N_AVX2 static void
forward_avx2(gboolean ta, gboolean tb, gsize m, gsize n, gsize k, const float *a, gsize lda,
             const float *b, gsize ldb, gboolean add, float *c, gsize ldc, float *scratch)
{
    blocked(kernel_avx2, ROWS_AVX2, m2n_transpose_4, 4, (Matrix){a, ta ? 1 : lda, ta ? lda : 1},
            (Matrix){b, tb ? 1 : ldb, tb ? ldb : 1}, m, n, k, add, c, ldc, scratch);
}

/* ---- AVX-512: 8 x 32 in registers ------------------------------------------------------ */

#define ROWS_AVX512 8

M2N_AVX512 static void
kernel_avx512(gsize k, const float *a, gsize row, gsize column, const float *b, gboolean add,
              float *c, gsize ldc)
{
    const float *low = a, *high = a + 4 * row;
    __m512 acc[ROWS_AVX512][2];

#pragma GCC unroll 8
    for (int i = 0; i < ROWS_AVX512; i++)
        acc[i][0] = acc[i][1] = _mm512_setzero_ps();
    for (gsize l = 0; l < k; l++, low += column, high += column) {
        const __m512 b0 = _mm512_loadu_ps(b + l * PANEL), b1 = _mm512_loadu_ps(b + l * PANEL + 16);

#pragma GCC unroll 8
        for (gsize i = 0; i < ROWS_AVX512; i++) {
            const __m512 x = _mm512_set1_ps(i < 4 ? low[i * row] : high[(i - 4) * row]);
            acc[i][0] = _mm512_fmadd_ps(x, b0, acc[i][0]);
            acc[i][1] = _mm512_fmadd_ps(x, b1, acc[i][1]);
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < ROWS_AVX512; i++) {
        float *to = c + (gsize)i * ldc;

        if (add) {
            acc[i][0] = _mm512_add_ps(acc[i][0], _mm512_loadu_ps(to));
            acc[i][1] = _mm512_add_ps(acc[i][1], _mm512_loadu_ps(to + 16));
        }
        _mm512_storeu_ps(to, acc[i][0]);
        _mm512_storeu_ps(to + 16, acc[i][1]);
    }
}

M2N_AVX512 static void
forward_avx512(gboolean ta, gboolean tb, gsize m, gsize n, gsize k, const float *a, gsize lda,
               const float *b, gsize ldb, gboolean add, float *c, gsize ldc, float *scratch)
{
    blocked(kernel_avx512, ROWS_AVX512, m2n_transpose_16, 16, (Matrix){a, ta ? 1 : lda, ta ? lda : 1},
            (Matrix){b, tb ? 1 : ldb, tb ? ldb : 1}, m, n, k, add, c, ldc, scratch);
}
#endif

/* ---- table and dispatch -------------------------------------------------------------- */

const M2nGemmVariant m2n_gemm_variants[M2N_N_ISA] = {
    {M2N_ISA_SCALAR, forward_ref},
#if M2N_HAVE_X86
    {M2N_ISA_AVX2, forward_avx2},
    {M2N_ISA_AVX512, forward_avx512},
#endif
};

gsize
m2n_gemm_scratch(void)
{
    return (gsize)BLOCK_K * (BLOCK_M + PANEL);
}

void
m2n_gemm(gboolean ta, gboolean tb, gsize m, gsize n, gsize k, const float *a, gsize lda,
         const float *b, gsize ldb, gboolean add, float *c, gsize ldc, float *scratch)
{
    M2N_DISPATCH(m2n_gemm_variants, forward)(ta, tb, m, n, k, a, lda, b, ldb, add, c, ldc, scratch);
}
