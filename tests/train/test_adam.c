#include <string.h>

#include "engine/train/adam.h"
#include "engine/train/schedule.h"
#include "tests/lib/m2n_test.h"

/* torch.optim.Adam(lr=0.1) and AdamW(lr=0.1, weight_decay=0.5), torch 1.13.1: w0 = 1, -2, 0.5,
 * gradients (0.3, -1e-3, 0) then (-0.1, 2e-3, 4). */
static void
test_as_torch(void)
{
    static const float want[2][2][3] = {
        {{0.900000036f, -1.90000105f, 0.5f}, {0.859978199f, -1.93661118f, 0.425586313f}},
        {{0.850000024f, -1.80000103f, 0.474999994f}, {0.767478168f, -1.74661112f, 0.3768363f}},
    };
    static const float g[2][3] = {{0.3f, -1e-3f, 0}, {-0.1f, 2e-3f, 4}};

    for (guint decay = 0; decay < 2; decay++) {
        float w[3] = {1, -2, 0.5f}, m[3] = {0}, v[3] = {0};

        for (guint t = 0; t < 2; t++) {
            const M2nAdam a = {.rate = 0.1,
                               .beta1 = 0.9,
                               .beta2 = 0.999,
                               .epsilon = 1e-8,
                               .decay = decay * 0.5,
                               .step = t + 1};

            m2n_adam_step(&a, w, m, v, g[t], 3);
            m2n_assert_close(w, want[decay][t], 3, 0, 2e-6);
        }
    }
}

/* Cutting the range for threads must not change a bit. */
static void
test_ranges(void)
{
    enum { N = 101 };
    float w[2][N], m[2][N] = {{0}}, v[2][N] = {{0}}, g[N];
    const M2nAdam a = {.rate = 1e-3, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .step = 3};

    m2n_fill_random(w[0], N);
    memcpy(w[1], w[0], sizeof w[0]);
    m2n_fill_random(g, N);
    m2n_adam_step(&a, w[0], m[0], v[0], g, N);
    m2n_adam_step(&a, w[1], m[1], v[1], g, 37);
    m2n_adam_step(&a, w[1] + 37, m[1] + 37, v[1] + 37, g + 37, N - 37);
    g_assert_cmpint(memcmp(w[0], w[1], sizeof w[0]), ==, 0);
}

static void
test_schedule(void)
{
    M2nSettings s = M2N_SETTINGS_DEFAULT;

    s.epochs = 10;
    g_assert_cmpfloat(m2n_schedule_rate(&s, 0), ==, 1e-3);
    g_assert_cmpfloat_with_epsilon(m2n_schedule_rate(&s, 5), 1e-6 + 0.5 * (1e-3 - 1e-6), 1e-12);
    s.warmup_epochs = 4;
    g_assert_cmpfloat_with_epsilon(m2n_schedule_rate(&s, 0), 2e-4, 1e-12);
    g_assert_cmpfloat_with_epsilon(m2n_schedule_rate(&s, 3), 8e-4, 1e-12);
    g_assert_cmpfloat(m2n_schedule_rate(&s, 4), ==, 1e-3);
    for (guint e = 5; e < 10; e++)
        g_assert_cmpfloat(m2n_schedule_rate(&s, e), <, m2n_schedule_rate(&s, e - 1));
    g_assert_cmpfloat(m2n_schedule_rate(&s, 9), >, 1e-6);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/train/adam/as-torch", test_as_torch);
    g_test_add_func("/train/adam/ranges-give-the-same-bits", test_ranges);
    g_test_add_func("/train/schedule/warm-up-then-cosine", test_schedule);
    return g_test_run();
}
