/* bench_step [CONFIG [BATCH [THREADS [RUNS]]]]: seconds of a training step (both stages, EMA, Adam), median,
 * with made-up weights and fields, as `met2net_torch.py bench CONFIG --train` of the peer.  RUNS 0: a step for each
 * line on stdin, "run SECONDS" each, at the end "peak_kb N".
 *
 * Under mpirun BATCH is that of all processes; it also tells what they sent and how long they waited. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/peak_memory.h"
#include "engine/train/group_join.h"
#include "engine/train/optimizer.h"
#include "tests/lib/made_up.h"

static const struct {
    const char *name;
    M2nConfig config;
} configs[] = {
    {"wb_mv4", {12, 4, 32, 64, 32, 256, 2, 8, 0.9, 0.1}},
    {"wb_mv5", {12, 5, 32, 64, 32, 256, 2, 8, 0.9, 0.1}},
    {"wb_mv5_hires", {12, 5, 64, 128, 32, 256, 4, 8, 0.9, 0.1}},
    {"era5_128", {12, 4, 128, 128, 32, 256, 4, 8, 0.9, 0.1}},
    {"gulf", {12, 3, 16, 32, 16, 64, 2, 4, 0.9, 0.1}},
};

static int
compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static double
run_step(M2nLearner *l, const float *x, const float *y, float *mean, float *square, guint64 step)
{
    const M2nAdam adam = {
        .rate = 1e-3, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .step = step};
    const gint64 start = g_get_monotonic_time();
    M2nLosses losses;

    m2n_learner_step(l, x, y, NULL, &losses);
    m2n_optimizer_step(l, 0.9, &adam, mean, square);
    return 1e-6 * (double)(g_get_monotonic_time() - start);
}

/* Per step, of one process. */
static void
print_messages(const M2nGroup *g, guint steps)
{
    printf("%u processes: %.3f MB of gradients, %.1f kB in %.1f small sums, %.4f s waited for\n",
           g->size, 4e-6 * (double)g->floats / steps, 8e-3 * (double)g->doubles / steps,
           (double)g->small_sums / steps, 1e-6 * (double)g->waited / steps);
}

int
main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "wb_mv5";
    const guint all = argc > 2 ? (guint)atoi(argv[2]) : 1,
                threads = argc > 3 ? (guint)atoi(argv[3]) : 2;
    const guint runs = argc > 4 ? (guint)MAX(0, atoi(argv[4])) : 5;
    const M2nConfig *c = NULL;
    M2nGroup *group;
    g_autoptr(GError) error = NULL;

    for (gsize i = 0; i < G_N_ELEMENTS(configs); i++)
        if (strcmp(configs[i].name, name) == 0)
            c = &configs[i].config;
    if (c == NULL) {
        fprintf(stderr, "bench_step: no configuration %s\n", name);
        return 2;
    }
    const gboolean joined = m2n_group_join(&group, &error);
    const guint batch = all / m2n_group_size(group);
    g_autoptr(M2nLearner) l = joined ? m2n_learner_new(c, batch, threads, 0, &error) : NULL;
    if (l == NULL) {
        fprintf(stderr, "bench_step: %s\n", error->message);
        return 1;
    }
    const gsize n = m2n_learner_parameters(l)->total;
    g_autofree float *weights = m2n_made_up_weights(c, 0);
    g_autofree float *x = m2n_made_up_fields(c, batch, "x", 0),
                     *y = m2n_made_up_fields(c, batch, "y", 0);
    g_autofree float *mean = g_new0(float, n), *square = g_new0(float, n);
    g_autofree double *time = g_new(double, runs);

    m2n_learner_join(l, group, batch * m2n_group_size(group));
    memcpy(m2n_learner_query(l), weights, n * sizeof(float));
    memcpy(m2n_learner_key(l), weights, n * sizeof(float));
    if (runs == 0) {
        char line[256];

        for (guint64 i = 1; fgets(line, sizeof line, stdin) != NULL; i++) {
            printf("run %.4f\n", run_step(l, x, y, mean, square, i));
            fflush(stdout);
        }
        printf("peak_kb %" G_GUINT64_FORMAT "\n", m2n_peak_memory() / 1024);
        return 0;
    }
    run_step(l, x, y, mean, square, 1); /* the first touches all memory */
    for (guint i = 0; i < runs; i++)
        time[i] = run_step(l, x, y, mean, square, i + 2);
    qsort(time, runs, sizeof *time, compare);
    if (m2n_group_rank(group) == 0)
        printf("%s batch %u threads %u training step %.4f s (best %.4f), peak %.0f MiB\n", name,
               all, threads, time[runs / 2], time[0], (double)m2n_peak_memory() / 1048576.0);
    if (group != NULL && group->rank == 0)
        print_messages(group, runs + 1);
    m2n_group_leave(group);
    return 0;
}
