#include "engine/ops/activation.h"
#include "engine/ops/activation_backward.h"
#include "tests/lib/m2n_gradient.h"

static const gsize sizes[] = {1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 1000};

/* The whole range, densely: variants use polynomials. */
static void
test_variants(void)
{
    const M2nActivationBackwardVariant *ref = &m2n_activation_backward_variants[0];

    for (int isa = 1; isa < M2N_N_ISA; isa++) {
        const M2nActivationBackwardVariant *v = &m2n_activation_backward_variants[isa];

        if (v->silu == NULL || !m2n_isa_runs(v->isa))
            continue;
        for (gsize s = 0; s < G_N_ELEMENTS(sizes); s++) {
            const gsize n = sizes[s];
            g_autofree float *x = g_new(float, n), *dy = g_new(float, n);
            g_autofree float *want = g_new(float, n), *got = g_new(float, n);

            for (gsize i = 0; i < n; i++) {
                x[i] = (float)(-110.0 + 220.0 * (double)i / (double)n) * (i % 3 ? 0.05f : 1.0f);
                dy[i] = i % 2 ? 1.0f : -1.0f;
            }
            ref->silu(want, dy, x, n);
            v->silu(got, dy, x, n);
            m2n_assert_close(got, want, n, 6e-7, 0);
            ref->gelu(want, dy, x, n);
            memcpy(got, dy, n * sizeof *got); /* in place */
            v->gelu(got, got, x, n);
            m2n_assert_close(got, want, n, 6e-7, 0);
        }
    }
}

static void
test_limits(void)
{
    for (int isa = 0; isa < M2N_N_ISA; isa++) {
        const M2nActivationBackwardVariant *v = &m2n_activation_backward_variants[isa];
        float x[17], dy[17], dx[17];

        if (v->silu == NULL || !m2n_isa_runs(v->isa))
            continue;
        for (guint which = 0; which < 2; which++) {
            for (guint i = 0; i < 17; i++) {
                x[i] = i % 3 == 0 ? INFINITY : i % 3 == 1 ? -INFINITY : NAN;
                dy[i] = 1.0f;
            }
            (which ? v->silu : v->gelu)(dx, dy, x, 17);
            for (guint i = 0; i < 17; i++)
                if (i % 3 == 2)
                    g_assert_true(isnan(dx[i]));
                else
                    g_assert_cmpfloat_with_epsilon(dx[i], i % 3 == 0, 1e-6f);
        }
    }
}

static void
test_norm_silu(void)
{
    static const gsize many[] = {1, 7, 8, 9, 15, 16, 17, 511, 513, 1023, 1024, 1025, 3000};
    const M2nActivationBackwardVariant *ref = &m2n_activation_backward_variants[0];

    for (int isa = 1; isa < M2N_N_ISA; isa++) {
        const M2nActivationBackwardVariant *v = &m2n_activation_backward_variants[isa];

        if (v->norm_silu == NULL || !m2n_isa_runs(v->isa))
            continue;
        for (gsize s = 0; s < G_N_ELEMENTS(many); s++) {
            const gsize n = many[s];
            g_autofree float *x = g_new(float, n), *dy = g_new(float, n);
            g_autofree float *want = g_new(float, n), *got = g_new(float, n);
            const M2nNormSilu channel = {n, x, 3.0f, -0.5f, 0.25f};
            M2nNormSiluSums a, b;

            m2n_fill_random(x, n);
            m2n_fill_random(dy, n);
            ref->norm_silu(&channel, want, dy, -1.5f, &a);
            memcpy(got, dy, n * sizeof *got); /* in place */
            v->norm_silu(&channel, got, got, -1.5f, &b);
            m2n_assert_close(got, want, n, 3e-6, 0);
            g_assert_cmpfloat_with_epsilon(a.dv, b.dv, 2e-5 + 2e-6 * (double)n);
            g_assert_cmpfloat_with_epsilon(a.dvx, b.dvx, 2e-5 + 2e-6 * (double)n);
            g_assert_cmpfloat_with_epsilon(a.readout, b.readout, 2e-5 + 2e-6 * (double)n);
            x[n - 1] = NAN;
            v->norm_silu(&channel, got, dy, 1.0f, &b);
            g_assert_true(isnan(got[n - 1]) && isnan(b.dv) && isnan(b.dvx) && isnan(b.readout));
        }
    }
}

/* The reference's own sums, by differences of what they are slopes of. */
static void
test_norm_silu_sums(void)
{
    const float x[3] = {-0.7f, 0.2f, 1.9f}, dy[3] = {0.3f, -1.1f, 0.8f};
    const M2nNormSilu channel = {3, x, 2.0f, 0.5f, 0.25f};
    float dv[3], slope[3], v[3], a[3];
    M2nNormSiluSums sums;
    double want[3] = {0};

    m2n_activation_backward_variants[0].norm_silu(&channel, dv, dy, -0.5f, &sums);
    for (guint i = 0; i < 3; i++)
        v[i] = 2.0f * x[i] + 0.5f;
    m2n_activation_variants[0].silu(a, v, 3);
    m2n_activation_backward_variants[0].silu(slope, dy, v, 3);
    for (guint i = 0; i < 3; i++) {
        g_assert_cmpfloat_with_epsilon(dv[i], -0.5f * slope[i], 1e-6f);
        want[0] += -0.5 * (double)slope[i];
        want[1] += -0.5 * (double)slope[i] * ((double)x[i] - 0.25);
        want[2] += (double)dy[i] * (double)a[i];
    }
    g_assert_cmpfloat_with_epsilon(sums.dv, want[0], 1e-6);
    g_assert_cmpfloat_with_epsilon(sums.dvx, want[1], 1e-6);
    g_assert_cmpfloat_with_epsilon(sums.readout, want[2], 1e-6);
}

typedef struct {
    float x[37], y[37], g[37];
    gboolean silu;
} Data;

static double
loss(gpointer p)
{
    Data *d = p;

    (d->silu ? m2n_activation_variants[0].silu : m2n_activation_variants[0].gelu)(d->y, d->x, 37);
    return m2n_dot(d->y, d->g, 37);
}

static void
test_gradient(void)
{
    for (gboolean silu = FALSE; silu <= TRUE; silu++) {
        Data d = {.silu = silu};
        float dx[37];

        m2n_fill_random(d.x, 37);
        m2n_fill_random(d.g, 37);
        (silu ? m2n_silu_backward : m2n_gelu_backward)(dx, d.g, d.x, 37);
        m2n_check_gradient(loss, &d, d.x, dx, 37, 5e-4, 2e-4);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/engine/activation_backward/variants-match-reference", test_variants);
    g_test_add_func("/engine/activation_backward/norm-silu-matches-reference", test_norm_silu);
    g_test_add_func("/engine/activation_backward/norm-silu-sums", test_norm_silu_sums);
    g_test_add_func("/engine/activation_backward/limits-and-nan", test_limits);
    g_test_add_func("/engine/activation_backward/gradient", test_gradient);
    return g_test_run();
}
