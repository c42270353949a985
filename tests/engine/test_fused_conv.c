#include <stdlib.h>

#include "engine/ops/activation.h"
#include "engine/ops/fused_conv.h"
#include "engine/ops/pixel_shuffle.h"
#include "engine/ops/winograd.h"
#include "tests/lib/m2n_test.h"
#include "tests/lib/m2n_variants.h"
#include "tests/lib/plain_conv3x3.h"

typedef float Aligned;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Aligned, free)

/* One channel in; rows beyond a band; columns around 32; channels around a tile; both strides; shuffle. */
static const M2nFusedConv shapes[] = {
    {1, 4, 3, 31, 1, 2, FALSE},    {1, 8, 16, 32, 1, 2, FALSE},   {3, 6, 5, 33, 1, 1, FALSE},
    {32, 32, 40, 64, 1, 2, FALSE}, {9, 10, 1, 1, 1, 2, FALSE},    {4, 8, 2, 2, 2, 2, FALSE},
    {5, 12, 34, 66, 2, 2, FALSE},  {32, 8, 36, 128, 2, 1, FALSE}, {2, 16, 3, 7, 1, 2, TRUE},
    {8, 32, 20, 33, 1, 2, TRUE},   {6, 24, 17, 64, 1, 2, TRUE},   {16, 24, 17, 66, 1, 2, TRUE},
    {32, 128, 5, 31, 1, 2, TRUE},  {17, 12, 19, 97, 1, 2, FALSE}, {16, 4, 1, 1, 1, 2, FALSE},
};

/* The same with the plain ops and their references. */
static void
plain(const M2nFusedConv *s, float *y, const float *x, const float *scale, const float *shift,
      const float *w, const float *bias)
{
    const gsize hw = s->height * s->width, n_out = s->out * hw / s->stride / s->stride;
    g_autofree float *v = g_memdup2(x, s->in * hw * sizeof(float)), *raw = g_new(float, n_out);

    for (gsize i = 0; scale != NULL && i < s->in * hw; i++)
        v[i] = scale[i / hw] * x[i] + shift[i / hw];
    if (scale != NULL)
        m2n_activation_variants[0].silu(v, v, s->in * hw);
    plain_conv3x3(s, s->shuffle ? raw : y, v, w, bias);
    if (s->shuffle)
        m2n_pixel_shuffle(s->out / 4, s->height, s->width, y, raw);
}

static void
check(const M2nFusedConv *s, gboolean normed)
{
    const gsize nx = s->in * s->height * s->width, nw = s->out * s->in * 9;
    const gsize ny = s->out * s->height * s->width / s->stride / s->stride;
    g_autofree float *x = g_new(float, nx), *w = g_new(float, nw), *bias = g_new(float, s->out);
    g_autofree float *scale = g_new(float, s->in), *shift = g_new(float, s->in);
    g_autofree float *packed = g_new(float, m2n_fused_conv_packed_floats(s->out, s->in, s->stride));
    g_autofree float *want = g_new(float, ny), *got = g_new(float, ny);
    g_autofree M2nMoments *m = g_new0(M2nMoments, s->groups * m2n_fused_conv_bands(s));
    g_autoptr(Aligned) scratch =
        aligned_alloc(64, (m2n_fused_conv_scratch(s) * sizeof(float) + 63) / 64 * 64);

    m2n_fill_random(x, nx);
    m2n_fill_random(w, nw);
    m2n_fill_random(bias, s->out);
    m2n_fill_random(scale, s->in);
    m2n_fill_random(shift, s->in);
    m2n_fused_conv_pack(s->out, s->in, s->stride, w, packed);
    plain(s, want, x, normed ? scale : NULL, normed ? shift : NULL, w, bias);
    m2n_fused_conv(s, got, x, normed ? scale : NULL, normed ? shift : NULL, packed, bias, m,
                   scratch);
    m2n_assert_close(got, want, ny, 1e-6 * 36 * sqrt(9.0 * (double)s->in), 1e-6);
    for (gsize g = 0; g < s->groups; g++) {
        const gsize n = ny / s->groups;
        double mean, rstd, sum = 0, square = 0;

        for (gsize i = g * n; i < (g + 1) * n; i++)
            sum += (double)want[i];
        for (gsize i = g * n; i < (g + 1) * n; i++)
            square += ((double)want[i] - sum / (double)n) * ((double)want[i] - sum / (double)n);
        m2n_moments_finish(m + g * m2n_fused_conv_bands(s), m2n_fused_conv_bands(s), &mean, &rstd);
        g_assert_cmpfloat_with_epsilon(mean, sum / (double)n, 1e-4);
        g_assert_cmpfloat_with_epsilon(rstd * sqrt(square / (double)n + 1e-5), 1.0, 1e-4);
    }
}

