/* The translator's forward pass in training: batch statistics, drop path, and traces for the way back. */
#include <string.h>

#include "engine/nn/learner_private.h"
#include "engine/ops/activation.h"
#include "engine/ops/batch_norm.h"
#include "engine/ops/depthwise.h"
#include "engine/ops/group_norm.h"
#include "engine/ops/norm_backward.h"
#include "engine/ops/pointwise.h"

static gsize
channels(const M2nLearner *l)
{
    return (gsize)l->config.steps * l->config.hid_S;
}

/* ---- attention half ------------------------------------------------------------------------- */

static void
rows_project(gsize begin, gsize end, guint thread, gpointer data)
{
    const M2nLearner *l = data;
    const M2nWorker *w = &l->worker[thread];
    const M2nTrace *t = l->t;
    const gsize d = l->config.hid_T, n = d * l->hw;
    const M2nGroupNorm shape = {d, l->hw, 1};
    const float *packed[] = {l->packed.q, l->packed.k, l->packed.v};
    float *conv[] = {t->q, t->k, t->v};
    const M2nRowNorm *norm[] = {&t->norm_q, &t->norm_k, &t->norm_v};

    for (gsize r = begin; r < end; r++)
        for (guint i = 0; i < 3; i++) {
            m2n_linear(w, conv[i] + r * n, t->z + r * n, d, d, l->hw, packed[i], NULL);
            m2n_group_norm_statistics(&shape, conv[i] + r * n, norm[i]->mean + r,
                                      norm[i]->rstd + r);
        }
}

void
m2n_learner_fold_projections(M2nLearner *l)
{
    const M2nBlockAt *b = &l->places.block[l->layer];
    const M2nProjectionAt *at[] = {&b->q, &b->k, &b->v};
    const M2nRowNorm *norm[] = {&l->t->norm_q, &l->t->norm_k, &l->t->norm_v};
    const gsize d = l->config.hid_T;

    for (guint i = 0; i < 3; i++)
        for (gsize r = 0; r < l->rows; r++)
            for (gsize c = 0; c < d; c++) {
                const double s = (double)l->weights[at[i]->gamma + c] * (double)norm[i]->rstd[r];

                l->projection_scale[i][r * d + c] = (float)s;
                l->projection_shift[i][r * d + c] =
                    (float)((double)l->weights[at[i]->beta + c] - (double)norm[i]->mean[r] * s);
            }
}

M2nAttentionInput
m2n_learner_projection(const M2nLearner *l, guint which, gsize b)
{
    const float *conv[] = {l->t->q, l->t->k, l->t->v};
    const gsize vector = b * l->config.variables * l->config.hid_T;

    return (M2nAttentionInput){conv[which] + vector * l->hw, l->projection_scale[which] + vector,
                               l->projection_shift[which] + vector};
}

static void
heads_mix(gsize begin, gsize end, guint thread, gpointer data)
{
    const M2nLearner *l = data;
    const gsize v = l->config.variables, item = v * l->config.hid_T * l->hw;
    const M2nAttention shape = {v, l->config.hid_T, l->hw};

    (void)thread;
    for (gsize i = begin; i < end; i++) {
        const gsize b = i / M2N_HEADS;
        const M2nAttentionInput value = m2n_learner_projection(l, 2, b);

        m2n_attention_mix(&shape, i % M2N_HEADS, l->mixed + b * item,
                          l->t->attention + b * M2N_HEADS * v * v, &value);
    }
}

static void
heads_attend(gsize begin, gsize end, guint thread, gpointer data)
{
    const M2nLearner *l = data;
    const gsize v = l->config.variables;
    const M2nAttention shape = {v, l->config.hid_T, l->hw};

    for (gsize i = begin; i < end; i++) {
        const gsize b = i / M2N_HEADS;
        const M2nAttentionInput q = m2n_learner_projection(l, 0, b),
                                k = m2n_learner_projection(l, 1, b);

        m2n_attention_weights(&shape, i % M2N_HEADS, l->t->attention + b * M2N_HEADS * v * v, &q,
                              &k, l->worker[thread].op);
    }
    heads_mix(begin, end, thread, data);
}

void
m2n_learner_mix(M2nLearner *l)
{
    m2n_parallel_for(l->pool, (gsize)l->batch * M2N_HEADS, heads_mix, l);
}

