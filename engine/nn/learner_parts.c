/* Small steps that all parts of a learner take. */
#include <math.h>
#include <string.h>

#include "engine/nn/learner_private.h"
#include "engine/ops/batch_norm.h"
#include "engine/ops/gemm.h"
#include "engine/ops/norm_backward.h"

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
    m2n_gemm(FALSE, FALSE, out, n, in, weight, in, x, n, bias != NULL, y, n, w->gemm);
}

void
m2n_linear_input(const M2nWorker *w, float *dx, const float *dy, gsize out, gsize in, gsize n,
                 const float *weight, gboolean add)
{
    m2n_gemm(TRUE, FALSE, in, n, out, weight, in, dy, n, add, dx, n, w->gemm);
}

void
m2n_linear_weight(const M2nWorker *w, float *dweight, float *dbias, const float *dy, const float *x,
                  gsize out, gsize in, gsize n)
{
    m2n_gemm(FALSE, TRUE, out, in, n, dy, n, x, n, TRUE, dweight, in, w->gemm);
    for (gsize o = 0; dbias != NULL && o < out; o++) {
        double sum, square;

        m2n_moments(dy + o * n, n, 0.0f, &sum, &square);
        dbias[o] += (float)sum;
    }
}

void
m2n_apply_norm(const M2nWorker *w, gsize channels, gsize hw, gsize groups, float *y, const float *x,
               const float *gamma, const float *beta, const float *mean, const float *rstd)
{
    const gsize per_group = channels / groups;
    float *scale = w->scale, *shift = w->scale + channels;

    for (gsize c = 0; c < channels; c++) {
        const double s = (double)gamma[c] * (double)rstd[c / per_group];

        scale[c] = (float)s;
        shift[c] = (float)((double)beta[c] - (double)mean[c / per_group] * s);
    }
    m2n_batch_norm_apply(channels, hw, y, x, scale, shift);
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
