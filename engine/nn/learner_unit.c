/* Gradient of the temporal unit, second half of a block: from d(output) to d(x), x = norm_1(...).
 *
 * With t = 2x + middle + s2 M(BN(middle)) and middle = x + s1 (G(BN(x)) + BN(x)), rows are walked twice, for
 * each batch norm needs the sums of all rows before its gradient can go on. */
#include <string.h>

#include "engine/nn/learner_private.h"
#include "engine/ops/activation.h"
#include "engine/ops/activation_backward.h"
#include "engine/ops/batch_norm.h"
#include "engine/ops/depthwise.h"
#include "engine/ops/depthwise_backward.h"
#include "engine/ops/norm_backward.h"

static float *
gradient(const M2nLearner *l, const M2nWorker *w, gsize offset)
{
    return l->learn ? m2n_worker_gradient(l, w, offset) : NULL;
}

/* y[c][p] = s[c] factor x[c][p] */
static void
scale_channels(const M2nLearner *l, float *y, const float *x, const float *s, float factor)
{
    for (gsize c = 0; c < l->config.hid_T; c++) {
        const float f = s[c] * factor;

#pragma omp simd
        for (gsize p = c * l->hw; p < (c + 1) * l->hw; p++)
            y[p] = f * x[p];
    }
}

/* The sums of one row that its batch norm's gradient needs: dy in l->dy, x its input. */
static void
row_sums(M2nLearner *l, gsize r, const float *x, const float *mean)
{
    const gsize d = l->config.hid_T;

    memset(l->row_sum + r * d, 0, d * sizeof(double));
    memset(l->row_product + r * d, 0, d * sizeof(double));
    m2n_batch_norm_sums(d, l->hw, l->dy + r * d * l->hw, x, mean, l->row_sum + r * d,
                        l->row_product + r * d);
}

/* Coefficients of batch norm `which` from the rows' sums.  Those are of the whole group, and so are gamma's
 * and beta's gradients: one process alone may add them. */
static void
finish_sums(M2nLearner *l, guint which)
{
    const M2nBatchNormAt *at = &l->places.block[l->layer].batch_norm[which];
    const gboolean add = m2n_group_rank(l->group) == 0;
    float *const *k = l->coefficient;

    m2n_learner_sum_rows(l);
    m2n_batch_norm_coefficients(l->all_rows, l->config.hid_T, l->hw, l->channel_sum,
                                l->channel_product, l->weights + at->gamma, l->t->mean[which],
                                l->t->variance[which], k[0], k[1], k[2],
                                add ? gradient(l, &l->worker[0], at->gamma) : NULL,
                                add ? gradient(l, &l->worker[0], at->beta) : NULL);
}

/* ---- MLP ------------------------------------------------------------------------------------ */

/* dt (gradient of the sum) -> l->dy (gradient of the batch norm's output), one kept row.  Weight
 * gradients of fc2 are those without layer scale: finish_scale() multiplies them. */
static void
mlp_row(M2nLearner *l, const M2nWorker *w, gsize r, float keep)
{
    const M2nBlockAt *b = &l->places.block[l->layer];
    const float *weights = l->weights, *f1 = l->t->wide + 4 * r * l->config.hid_T * l->hw;
    const gsize d = l->config.hid_T, n = d * l->hw;
    const M2nDepthwise three = {4 * d, l->height, l->width, 3, 1};
    float *f3 = w->wide[0], *df = w->wide[1], *dm = w->row[0], *y = w->row[1];

    m2n_depthwise(&three, f3, f1, weights + b->dw3.weight, weights + b->dw3.bias);
    if (l->learn) {
        m2n_gelu(df, f3, 4 * n);
#pragma omp simd
        for (gsize i = 0; i < n; i++)
            dm[i] = keep * l->dt[r * n + i];
        m2n_linear_weight(w, gradient(l, w, b->fc2.weight), gradient(l, w, b->fc2.bias), dm, df, d,
                          4 * d, l->hw);
    }
    scale_channels(l, dm, l->dt + r * n, weights + b->layer_scale[1], keep);
    m2n_linear_input(w, df, dm, d, 4 * d, l->hw, weights + b->fc2.weight, FALSE);
    m2n_gelu_backward(df, df, f3, 4 * n);
    if (l->learn)
        m2n_depthwise_backward_weight(&three, gradient(l, w, b->dw3.weight),
                                      gradient(l, w, b->dw3.bias), df, f1, w->op);
    memset(f3, 0, 4 * n * sizeof *f3);
    m2n_depthwise_backward_input(&three, f3, df, weights + b->dw3.weight, w->op);
    if (l->learn) {
        m2n_batch_norm_apply(d, l->hw, y, l->t->middle + r * n, l->scale, l->shift);
        m2n_linear_weight(w, gradient(l, w, b->fc1.weight), gradient(l, w, b->fc1.bias), f3, y,
                          4 * d, d, l->hw);
    }
    m2n_linear_input(w, l->dy + r * n, f3, 4 * d, d, l->hw, weights + b->fc1.weight, FALSE);
}