/* Sums of channel c of one row, for the batch norm that follows. */
static void
channel_moments(M2nLearner *l, gsize row, gsize c, const float *x)
{
    const gsize at = row * l->config.hid_T + c;

    m2n_moments(x, l->hw, 0.0f, &l->row_sum[at], &l->row_product[at]);
}

void
m2n_learner_post(const M2nLearner *l, gsize r, float *sum, const float *post, const float *z)
{
    const M2nBlockAt *b = &l->places.block[l->layer];
    const M2nRowNorm *norm = &l->t->norm_post;

    for (gsize c = 0; c < l->config.hid_T; c++) {
        const gsize p = c * l->hw;

        m2n_norm_channel(sum + p, post + p, l->hw, l->weights[b->post.gamma + c],
                         l->weights[b->post.beta + c], norm->mean[r], norm->rstd[r]);
        m2n_silu(sum + p, sum + p, l->hw);
        m2n_add_scaled(sum + p, sum + p, z + p, l->hw, 1.0f);
    }
}

/* x = norm_1(z + SiLU(norm(post))) */
static void
rows_post(gsize begin, gsize end, guint thread, gpointer data)
{
    M2nLearner *l = data;
    const M2nWorker *w = &l->worker[thread];
    const M2nBlockAt *b = &l->places.block[l->layer];
    const float *weights = l->weights;
    const M2nTrace *t = l->t;
    const gsize d = l->config.hid_T, hw = l->hw, n = d * hw;
    const M2nGroupNorm shape = {d, hw, 1};

    for (gsize r = begin; r < end; r++) {
        float *x = t->x + r * n, *post = t->post + r * n;
        const float *z = t->z + r * n;

        m2n_linear(w, post, l->mixed + r * n, d, d, hw, l->packed.post, NULL);
        m2n_group_norm_statistics(&shape, post, t->norm_post.mean + r, t->norm_post.rstd + r);
        m2n_learner_post(l, r, x, post, z);
        m2n_group_norm_statistics(&shape, x, t->norm_1.mean + r, t->norm_1.rstd + r);
        for (gsize c = 0; c < d; c++) {
            m2n_norm_channel(x + c * hw, x + c * hw, hw, weights[b->norm_1[0] + c],
                             weights[b->norm_1[1] + c], t->norm_1.mean[r], t->norm_1.rstd[r]);
            channel_moments(l, r, c, x + c * hw);
        }
    }
}

/* ---- temporal unit -------------------------------------------------------------------------- */

/* Statistics of batch norm `which` from the rows' sums; again the trace has them. */
static void
finish_statistics(M2nLearner *l, guint which, gboolean again)
{
    const gsize d = l->config.hid_T;
    const double count = (double)l->all_rows * (double)l->hw;
    const M2nBatchNormAt *at = &l->places.block[l->layer].batch_norm[which];

    if (!again) {
        m2n_learner_sum_rows(l);
        for (gsize c = 0; c < d; c++) {
            const double mean = l->channel_sum[c] / count, square = l->channel_product[c] / count;

            l->t->mean[which][c] = (float)mean;
            l->t->variance[which][c] = (float)MAX(square - mean * mean, 0.0);
        }
        m2n_batch_norm_running(l->all_rows, d, l->hw, l->t->mean[which], l->t->variance[which],
                               l->weights + at->mean, l->weights + at->variance);
    }
    m2n_learner_fold(l, which);
}

typedef struct {
    const M2nLearner *l;
    gsize r;
    float *hidden;
} Row;

/* g = gelu(proj_1), dw5 and dw7 of it, for some groups of channels */
static void
gate_channels(const M2nWorker *w, gsize begin, gsize end, gconstpointer data)
{
    const Row *row = data;
    const M2nLearner *l = row->l;
    const M2nBlockAt *b = &l->places.block[l->layer];
    const float *weights = l->weights;
    const gsize d = l->config.hid_T;

    for (gsize c = begin * M2N_CHAIN; c < MIN(end * M2N_CHAIN, d); c += M2N_CHAIN) {
        const gsize some = MIN(M2N_CHAIN, d - c), at = (row->r * d + c) * l->hw;
        const M2nDepthwise five = {some, l->height, l->width, 5, 1},
                           seven = {some, l->height, l->width, 7, 3};
        float *g = row->hidden + c * l->hw;

        m2n_gelu(g, l->t->proj_1 + at, some * l->hw);
        m2n_depthwise(&five, l->t->dw5 + at, g, weights + b->dw5.weight + 25 * c,
                      weights + b->dw5.bias + c, w->op);
        m2n_depthwise(&seven, l->t->dw7 + at, l->t->dw5 + at, weights + b->dw7.weight + 49 * c,
                      weights + b->dw7.bias + c, w->op);
    }
}

