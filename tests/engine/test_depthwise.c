#include <string.h>

#include "engine/ops/activation.h"
#include "engine/ops/depthwise.h"
#include "tests/lib/m2n_test.h"
#include "tests/lib/m2n_variants.h"

/* Each filter of Met2Net around 32 columns, 6, 18 and 24 rows; images smaller than the filter. */
static const M2nDepthwise shapes[] = {
    {1, 1, 1, 3, 1},   {2, 5, 7, 3, 1},    {3, 24, 32, 3, 1}, {2, 25, 33, 3, 1}, {2, 16, 64, 5, 1},
    {1, 2, 3, 5, 1},   {2, 23, 31, 5, 1},  {1, 1, 1, 7, 3},   {2, 16, 32, 7, 3}, {1, 18, 65, 7, 3},
    {2, 19, 30, 7, 3}, {1, 37, 100, 7, 3}, {2, 9, 9, 7, 2},   {1, 20, 40, 5, 4}, {2, 4, 5, 1, 1},
    {2, 1, 32, 3, 1},  {3, 2, 32, 3, 1},   {2, 16, 32, 3, 1},
};

static void
test_variant_matches_reference(gconstpointer data)
{
    const M2nDepthwiseVariant *v = data;

    m2n_skip_unless_it_runs(v);
    for (gsize s = 0; s < G_N_ELEMENTS(shapes); s++) {
        const M2nDepthwise *shape = &shapes[s];
        const gsize n = shape->channels * shape->height * shape->width;
        const gsize nw = shape->channels * shape->k * shape->k;
        g_autofree float *x = g_new(float, n), *w = g_new(float, nw);
        g_autofree float *bias = g_new(float, shape->channels);
        g_autofree float *want = g_new(float, n), *got = g_new(float, n);
        g_autofree float *scratch = g_new(float, m2n_depthwise_scratch(shape));

        m2n_fill_random(x, n);
        m2n_fill_random(w, nw);
        m2n_fill_random(bias, shape->channels);
        m2n_depthwise_variants[0].forward(shape, want, x, w, bias, NULL);
        v->forward(shape, got, x, w, bias, scratch);
        m2n_assert_close(got, want, n, 1e-6 * 9 * (double)shape->k, 1e-6);
    }
}

/* One pixel set: the filter turned around, its taps three apart, and the bias everywhere. */
static void
test_reference_impulse(void)
{
    enum { N = 7 };
    const M2nDepthwise shape = {1, N, N, 3, 3};
    const float w[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9}, bias[1] = {0.25f};
    float x[N * N] = {0}, y[N * N];

    x[3 * N + 3] = 1;
    m2n_depthwise_variants[0].forward(&shape, y, x, w, bias, NULL);
    for (gsize i = 0; i < N; i++)
        for (gsize j = 0; j < N; j++) {
            const float tap = i % 3 == 0 && j % 3 == 0 ? w[8 - i / 3 * 3 - j / 3] : 0.0f;
            g_assert_true(y[i * N + j] == tap + 0.25f);
        }
}

static void
test_nan_stays_near(gconstpointer data)
{
    enum { N = 40 };
    const M2nDepthwiseVariant *v = data;
    const M2nDepthwise shape = {1, N, N, 7, 3};
    g_autofree float *x = g_new0(float, N *N), *y = g_new(float, N *N);
    g_autofree float *scratch = g_new(float, m2n_depthwise_scratch(&shape));
    float w[49], bias[1] = {0};

    m2n_skip_unless_it_runs(v);
    m2n_fill_random(w, 49);
    x[20 * N + 1] = NAN;
    v->forward(&shape, y, x, w, bias, scratch);
    for (gsize i = 0; i < N; i++)
        for (gsize j = 0; j < N; j++) {
            const gsize di = i > 20 ? i - 20 : 20 - i, dj = j > 1 ? j - 1 : 1 - j;
            const gboolean hit = di % 3 == 0 && di <= 9 && dj % 3 == 0 && dj <= 9;
            g_assert_cmpint(isnan(y[i * N + j]) != 0, ==, hit);
        }
}

/* In place, rows apart, against convolution and GELU one after the other. */
static void
test_rows3_gelu(gconstpointer data)
{
    const M2nDepthwiseVariant *v = data;

    m2n_skip_unless_it_runs(v);
    for (gsize rows = 1; rows < 6; rows++) {
        const M2nDepthwise shape = {1, rows, 32, 3, 1};
        const gsize stride = 40, n = (rows - 1) * stride + 32;
        g_autofree float *x = g_new(float, n), *plain = g_new(float, rows * 32);
        g_autofree float *want = g_new(float, rows * 32);
        float w[9], bias = 0.3f;

        m2n_fill_random(x, n);
        m2n_fill_random(w, 9);
        for (gsize i = 0; i < rows; i++)
            memcpy(plain + i * 32, x + i * stride, 32 * sizeof(float));
        m2n_depthwise_variants[0].forward(&shape, want, plain, w, &bias, NULL);
        m2n_activation_variants[0].gelu(want, want, rows * 32);
        v->rows3_gelu(x, stride, rows, w, bias);
        for (gsize i = 0; i < rows; i++)
            m2n_assert_close(x + i * stride, want + i * 32, 32, 2e-5, 1e-6);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/engine/depthwise/reference-impulse", test_reference_impulse);
    m2n_test_add_variants("depthwise", "matches-reference", m2n_depthwise_variants, forward,
                          test_variant_matches_reference);
    m2n_test_add_variants("depthwise", "nan-stays-near", m2n_depthwise_variants, forward,
                          test_nan_stays_near);
    m2n_test_add_variants("depthwise", "rows3-gelu", m2n_depthwise_variants, rows3_gelu,
                          test_rows3_gelu);
    return g_test_run();
}
