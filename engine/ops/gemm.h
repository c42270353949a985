/* Matrix product of row-major float32 matrices, and with it every 1x1 convolution.
 *
 *   C = op(A) op(B)          add = FALSE
 *   C = C + op(A) op(B)      add = TRUE
 *
 * op(A) is M x K: A itself [M][lda >= K], or, ta = TRUE, the transpose of A [K][lda >= M].
 * op(B) is K x N: B itself [K][ldb >= N], or, tb = TRUE, the transpose of B [N][ldb >= K].
 * C [M][ldc >= N], overlapping neither.  K = 0 gives zeros (or C unchanged).
 *
 * A 1x1 convolution of one image:  y[out][hw] = w[out][in] x[in][hw]     (M out, N hw, K in)
 *   its input gradient             dx = w^T dy                           (ta)
 *   its weight gradient            dw = dw + dy x^T                      (tb, add)
 *
 * scratch    m2n_gemm_scratch() floats, 64-byte aligned, one per thread; no other memory is used
 * threads    runs in the caller's thread: cut rows or images outside
 * numerics   variants sum in float32 over blocks of at most 256 k, the blocks in order; the
 * reference sums in double; they agree to 2e-6 sqrt(K) times the largest |a| |b|.  NaN and infinity
 * stay in the rows and columns they belong to */
#pragma once
#include "engine/base/cpu.h"

G_BEGIN_DECLS

gsize m2n_gemm_scratch(void);
void m2n_gemm(gboolean ta, gboolean tb, gsize m, gsize n, gsize k, const float *a, gsize lda,
              const float *b, gsize ldb, gboolean add, float *c, gsize ldc, float *scratch);

/* All variants, reference first.  For the dispatcher, the tests and the benchmark only. */
typedef struct {
    M2nIsa isa;
    void (*forward)(gboolean ta, gboolean tb, gsize m, gsize n, gsize k, const float *a, gsize lda,
                    const float *b, gsize ldb, gboolean add, float *c, gsize ldc, float *scratch);
} M2nGemmVariant;

extern const M2nGemmVariant m2n_gemm_variants[M2N_N_ISA];

G_END_DECLS
