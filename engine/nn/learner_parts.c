/* Small steps that all parts of a learner take. */
#include <math.h>
#include <string.h>

#include "engine/nn/learner_private.h"
#include "engine/ops/batch_norm.h"
#include "engine/ops/gemm.h"
#include "engine/ops/norm_backward.h"
#include "engine/ops/pointwise.h"

/* ---- threads -------------------------------------------------------------------------------- */

void
m2n_learner_rows(M2nLearner *l, M2nTask task)
{
    const gsize whole = l->rows / l->threads * l->threads;
    M2nWorker *first = &l->worker[0];

    m2n_parallel_for(l->pool, whole, task, l);
    if (whole == l->rows)
        return;
    first->pool = l->threads > 1 ? l->pool : NULL;
    first->team = l->worker;
    task(whole, l->rows, 0, l);
    first->pool = NULL;
}

typedef struct {
    const M2nWorker *team;
    M2nShare task;
    gconstpointer data;
} Share;

static void
share(gsize begin, gsize end, guint thread, gpointer data)
{
    const Share *s = data;

    s->task(&s->team[thread], begin, end, s->data);
}

void
m2n_share(const M2nWorker *w, gsize n, M2nShare task, gconstpointer data)
{
    Share s = {w->team, task, data};

    if (w->pool == NULL)
        task(w, 0, n, data);
    else
        m2n_parallel_for(w->pool, n, share, &s);
}

/* ---- matrix products ------------------------------------------------------------------------ */

typedef struct {
    gboolean ta, tb, add;
    gsize m, n, k, lda, ldb;
    const float *a, *b;
    float *c; /* [m][n] */
} Product;

#define COLUMNS 32u /* as wide as a panel of m2n_gemm */

/* columns begin * COLUMNS ... */
static void
multiply(const M2nWorker *w, gsize begin, gsize end, gconstpointer data)
{
    const Product *p = data;
    const gsize j = begin * COLUMNS, n = MIN(end * COLUMNS, p->n) - j;

    m2n_gemm(p->ta, p->tb, p->m, n, p->k, p->a, p->lda, p->b + (p->tb ? j * p->ldb : j), p->ldb,
             p->add, p->c + j, p->n, w->gemm);
}

static void
product(const M2nWorker *w, const Product *p)
{
    m2n_share(w, (p->n + COLUMNS - 1) / COLUMNS, multiply, p);
}

void
m2n_linear(const M2nWorker *w, float *y, const float *x, gsize out, gsize in, gsize n,
           const float *weight, const float *bias)
{
    for (gsize o = 0; bias != NULL && o < out; o++) {
        const float b = bias[o];

#pragma omp simd
        for (gsize i = o * n; i < (o + 1) * n; i++)
            y[i] = b;
    }
    product(w, &(Product){FALSE, FALSE, bias != NULL, out, n, in, in, n, weight, x, y});
}

void
m2n_linear_input(const M2nWorker *w, float *dx, const float *dy, gsize out, gsize in, gsize n,
                 const float *weight, gboolean add)
{
    product(w, &(Product){TRUE, FALSE, add, in, n, out, in, n, weight, dy, dx});
}

void
m2n_linear_weight(const M2nWorker *w, float *dweight, float *dbias, const float *dy, const float *x,
                  gsize out, gsize in, gsize n)
{
    product(w, &(Product){FALSE, TRUE, TRUE, out, in, n, n, n, dy, x, dweight});
    for (gsize o = 0; dbias != NULL && o < out; o++) {
        double sum, square;

        m2n_moments(dy + o * n, n, 0.0f, &sum, &square);
        dbias[o] += (float)sum;
    }
}

/* ---- norms ---------------------------------------------------------------------------------- */

void
m2n_norm_channel(float *y, const float *x, gsize hw, float gamma, float beta, float mean,
                 float rstd)
{
    const double s = (double)gamma * (double)rstd;

    m2n_scale_shift(y, x, hw, (float)s, (float)((double)beta - (double)mean * s));
}

void
m2n_apply_norm(gsize channels, gsize hw, gsize groups, float *y, const float *x, const float *gamma,
               const float *beta, const float *mean, const float *rstd)
{
    const gsize per_group = channels / groups;

    for (gsize c = 0; c < channels; c++)
        m2n_norm_channel(y + c * hw, x + c * hw, hw, gamma[c], beta[c], mean[c / per_group],
                         rstd[c / per_group]);
}

float
m2n_learner_keep(const M2nLearner *l, guint which, gsize row)
{
    if (l->keep == NULL)
        return 1.0f;
    return l->keep[(2 * l->layer + which) * l->rows + row]
               ? (float)(1.0 / (1.0 - l->config.drop_path))
               : 0.0f;
}

void
m2n_learner_fold(M2nLearner *l, guint which)
{
    const M2nBatchNormAt *at = &l->places.block[l->layer].batch_norm[which];

    m2n_batch_norm_fold(l->config.hid_T, l->t->mean[which], l->t->variance[which],
                        l->weights + at->gamma, l->weights + at->beta, l->scale, l->shift);
}

/* ---- gradients of one part, per thread ------------------------------------------------------ */

typedef struct {
    M2nLearner *l;
    gsize begin, end;
} Part;

void
m2n_learner_begin_part(M2nLearner *l, gsize begin, gsize end)
{
    l->part = begin;
    for (guint t = 0; t < l->threads; t++)
        memset(l->worker[t].gradient, 0, (end - begin) * sizeof(float));
}

static void
add_part(gsize begin, gsize end, guint thread, gpointer data)
{
    const Part *p = data;
    float *g = p->l->gradient + p->begin;

    (void)thread;
    for (guint t = 0; t < p->l->threads; t++) {
        const float *one = p->l->worker[t].gradient;

#pragma omp simd
        for (gsize i = begin; i < end; i++)
            g[i] += one[i];
    }
}

void
m2n_learner_end_part(M2nLearner *l, gsize begin, gsize end)
{
    Part p = {l, begin, end};

    m2n_parallel_for(l->pool, end - begin, add_part, &p);
}

void
m2n_learner_sum_rows(M2nLearner *l)
{
    const gsize d = l->config.hid_T;

    memset(l->channel_sum, 0, 2 * d * sizeof(double));
    for (gsize r = 0; r < l->rows; r++)
        for (gsize c = 0; c < d; c++) {
            l->channel_sum[c] += l->row_sum[r * d + c];
            l->channel_product[c] += l->row_product[r * d + c];
        }
    m2n_group_sum(l->group, l->channel_sum, 2 * d);
}
