#include "engine/ops/conv3x3.h"
#include "tests/lib/m2n_test.h"
#include "tests/lib/m2n_variants.h"

/* Around 16 and 48 channels, 32 columns, 6 and 8 rows of a tile; one-pixel images. */
static const M2nConv3x3 shapes[] = {
    {1, 1, 1, 1, 1},   {1, 8, 3, 31, 1},  {2, 9, 4, 33, 1},   {16, 6, 2, 32, 1}, {17, 49, 5, 7, 1},
    {33, 8, 2, 64, 1}, {8, 100, 1, 3, 1}, {1, 3, 2, 2, 2},    {3, 8, 4, 64, 2},  {17, 9, 6, 66, 2},
    {4, 5, 2, 62, 2},  {32, 32, 8, 4, 2}, {5, 48, 10, 68, 2}, {2, 7, 3, 30, 1},  {2, 7, 3, 96, 1},
};

static void
test_variant_matches_reference(gconstpointer data)
{
    const M2nConv3x3Variant *v = data;

    m2n_skip_unless_it_runs(v);
    for (gsize s = 0; s < G_N_ELEMENTS(shapes); s++) {
        const M2nConv3x3 *shape = &shapes[s];
        const gsize nx = shape->in * shape->height * shape->width;
        const gsize ny =
            shape->out * (shape->height / shape->stride) * (shape->width / shape->stride);
        g_autofree float *x = g_new(float, nx), *w = g_new(float, shape->out * shape->in * 9);
        g_autofree float *bias = g_new(float, shape->out);
        g_autofree float *want = g_new(float, ny), *got = g_new(float, ny);

        m2n_fill_random(x, nx);
        m2n_fill_random(w, shape->out * shape->in * 9);
        m2n_fill_random(bias, shape->out);
        m2n_conv3x3_variants[0].forward(shape, want, x, w, bias);
        v->forward(shape, got, x, w, bias);
        m2n_assert_close(got, want, ny, 1e-6 * 9 * sqrt(9.0 * (double)shape->in), 1e-6);
    }
}

/* One pixel set: the output is the filter, turned around, cut at the edges. */
static void
test_reference_impulse(void)
{
    const M2nConv3x3 shape = {1, 1, 3, 4, 1};
    const float w[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9}, bias[1] = {0.5f};
    float x[12] = {0}, y[12];
    static const float middle[12] = {9, 8, 7, 0, 6, 5, 4, 0, 3, 2, 1, 0};
    static const float corner[12] = {5, 4, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0};

    x[1 * 4 + 1] = 1;
    m2n_conv3x3_variants[0].forward(&shape, y, x, w, bias);
    for (gsize i = 0; i < 12; i++)
        g_assert_true(y[i] == middle[i] + 0.5f);
    x[1 * 4 + 1] = 0;
    x[0] = 1;
    m2n_conv3x3_variants[0].forward(&shape, y, x, w, bias);
    for (gsize i = 0; i < 12; i++)
        g_assert_true(y[i] == corner[i] + 0.5f);
}

/* Stride 2 is every second pixel of stride 1. */
static void
test_stride(gconstpointer data)
{
    enum { C = 3, O = 5, H = 6, W = 70 };
    const M2nConv3x3Variant *v = data;
    const M2nConv3x3 one = {C, O, H, W, 1}, two = {C, O, H, W, 2};
    g_autofree float *x = g_new(float, C *H *W), *full = g_new(float, O *H *W);
    float w[O * C * 9], bias[O], half[O * H * W / 4], want[O * H * W / 4];

    m2n_skip_unless_it_runs(v);
    m2n_fill_random(x, C * H * W);
    m2n_fill_random(w, O * C * 9);
    m2n_fill_random(bias, O);
    v->forward(&one, full, x, w, bias);
    v->forward(&two, half, x, w, bias);
    for (gsize o = 0, n = 0; o < O; o++)
        for (gsize i = 0; i < H; i += 2)
            for (gsize j = 0; j < W; j += 2)
                want[n++] = full[(o * H + i) * W + j];
    m2n_assert_close(half, want, O * H * W / 4, 1e-5, 1e-6);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/engine/conv3x3/reference-impulse", test_reference_impulse);
    m2n_test_add_variants("conv3x3", "matches-reference", m2n_conv3x3_variants, forward,
                          test_variant_matches_reference);
    m2n_test_add_variants("conv3x3", "stride", m2n_conv3x3_variants, forward, test_stride);
    return g_test_run();
}
