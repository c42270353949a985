#include <stdlib.h>

#include "engine/base/half.h"
#include "engine/ops/panel_bf16.h"
#include "tests/lib/m2n_test.h"
#include "tests/lib/m2n_variants.h"

typedef float Aligned;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Aligned, free)

static Aligned *
new_random(gsize n)
{
    Aligned *x = aligned_alloc(64, (n + 15) / 16 * 16 * sizeof(float));

    m2n_fill_random(x, n);
    return x;
}

/* Exact: widening rounds nothing. */
static void
test_widen(gconstpointer data)
{
    const M2nPanelBf16Variant *v = data;

    m2n_skip_unless_it_runs(v);
    for (gsize n = 1; n < 50; n++) {
        g_autofree guint16 *in = g_new(guint16, n);
        g_autofree float *out = g_new(float, n);

        for (gsize i = 0; i < n; i++)
            in[i] = (guint16)g_test_rand_int_range(0, 0x7F80);
        in[n - 1] = 0x7FC1;
        v->widen(n, in, out);
        g_assert_true(isnan(out[n - 1]));
        for (gsize i = 0; i + 1 < n; i++)
            g_assert_true(out[i] == m2n_float_from_bf16(in[i]));
    }
}

/* Against sums in double of weights rounded before: nothing but float32's own error, for one panel and two,
 * whole tiles and the last one. */
static void
test_gemm(void)
{
    static const gsize shapes[][2] = {{1, 1}, {8, 16}, {9, 257}, {13, 600}, {24, 1024}};

    for (gsize s = 0; s < G_N_ELEMENTS(shapes); s++) {
        const gsize out = shapes[s][0], in = shapes[s][1];
        g_autoptr(Aligned) w = new_random(out * in), x = new_random(2 * in * M2N_PANEL);
        g_autoptr(Aligned) bias = new_random(out), y = new_random(2 * out * M2N_PANEL);
        g_autoptr(Aligned) space = new_random(m2n_panel_bf16_space());
        g_autoptr(Aligned) packed = new_random(m2n_panel_bf16_packed_floats(out, in));
        const float *const from[] = {x, x + in * M2N_PANEL};
        float *const to[] = {y, y + out * M2N_PANEL};

        m2n_panel_bf16_pack(out, in, w, packed);
        for (int with = 0; with < 2; with++) {
            m2n_panel_bf16_gemm(out, in, packed, with ? bias : NULL, 1 + (gsize)with, from, to,
                                space);
            for (gsize i = 0; i < (1 + (gsize)with) * out * M2N_PANEL; i++) {
                const gsize k = i / M2N_PANEL / out, o = i / M2N_PANEL % out, p = i % M2N_PANEL;
                double sum = with ? (double)bias[o] : 0.0;

                for (gsize c = 0; c < in; c++)
                    sum += (double)m2n_float_from_bf16(m2n_bf16_from_float(w[o * in + c])) *
                           (double)from[k][c * M2N_PANEL + p];
                g_assert_cmpfloat(fabs((double)y[i] - sum), <, 2e-6 * 9 * sqrt((double)in));
            }
        }
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    m2n_test_add_variants("panel-bf16", "widens-exactly", m2n_panel_bf16_variants, widen,
                          test_widen);
    g_test_add_func("/engine/panel-bf16/is-the-product", test_gemm);
    return g_test_run();
}
