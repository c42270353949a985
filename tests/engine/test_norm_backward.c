#include "engine/ops/batch_norm.h"
#include "engine/ops/norm_backward.h"
#include "tests/lib/m2n_gradient.h"

static void
test_variants(void)
{
    static const gsize sizes[] = {1, 15, 16, 17, 33, 1023, 1024, 1025, 3000};
    const M2nNormBackwardVariant *ref = &m2n_norm_backward_variants[0];

    for (int isa = 1; isa < M2N_N_ISA; isa++) {
        const M2nNormBackwardVariant *v = &m2n_norm_backward_variants[isa];

        if (v->sums == NULL || !m2n_isa_runs(v->isa))
            continue;
        for (gsize s = 0; s < G_N_ELEMENTS(sizes); s++) {
            const gsize n = sizes[s];
            g_autofree float *x = g_new(float, n), *dy = g_new(float, n);
            g_autofree float *want = g_new0(float, n), *got = g_new0(float, n);
            double a[2], b[2];

            m2n_fill_random(x, n);
            m2n_fill_random(dy, n);
            ref->sums(dy, x, n, 0.5f, &a[0], &a[1]);
            v->sums(dy, x, n, 0.5f, &b[0], &b[1]);
            g_assert_cmpfloat_with_epsilon(a[0], b[0], 6e-6 * (double)n);
            g_assert_cmpfloat_with_epsilon(a[1], b[1], 2e-5 * (double)n);
            ref->combine(want, dy, x, n, 0.7f, -0.2f, 0.1f);
            v->combine(got, dy, x, n, 0.7f, -0.2f, 0.1f);
            m2n_assert_close(got, want, n, 1e-6, 1e-6);
        }
    }
}

enum { C = 6, HW = 5, N = C * HW };

typedef struct {
    M2nGroupNorm shape;
    float x[N], y[N], g[N], gamma[C], beta[C], mean[C], rstd[C];
} Group;

static double
group_loss(gpointer p)
{
    Group *d = p;

    m2n_group_norm_variants[0].forward(&d->shape, d->y, d->x, d->gamma, d->beta, d->mean, d->rstd);
    return m2n_dot(d->y, d->g, N);
}

static void
test_group(gconstpointer groups)
{
    Group d = {.shape = {C, HW, GPOINTER_TO_SIZE(groups)}};
    float dx[N] = {0}, dgamma[C] = {0}, dbeta[C] = {0};

    m2n_fill_random(d.x, N);
    m2n_fill_random(d.g, N);
    m2n_fill_random(d.gamma, C);
    m2n_fill_random(d.beta, C);
    group_loss(&d);
    m2n_group_norm_backward(&d.shape, dx, d.g, d.x, d.gamma, d.mean, d.rstd, dgamma, dbeta);
    m2n_check_gradient(group_loss, &d, d.x, dx, N, 2e-3, 2e-3);
    m2n_check_gradient(group_loss, &d, d.gamma, dgamma, C, 1e-4, 1e-4);
    m2n_check_gradient(group_loss, &d, d.beta, dbeta, C, 1e-4, 1e-4);
    /* without parameter gradients the same dx, over dy */
    m2n_group_norm_backward(&d.shape, d.g, d.g, d.x, d.gamma, d.mean, d.rstd, NULL, NULL);
    m2n_assert_close(d.g, dx, N, 0, 0);
}

enum { ROWS = 3, BC = 4, BN = ROWS * BC * HW };

typedef struct {
    float x[BN], y[BN], g[BN], gamma[BC], beta[BC], mean[BC], variance[BC];
} Batch;

static double
batch_loss(gpointer p)
{
    Batch *d = p;
    float scale[BC], shift[BC];

    m2n_batch_norm_statistics(ROWS, BC, HW, d->x, d->mean, d->variance);
    m2n_batch_norm_fold(BC, d->mean, d->variance, d->gamma, d->beta, scale, shift);
    for (gsize r = 0; r < ROWS; r++)
        m2n_batch_norm_apply(BC, HW, d->y + r * BC * HW, d->x + r * BC * HW, scale, shift);
    return m2n_dot(d->y, d->g, BN);
}

static void
test_batch(void)
{
    Batch d;
    float dx[BN] = {0}, dgamma[BC] = {0}, dbeta[BC] = {0}, a[BC], b[BC], c[BC];
    double sum_dy[BC] = {0}, sum_dyx[BC] = {0};

    m2n_fill_random(d.x, BN);
    m2n_fill_random(d.g, BN);
    m2n_fill_random(d.gamma, BC);
    m2n_fill_random(d.beta, BC);
    batch_loss(&d);
    for (gsize r = 0; r < ROWS; r++)
        m2n_batch_norm_sums(BC, HW, d.g + r * BC * HW, d.x + r * BC * HW, d.mean, sum_dy, sum_dyx);
    m2n_batch_norm_coefficients(ROWS, BC, HW, sum_dy, sum_dyx, d.gamma, d.mean, d.variance, a, b, c,
                                dgamma, dbeta);
    for (gsize r = 0; r < ROWS; r++)
        m2n_norm_combine(BC, HW, dx + r * BC * HW, d.g + r * BC * HW, d.x + r * BC * HW, a, b, c);
    m2n_check_gradient(batch_loss, &d, d.x, dx, BN, 2e-3, 2e-3);
    m2n_check_gradient(batch_loss, &d, d.gamma, dgamma, BC, 1e-4, 1e-4);
    m2n_check_gradient(batch_loss, &d, d.beta, dbeta, BC, 1e-4, 1e-4);
}

static void
test_moments(void)
{
    float x[100];
    double sum, square, want_sum = 0, want_square = 0;

    for (guint i = 0; i < 100; i++) {
        x[i] = 300.0f + (float)i * 0.01f; /* a mean far above the spread */
        want_sum += (double)x[i] - 300.0;
        want_square += ((double)x[i] - 300.0) * ((double)x[i] - 300.0);
    }
    m2n_moments(x, 100, 0.0f, &sum, &square);
    g_assert_cmpfloat_with_epsilon(sum, want_sum + 300.0 * 100, 1e-2);
    g_assert_cmpfloat(square, >, 0);
    m2n_moments(x, 100, 300.0f, &sum, &square);
    g_assert_cmpfloat_with_epsilon(sum, want_sum, 1e-2);
    g_assert_cmpfloat_with_epsilon(square, want_square, 0.02 * want_square);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/engine/norm_backward/variants-match-reference", test_variants);
    g_test_add_data_func("/engine/norm_backward/group-norm-1", GSIZE_TO_POINTER(1), test_group);
    g_test_add_data_func("/engine/norm_backward/group-norm-2", GSIZE_TO_POINTER(2), test_group);
    g_test_add_func("/engine/norm_backward/batch-norm", test_batch);
    g_test_add_func("/engine/norm_backward/moments", test_moments);
    return g_test_run();
}