static void
rows_mlp(gsize begin, gsize end, guint thread, gpointer data)
{
    M2nLearner *l = data;
    const M2nWorker *w = &l->worker[thread];
    const M2nBlockAt *b = &l->places.block[l->layer];
    const gsize d = l->config.hid_T, n = d * l->hw;
    const M2nGroupNorm norm = {d, l->hw, 1};

    for (gsize r = begin; r < end; r++) {
        const float keep = m2n_learner_keep(l, 1, r);
        float *dt = l->dt + r * n, *dz = l->dz + r * n;

        memset(dt, 0, n * sizeof *dt);
        m2n_group_norm_backward(&norm, dt, dz, l->t->sum + r * n, l->weights + b->norm_2[0],
                                l->t->norm_2.mean + r, l->t->norm_2.rstd + r,
                                gradient(l, w, b->norm_2[0]), gradient(l, w, b->norm_2[1]));
#pragma omp simd
        for (gsize i = 0; i < n; i++)
            dz[i] = 2.0f * dt[i];
        if (keep > 0.0f)
            mlp_row(l, w, r, keep);
        else
            memset(l->dy + r * n, 0, n * sizeof(float));
        row_sums(l, r, l->t->middle + r * n, l->t->mean[1]);
    }
}

/* ---- gate ----------------------------------------------------------------------------------- */

/* Gradient of layer scale 1 that comes through the batch norm's output itself: sum of dG y. */
static void
add_scale_gradient(const M2nLearner *l, float *dscale, const float *dg, const float *y)
{
    for (gsize c = 0; c < l->config.hid_T; c++) {
        double sum, product;

        m2n_norm_backward_variants[m2n_isa()].sums(dg + c * l->hw, y + c * l->hw, l->hw, 0.0f, &sum,
                                                   &product);
        dscale[c] += (float)product;
    }
}

/* dproduct -> d(gelu output): through the product and both depthwise convolutions */
static void
gate_convolutions(const M2nLearner *l, const M2nWorker *w, gsize at, float *dproduct,
                  const float *g, float *dg, float *spare)
{
    const M2nBlockAt *b = &l->places.block[l->layer];
    const float *weights = l->weights, *conv1 = l->t->conv1 + at;
    const gsize d = l->config.hid_T, n = d * l->hw;
    const M2nDepthwise five = {d, l->height, l->width, 5, 1},
                       seven = {d, l->height, l->width, 7, 3};

#pragma omp simd
    for (gsize i = 0; i < n; i++) {
        dg[i] = dproduct[i] * conv1[i];
        dproduct[i] *= g[i]; /* d(conv1) from here on */
    }
    if (l->learn)
        m2n_linear_weight(w, gradient(l, w, b->conv1.weight), gradient(l, w, b->conv1.bias),
                          dproduct, l->t->dw7 + at, d, d, l->hw);
    m2n_linear_input(w, spare, dproduct, d, d, l->hw, weights + b->conv1.weight, FALSE);
    if (l->learn)
        m2n_depthwise_backward_weight(&seven, gradient(l, w, b->dw7.weight),
                                      gradient(l, w, b->dw7.bias), spare, l->t->dw5 + at, w->op);
    memset(dproduct, 0, n * sizeof *dproduct);
    m2n_depthwise_backward_input(&seven, dproduct, spare, weights + b->dw7.weight, w->op);
    if (l->learn)
        m2n_depthwise_backward_weight(&five, gradient(l, w, b->dw5.weight),
                                      gradient(l, w, b->dw5.bias), dproduct, g, w->op);
    m2n_depthwise_backward_input(&five, dg, dproduct, weights + b->dw5.weight, w->op);
}

