#include "engine/ops/gemm.h"
#include "tests/lib/m2n_test.h"

/* Around the tile (6, 12 rows, 32 columns), the blocks (96, 512, 256) and nothing at all. */
static const gsize shapes[][3] = {
    {1, 1, 1},    {5, 31, 3},   {6, 32, 7},   {7, 33, 255},    {8, 16, 256},
    {9, 17, 257}, {8, 32, 0},   {11, 64, 5},  {12, 32, 9},     {13, 32, 6},
    {95, 64, 10}, {97, 96, 10}, {13, 513, 5}, {100, 520, 300},
};

/* Exact-size heap blocks whose last row ends at its last element: ASan sees one float too far. */
static gsize
matrix_size(gsize rows, gsize columns, gsize ld)
{
    return rows == 0 || columns == 0 ? 0 : (rows - 1) * ld + columns;
}

static float *
random_matrix(gsize n)
{
    float *x = g_new(float, n + 1); /* + 1: g_new(0) is NULL */

    m2n_fill_random(x, n);
    x = g_renew(float, x, MAX(n, 1));
    return x;
}

static void
check(const M2nGemmVariant *v, const gsize *shape, gboolean ta, gboolean tb, gboolean add)
{
    const gsize m = shape[0], n = shape[1], k = shape[2];
    const gsize lda = (ta ? m : k) + 3, ldb = (tb ? k : n) + 1, ldc = n + 2;
    const gsize size = matrix_size(m, n, ldc);
    g_autofree float *a = random_matrix(ta ? matrix_size(k, m, lda) : matrix_size(m, k, lda));
    g_autofree float *b = random_matrix(tb ? matrix_size(n, k, ldb) : matrix_size(k, n, ldb));
    g_autofree float *want = random_matrix(size), *got = g_memdup2(want, size * sizeof(float));
    g_autofree float *scratch = g_new(float, m2n_gemm_scratch());

    m2n_gemm_variants[0].forward(ta, tb, m, n, k, a, lda, b, ldb, add, want, ldc, NULL);
    v->forward(ta, tb, m, n, k, a, lda, b, ldb, add, got, ldc, scratch);
    m2n_assert_close(got, want, size, 2e-6 * 9 * sqrt((double)k + 1), 0);
}

static void
test_variant_matches_reference(gconstpointer data)
{
    const M2nGemmVariant *v = data;

    if (!m2n_isa_runs(v->isa)) {
        g_test_skip("this CPU lacks the instruction set");
        return;
    }
    for (gsize s = 0; s < G_N_ELEMENTS(shapes); s++)
        for (int flags = 0; flags < 8; flags++)
            check(v, shapes[s], flags & 1, (flags & 2) != 0, (flags & 4) != 0);
}

/* The reference itself, by hand: [1 2; 3 4] [5 6; 7 8], and with each side transposed. */
static void
test_reference(void)
{
    const float a[] = {1, 2, 3, 4}, b[] = {5, 6, 7, 8};
    static const float want[4][4] = {
        {19, 22, 43, 50}, {26, 30, 38, 44}, {17, 23, 39, 53}, {23, 31, 34, 46}};

    for (int flags = 0; flags < 4; flags++) {
        float c[4] = {100, 200, 300, 400}, d[4];

        m2n_gemm_variants[0].forward(flags & 1, flags / 2, 2, 2, 2, a, 2, b, 2, FALSE, d, 2, NULL);
        m2n_assert_close(d, want[flags], 4, 0, 0);
        m2n_gemm_variants[0].forward(flags & 1, flags / 2, 2, 2, 2, a, 2, b, 2, TRUE, c, 2, NULL);
        g_assert_true(c[0] == 100 + want[flags][0] && c[3] == 400 + want[flags][3]);
    }
}

/* A NaN in row 1 of A spoils row 1 of C alone; an infinity in column 40 of B that column alone. */
static void
test_nan_stays_in_its_row(gconstpointer data)
{
    enum { M = 9, N = 45, K = 5 };
    const M2nGemmVariant *v = data;
    g_autofree float *scratch = g_new(float, m2n_gemm_scratch());
    float a[M * K], b[K * N], c[M * N];

    if (!m2n_isa_runs(v->isa))
        return;
    m2n_fill_random(a, M * K);
    m2n_fill_random(b, K * N);
    a[1 * K + 2] = NAN;
    b[3 * N + 40] = INFINITY;
    v->forward(FALSE, FALSE, M, N, K, a, K, b, N, FALSE, c, N, scratch);
    for (gsize i = 0; i < M; i++)
        for (gsize j = 0; j < N; j++)
            g_assert_cmpint(isfinite(c[i * N + j]) != 0, ==, i != 1 && j != 40);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/engine/gemm/reference", test_reference);
    for (int i = 0; i < M2N_N_ISA; i++) {
        const M2nGemmVariant *v = &m2n_gemm_variants[i];
        const char *isa = m2n_isa_name((M2nIsa)i);

        if (v->forward == NULL)
            continue; /* not built on this architecture */
        g_autofree char *path = g_strdup_printf("/engine/gemm/%s-matches-reference", isa);
        g_autofree char *nan = g_strdup_printf("/engine/gemm/%s-nan-stays-in-its-row", isa);
        g_test_add_data_func(path, v, test_variant_matches_reference);
        g_test_add_data_func(nan, v, test_nan_stays_in_its_row);
    }
    return g_test_run();
}
