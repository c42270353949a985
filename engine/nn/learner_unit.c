/* Gradient of the temporal unit, second half of a block: from d(output) to d(x), x = norm_1(...).
 *
 * With t = 2x + middle + s2 M(BN(middle)) and middle = x + s1 (G(BN(x)) + BN(x)), rows are walked twice, for
 * each batch norm needs the sums of all rows before its gradient can go on. */
#include <string.h>

#include "engine/nn/learner_private.h"
#include "engine/ops/activation.h"
#include "engine/ops/activation_backward.h"
#include "engine/ops/attention.h"
#include "engine/ops/batch_norm.h"
#include "engine/ops/depthwise.h"
#include "engine/ops/depthwise_backward.h"
#include "engine/ops/gemm.h"
#include "engine/ops/norm_backward.h"
#include "engine/ops/pointwise.h"

static float *
gradient(const M2nLearner *l, const M2nWorker *w, gsize offset)
{
    return l->learn ? m2n_worker_gradient(l, w, offset) : NULL;
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

/* One row on its way back; which arrays are in use is said where they are. */
typedef struct {
    const M2nLearner *l;
    gsize at; /* of the row in [R][D][P] */
    float keep;
    float *df;                    /* MLP */
    float *g, *product, *y;       /* gate */
    float *dg, *dproduct, *spare; /* its convolutions */
} Row;

/* l->dt is the gradient of the sum and of middle: dm = scale keep dt of all channels */
static void
scale_channels(const M2nLearner *l, float *dm, const float *dt, gsize scale, float keep)
{
    for (gsize c = 0; c < l->config.hid_T; c++)
        m2n_scale_shift(dm + c * l->hw, dt + c * l->hw, l->hw, keep * l->weights[scale + c], 0.0f);
}

/* Hidden channels of a row at a time: a panel of m2n_gemm's, if a buffer of one row holds them. */
static gsize
group(const M2nLearner *l)
{
    return MIN(32, l->config.hid_T);
}

/* df: gradient of h = gelu(dw3(f1)) -> of f1; to learn from, h too */
static void
mlp_chain(const M2nWorker *w, const Row *row, gsize c, gsize channels, float *h)
{
    const M2nLearner *l = row->l;
    const M2nBlockAt *b = &l->places.block[l->layer];
    const M2nDepthwise three = {channels, l->height, l->width, 3, 1};
    const gsize n = channels * l->hw;
    const float *f1 = l->t->wide + 4 * row->at + c * l->hw,
                *weight = l->weights + b->dw3.weight + 9 * c;
    float *df = row->df + c * l->hw, *f3 = w->chain[0];

    m2n_depthwise(&three, f3, f1, weight, l->weights + b->dw3.bias + c, w->op);
    if (l->learn)
        m2n_gelu(h, f3, n);
    m2n_gelu_backward(f3, df, f3, n);
    if (l->learn)
        m2n_depthwise_backward_weight(&three, gradient(l, w, b->dw3.weight + 9 * c),
                                      gradient(l, w, b->dw3.bias + c), f3, f1, w->op);
    m2n_depthwise_backward_input(&three, df, f3, weight, w->op);
}

/* Some groups of hidden channels, and fc2's weights' gradient for each while h is in cache. */
static void
mlp_groups(const M2nWorker *w, gsize begin, gsize end, gconstpointer data)
{
    const Row *row = data;
    const M2nLearner *l = row->l;
    const gsize d = l->config.hid_T, hw = l->hw;
    float *h = w->row[1];

    for (gsize g = begin * group(l); g < MIN(end * group(l), 4 * d); g += group(l)) {
        const gsize channels = MIN(group(l), 4 * d - g);

        for (gsize c = 0; c < channels; c += M2N_CHAIN)
            mlp_chain(w, row, g + c, MIN(M2N_CHAIN, channels - c), h + c * hw);
        if (l->learn)
            m2n_gemm(FALSE, TRUE, d, channels, hw, l->dt + row->at, hw, h, hw, TRUE,
                     gradient(l, w, l->places.block[l->layer].fc2.weight + g), 4 * d, w->gemm);
    }
}

/* dt (gradient of the sum) -> l->dy (gradient of the batch norm's output), one kept row.  Weight
 * gradients of fc2 are those without layer scale and drop path: finish_scale() multiplies them. */
static void
mlp_row(M2nLearner *l, const M2nWorker *w, gsize r, float keep)
{
    const M2nBlockAt *b = &l->places.block[l->layer];
    const gsize d = l->config.hid_T, hw = l->hw, n = d * hw, at = r * n;
    const Row row = {.l = l, .at = at, .df = w->wide};
    float *y = w->row[0];

    m2n_scale_shift(w->channel, l->weights + b->layer_scale[1], d, keep, 0.0f);
    m2n_linear_input_scaled(w, row.df, l->dt + at, w->channel, d, 4 * d, hw, l->packed.fc2);
    m2n_share(w, (4 * d + group(l) - 1) / group(l), mlp_groups, &row);
    if (l->learn) {
        m2n_linear_bias(gradient(l, w, b->fc2.bias), l->dt + at, d, hw);
        m2n_batch_norm_apply(d, hw, y, l->t->middle + at, l->scale, l->shift);
        m2n_linear_weight(w, gradient(l, w, b->fc1.weight), gradient(l, w, b->fc1.bias), row.df, y,
                          4 * d, d, hw);
    }
    m2n_linear_input(w, l->dy + at, row.df, 4 * d, d, hw, l->packed.fc1, FALSE);
}

static void
rows_mlp(gsize begin, gsize end, guint thread, gpointer data)
{
    M2nLearner *l = data;
    const M2nWorker *w = &l->worker[thread];
    const M2nBlockAt *b = &l->places.block[l->layer];
    const M2nTrace *t = l->t;
    const float *gamma = l->weights + b->norm_2[0];
    const gsize d = l->config.hid_T, hw = l->hw, n = d * hw;

    for (gsize r = begin; r < end; r++) {
        const float keep = m2n_learner_keep(l, 1, r), rstd = t->norm_2.rstd[r];
        const float *sum = t->sum + r * n;
        float *dt = l->dt + r * n, *dz = l->dz + r * n, k[2];

        m2n_group_norm_coefficients(d, hw, dz, sum, gamma, t->norm_2.mean[r], rstd, &k[0], &k[1],
                                    gradient(l, w, b->norm_2[0]), gradient(l, w, b->norm_2[1]));
        for (gsize c = 0; c < d; c++) {
            const gsize p = c * hw;

            m2n_blend(dt + p, dz + p, sum + p, hw, rstd * gamma[c], k[0], k[1]);
            m2n_scale_shift(dz + p, dt + p, hw, 2.0f, 0.0f);
        }
        if (keep > 0.0f)
            mlp_row(l, w, r, keep);
        else
            memset(l->dy + r * n, 0, n * sizeof(float));
        row_sums(l, r, t->middle + r * n, t->mean[1]);
    }
}

/* ---- gate ----------------------------------------------------------------------------------- */

/* g = gelu(proj_1); to learn from, its product with conv1, y = BatchNorm(x), and what layer scale 1 gets through y
 * itself: sum of dt y. */
static void
gate_hidden(const M2nWorker *w, gsize begin, gsize end, gconstpointer data)
{
    const Row *row = data;
    const M2nLearner *l = row->l;
    const gsize hw = l->hw, scale = l->places.block[l->layer].layer_scale[0];

    for (gsize c = begin; c < end; c++) {
        const gsize p = c * hw, at = row->at + p;
        double sum, product;

        m2n_gelu(row->g + p, l->t->proj_1 + at, hw);
        if (!l->learn)
            continue;
        m2n_multiply(row->product + p, l->t->conv1 + at, row->g + p, hw);
        m2n_scale_shift(row->y + p, l->t->x + at, hw, l->scale[c], l->shift[c]);
        m2n_norm_backward_variants[m2n_isa()].sums(l->dt + at, row->y + p, hw, 0.0f, &sum,
                                                   &product);
        *gradient(l, w, scale + c) += row->keep * (float)product;
    }
}

/* dproduct: gradient of conv1 g -> of conv1; dg: what of g's comes through the product */
static void
gate_product(const M2nWorker *w, gsize begin, gsize end, gconstpointer data)
{
    const Row *row = data;
    const M2nLearner *l = row->l;
    const gsize p = begin * l->hw, n = (end - begin) * l->hw;

    (void)w;
    m2n_multiply(row->dg + p, row->dproduct + p, l->t->conv1 + row->at + p, n);
    m2n_multiply(row->dproduct + p, row->dproduct + p, row->g + p, n);
}

/* spare: gradient of dw7's output.  dg becomes that of proj_1, through both depthwise convolutions. */
static void
gate_convolutions(const M2nWorker *w, gsize begin, gsize end, gconstpointer data)
{
    const Row *row = data;
    const M2nLearner *l = row->l;
    const M2nBlockAt *b = &l->places.block[l->layer];
    const gsize d = l->config.hid_T, hw = l->hw;
    float *d5 = w->chain[0], *through = w->chain[1];

    for (gsize c = begin * M2N_CHAIN; c < MIN(end * M2N_CHAIN, d); c += M2N_CHAIN) {
        const gsize some = MIN(M2N_CHAIN, d - c), p = c * hw, at = row->at + p;
        const M2nDepthwise five = {some, l->height, l->width, 5, 1},
                           seven = {some, l->height, l->width, 7, 3};
        const float *d7 = row->spare + p;
        float *dg = row->dg + p;

        m2n_depthwise_backward_input(&seven, d5, d7, l->weights + b->dw7.weight + 49 * c, w->op);
        m2n_depthwise_backward_input(&five, through, d5, l->weights + b->dw5.weight + 25 * c,
                                     w->op);
        if (l->learn) {
            m2n_depthwise_backward_weight(&seven, gradient(l, w, b->dw7.weight + 49 * c),
                                          gradient(l, w, b->dw7.bias + c), d7, l->t->dw5 + at,
                                          w->op);
            m2n_depthwise_backward_weight(&five, gradient(l, w, b->dw5.weight + 25 * c),
                                          gradient(l, w, b->dw5.bias + c), d5, row->g + p, w->op);
        }
        m2n_add_scaled(dg, dg, through, some * hw, 1.0f);
        m2n_gelu_backward(dg, dg, l->t->proj_1 + at, some * hw);
    }
}

/* l->dt (gradient of middle) -> l->dy (gradient of the batch norm's output), one kept row */
static void
gate_row(M2nLearner *l, const M2nWorker *w, gsize r, float keep)
{
    const M2nBlockAt *b = &l->places.block[l->layer];
    const gsize d = l->config.hid_T, hw = l->hw, at = r * d * hw;
    const Row row = {.l = l,
                     .at = at,
                     .keep = keep,
                     .spare = w->row[0],
                     .g = w->row[1],
                     .product = w->row[2],
                     .dproduct = w->row[2],
                     .dg = w->row[3],
                     .y = w->row[4]};
    float *dy = l->dy + at;

    m2n_share(w, d, gate_hidden, &row);
    if (l->learn)
        m2n_linear_weight(w, gradient(l, w, b->proj_2.weight), gradient(l, w, b->proj_2.bias),
                          l->dt + at, row.product, d, d, hw);
    scale_channels(l, dy, l->dt + at, b->layer_scale[0], keep);
    m2n_linear_input(w, row.dproduct, dy, d, d, hw, l->packed.proj_2, FALSE);
    m2n_share(w, d, gate_product, &row);
    if (l->learn)
        m2n_linear_weight(w, gradient(l, w, b->conv1.weight), gradient(l, w, b->conv1.bias),
                          row.dproduct, l->t->dw7 + at, d, d, hw);
    m2n_linear_input(w, row.spare, row.dproduct, d, d, hw, l->packed.conv1, FALSE);
    m2n_share(w, (d + M2N_CHAIN - 1) / M2N_CHAIN, gate_convolutions, &row);
    if (l->learn)
        m2n_linear_weight(w, gradient(l, w, b->proj_1.weight), gradient(l, w, b->proj_1.bias),
                          row.dg, row.y, d, d, hw);
    m2n_linear_input(w, dy, row.dg, d, d, hw, l->packed.proj_1, TRUE);
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
        m2n_add_scaled(dz, dz, dt, n, 1.0f);
        if (keep > 0.0f)
            gate_row(l, w, r, keep);
        else
            memset(l->dy + r * n, 0, n * sizeof(float));
        row_sums(l, r, l->t->x + r * n, l->t->mean[0]);
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
        m2n_norm_combine(d, l->hw, l->dz + r * n, l->dy + r * n, l->t->x + r * n, l->coefficient[0],
                         l->coefficient[1], l->coefficient[2]);
}

/* ---- layer scales --------------------------------------------------------------------------- */

/* The workers hold dW without the layer scale s and the factor k of kept rows.  Since branch = s k (W in + b),
 * ds = k (sum W dW + b db), and dW, db are then s k times themselves. */
static void
finish_scale(const M2nLearner *l, const M2nWorker *w, gsize scale, const M2nLinearAt *at, gsize in)
{
    const float kept = m2n_learner_kept(l);
    float *dscale = gradient(l, w, scale), *db = gradient(l, w, at->bias);

    for (gsize c = 0; c < l->config.hid_T; c++) {
        const float s = kept * l->weights[scale + c], *weight = l->weights + at->weight + c * in;
        float *dw = gradient(l, w, at->weight + c * in);
        const double sum =
            (double)l->weights[at->bias + c] * (double)db[c] + m2n_attention_dot(weight, dw, in);

        m2n_scale_shift(dw, dw, in, s, 0.0f);
        dscale[c] += kept * (float)sum;
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
    m2n_learner_rows(l, rows_mlp);
    finish_sums(l, 1);
    m2n_learner_fold(l, 0);
    m2n_learner_rows(l, rows_gate);
    finish_sums(l, 0);
    m2n_learner_rows(l, rows_last);
    if (l->learn)
        m2n_parallel_for(l->pool, l->threads, workers_finish, l);
}