/* The reference itself.  One pixel set: the output is the filter, turned around, cut at the edges. */
static void
test_plain_impulse(void)
{
    const M2nFusedConv shape = {1, 1, 3, 4, 1, 1, FALSE};
    const float w[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9}, bias[1] = {0.5f};
    float x[12] = {0}, y[12];
    static const float middle[12] = {9, 8, 7, 0, 6, 5, 4, 0, 3, 2, 1, 0};
    static const float corner[12] = {5, 4, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0};

    x[1 * 4 + 1] = 1;
    plain_conv3x3(&shape, y, x, w, bias);
    for (gsize i = 0; i < 12; i++)
        g_assert_true(y[i] == middle[i] + 0.5f);
    x[1 * 4 + 1] = 0;
    x[0] = 1;
    plain_conv3x3(&shape, y, x, w, bias);
    for (gsize i = 0; i < 12; i++)
        g_assert_true(y[i] == corner[i] + 0.5f);
}

/* Without bias and moments, as the way back wants it, the same numbers less the bias. */
static void
test_without_bias(void)
{
    enum { C = 16, O = 9, H = 5, W = 34 };
    const M2nFusedConv s = {C, O, H, W, 1, 1, FALSE};
    g_autofree float *x = g_new(float, C *H *W), *w = g_new(float, O *C * 9);
    g_autofree float *y = g_new(float, O *H *W), *z = g_new(float, O *H *W);
    g_autofree float *packed = g_new(float, m2n_fused_conv_packed_floats(O, C, 1));
    g_autoptr(Aligned) scratch =
        aligned_alloc(64, (m2n_fused_conv_scratch(&s) * sizeof(float) + 63) / 64 * 64);
    const float bias[O] = {0};

    m2n_fill_random(x, C * H * W);
    m2n_fill_random(w, O * C * 9);
    m2n_fused_conv_pack(O, C, 1, w, packed);
    plain_conv3x3(&s, y, x, w, bias);
    m2n_fused_conv(&s, z, x, NULL, NULL, packed, NULL, NULL, scratch);
    m2n_assert_close(z, y, O * H * W, 5e-4, 1e-6);
}

/* With the instruction set in use: the test runs once for each. */
static void
test_matches_plain_ops(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(shapes); i++) {
        check(&shapes[i], FALSE);
        check(&shapes[i], TRUE);
    }
}

static void
test_loops_match_reference(gconstpointer data)
{
    const M2nFusedConvVariant *v = data, *ref = &m2n_fused_conv_variants[0];

    m2n_skip_unless_it_runs(v);
    for (gsize n = 1; n < 50; n++) {
        g_autofree float *x = g_new(float, 2 * n), *a = g_new(float, n), *b = g_new(float, n);
        g_autofree float *even = g_new(float, n), *odd = g_new(float, n), *y = g_new(float, 2 * n);

        m2n_fill_random(x, 2 * n);
        ref->activate(n, x, 1.5f, -0.5f, a);
        v->activate(n, x, 1.5f, -0.5f, b);
        m2n_assert_close(b, a, n, 2e-6, 0);
        ref->readout(n, x, 1.5f, -0.5f, 0.7f, a);
        v->readout(n, x, 1.5f, -0.5f, 0.7f, b);
        m2n_assert_close(b, a, n, 5e-6, 0);
        v->split(n, x, even, odd);
        for (gsize i = 0; i < n; i++)
            g_assert_true(even[i] == x[2 * i] && odd[i] == x[2 * i + 1]);
        v->interleave(n, even, odd, y);
        m2n_assert_close(y, x, 2 * n, 0, 0);
    }
}

