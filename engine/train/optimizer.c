#include "engine/train/optimizer.h"

typedef struct {
    M2nLearner *l;
    const M2nAdam *adam;
    double momentum;
    float *mean, *square;
} Job;

static void
parameters_step(gsize begin, gsize end, guint thread, gpointer data)
{
    const Job *j = data;
    const M2nParameters *all = m2n_learner_parameters(j->l);
    float *query = m2n_learner_query(j->l), *key = m2n_learner_key(j->l);
    const float *gradient = m2n_learner_gradient(j->l);
    const float m = (float)j->momentum, rest = (float)(1.0 - j->momentum);

    (void)thread;
    for (gsize i = begin; i < end; i++) {
        const M2nParameter *p = &all->list[i];
        const gsize at = p->offset;
        M2nAdam adam = *j->adam;

        if (!m2n_parameter_trainable(p))
            continue;
        if (at >= m2n_learner_translator(j->l)) {
#pragma omp simd
            for (gsize e = at; e < at + p->elements; e++)
                key[e] = m * key[e] + rest * query[e];
        }
        adam.decay = p->rank == 4 ? adam.decay : 0.0;
        m2n_adam_step(&adam, query + at, j->mean + at, j->square + at, gradient + at, p->elements);
    }
}

void
m2n_optimizer_step(M2nLearner *l, double momentum_ema, const M2nAdam *a, float *mean, float *square)
{
    Job j = {l, a, momentum_ema, mean, square};

    /* one parameter at a time to whichever thread is free: their sizes differ a thousandfold */
    m2n_parallel_each(m2n_learner_pool(l), m2n_learner_parameters(l)->n, parameters_step, &j);
}
