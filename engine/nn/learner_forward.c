/* The translator's forward pass in training: batch statistics, drop path, and traces for the way back. */
#include <string.h>

#include "engine/nn/learner_private.h"
#include "engine/ops/activation.h"
#include "engine/ops/attention.h"
#include "engine/ops/batch_norm.h"
#include "engine/ops/depthwise.h"
#include "engine/ops/group_norm.h"
#include "engine/ops/norm_backward.h"

static gsize
channels(const M2nLearner *l)
{
    return (gsize)l->config.steps * l->config.hid_S;
}

/* ---- attention half ------------------------------------------------------------------------- */

/* conv = weight z (kept), normed = norm(conv) */
static void
project(const M2nLearner *l, const M2nWorker *w, const M2nProjectionAt *at, const float *z,
        float *conv, float *normed, const M2nRowNorm *norm, gsize row)
{
    const gsize d = l->config.hid_T;
    const M2nGroupNorm shape = {d, l->hw, 1};

    m2n_linear(w, conv, z, d, d, l->hw, l->weights + at->weight, NULL);
    m2n_group_norm(&shape, normed, conv, l->weights + at->gamma, l->weights + at->beta,
                   norm->mean + row, norm->rstd + row);
}

static void
rows_project(gsize begin, gsize end, guint thread, gpointer data)
{
    const M2nLearner *l = data;
    const M2nWorker *w = &l->worker[thread];
    const M2nBlockAt *b = &l->places.block[l->layer];
    const M2nTrace *t = l->t;
    const gsize n = l->config.hid_T * l->hw;

    for (gsize r = begin; r < end; r++) {
        const float *z = l->z + r * n;

        project(l, w, &b->q, z, t->q + r * n, l->q + r * n, &t->norm_q, r);
        project(l, w, &b->k, z, t->k + r * n, l->k + r * n, &t->norm_k, r);
        project(l, w, &b->v, z, t->v + r * n, l->v + r * n, &t->norm_v, r);
    }
}

static void
items_attend(gsize begin, gsize end, guint thread, gpointer data)
{
    const M2nLearner *l = data;
    const gsize v = l->config.variables, item = v * l->config.hid_T * l->hw;
    const M2nAttention shape = {v, l->config.hid_T, l->hw};

    (void)thread;
    for (gsize b = begin; b < end; b++)
        m2n_attention(&shape, l->mixed + b * item, l->attention + b * M2N_HEADS * v * v,
                      l->q + b * item, l->k + b * item, l->v + b * item);
}

/* Sums of each channel of one row, for the batch norm that follows. */
static void
channel_moments(M2nLearner *l, gsize row, const float *x)
{
    const gsize d = l->config.hid_T;

    for (gsize c = 0; c < d; c++)
        m2n_moments(x + c * l->hw, l->hw, 0.0f, &l->row_sum[row * d + c],
                    &l->row_product[row * d + c]);
}

