#include "engine/train/weight_average.h"

#include <math.h>

typedef struct {
    float share;
    float *average;
    const float *w;
} Job;

static void
floats_step(gsize begin, gsize end, guint thread, gpointer data)
{
    const Job *j = data;

    (void)thread;
#pragma omp simd
    for (gsize i = begin; i < end; i++)
        j->average[i] += j->share * (j->w[i] - j->average[i]);
}

void
m2n_weight_average_step(M2nPool *pool, double decay, guint64 step, float *average, const float *w, gsize n)
{
    Job j = {(float)((1.0 - decay) / (1.0 - pow(decay, (double)step))), average, w};

    g_assert(step > 0 && decay >= 0.0 && decay < 1.0);
    m2n_parallel_for(pool, n, floats_step, &j);
}
