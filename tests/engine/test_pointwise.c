#include "engine/ops/pointwise.h"
#include "tests/lib/m2n_test.h"

static const gsize sizes[] = {1, 15, 16, 17, 33, 100};

/* Every variant against the reference, into an array of its own and over an operand. */
static void
test_variants(void)
{
    const M2nPointwiseVariant *ref = &m2n_pointwise_variants[0];

    for (int isa = 1; isa < M2N_N_ISA; isa++) {
        const M2nPointwiseVariant *v = &m2n_pointwise_variants[isa];

        if (v->blend == NULL || !m2n_isa_runs(v->isa))
            continue;
        for (gsize s = 0; s < G_N_ELEMENTS(sizes); s++) {
            const gsize n = sizes[s];
            g_autofree float *x = g_new(float, n), *z = g_new(float, n);
            g_autofree float *want = g_new(float, n), *got = g_new(float, n);

            m2n_fill_random(x, n);
            m2n_fill_random(z, n);
            ref->scale_shift(want, x, n, 0.7f, -0.3f);
            v->scale_shift(got, x, n, 0.7f, -0.3f);
            m2n_assert_close(got, want, n, 1e-6, 1e-6);
            ref->add_scaled(want, x, z, n, 0.7f);
            v->add_scaled(got, x, z, n, 0.7f);
            m2n_assert_close(got, want, n, 1e-6, 1e-6);
            ref->multiply(want, x, z, n);
            v->multiply(got, x, z, n);
            m2n_assert_close(got, want, n, 1e-6, 1e-6);
            ref->blend(want, x, z, n, 0.7f, -0.3f, 0.2f);
            v->blend(x, x, z, n, 0.7f, -0.3f, 0.2f);
            m2n_assert_close(x, want, n, 1e-6, 1e-6);
        }
    }
}

static void
test_reference(void)
{
    const float x[] = {1, 2, NAN}, z[] = {10, 20, 30};
    float y[3];

    m2n_pointwise_variants[0].scale_shift(y, x, 3, 3, 1);
    g_assert_true(y[0] == 4 && y[1] == 7 && isnan(y[2]));
    m2n_pointwise_variants[0].add_scaled(y, x, z, 3, 2);
    g_assert_true(y[0] == 21 && y[1] == 42 && isnan(y[2]));
    m2n_pointwise_variants[0].multiply(y, x, z, 3);
    g_assert_true(y[0] == 10 && y[1] == 40 && isnan(y[2]));
    m2n_pointwise_variants[0].blend(y, x, z, 3, 2, -1, 5);
    g_assert_true(y[0] == -3 && y[1] == -11 && isnan(y[2]));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/engine/pointwise/reference", test_reference);
    g_test_add_func("/engine/pointwise/variants", test_variants);
    return g_test_run();
}