/* x = norm_1(z + SiLU(norm(post))) */
static void
rows_post(gsize begin, gsize end, guint thread, gpointer data)
{
    M2nLearner *l = data;
    const M2nWorker *w = &l->worker[thread];
    const M2nBlockAt *b = &l->places.block[l->layer];
    const gsize d = l->config.hid_T, n = d * l->hw;
    const M2nGroupNorm shape = {d, l->hw, 1};

    for (gsize r = begin; r < end; r++) {
        float *x = l->x + r * n;
        const float *z = l->z + r * n;

        project(l, w, &b->post, l->mixed + r * n, l->t->post + r * n, x, &l->t->norm_post, r);
        m2n_silu(x, x, n);
#pragma omp simd
        for (gsize i = 0; i < n; i++)
            x[i] += z[i];
        m2n_group_norm(&shape, x, x, l->weights + b->norm_1[0], l->weights + b->norm_1[1],
                       l->t->norm_1.mean + r, l->t->norm_1.rstd + r);
        channel_moments(l, r, x);
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

/* y = x + factor scale[c] branch */
static void
add_residual(const M2nLearner *l, float *y, const float *x, const float *branch, const float *scale,
             float factor)
{
    for (gsize c = 0; c < l->config.hid_T; c++) {
        const float s = factor * scale[c];

#pragma omp simd
        for (gsize p = c * l->hw; p < (c + 1) * l->hw; p++)
            y[p] = x[p] + s * branch[p];
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
    const gsize d = l->config.hid_T, n = d * l->hw;
    const M2nDepthwise five = {d, l->height, l->width, 5, 1},
                       seven = {d, l->height, l->width, 7, 3};
    float *y = w->row[0], *g = w->row[1], *out = w->row[2];

    for (gsize r = begin; r < end; r++) {
        const gsize at = r * n;
        float *conv1 = t->conv1 + at;

        m2n_batch_norm_apply(d, l->hw, y, l->x + at, l->scale, l->shift);
        m2n_linear(w, t->proj_1 + at, y, d, d, l->hw, weights + b->proj_1.weight,
                   weights + b->proj_1.bias);
        m2n_gelu(g, t->proj_1 + at, n);
        m2n_depthwise(&five, t->dw5 + at, g, weights + b->dw5.weight, weights + b->dw5.bias);
        m2n_depthwise(&seven, t->dw7 + at, t->dw5 + at, weights + b->dw7.weight,
                      weights + b->dw7.bias);
        m2n_linear(w, conv1, t->dw7 + at, d, d, l->hw, weights + b->conv1.weight,
                   weights + b->conv1.bias);
#pragma omp simd
        for (gsize i = 0; i < n; i++)
            g[i] *= conv1[i];
        m2n_linear(w, out, g, d, d, l->hw, weights + b->proj_2.weight, weights + b->proj_2.bias);
#pragma omp simd
        for (gsize i = 0; i < n; i++)
            out[i] += y[i];
        add_residual(l, t->middle + at, l->x + at, out, weights + b->layer_scale[0],
                     m2n_learner_keep(l, 0, r));
        channel_moments(l, r, t->middle + at);
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
    const gsize d = l->config.hid_T, n = d * l->hw;
    const M2nDepthwise three = {4 * d, l->height, l->width, 3, 1};
    const M2nGroupNorm norm = {d, l->hw, 1};
    float *y = w->row[0], *wide = w->wide[0];

    for (gsize r = begin; r < end; r++) {
        const float *middle = t->middle + r * n, *x = l->x + r * n;
        float *sum = t->sum + r * n;

        m2n_batch_norm_apply(d, l->hw, y, middle, l->scale, l->shift);
        m2n_linear(w, t->wide + 4 * r * n, y, 4 * d, d, l->hw, weights + b->fc1.weight,
                   weights + b->fc1.bias);
        m2n_depthwise(&three, wide, t->wide + 4 * r * n, weights + b->dw3.weight,
                      weights + b->dw3.bias);
        m2n_gelu(wide, wide, 4 * n);
        m2n_linear(w, y, wide, d, 4 * d, l->hw, weights + b->fc2.weight, weights + b->fc2.bias);
        add_residual(l, sum, middle, y, weights + b->layer_scale[1], m2n_learner_keep(l, 1, r));
#pragma omp simd
        for (gsize i = 0; i < n; i++)
            sum[i] += 2.0f * x[i];
        m2n_group_norm(&norm, l->z + r * n, sum, weights + b->norm_2[0], weights + b->norm_2[1],
                       t->norm_2.mean + r, t->norm_2.rstd + r);
    }
}

void
m2n_learner_block(M2nLearner *l, gboolean again)
{
    l->t = &l->trace[l->layer];
    m2n_parallel_for(l->pool, l->rows, rows_project, l);
    m2n_parallel_for(l->pool, l->batch, items_attend, l);
    m2n_parallel_for(l->pool, l->rows, rows_post, l);
    finish_statistics(l, 0, again);
    m2n_parallel_for(l->pool, l->rows, rows_gate, l);
    finish_statistics(l, 1, again);
    m2n_parallel_for(l->pool, l->rows, rows_mlp, l);
}

/* ---- the whole ------------------------------------------------------------------------------ */

static void
rows_in(gsize begin, gsize end, guint thread, gpointer data)
{
    const M2nLearner *l = data;
    const gsize d = l->config.hid_T, c = channels(l);

    for (gsize r = begin; r < end; r++)
        m2n_linear(&l->worker[thread], l->z + r * d * l->hw, l->latent + r * c * l->hw, d, c, l->hw,
                   l->weights + l->places.conv1.weight, l->weights + l->places.conv1.bias);
}

static void
rows_out(gsize begin, gsize end, guint thread, gpointer data)
{
    const M2nLearner *l = data;
    const gsize d = l->config.hid_T, c = channels(l);

    for (gsize r = begin; r < end; r++)
        m2n_linear(&l->worker[thread], l->out + r * c * l->hw, l->z + r * d * l->hw, c, d, l->hw,
                   l->weights + l->places.conv2.weight, l->weights + l->places.conv2.bias);
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
        m2n_group_norm(&norm, l->z + r * n, sum + r * n, l->weights + b->norm_2[0],
                       l->weights + b->norm_2[1], NULL, NULL);
}

void
m2n_learner_block_input(M2nLearner *l, const float *latent)
{
    l->latent = latent;
    m2n_parallel_for(l->pool, l->rows, l->layer == 0 ? rows_in : rows_again, l);
}

void
m2n_learner_translate(M2nLearner *l, float *weights, const guint8 *keep, const float *latent,
                      float *out)
{
    l->weights = weights;
    l->keep = keep;
    l->latent = latent;
    l->out = out;
    m2n_parallel_for(l->pool, l->rows, rows_in, l);
    for (l->layer = 0; l->layer < l->config.N_T; l->layer++)
        m2n_learner_block(l, FALSE);
    m2n_parallel_for(l->pool, l->rows, rows_out, l);
}
