/* The translator's way back: conv2, the blocks from last to first, conv1. */
#include <string.h>

#include "engine/nn/learner_private.h"

static gsize
channels(const M2nLearner *l)
{
    return (gsize)l->config.steps * l->config.hid_S;
}

/* dz = conv2's input gradient; l->z is conv2's input */
static void
rows_out_backward(gsize begin, gsize end, guint thread, gpointer data)
{
    const M2nLearner *l = data;
    const M2nWorker *w = &l->worker[thread];
    const M2nLinearAt *at = &l->places.conv2;
    const gsize d = l->config.hid_T, c = channels(l);

    for (gsize r = begin; r < end; r++) {
        const float *dout = l->out + r * c * l->hw;

        if (l->learn)
            m2n_linear_weight(w, m2n_worker_gradient(l, w, at->weight),
                              m2n_worker_gradient(l, w, at->bias), dout, l->z + r * d * l->hw, c, d,
                              l->hw);
        m2n_linear_input(w, l->dz + r * d * l->hw, dout, c, d, l->hw, l->packed.end, FALSE);
    }
}

static void
rows_in_backward(gsize begin, gsize end, guint thread, gpointer data)
{
    const M2nLearner *l = data;
    const M2nWorker *w = &l->worker[thread];
    const M2nLinearAt *at = &l->places.conv1;
    const gsize d = l->config.hid_T, c = channels(l);

    for (gsize r = begin; r < end; r++) {
        const float *dz = l->dz + r * d * l->hw;

        if (l->learn)
            m2n_linear_weight(w, m2n_worker_gradient(l, w, at->weight),
                              m2n_worker_gradient(l, w, at->bias), dz, l->latent + r * c * l->hw, d,
                              c, l->hw);
        if (l->dlatent != NULL)
            m2n_linear_input(w, l->dlatent + r * c * l->hw, dz, d, c, l->hw, l->packed.end, FALSE);
    }
}

/* The gradient of a part is complete: it can go to the others while the next is computed. */
static void
end_part(M2nLearner *l, gsize begin, gsize end)
{
    m2n_learner_end_part(l, begin, end);
    m2n_group_begin_sum(l->group, l->gradient + begin, end - begin);
}

/* A 1x1 convolution at either end: its weight and bias are neighbours. */
static void
run_end(M2nLearner *l, const M2nLinearAt *at, gsize bias_size, M2nTask task)
{
    if (l->learn)
        m2n_learner_begin_part(l, at->weight, at->bias + bias_size);
    m2n_learner_rows(l, task);
    if (l->learn)
        end_part(l, at->weight, at->bias + bias_size);
}

static void
block_backward(M2nLearner *l, const float *latent)
{
    const M2nBlockAt *b = &l->places.block[l->layer];

    if (l->layer < l->recomputed) {
        m2n_learner_block_input(l, latent);
        m2n_learner_block(l, TRUE); /* fills the shared trace; its output may overwrite its input */
        m2n_learner_block_input(l, latent);
    }
    l->t = &l->trace[l->layer];
    m2n_learner_pack_block(l, TRUE);
    if (l->learn)
        m2n_learner_begin_part(l, b->begin, b->end);
    m2n_learner_unit_backward(l);
    m2n_learner_attention_backward(l);
    if (l->learn)
        end_part(l, b->begin, b->end);
}

void
m2n_learner_translate_backward(M2nLearner *l, const float *dout, float *dlatent)
{
    const float *latent = l->latent; /* of m2n_learner_translate() */

    l->learn = dlatent == NULL;
    l->out = (float *)dout;
    m2n_learner_pack_end(l, &l->places.conv2, channels(l), l->config.hid_T, TRUE);
    run_end(l, &l->places.conv2, channels(l), rows_out_backward);
    for (l->layer = l->config.N_T; l->layer-- > 0;)
        block_backward(l, latent);
    l->latent = latent;
    l->dlatent = dlatent;
    m2n_learner_pack_end(l, &l->places.conv1, l->config.hid_T, channels(l), TRUE);
    run_end(l, &l->places.conv1, l->config.hid_T, rows_in_backward);
}