/* middle = x + scale_1 (proj_2(conv1(dw7(dw5(g))) g) + y), g = gelu(proj_1(y)), y = BatchNorm(x) */
static void
rows_gate(gsize begin, gsize end, guint thread, gpointer data)
{
    M2nLearner *l = data;
    const M2nWorker *w = &l->worker[thread];
    const M2nBlockAt *b = &l->places.block[l->layer];
    const M2nTrace *t = l->t;
    const float *weights = l->weights;
    const gsize d = l->config.hid_T, hw = l->hw, n = d * hw;
    float *g = w->row[0], *out = w->row[1];

    for (gsize r = begin; r < end; r++) {
        const gsize at = r * n;
        const float keep = m2n_learner_keep(l, 0, r);
        const Row row = {l, r, g};

        m2n_linear_normed(w, t->proj_1 + at, t->x + at, l->scale, l->shift, d, d, hw,
                          l->packed.proj_1, weights + b->proj_1.bias);
        m2n_share(w, (d + M2N_CHAIN - 1) / M2N_CHAIN, gate_channels, &row);
        m2n_linear(w, t->conv1 + at, t->dw7 + at, d, d, hw, l->packed.conv1,
                   weights + b->conv1.bias);
        m2n_multiply(g, g, t->conv1 + at, n);
        m2n_linear(w, out, g, d, d, hw, l->packed.proj_2, weights + b->proj_2.bias);
        for (gsize c = 0; c < d; c++) {
            const gsize p = c * hw;
            const float scale = keep * weights[b->layer_scale[0] + c];
            float *middle = t->middle + at + p;

            m2n_blend(middle, t->x + at + p, out + p, hw, 1.0f + scale * l->scale[c], scale,
                      scale * l->shift[c]);
            channel_moments(l, r, c, middle);
        }
    }
}

/* gelu(dw3(wide)) of some groups of channels */
static void
mlp_channels(const M2nWorker *w, gsize begin, gsize end, gconstpointer data)
{
    const Row *row = data;
    const M2nLearner *l = row->l;
    const M2nBlockAt *b = &l->places.block[l->layer];
    const gsize d = 4 * l->config.hid_T;

    for (gsize c = begin * M2N_CHAIN; c < MIN(end * M2N_CHAIN, d); c += M2N_CHAIN) {
        const M2nDepthwise three = {MIN(M2N_CHAIN, d - c), l->height, l->width, 3, 1};
        float *hidden = row->hidden + c * l->hw;

        m2n_depthwise(&three, hidden, l->t->wide + (row->r * d + c) * l->hw,
                      l->weights + b->dw3.weight + 9 * c, l->weights + b->dw3.bias + c, w->op);
        m2n_gelu(hidden, hidden, three.channels * l->hw);
    }
}

