#include "engine/base/rng.h"

/* First outputs of splitmix64 from state 0, as printed in public test vectors of the algorithm. */
static void
test_splitmix64(void)
{
    guint64 state = 0;

    g_assert_cmphex(m2n_splitmix64(&state), ==, 0xE220A8397B1DCDAFu);
    g_assert_cmphex(m2n_splitmix64(&state), ==, 0x6E789E6AA1B965F4u);
    g_assert_cmphex(m2n_splitmix64(&state), ==, 0x06C45D188009454Fu);
}

/* xoshiro256** from the state 1, 2, 3, 4: worked out by hand from the definition. */
static void
test_xoshiro(void)
{
    M2nRng r = {{1, 2, 3, 4}};

    g_assert_cmpuint(m2n_rng_next(&r), ==, 11520);
    g_assert_cmpuint(m2n_rng_next(&r), ==, 0);
    g_assert_cmpuint(m2n_rng_next(&r), ==, 1509978240);
}

static void
test_state_is_everything(void)
{
    M2nRng a, b;

    m2n_rng_seed(&a, 42);
    m2n_rng_normal(&a);
    b = a;
    for (guint i = 0; i < 100; i++) {
        g_assert_true(m2n_rng_normal(&a) == m2n_rng_normal(&b));
        g_assert_true(m2n_rng_truncated_normal(&a) == m2n_rng_truncated_normal(&b));
        g_assert_cmpuint(m2n_rng_below(&a, 10), ==, m2n_rng_below(&b, 10));
    }
}

static void
check_moments(double (*draw)(M2nRng *), double mean, double variance, double low, double high)
{
    enum { N = 200000 };
    double sum = 0, square = 0;
    M2nRng r;

    m2n_rng_seed(&r, 7);
    for (guint i = 0; i < N; i++) {
        const double x = draw(&r);
        g_assert_true(x >= low && x <= high);
        sum += x;
        square += x * x;
    }
    g_assert_cmpfloat_with_epsilon(sum / (double)N, mean, 0.01);
    g_assert_cmpfloat_with_epsilon(square / (double)N - mean * mean, variance, 0.01);
}

static void
test_moments(void)
{
    check_moments(m2n_rng_uniform, 0.5, 1.0 / 12, 0, 1);
    check_moments(m2n_rng_normal, 0, 1, -10, 10);
    check_moments(m2n_rng_truncated_normal, 0, 0.77374, -2, 2); /* 1 - 4 phi(2) / (2 Phi(2) - 1) */
}

static void
test_below_reaches_all(void)
{
    guint seen[7] = {0};
    M2nRng r;

    m2n_rng_seed(&r, 3);
    for (guint i = 0; i < 7000; i++)
        seen[m2n_rng_below(&r, 7)]++;
    for (guint i = 0; i < 7; i++)
        g_assert_true(seen[i] > 850 && seen[i] < 1150);
    g_assert_cmpuint(m2n_rng_below(&r, 1), ==, 0);
}

static void
test_permutation(void)
{
    guint32 order[1000];
    gboolean seen[1000] = {FALSE};
    guint fixed = 0;
    M2nRng r;

    m2n_rng_seed(&r, 1);
    m2n_rng_permutation(&r, order, 1000);
    for (guint i = 0; i < 1000; i++) {
        g_assert_cmpuint(order[i], <, 1000);
        g_assert_false(seen[order[i]]);
        seen[order[i]] = TRUE;
        fixed += order[i] == i;
    }
    g_assert_cmpuint(fixed, <, 10); /* one is expected */
    m2n_rng_permutation(&r, order, 0);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/engine/rng/splitmix64", test_splitmix64);
    g_test_add_func("/engine/rng/xoshiro", test_xoshiro);
    g_test_add_func("/engine/rng/state-is-everything", test_state_is_everything);
    g_test_add_func("/engine/rng/moments", test_moments);
    g_test_add_func("/engine/rng/below-reaches-all", test_below_reaches_all);
    g_test_add_func("/engine/rng/permutation", test_permutation);
    return g_test_run();
}