/* One segment, its second half of lanes untouched. */
static void
test_winograd_matches_reference(gconstpointer data)
{
    enum { IN = 3, ROWS = 8, LINES = M2N_WINOGRAD_ROWS + 2, LINE = 40, ODD = 20 };
    const M2nWinogradVariant *v = data, *ref = &m2n_winograd_variants[0];
    const gsize n = M2N_WINOGRAD * m2n_winograd_pitch(IN);
    float x[IN * LINES * LINE], m[M2N_WINOGRAD * ROWS * M2N_PANEL], bias[ROWS];
    float y[2][M2N_WINOGRAD_ROWS * ROWS * M2N_WINOGRAD_COLUMNS];
    g_autofree float *a = g_new0(float, n), *b = g_new0(float, n);

    m2n_skip_unless_it_runs(v);
    m2n_fill_random(x, G_N_ELEMENTS(x));
    m2n_fill_random(m, G_N_ELEMENTS(m));
    m2n_fill_random(bias, ROWS);
    ref->input(IN, x, LINES * LINE, LINE, ODD, a);
    v->input(IN, x, LINES * LINE, LINE, ODD, b);
    m2n_assert_close(b, a, n, 1e-6, 0);
    ref->output(ROWS, m, bias, y[0], 32, M2N_WINOGRAD_ROWS * 32);
    v->output(ROWS, m, bias, y[1], 32, M2N_WINOGRAD_ROWS * 32);
    m2n_assert_close(y[1], y[0], G_N_ELEMENTS(y[0]), 1e-5, 0);
}

/* One input channel and one filter through transforms and products, against the nine products by hand. */
static void
test_winograd_is_a_convolution(void)
{
    enum { LINES = M2N_WINOGRAD_ROWS + 2, LINE = 40, ODD = 20 };
    const M2nWinogradVariant *ref = &m2n_winograd_variants[0];
    const gsize pitch = m2n_winograd_pitch(1);
    float x[LINES][34], lines[LINES * LINE] = {0}, w[9], u[M2N_WINOGRAD], bias = 0.5f;
    float v[M2N_WINOGRAD * 2 * M2N_PANEL], m[M2N_WINOGRAD * M2N_PANEL], y[M2N_WINOGRAD_ROWS][32];

    m2n_fill_random(x[0], LINES * 34);
    m2n_fill_random(w, 9);
    m2n_winograd_pack(1, 1, 1, w, u);
    for (gsize a = 0; a < LINES; a++)
        for (gsize j = 0; j < 34; j++) /* column j - 1 */
            lines[a * LINE + (j % 2 == 0 ? ODD : 0) + j / 2] = x[a][j];
    ref->input(1, lines, 0, LINE, ODD, v);
    for (gsize i = 0; i < M2N_WINOGRAD * M2N_WINOGRAD_BLOCKS; i++)
        m[i / 16 * M2N_PANEL + i % 16] = u[i / 16] * v[i / 16 * pitch + i % 16];
    ref->output(1, m, &bias, y[0], 32, 0);
    for (gsize i = 0; i < M2N_WINOGRAD_ROWS; i++)
        for (gsize j = 0; j < 32; j++) {
            double want = 0.5;

            for (gsize k = 0; k < 9; k++)
                want += (double)w[k] * (double)x[i + k / 3][j + k % 3];
            g_assert_cmpfloat_with_epsilon((double)y[i][j], want, 1e-4);
        }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/engine/fused_conv/reference-impulse", test_plain_impulse);
    g_test_add_func("/engine/fused_conv/matches-plain-ops", test_matches_plain_ops);
    g_test_add_func("/engine/fused_conv/without-bias", test_without_bias);
    g_test_add_func("/engine/winograd/is-a-convolution", test_winograd_is_a_convolution);
    m2n_test_add_variants("winograd", "matches-reference", m2n_winograd_variants, input,
                          test_winograd_matches_reference);
    m2n_test_add_variants("fused_conv", "loops-match-reference", m2n_fused_conv_variants, activate,
                          test_loops_match_reference);
    return g_test_run();
}
