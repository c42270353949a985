#include <math.h>
#include <string.h>

#include "engine/train/weight_average.h"
#include "tests/lib/m2n_test.h"

enum { N = 101, STEPS = 9 };

/* The definition: weights of step i count decay^(t - i). */
static void
test_definition(void)
{
    static const double decays[] = {0, 0.5, 0.9, 0.999};
    g_autoptr(M2nPool) pool = m2n_pool_new(1, NULL);
    float w[STEPS][N];

    m2n_fill_random(w[0], STEPS * N);
    for (gsize d = 0; d < G_N_ELEMENTS(decays); d++) {
        float average[N] = {0}, want[N];

        for (guint t = 1; t <= STEPS; t++)
            m2n_weight_average_step(pool, decays[d], t, average, w[t - 1], N);
        for (gsize e = 0; e < N; e++) {
            double sum = 0, shares = 0;

            for (guint i = 0; i < STEPS; i++) {
                sum += pow(decays[d], STEPS - 1 - i) * (double)w[i][e];
                shares += pow(decays[d], STEPS - 1 - i);
            }
            want[e] = (float)(sum / shares);
        }
        m2n_assert_close(average, want, N, 1e-6, 0);
    }
}

static void
test_threads(void)
{
    g_autoptr(M2nPool) one = m2n_pool_new(1, NULL), three = m2n_pool_new(3, NULL);
    float w[N], average[2][N];

    m2n_fill_random(w, N);
    m2n_fill_random(average[0], N);
    memcpy(average[1], average[0], sizeof average[0]);
    m2n_weight_average_step(one, 0.99, 7, average[0], w, N);
    m2n_weight_average_step(three, 0.99, 7, average[1], w, N);
    g_assert_cmpint(memcmp(average[0], average[1], sizeof average[0]), ==, 0);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/train/weight_average/as-defined", test_definition);
    g_test_add_func("/train/weight_average/threads-give-the-same-bits", test_threads);
    return g_test_run();
}
