#include <string.h>

#include "engine/ops/batch_norm.h"
#include "engine/ops/group_norm.h"
#include "tests/lib/m2n_test.h"
#include "tests/lib/m2n_variants.h"

static const M2nGroupNorm shapes[] = {
    {1, 1, 1}, {2, 15, 1}, {2, 16, 2}, {4, 17, 2}, {8, 2100, 1}, {6, 333, 3},
};

static void
test_variant_matches_reference(gconstpointer data)
{
    const M2nGroupNormVariant *v = data;

    m2n_skip_unless_it_runs(v);
    for (gsize s = 0; s < G_N_ELEMENTS(shapes); s++) {
        const M2nGroupNorm *shape = &shapes[s];
        const gsize n = shape->channels * shape->hw;
        g_autofree float *x = g_new(float, n), *want = g_new(float, n), *got = g_new(float, n);
        float gamma[8], beta[8], mean[2][3], rstd[2][3];

        m2n_fill_random(x, n);
        m2n_fill_random(gamma, 8);
        m2n_fill_random(beta, 8);
        for (gsize i = 0; i < n; i++)
            x[i] += 20.0f; /* a mean far from zero */
        m2n_group_norm_variants[0].forward(shape, want, x, gamma, beta, mean[0], rstd[0]);
        v->forward(shape, got, x, gamma, beta, mean[1], rstd[1]);
        m2n_assert_close(got, want, n, 3e-5, 1e-5);
        m2n_assert_close(mean[1], mean[0], shape->groups, 0, 1e-6);
        m2n_assert_close(rstd[1], rstd[0], shape->groups, 0, 1e-5);
        v->forward(shape, x, x, gamma, beta, NULL, NULL); /* in place, nothing written aside */
        g_assert_cmpint(memcmp(x, got, n * sizeof *x), ==, 0);
    }
}

/* 1, 2, 3, 6 and 10, 10, 10, 10 in two groups, by hand. */
static void
test_reference(void)
{
    const M2nGroupNorm shape = {4, 2, 2};
    const float x[8] = {1, 2, 3, 6, 10, 10, 10, 10}, gamma[4] = {1, 2, 1, 1};
    const float beta[4] = {0, 1, 0, 7}, r = 0.534521721f; /* 1/sqrt(3.5 + 1e-5) */
    const float want[8] = {-2 * r, -r, 1, 1 + 6 * r, 0, 0, 7, 7};
    float y[8];

    m2n_group_norm_variants[0].forward(&shape, y, x, gamma, beta, NULL, NULL);
    m2n_assert_close(y, want, 8, 1e-6, 1e-6);
}

/* Batch norm: the batch's own statistics give mean 0 and variance 1; running ones move by a tenth. */
static void
test_batch_norm(void)
{
    enum { ROWS = 3, C = 2, HW = 7, N = ROWS * HW };
    float x[ROWS * C * HW], mean[C], variance[C], scale[C], shift[C];
    float running_mean[C] = {1, 2}, running_variance[C] = {3, 4};
    const float one[C] = {1, 1}, zero[C] = {0, 0};

    m2n_fill_random(x, ROWS * C * HW);
    m2n_batch_norm_statistics(ROWS, C, HW, x, mean, variance);
    m2n_batch_norm_running(ROWS, C, HW, mean, variance, running_mean, running_variance);
    m2n_batch_norm_fold(C, mean, variance, one, zero, scale, shift);
    for (gsize c = 0; c < C; c++) {
        double sum = 0, square = 0, plain = 0;

        for (gsize i = 0; i < N; i++)
            plain += (double)x[(i / HW * C + c) * HW + i % HW];
        g_assert_cmpfloat_with_epsilon(plain / (double)N, (double)mean[c], 1e-6);
        for (gsize r = 0; r < ROWS; r++) {
            float y[C * HW];
            m2n_batch_norm_apply(C, HW, y, x + r * C * HW, scale, shift);
            for (gsize p = 0; p < HW; p++) {
                sum += (double)y[c * HW + p];
                square += (double)y[c * HW + p] * (double)y[c * HW + p];
            }
        }
        g_assert_cmpfloat_with_epsilon(sum / (double)N, 0.0, 1e-6);
        g_assert_cmpfloat_with_epsilon(square / (double)N, 1.0, 1e-4);
        g_assert_cmpfloat_with_epsilon((double)running_mean[c],
                                       0.9 * (double)(1 + c) + 0.1 * (double)mean[c], 1e-6);
        g_assert_cmpfloat_with_epsilon(
            (double)running_variance[c],
            0.9 * (double)(3 + c) + 0.1 * (double)variance[c] * (double)N / (double)(N - 1), 1e-6);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/engine/group_norm/reference", test_reference);
    g_test_add_func("/engine/batch_norm/statistics", test_batch_norm);
    m2n_test_add_variants("group_norm", "matches-reference", m2n_group_norm_variants, forward,
                          test_variant_matches_reference);
    return g_test_run();
}
