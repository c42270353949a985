#include <stdlib.h>
#include <string.h>

#include "engine/ops/panel_int8.h"
#include "engine/ops/panel_quantise.h"
#include "tests/lib/m2n_test.h"
#include "tests/lib/m2n_variants.h"

typedef float Aligned;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Aligned, free)

/* Exactly n floats, 64-byte aligned. */
static Aligned *
new_aligned(gsize n)
{
    return aligned_alloc(64, n * sizeof(float));
}

/* A panel of random values, position p about (1 + p) times as large as the first. */
static Aligned *
new_panel(gsize channels)
{
    Aligned *x = new_aligned(channels * M2N_PANEL);

    m2n_fill_random(x, channels * M2N_PANEL);
    for (gsize i = 0; i < channels * M2N_PANEL; i++)
        x[i] *= (float)(1 + i % M2N_PANEL);
    return x;
}

/* ---- quantise ---------------------------------------------------------------------------- */

static void
test_quantise_matches_reference(gconstpointer data)
{
    const M2nPanelQuantiseVariant *v = data, *ref = &m2n_panel_quantise_variants[0];

    m2n_skip_unless_it_runs(v);
    for (gsize channels = 4; channels < 40; channels += 12) {
        const gsize n = channels * M2N_PANEL;
        g_autoptr(Aligned) x = new_panel(channels), q = new_aligned(n / 4), r = new_aligned(n / 4);
        g_autofree float *scale = g_new(float, channels), *shift = g_new(float, channels);
        float step[2][M2N_PANEL];

        m2n_fill_random(scale, channels);
        m2n_fill_random(shift, channels);
        x[0] = NAN, x[5] = -INFINITY, x[M2N_PANEL + 6] = 1e38f;
        for (gsize c = 0; c < channels; c++)
            x[c * M2N_PANEL + 7] = 0, x[c * M2N_PANEL + 8] = -0.0f, x[c * M2N_PANEL + 9] = 1e-40f;
        for (int scaled = 0; scaled < 2; scaled++) {
            const float *s = scaled ? scale : NULL, *t = scaled ? shift : NULL;

            ref->quantise(channels, x, s, t, (guint8 *)r, step[0]);
            v->quantise(channels, x, s, t, (guint8 *)q, step[1]);
            g_assert_true(isnan(step[1][0]) && isnan(step[1][5]));
            for (gsize p = 0; p < M2N_PANEL; p++) {
                g_assert_true(isnan(step[0][p]) == isnan(step[1][p]));
                if (isnan(step[0][p]))
                    continue;
                g_assert_true(step[0][p] == step[1][p]);
                for (gsize c = 0; c < channels; c++) {
                    const gsize at = (c / 4 * M2N_PANEL + p) * 4 + c % 4;
                    g_assert_cmpint(((guint8 *)r)[at], ==, ((guint8 *)q)[at]);
                }
            }
        }
    }
}

/* Formulas of the reference, and that no value is further from its own than half a step. */
static void
test_quantise_reference(void)
{
    enum { C = 8 };
    const float scale[C] = {2, 2, 2, 2, 2, 2, 2, 2}, shift[C] = {1, 1, 1, 1, 1, 1, 1, 1};
    guint8 q[C * M2N_PANEL];
    float x[C * M2N_PANEL], step[M2N_PANEL];

    m2n_fill_random(x, C * M2N_PANEL);
    for (gsize c = 0; c < C; c++)
        x[c * M2N_PANEL + 3] = 0;
    x[4] = 63; /* the largest of position 4: 127 */
    m2n_panel_quantise_variants[0].quantise(C, x, scale, shift, q, step);
    g_assert_true(step[4] == 1.0f && q[4 * 4] == 255);
    for (gsize p = 0; p < M2N_PANEL; p++)
        for (gsize c = 0; c < C; c++) {
            const int level = q[(c / 4 * M2N_PANEL + p) * 4 + c % 4] - 128;
            g_assert_cmpfloat_with_epsilon((float)level * step[p], 2 * x[c * M2N_PANEL + p] + 1,
                                           0.5001f * step[p]);
        }
    for (gsize c = 0; c < C; c++)
        x[c * M2N_PANEL] = 0;
    m2n_panel_quantise_variants[0].quantise(C, x, NULL, NULL, q, step);
    for (gsize c = 0; c < C; c++)
        g_assert_cmpint(q[c / 4 * M2N_PANEL * 4 + c % 4], ==, 128);
    g_assert_true(isfinite(step[0]));
}

/* ---- products ---------------------------------------------------------------------------- */

typedef struct {
    gsize out, in;
    Aligned *x, *q, *y;
    float *w, *bias, step[M2N_PANEL];
} Case;

static void
case_init(Case *c, gsize out, gsize in)
{
    *c = (Case){.out = out, .in = in, .x = new_panel(in), .q = new_aligned(in * M2N_PANEL / 4)};
    c->y = new_aligned(out * M2N_PANEL);
    c->w = g_new(float, out *in);
    c->bias = g_new(float, out);
    m2n_fill_random(c->w, out * in);
    m2n_fill_random(c->bias, out);
    m2n_panel_quantise(in, c->x, NULL, NULL, (guint8 *)c->q, c->step);
}

