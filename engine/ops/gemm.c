/* Matrix product: both matrices are packed into panels that the innermost kernel reads in order.
 *
 * The kernel holds a tile of C in registers, ROWS x 32 (AVX-512) or ROWS x 16 (AVX2), and for each
 * k multiplies one broadcast element of A with a row of the B panel.  Blocking after Goto and van
 * de Geijn, "Anatomy of high-performance matrix multiplication", 2008: a K block of B (256 x 512)
 * stays in L2, one panel of it in L1. */
#include "engine/ops/gemm.h"

#include "engine/ops/dispatch.h"

#if M2N_HAVE_X86
#include <immintrin.h>
#endif

#define PANEL 32u /* columns of a B panel */
#define BLOCK_K 256u
#define BLOCK_N 512u
#define MAX_ROWS 8u
#define BLOCK_M 96u /* a multiple of every variant's rows */

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

/* out[m/rows][k][rows], zero below the last row */
static void
pack_a(Matrix a, gsize m, gsize k, gsize rows, float *out)
{
    for (gsize i0 = 0; i0 < m; i0 += rows, out += rows * k)
        for (gsize i = 0; i < rows; i++)
            for (gsize l = 0; l < k; l++)
                out[l * rows + i] = i0 + i < m ? a.at[(i0 + i) * a.row + l * a.column] : 0.0f;
}

/* out[n/PANEL][k][PANEL], zero right of the last column */
static void
pack_b(Matrix b, gsize n, gsize k, float *out)
{
    for (gsize j0 = 0; j0 < n; j0 += PANEL)
        for (gsize l = 0; l < k; l++, out += PANEL) {
            const float *in = b.at + l * b.row + j0 * b.column;
            const gsize width = MIN(PANEL, n - j0);

            if (b.column == 1)
                for (gsize j = 0; j < width; j++)
                    out[j] = in[j];
            else
                for (gsize j = 0; j < width; j++)
                    out[j] = in[j * b.column];
            for (gsize j = width; j < PANEL; j++)
                out[j] = 0.0f;
        }
}

/* ---- blocking ------------------------------------------------------------------------ */

/* tile[rows][PANEL] = A panel [k][rows] times B panel [k][PANEL] */
typedef void (*Kernel)(gsize k, const float *a, const float *b, float *tile);

static void
store_tile(const float *tile, gsize rows, gsize columns, gboolean add, float *c, gsize ldc)
{
    for (gsize i = 0; i < rows; i++)
        for (gsize j = 0; j < columns; j++)
            c[i * ldc + j] = tile[i * PANEL + j] + (add ? c[i * ldc + j] : 0.0f);
}

static void
block(Kernel kernel, gsize kernel_rows, gsize m, gsize n, gsize k, const float *a, const float *b,
      gboolean add, float *c, gsize ldc)
{
    float tile[MAX_ROWS * PANEL] __attribute__((aligned(64)));

    for (gsize j = 0; j < n; j += PANEL)
        for (gsize i = 0; i < m; i += kernel_rows) {
            kernel(k, a + i * k, b + j * k, tile);
            store_tile(tile, MIN(kernel_rows, m - i), MIN(PANEL, n - j), add, c + i * ldc + j, ldc);
        }
}

static void
blocked(Kernel kernel, gsize rows, Matrix a, Matrix b, gsize m, gsize n, gsize k, gboolean add,
        float *c, gsize ldc, float *scratch)
{
    float *packed_a = scratch, *packed_b = scratch + BLOCK_M * BLOCK_K;

    if (k == 0 && !add)
        for (gsize i = 0; i < m; i++)
            for (gsize j = 0; j < n; j++)
                c[i * ldc + j] = 0.0f;
    for (gsize j = 0; j < n; j += BLOCK_N)
        for (gsize l = 0; l < k; l += BLOCK_K) {
            const gsize now_n = MIN(BLOCK_N, n - j), now_k = MIN(BLOCK_K, k - l);

            pack_b((Matrix){b.at + l * b.row + j * b.column, b.row, b.column}, now_n, now_k,
                   packed_b);
            for (gsize i = 0; i < m; i += BLOCK_M) {
                const gsize now_m = MIN(BLOCK_M, m - i);

                pack_a((Matrix){a.at + i * a.row + l * a.column, a.row, a.column}, now_m, now_k,
                       rows, packed_a);
                block(kernel, rows, now_m, now_n, now_k, packed_a, packed_b, add || l > 0,
                      c + i * ldc + j, ldc);
            }
        }
}