/* l->dt (gradient of middle) -> l->dy (gradient of the batch norm's output), one kept row */
static void
gate_row(M2nLearner *l, const M2nWorker *w, gsize r, float keep)
{
    const M2nBlockAt *b = &l->places.block[l->layer];
    const gsize d = l->config.hid_T, n = d * l->hw, at = r * n;
    const float *weights = l->weights, *proj_1 = l->t->proj_1 + at;
    float *dout = w->row[0], *g = w->row[1], *product = w->row[2], *dg = w->row[3], *y = w->row[4],
          *dy = l->dy + at;

    m2n_gelu(g, proj_1, n);
    if (l->learn) {
        const float *conv1 = l->t->conv1 + at;

#pragma omp simd
        for (gsize i = 0; i < n; i++) {
            product[i] = conv1[i] * g[i];
            dout[i] = keep * l->dt[at + i];
        }
        m2n_batch_norm_apply(d, l->hw, y, l->x + at, l->scale, l->shift);
        m2n_linear_weight(w, gradient(l, w, b->proj_2.weight), gradient(l, w, b->proj_2.bias), dout,
                          product, d, d, l->hw);
        add_scale_gradient(l, gradient(l, w, b->layer_scale[0]), dout, y);
    }
    scale_channels(l, dy, l->dt + at, weights + b->layer_scale[0], keep);
    m2n_linear_input(w, product, dy, d, d, l->hw, weights + b->proj_2.weight, FALSE);
    gate_convolutions(l, w, at, product, g, dg, dout);
    m2n_gelu_backward(dg, dg, proj_1, n);
    if (l->learn)
        m2n_linear_weight(w, gradient(l, w, b->proj_1.weight), gradient(l, w, b->proj_1.bias), dg,
                          y, d, d, l->hw);
    m2n_linear_input(w, dy, dg, d, d, l->hw, weights + b->proj_1.weight, TRUE);
}

static void
rows_gate(gsize begin, gsize end, guint thread, gpointer data)
{
    M2nLearner *l = data;
    const M2nWorker *w = &l->worker[thread];
    const gsize d = l->config.hid_T, n = d * l->hw;

    for (gsize r = begin; r < end; r++) {
        const float keep = m2n_learner_keep(l, 0, r);
        float *dt = l->dt + r * n, *dz = l->dz + r * n;

        /* the other batch norm's gradient completes that of middle */
        m2n_norm_combine(d, l->hw, dt, l->dy + r * n, l->t->middle + r * n, l->coefficient[0],
                         l->coefficient[1], l->coefficient[2]);
#pragma omp simd
        for (gsize i = 0; i < n; i++)
            dz[i] += dt[i];
        if (keep > 0.0f)
            gate_row(l, w, r, keep);
        else
            memset(l->dy + r * n, 0, n * sizeof(float));
        row_sums(l, r, l->x + r * n, l->t->mean[0]);
    }
}

/* dz += gradient through the first batch norm: now d(x) is complete */
static void
rows_last(gsize begin, gsize end, guint thread, gpointer data)
{
    M2nLearner *l = data;
    const gsize d = l->config.hid_T, n = d * l->hw;

    (void)thread;
    for (gsize r = begin; r < end; r++)
        m2n_norm_combine(d, l->hw, l->dz + r * n, l->dy + r * n, l->x + r * n, l->coefficient[0],
                         l->coefficient[1], l->coefficient[2]);
}

/* ---- layer scales --------------------------------------------------------------------------- */

/* The workers hold dW without the layer scale s.  Since branch = s (W in + b), ds = sum W dW + b db, and
 * dW, db are then s times themselves. */
static void
finish_scale(const M2nLearner *l, const M2nWorker *w, gsize scale, const M2nLinearAt *at, gsize in)
{
    float *dscale = gradient(l, w, scale), *db = gradient(l, w, at->bias);

    for (gsize c = 0; c < l->config.hid_T; c++) {
        const float s = l->weights[scale + c], *weight = l->weights + at->weight + c * in;
        float *dw = gradient(l, w, at->weight + c * in);
        double sum = (double)l->weights[at->bias + c] * (double)db[c];

        for (gsize i = 0; i < in; i++) {
            sum += (double)weight[i] * (double)dw[i];
            dw[i] *= s;
        }
        dscale[c] += (float)sum;
        db[c] *= s;
    }
}

static void
workers_finish(gsize begin, gsize end, guint thread, gpointer data)
{
    const M2nLearner *l = data;
    const M2nBlockAt *b = &l->places.block[l->layer];

    (void)thread;
    for (gsize t = begin; t < end; t++) {
        finish_scale(l, &l->worker[t], b->layer_scale[0], &b->proj_2, l->config.hid_T);
        finish_scale(l, &l->worker[t], b->layer_scale[1], &b->fc2, 4 * l->config.hid_T);
    }
}

void
m2n_learner_unit_backward(M2nLearner *l)
{
    m2n_learner_fold(l, 1);
    m2n_parallel_for(l->pool, l->rows, rows_mlp, l);
    finish_sums(l, 1);
    m2n_learner_fold(l, 0);
    m2n_parallel_for(l->pool, l->rows, rows_gate, l);
    finish_sums(l, 0);
    m2n_parallel_for(l->pool, l->rows, rows_last, l);
    if (l->learn)
        m2n_parallel_for(l->pool, l->threads, workers_finish, l);
}
