#include <string.h>

#include "engine/ops/activation.h"
#include "tests/lib/m2n_test.h"
#include "tests/lib/m2n_variants.h"

typedef void (*Function)(float *y, const float *x, gsize n);

/* |got - want| <= 3e-7 |x| + 1e-7, the promise of the header */
static void
check(Function got_f, Function want_f, const float *x, gsize n)
{
    g_autofree float *want = g_new(float, n), *got = g_new(float, n);

    want_f(want, x, n);
    got_f(got, x, n);
    for (gsize i = 0; i < n; i++) {
        const double bound = 3e-7 * fabs((double)x[i]) + 1e-7;
        if (!(fabs((double)got[i] - (double)want[i]) <= bound))
            g_error("f(%.9g) = %.9g, reference %.9g", (double)x[i], (double)got[i],
                    (double)want[i]);
    }
}

static void
test_variant_matches_reference(gconstpointer data)
{
    const M2nActivationVariant *ref = &m2n_activation_variants[0], *v = data;

    m2n_skip_unless_it_runs(v);
    for (gsize n = 1; n <= 49; n++) {
        g_autofree float *x = g_new(float, n); /* exact size: ASan sees one float too far */

        m2n_fill_random(x, n);
        check(v->silu, ref->silu, x, n);
        check(v->gelu, ref->gelu, x, n);
    }
    enum { N = 1000003 }; /* the whole range, densely */
    g_autofree float *x = g_new(float, N);
    for (gsize i = 0; i < N; i++)
        x[i] = (float)(-30.0 + 60.0 * (double)i / (double)N);
    check(v->silu, ref->silu, x, N);
    check(v->gelu, ref->gelu, x, N);
    for (gsize i = 0; i < N; i++)
        x[i] *= 10;
    check(v->silu, ref->silu, x, N);
    check(v->gelu, ref->gelu, x, N);
}

static void
test_limits(gconstpointer data)
{
    const M2nActivationVariant *v = data;
    const Function f[] = {v->silu, v->gelu};
    const float in[] = {-INFINITY, -3e38f, -0.0f, 0.0f, 1e-40f, 3e38f, INFINITY, NAN};
    float out[8];

    m2n_skip_unless_it_runs(v);
    for (int i = 0; i < 2; i++) {
        f[i](out, in, 8);
        m2n_assert_close(out, ((const float[]){0, 0, 0, 0, 0}), 5, 1e-30, 0);
        g_assert_true(out[5] == 3e38f && isinf(out[6]) && out[6] > 0 && isnan(out[7]));
        memcpy(out, in, sizeof in);
        f[i](out, out, 8); /* in place */
        g_assert_true(isnan(out[7]) && out[5] == 3e38f);
    }
}

/* The reference by known values: silu(1) = 1/(1 + 1/e), gelu(1) = Phi(1). */
static void
test_reference(void)
{
    const float in[2] = {1, -1};
    float out[2];

    m2n_activation_variants[0].silu(out, in, 2);
    m2n_assert_close(out, ((const float[]){0.731058579f, -0.268941421f}), 2, 1e-7, 0);
    m2n_activation_variants[0].gelu(out, in, 2);
    m2n_assert_close(out, ((const float[]){0.841344746f, -0.158655254f}), 2, 1e-7, 0);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/engine/activation/reference", test_reference);
    m2n_test_add_variants("activation", "matches-reference", m2n_activation_variants, silu,
                          test_variant_matches_reference);
    m2n_test_add_variants("activation", "limits", m2n_activation_variants, silu, test_limits);
    return g_test_run();
}