/* ---- AVX2: 6 x 16 in registers, two of them a tile ------------------------------------- */

#define ROWS_AVX2 6

M2N_AVX2 static void
kernel_avx2(gsize k, const float *a, const float *b, float *tile)
{
    for (gsize half = 0; half < PANEL; half += 16) {
        __m256 acc[ROWS_AVX2][2];

#pragma GCC unroll 6
        for (int i = 0; i < ROWS_AVX2; i++)
            acc[i][0] = acc[i][1] = _mm256_setzero_ps();
        for (gsize l = 0; l < k; l++) {
            const __m256 b0 = _mm256_loadu_ps(b + l * PANEL + half);
            const __m256 b1 = _mm256_loadu_ps(b + l * PANEL + half + 8);

#pragma GCC unroll 6
            for (int i = 0; i < ROWS_AVX2; i++) {
                const __m256 x = _mm256_set1_ps(a[l * ROWS_AVX2 + (gsize)i]);
                acc[i][0] = _mm256_fmadd_ps(x, b0, acc[i][0]);
                acc[i][1] = _mm256_fmadd_ps(x, b1, acc[i][1]);
            }
        }
#pragma GCC unroll 6
        for (int i = 0; i < ROWS_AVX2; i++) {
            _mm256_storeu_ps(tile + (gsize)i * PANEL + half, acc[i][0]);
            _mm256_storeu_ps(tile + (gsize)i * PANEL + half + 8, acc[i][1]);
        }
    }
}

static void
forward_avx2(gboolean ta, gboolean tb, gsize m, gsize n, gsize k, const float *a, gsize lda,
             const float *b, gsize ldb, gboolean add, float *c, gsize ldc, float *scratch)
{
    blocked(kernel_avx2, ROWS_AVX2, (Matrix){a, ta ? 1 : lda, ta ? lda : 1},
            (Matrix){b, tb ? 1 : ldb, tb ? ldb : 1}, m, n, k, add, c, ldc, scratch);
}

/* ---- AVX-512: 8 x 32 in registers ------------------------------------------------------ */

#define ROWS_AVX512 8

M2N_AVX512 static void
kernel_avx512(gsize k, const float *a, const float *b, float *tile)
{
    __m512 acc[ROWS_AVX512][2];

#pragma GCC unroll 8
    for (int i = 0; i < ROWS_AVX512; i++)
        acc[i][0] = acc[i][1] = _mm512_setzero_ps();
    for (gsize l = 0; l < k; l++) {
        const __m512 b0 = _mm512_loadu_ps(b + l * PANEL), b1 = _mm512_loadu_ps(b + l * PANEL + 16);

#pragma GCC unroll 8
        for (int i = 0; i < ROWS_AVX512; i++) {
            const __m512 x = _mm512_set1_ps(a[l * ROWS_AVX512 + (gsize)i]);
            acc[i][0] = _mm512_fmadd_ps(x, b0, acc[i][0]);
            acc[i][1] = _mm512_fmadd_ps(x, b1, acc[i][1]);
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < ROWS_AVX512; i++) {
        _mm512_storeu_ps(tile + (gsize)i * PANEL, acc[i][0]);
        _mm512_storeu_ps(tile + (gsize)i * PANEL + 16, acc[i][1]);
    }
}

static void
forward_avx512(gboolean ta, gboolean tb, gsize m, gsize n, gsize k, const float *a, gsize lda,
               const float *b, gsize ldb, gboolean add, float *c, gsize ldc, float *scratch)
{
    blocked(kernel_avx512, ROWS_AVX512, (Matrix){a, ta ? 1 : lda, ta ? lda : 1},
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
    return (gsize)BLOCK_K * (BLOCK_M + BLOCK_N);
}

void
m2n_gemm(gboolean ta, gboolean tb, gsize m, gsize n, gsize k, const float *a, gsize lda,
         const float *b, gsize ldb, gboolean add, float *c, gsize ldc, float *scratch)
{
    M2N_DISPATCH(m2n_gemm_variants, forward)(ta, tb, m, n, k, a, lda, b, ldb, add, c, ldc, scratch);
}
