/* Matrix product: both matrices are packed into panels that the innermost kernel reads in order.
 *
 * The kernel holds a tile of C in registers, 12 x 32 (AVX-512) or twice 6 x 16 (AVX2), and for each k
 * multiplies one broadcast element of A with a row of the B panel.  Blocking after Goto and van de Geijn,
 * "Anatomy of high-performance matrix multiplication", 2008: a K block of B (256 x 512) stays in L2, one
 * panel of it in L1. */
#include "engine/ops/gemm.h"

#include "engine/ops/dispatch.h"

#if M2N_HAVE_X86
#include <immintrin.h>
#endif

#define PANEL 32u /* columns of a B panel */
#define BLOCK_K 256u
#define BLOCK_N 512u
#define MAX_ROWS 12u
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

/* out[k][width] = in[count][k]^T where each in row is contiguous: 4 x 4 at a time.  Columns from count on
 * are zero. */
static inline __attribute__((always_inline)) void
pack_transposed(const float *in, gsize stride, gsize count, gsize k, gsize width, float *out)
{
    gsize i = 0;

    for (; i + 4 <= count; i += 4) {
        const float *row = in + i * stride;
        gsize l = 0;

        for (; l + 4 <= k; l += 4) {
            __m128 a = _mm_loadu_ps(row + l), b = _mm_loadu_ps(row + stride + l);
            __m128 c = _mm_loadu_ps(row + 2 * stride + l), d = _mm_loadu_ps(row + 3 * stride + l);

            _MM_TRANSPOSE4_PS(a, b, c, d);
            _mm_storeu_ps(out + l * width + i, a);
            _mm_storeu_ps(out + (l + 1) * width + i, b);
            _mm_storeu_ps(out + (l + 2) * width + i, c);
            _mm_storeu_ps(out + (l + 3) * width + i, d);
        }
        for (; l < k; l++)
            for (gsize r = 0; r < 4; r++)
                out[l * width + i + r] = row[r * stride + l];
    }
    for (; i < width; i++)
        for (gsize l = 0; l < k; l++)
            out[l * width + i] = i < count ? in[i * stride + l] : 0.0f;
}

/* out[k][width] = in[k][count], columns from count on zero */
static inline __attribute__((always_inline)) void
pack_straight(const float *in, gsize stride, gsize count, gsize k, gsize width, float *out)
{
    for (gsize l = 0; l < k; l++, in += stride, out += width) {
        if (count == width) {
#pragma omp simd
            for (gsize i = 0; i < width; i++)
                out[i] = in[i];
            continue;
        }
        for (gsize i = 0; i < width; i++)
            out[i] = i < count ? in[i] : 0.0f;
    }
}

/* All panels of n rows (A) or columns (B): `across` is the distance of neighbours among the n, `along` of
 * neighbours in k; one of them is 1. */
static inline __attribute__((always_inline)) void
pack(const float *at, gsize across, gsize along, gsize n, gsize k, gsize width, float *out)
{
    for (gsize i = 0; i < n; i += width, out += width * k) {
        if (along == 1)
            pack_transposed(at + i * across, across, MIN(width, n - i), k, width, out);
        else
            pack_straight(at + i, along, MIN(width, n - i), k, width, out);
    }
}

/* ---- blocking ------------------------------------------------------------------------ */

/* c[rows][PANEL] = or += A panel [k][rows] times B panel [k][PANEL] */
typedef void (*Kernel)(gsize k, const float *a, const float *b, gboolean add, float *c, gsize ldc);

/* A tile that hangs over the edge of C goes through memory of its own. */
static void
edge_tile(Kernel kernel, gsize k, const float *a, const float *b, gsize rows, gsize columns,
          gboolean add, float *c, gsize ldc)
{
    float tile[MAX_ROWS * PANEL] __attribute__((aligned(64)));

    kernel(k, a, b, FALSE, tile, PANEL);
    for (gsize i = 0; i < rows; i++)
        for (gsize j = 0; j < columns; j++)
            c[i * ldc + j] = tile[i * PANEL + j] + (add ? c[i * ldc + j] : 0.0f);
}

static void
block(Kernel kernel, gsize kernel_rows, gsize m, gsize n, gsize k, const float *a, const float *b,
      gboolean add, float *c, gsize ldc)
{
    for (gsize j = 0; j < n; j += PANEL)
        for (gsize i = 0; i < m; i += kernel_rows) {
            const gsize rows = MIN(kernel_rows, m - i), columns = MIN(PANEL, n - j);

            if (rows == kernel_rows && columns == PANEL)
                kernel(k, a + i * k, b + j * k, add, c + i * ldc + j, ldc);
            else
                edge_tile(kernel, k, a + i * k, b + j * k, rows, columns, add, c + i * ldc + j,
                          ldc);
        }
}

static inline __attribute__((always_inline)) void
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

            pack(b.at + l * b.row + j * b.column, b.column, b.row, now_n, now_k, PANEL, packed_b);
            for (gsize i = 0; i < m; i += BLOCK_M) {
                const gsize now_m = MIN(BLOCK_M, m - i);

                pack(a.at + i * a.row + l * a.column, a.row, a.column, now_m, now_k, rows,
                     packed_a);
                block(kernel, rows, now_m, now_n, now_k, packed_a, packed_b, add || l > 0,
                      c + i * ldc + j, ldc);
            }
        }
}

/* ---- AVX2: 6 x 16 in registers, two of them a tile ------------------------------------- */

#define ROWS_AVX2 6

M2N_AVX2 static void
kernel_avx2(gsize k, const float *a, const float *b, gboolean add, float *c, gsize ldc)
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

static void
forward_avx2(gboolean ta, gboolean tb, gsize m, gsize n, gsize k, const float *a, gsize lda,
             const float *b, gsize ldb, gboolean add, float *c, gsize ldc, float *scratch)
{
    blocked(kernel_avx2, ROWS_AVX2, (Matrix){a, ta ? 1 : lda, ta ? lda : 1},
            (Matrix){b, tb ? 1 : ldb, tb ? ldb : 1}, m, n, k, add, c, ldc, scratch);
}

/* ---- AVX-512: 12 x 32 in registers ----------------------------------------------------- */

#define ROWS_AVX512 12

M2N_AVX512 static void
kernel_avx512(gsize k, const float *a, const float *b, gboolean add, float *c, gsize ldc)
{
    __m512 acc[ROWS_AVX512][2];

#pragma GCC unroll 12
    for (int i = 0; i < ROWS_AVX512; i++)
        acc[i][0] = acc[i][1] = _mm512_setzero_ps();
    for (gsize l = 0; l < k; l++) {
        const __m512 b0 = _mm512_loadu_ps(b + l * PANEL), b1 = _mm512_loadu_ps(b + l * PANEL + 16);

#pragma GCC unroll 12
        for (int i = 0; i < ROWS_AVX512; i++) {
            const __m512 x = _mm512_set1_ps(a[l * ROWS_AVX512 + (gsize)i]);
            acc[i][0] = _mm512_fmadd_ps(x, b0, acc[i][0]);
            acc[i][1] = _mm512_fmadd_ps(x, b1, acc[i][1]);
        }
    }
#pragma GCC unroll 12
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