/* sum = 2 x + middle + scale_2 fc2(gelu(dw3(fc1(BatchNorm(middle))))), z = norm_2(sum) */
static void
rows_mlp(gsize begin, gsize end, guint thread, gpointer data)
{
    M2nLearner *l = data;
    const M2nWorker *w = &l->worker[thread];
    const M2nBlockAt *b = &l->places.block[l->layer];
    const M2nTrace *t = l->t;
    const float *weights = l->weights;
    const gsize d = l->config.hid_T, hw = l->hw, n = d * hw;
    const M2nGroupNorm norm = {d, hw, 1};
    float *y = w->row[0], *z = l->layer + 1 < l->config.N_T ? l->trace[l->layer + 1].z : l->z;

    for (gsize r = begin; r < end; r++) {
        const float *middle = t->middle + r * n, *x = t->x + r * n;
        const float keep = m2n_learner_keep(l, 1, r);
        float *sum = t->sum + r * n;

        m2n_linear_normed(w, t->wide + 4 * r * n, middle, l->scale, l->shift, 4 * d, d, hw,
                          l->packed.fc1, weights + b->fc1.bias);
        m2n_share(w, (4 * d + M2N_CHAIN - 1) / M2N_CHAIN, mlp_channels, &(Row){l, r, w->wide});
        m2n_linear(w, y, w->wide, d, 4 * d, hw, l->packed.fc2, weights + b->fc2.bias);
        for (gsize c = 0; c < d; c++) {
            const gsize p = c * hw;

            m2n_add_scaled(sum + p, middle + p, y + p, hw, keep * weights[b->layer_scale[1] + c]);
            m2n_add_scaled(sum + p, sum + p, x + p, hw, 2.0f);
        }
        m2n_group_norm(&norm, z + r * n, sum, weights + b->norm_2[0], weights + b->norm_2[1],
                       t->norm_2.mean + r, t->norm_2.rstd + r);
    }
}

void
m2n_learner_block(M2nLearner *l, gboolean again)
{
    l->t = &l->trace[l->layer];
    m2n_learner_pack_block(l, FALSE);
    m2n_learner_rows(l, rows_project);
    m2n_learner_fold_projections(l);
    m2n_parallel_for(l->pool, (gsize)l->batch * M2N_HEADS, heads_attend, l);
    m2n_learner_rows(l, rows_post);
    finish_statistics(l, 0, again);
    m2n_learner_rows(l, rows_gate);
    finish_statistics(l, 1, again);
    m2n_learner_rows(l, rows_mlp);
}

/* ---- the whole ------------------------------------------------------------------------------ */

static void
rows_in(gsize begin, gsize end, guint thread, gpointer data)
{
    const M2nLearner *l = data;
    const gsize d = l->config.hid_T, c = channels(l);

    for (gsize r = begin; r < end; r++)
        m2n_linear(&l->worker[thread], l->trace[0].z + r * d * l->hw, l->latent + r * c * l->hw, d,
                   c, l->hw, l->packed.end, l->weights + l->places.conv1.bias);
}

static void
rows_out(gsize begin, gsize end, guint thread, gpointer data)
{
    const M2nLearner *l = data;
    const gsize d = l->config.hid_T, c = channels(l);

    for (gsize r = begin; r < end; r++)
        m2n_linear(&l->worker[thread], l->out + r * c * l->hw, l->z + r * d * l->hw, c, d, l->hw,
                   l->packed.end, l->weights + l->places.conv2.bias);
}

/* The output of the block before, from what it remembers: by the same code as the first time, so that
 * recomputing a block changes no bit. */
static void
rows_again(gsize begin, gsize end, guint thread, gpointer data)
{
    const M2nLearner *l = data;
    const M2nBlockAt *b = &l->places.block[l->layer - 1];
    const float *sum = l->trace[l->layer - 1].sum;
    const gsize d = l->config.hid_T, n = d * l->hw;
    const M2nGroupNorm norm = {d, l->hw, 1};

    (void)thread;
    for (gsize r = begin; r < end; r++)
        m2n_group_norm(&norm, l->trace[l->layer].z + r * n, sum + r * n, l->weights + b->norm_2[0],
                       l->weights + b->norm_2[1], NULL, NULL);
}

void
m2n_learner_block_input(M2nLearner *l, const float *latent)
{
    l->latent = latent;
    if (l->layer == 0)
        m2n_learner_pack_end(l, &l->places.conv1, l->config.hid_T, channels(l), FALSE);
    m2n_learner_rows(l, l->layer == 0 ? rows_in : rows_again);
}

void
m2n_learner_translate(M2nLearner *l, float *weights, const guint8 *keep, const float *latent,
                      float *out)
{
    l->weights = weights;
    l->keep = keep;
    l->out = out;
    l->layer = 0;
    m2n_learner_block_input(l, latent);
    for (; l->layer < l->config.N_T; l->layer++)
        m2n_learner_block(l, FALSE);
    m2n_learner_pack_end(l, &l->places.conv2, channels(l), l->config.hid_T, FALSE);
    m2n_learner_rows(l, rows_out);
}
