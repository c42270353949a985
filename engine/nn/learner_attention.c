/* Gradient of the attention half of a block: from d(x), x = norm_1(z + SiLU(norm(post))), to d(z). */
#include <string.h>

#include "engine/nn/learner_private.h"
#include "engine/ops/activation.h"
#include "engine/ops/activation_backward.h"
#include "engine/ops/attention_backward.h"
#include "engine/ops/norm_backward.h"
#include "engine/ops/pointwise.h"

static float *
gradient(const M2nLearner *l, const M2nWorker *w, gsize offset)
{
    return l->learn ? m2n_worker_gradient(l, w, offset) : NULL;
}

/* dz: gradient of x -> of z along the residual; dy: gradient of the mixed values */
static void
rows_post(gsize begin, gsize end, guint thread, gpointer data)
{
    const M2nLearner *l = data;
    const M2nWorker *w = &l->worker[thread];
    const M2nBlockAt *b = &l->places.block[l->layer];
    const M2nTrace *t = l->t;
    const float *gamma_1 = l->weights + b->norm_1[0], *gamma = l->weights + b->post.gamma;
    const gsize d = l->config.hid_T, hw = l->hw, n = d * hw;
    float *sum = w->row[0], *ds = w->row[1], *normed = w->row[2];

    for (gsize r = begin; r < end; r++) {
        const float *post = t->post + r * n, rstd_1 = t->norm_1.rstd[r],
                    rstd = t->norm_post.rstd[r];
        float *dz = l->dz + r * n, k[2];

        m2n_learner_post(l, r, sum, post, t->z + r * n);
        m2n_group_norm_coefficients(d, hw, dz, sum, gamma_1, t->norm_1.mean[r], rstd_1, &k[0],
                                    &k[1], gradient(l, w, b->norm_1[0]),
                                    gradient(l, w, b->norm_1[1]));
        for (gsize c = 0; c < d; c++) {
            const gsize p = c * hw;

            m2n_blend(dz + p, dz + p, sum + p, hw, rstd_1 * gamma_1[c], k[0], k[1]);
            m2n_norm_channel(normed, post + p, hw, gamma[c], l->weights[b->post.beta + c],
                             t->norm_post.mean[r], rstd);
            m2n_silu_backward(ds + p, dz + p, normed, hw);
        }
        m2n_group_norm_coefficients(d, hw, ds, post, gamma, t->norm_post.mean[r], rstd, &k[0],
                                    &k[1], gradient(l, w, b->post.gamma),
                                    gradient(l, w, b->post.beta));
        for (gsize c = 0; c < d; c++)
            m2n_blend(ds + c * hw, ds + c * hw, post + c * hw, hw, rstd * gamma[c], k[0], k[1]);
        if (l->learn)
            m2n_linear_weight(w, gradient(l, w, b->post.weight), NULL, ds, l->mixed + r * n, d, d,
                              hw);
        m2n_linear_input(w, l->dy + r * n, ds, d, d, hw, l->packed.post, FALSE);
    }
}

/* One head of one item at a time.  dt and mixed have served: they take dk and dv. */
static void
heads_backward(gsize begin, gsize end, guint thread, gpointer data)
{
    const M2nLearner *l = data;
    const gsize v = l->config.variables, item = v * l->config.hid_T * l->hw;
    const M2nAttention shape = {v, l->config.hid_T, l->hw};

    for (gsize i = begin; i < end; i++) {
        const gsize b = i / M2N_HEADS, at = b * item;
        const M2nAttentionInput q = m2n_learner_projection(l, 0, b),
                                k = m2n_learner_projection(l, 1, b),
                                value = m2n_learner_projection(l, 2, b);

        m2n_attention_backward(&shape, i % M2N_HEADS, l->dq + at, l->dt + at, l->mixed + at,
                               l->dy + at, l->t->attention + b * M2N_HEADS * v * v, &q, &k, &value,
                               l->worker[thread].op);
    }
}

/* dnormed -> dz += weight^T dconv, and the projection's own gradients */
static void
project_backward(const M2nLearner *l, const M2nWorker *w, const M2nProjectionAt *at,
                 const float *packed, gsize r, const float *dnormed, const float *conv,
                 const M2nRowNorm *row_norm)
{
    const gsize d = l->config.hid_T, n = d * l->hw;
    const M2nGroupNorm norm = {d, l->hw, 1};
    float *dconv = w->row[0];

    m2n_group_norm_backward(&norm, dconv, dnormed + r * n, conv + r * n, l->weights + at->gamma,
                            row_norm->mean + r, row_norm->rstd + r, gradient(l, w, at->gamma),
                            gradient(l, w, at->beta));
    if (l->learn)
        m2n_linear_weight(w, gradient(l, w, at->weight), NULL, dconv, l->t->z + r * n, d, d, l->hw);
    m2n_linear_input(w, l->dz + r * n, dconv, d, d, l->hw, packed, TRUE);
}

static void
rows_project(gsize begin, gsize end, guint thread, gpointer data)
{
    const M2nLearner *l = data;
    const M2nWorker *w = &l->worker[thread];
    const M2nBlockAt *b = &l->places.block[l->layer];
    const M2nTrace *t = l->t;

    for (gsize r = begin; r < end; r++) {
        project_backward(l, w, &b->q, l->packed.q, r, l->dq, t->q, &t->norm_q);
        project_backward(l, w, &b->k, l->packed.k, r, l->dt, t->k, &t->norm_k);
        project_backward(l, w, &b->v, l->packed.v, r, l->mixed, t->v, &t->norm_v);
    }
}

void
m2n_learner_attention_backward(M2nLearner *l)
{
    m2n_learner_fold_projections(l);
    if (l->learn)
        m2n_learner_mix(l);
    m2n_learner_rows(l, rows_post);
    m2n_parallel_for(l->pool, (gsize)l->batch * M2N_HEADS, heads_backward, l);
    m2n_learner_rows(l, rows_project);
}
