/* bench_gemm THREADS: GFLOP/s of m2n_gemm() at 1024 x 1024 x 1024 per thread, the best of many. */
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/parallel.h"
#include "engine/ops/gemm.h"

#define N 1024u

static void
multiply(gsize begin, gsize end, guint thread, gpointer data)
{
    float *const *buffers = data;
    float *a = buffers[thread], *b = a + N * N, *c = b + N * N, *scratch = c + N * N;

    (void)begin, (void)end;
    m2n_gemm(FALSE, FALSE, N, N, N, a, N, b, N, FALSE, c, N, scratch);
}

int
main(int argc, char **argv)
{
    const guint threads = argc > 1 ? (guint)atoi(argv[1]) : 1;
    g_autoptr(M2nPool) pool = m2n_pool_new(MAX(threads, 1), NULL);
    g_autofree float **buffers = g_new(float *, MAX(threads, 1));
    gint64 best = G_MAXINT64;

    for (guint t = 0; t < m2n_pool_threads(pool); t++) {
        buffers[t] = aligned_alloc(64, (3 * N * N + m2n_gemm_scratch()) * sizeof(float));
        for (gsize i = 0; i < 2 * N * N; i++)
            buffers[t][i] = (float)(i % 7) - 3.0f;
    }
    for (int r = 0; r < 10; r++) {
        const gint64 t0 = g_get_monotonic_time();
        m2n_parallel_for(pool, m2n_pool_threads(pool), multiply, buffers);
        best = MIN(best, g_get_monotonic_time() - t0);
    }
    for (guint t = 0; t < m2n_pool_threads(pool); t++)
        free(buffers[t]);
    printf("m2n_gemm %u threads GFLOP/s %.1f\n", m2n_pool_threads(pool),
           2e-3 * N * N * N * m2n_pool_threads(pool) / (double)best);
    return 0;
}