static void
case_clear(Case *c)
{
    free(c->x), free(c->q), free(c->y);
    g_free(c->w), g_free(c->bias);
}

static void
run(const Case *c, const M2nPanelInt8Variant *v, const float *bias, float *y)
{
    g_autofree float *packed = g_new(float, m2n_panel_int8_floats_with(v, c->out, c->in));

    m2n_panel_int8_pack_with(v, c->out, c->in, c->w, packed);
    m2n_panel_int8_gemm_with(v, c->out, c->in, packed, bias, (const guint8 *)c->q, c->step, y);
}

static void
test_gemm_matches_reference(gconstpointer data)
{
    static const gsize shapes[][2] = {{1, 4},   {3, 4},  {4, 8},     {6, 12},  {7, 16},
                                      {8, 256}, {9, 64}, {49, 1024}, {13, 600}};
    const M2nPanelInt8Variant *v = data;

    if (!m2n_panel_int8_runs(v)) {
        g_test_skip("this CPU lacks the instruction set");
        return;
    }
    for (gsize s = 0; s < G_N_ELEMENTS(shapes); s++) {
        const gsize n = shapes[s][0] * M2N_PANEL;
        Case c;

        case_init(&c, shapes[s][0], shapes[s][1]);
        if (s % 2 != 0) /* the largest products of all: nothing may saturate */
            for (gsize i = 0; i < c.in * c.out; i++)
                c.w[i] = 1;
        if (s % 2 != 0)
            memset(c.q, 255, c.in * M2N_PANEL);
        g_autoptr(Aligned) want = new_aligned(n);
        run(&c, &m2n_panel_int8_variants[0], c.bias, want);
        run(&c, v, c.bias, c.y);
        m2n_assert_close(c.y, want, n, 1e-5, 3e-7);
        run(&c, &m2n_panel_int8_variants[0], NULL, want);
        run(&c, v, NULL, c.y);
        m2n_assert_close(c.y, want, n, 0, 3e-7);
        case_clear(&c);
    }
}

/* Against the product in float32: the root mean square of the difference is what rounding to steps of
 * max / 127 gives on both sides, and a wrong scale would be many times that. */
static void
test_gemm_is_the_product(void)
{
    enum { OUT = 24, IN = 256 };
    double square = 0, difference = 0;
    Case c;

    case_init(&c, OUT, IN);
    run(&c, &m2n_panel_int8_variants[0], c.bias, c.y);
    for (gsize o = 0; o < OUT; o++)
        for (gsize p = 0; p < M2N_PANEL; p++) {
            double sum = (double)c.bias[o];

            for (gsize i = 0; i < IN; i++)
                sum += (double)c.w[o * IN + i] * (double)c.x[i * M2N_PANEL + p];
            square += sum * sum;
            difference +=
                (sum - (double)c.y[o * M2N_PANEL + p]) * (sum - (double)c.y[o * M2N_PANEL + p]);
        }
    /* uniform values: step / sqrt 12 over 127 step / sqrt 3 twice, 5.6e-3 */
    g_assert_cmpfloat(sqrt(difference / square), <, 8e-3);
    g_assert_cmpfloat(sqrt(difference / square), >, 1e-3);
    case_clear(&c);
}

/* What is not finite comes out as NaN: of a position in its column, of a weight in its row. */
static void
test_gemm_keeps_nan(gconstpointer data)
{
    enum { OUT = 9, IN = 16 };
    const M2nPanelInt8Variant *v = data;
    Case c;

    if (!m2n_panel_int8_runs(v)) {
        g_test_skip("this CPU lacks the instruction set");
        return;
    }
    case_init(&c, OUT, IN);
    c.x[3 * M2N_PANEL + 5] = INFINITY;
    c.x[4 * M2N_PANEL + 31] = NAN;
    c.w[2 * IN] = NAN;
    c.w[8 * IN + 3] = -INFINITY;
    m2n_panel_quantise(IN, c.x, NULL, NULL, (guint8 *)c.q, c.step);
    run(&c, v, c.bias, c.y);
    for (gsize o = 0; o < OUT; o++)
        for (gsize p = 0; p < M2N_PANEL; p++)
            g_assert_true(isnan(c.y[o * M2N_PANEL + p]) == (p == 5 || p == 31 || o == 2 || o == 8));
    case_clear(&c);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/engine/panel-quantise/reference", test_quantise_reference);
    m2n_test_add_variants("panel-quantise", "matches-reference", m2n_panel_quantise_variants,
                          quantise, test_quantise_matches_reference);
    g_test_add_func("/engine/panel-int8/is-the-product", test_gemm_is_the_product);
    for (gsize i = 0; i < M2N_N_INT8; i++) {
        const M2nPanelInt8Variant *v = &m2n_panel_int8_variants[i];

        if (v->tile == NULL)
            continue;
        g_autofree char *match =
            g_strdup_printf("/engine/panel-int8/%s-matches-reference", v->name);
        g_autofree char *nan = g_strdup_printf("/engine/panel-int8/%s-keeps-nan", v->name);
        g_test_add_data_func(match, v, test_gemm_matches_reference);
        g_test_add_data_func(nan, v, test_gemm_keeps_nan);
    }
    return g_test_run();
}
