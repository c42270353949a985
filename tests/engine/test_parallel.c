#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "engine/base/parallel.h"

typedef struct {
    guint8 *times;   /* [n] how often each item came */
    guint8 *inside;  /* [threads] 1 while a thread index is at work */
    gsize calls[64]; /* per thread index */
    gsize begin[64], end[64];
} Seen;

static void
count(gsize begin, gsize end, guint thread, gpointer data)
{
    Seen *s = data;

    g_assert_cmpuint(s->inside[thread], ==, 0);
    s->inside[thread] = 1;
    s->calls[thread]++;
    s->begin[thread] = begin;
    s->end[thread] = end;
    for (gsize i = begin; i < end; i++)
        s->times[i]++;
    s->inside[thread] = 0;
}

static void
check_once(guint threads, gsize n, void (*run)(M2nPool *, gsize, M2nTask, gpointer))
{
    g_autoptr(M2nPool) pool = m2n_pool_new(threads, NULL);
    g_autofree guint8 *times = g_new0(guint8, n + 1), *inside = g_new0(guint8, threads);

    g_assert_cmpuint(m2n_pool_threads(pool), ==, threads);
    for (guint round = 0; round < 20; round++) {
        Seen s = {.times = times, .inside = inside};

        memset(times, 0, n + 1);
        run(pool, n, count, &s);
        for (gsize i = 0; i < n; i++)
            g_assert_cmpuint(times[i], ==, 1);
        g_assert_cmpuint(times[n], ==, 0);
    }
}

static void
test_every_item_once(void)
{
    static const gsize sizes[] = {0, 1, 2, 3, 7, 64, 1001};

    for (guint threads = 1; threads <= 5; threads++)
        for (gsize i = 0; i < G_N_ELEMENTS(sizes); i++) {
            check_once(threads, sizes[i], m2n_parallel_for);
            check_once(threads, sizes[i], m2n_parallel_each);
        }
}

static void
test_ranges_are_fixed(void)
{
    static const gsize want[3][2] = {{0, 4}, {4, 7}, {7, 10}};
    g_autoptr(M2nPool) pool = m2n_pool_new(3, NULL);
    guint8 times[10], inside[3] = {0};

    for (guint round = 0; round < 200; round++) {
        Seen s = {.times = times, .inside = inside};
        m2n_parallel_for(pool, 10, count, &s);
        for (guint t = 0; t < 3; t++) {
            g_assert_cmpuint(s.begin[t], ==, want[t][0]);
            g_assert_cmpuint(s.end[t], ==, want[t][1]);
        }
    }
}

static void
check_masked(gsize begin, gsize end, guint thread, gpointer data)
{
    sigset_t mask;

    (void)begin, (void)end, (void)data;
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    g_assert_cmpint(sigismember(&mask, SIGINT), ==, thread != 0);
}

static void
test_signals_stay_with_the_host(void)
{
    g_autoptr(M2nPool) pool = m2n_pool_new(3, NULL);

    m2n_parallel_for(pool, 3, check_masked, NULL);
}

static gpointer
own_pool(gpointer data)
{
    (void)data;
    for (guint i = 0; i < 20; i++)
        check_once(2, 100, m2n_parallel_for);
    return NULL;
}

static void
test_pools_do_not_meet(void)
{
    GThread *t[4];

    for (guint i = 0; i < 4; i++)
        t[i] = g_thread_new("test", own_pool, NULL);
    for (guint i = 0; i < 4; i++)
        g_thread_join(t[i]);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/engine/parallel/every-item-once", test_every_item_once);
    g_test_add_func("/engine/parallel/ranges-are-fixed", test_ranges_are_fixed);
    g_test_add_func("/engine/parallel/signals-stay-with-the-host", test_signals_stay_with_the_host);
    g_test_add_func("/engine/parallel/pools-do-not-meet", test_pools_do_not_meet);
    return g_test_run();
}
