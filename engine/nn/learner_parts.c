/* Small steps that all parts of a learner take. */
#include <math.h>
#include <string.h>

#include "engine/nn/learner_private.h"
#include "engine/ops/batch_norm.h"
#include "engine/ops/gemm.h"
#include "engine/ops/image_gemm.h"
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
    gsize out, in, n;
    const float *packed, *bias, *x, *scale, *shift;
    gboolean add;
    float *y;
} Linear;

/* columns begin * M2N_IMAGE_COLUMNS ... */
static void
linear(const M2nWorker *w, gsize begin, gsize end, gconstpointer data)
{
    const Linear *p = data;
    const gsize j = begin * M2N_IMAGE_COLUMNS, n = MIN(end * M2N_IMAGE_COLUMNS, p->n) - j;

    m2n_image_gemm(p->out, p->in, n, p->n, p->packed, p->bias, p->x + j, p->scale, p->shift, p->add,
                   p->y + j, w->gemm);
}

static void
share_linear(const M2nWorker *w, const Linear *p)
{
    m2n_share(w, (p->n + M2N_IMAGE_COLUMNS - 1) / M2N_IMAGE_COLUMNS, linear, p);
}

void
m2n_linear(const M2nWorker *w, float *y, const float *x, gsize out, gsize in, gsize n,
           const float *packed, const float *bias)
{
    share_linear(w, &(Linear){out, in, n, packed, bias, x, NULL, NULL, FALSE, y});
}

void
m2n_linear_normed(const M2nWorker *w, float *y, const float *x, const float *scale,
                  const float *shift, gsize out, gsize in, gsize n, const float *packed,
                  const float *bias)
{
    share_linear(w, &(Linear){out, in, n, packed, bias, x, scale, shift, FALSE, y});
}

void
m2n_linear_input(const M2nWorker *w, float *dx, const float *dy, gsize out, gsize in, gsize n,
                 const float *packed, gboolean add)
{
    share_linear(w, &(Linear){in, out, n, packed, NULL, dy, NULL, NULL, add, dx});
}

void
m2n_linear_input_scaled(const M2nWorker *w, float *dx, const float *dy, const float *scale,
                        gsize out, gsize in, gsize n, const float *packed)
{
    share_linear(w, &(Linear){in, out, n, packed, NULL, dy, scale, NULL, FALSE, dx});
}

typedef struct {
    gsize out, in, n;
    const float *dy, *x;
    float *dweight;
} LinearWeight;

#define COLUMNS 32u /* as wide as a panel of m2n_gemm */

/* columns begin * COLUMNS ... of dweight */
static void
linear_weight(const M2nWorker *w, gsize begin, gsize end, gconstpointer data)
{
    const LinearWeight *p = data;
    const gsize j = begin * COLUMNS, n = MIN(end * COLUMNS, p->in) - j;

    m2n_gemm(FALSE, TRUE, p->out, n, p->n, p->dy, p->n, p->x + j * p->n, p->n, TRUE, p->dweight + j,
             p->in, w->gemm);
}

void
m2n_linear_bias(float *dbias, const float *dy, gsize out, gsize n)
{
    for (gsize o = 0; o < out; o++) {
        double sum, square;

        m2n_moments(dy + o * n, n, 0.0f, &sum, &square);
        dbias[o] += (float)sum;
    }
}

void
m2n_linear_weight(const M2nWorker *w, float *dweight, float *dbias, const float *dy, const float *x,
                  gsize out, gsize in, gsize n)
{
    m2n_share(w, (in + COLUMNS - 1) / COLUMNS, linear_weight,
              &(LinearWeight){out, in, n, dy, x, dweight});
    if (dbias != NULL)
        m2n_linear_bias(dbias, dy, out, n);
}

/* ---- packed weights ---------------------------------------------------------------------------- */

typedef struct {
    gsize weight, out, in;
    float *packed;
} Matrix;

#define N_MATRICES 9

static void
block_matrices(const M2nLearner *l, Matrix m[N_MATRICES])
{
    const M2nBlockAt *b = &l->places.block[l->layer];
    const M2nPackedBlock *p = &l->packed;
    const gsize d = l->config.hid_T;
    const Matrix all[N_MATRICES] = {
        {b->fc1.weight, 4 * d, d, p->fc1},   {b->fc2.weight, d, 4 * d, p->fc2},
        {b->q.weight, d, d, p->q},           {b->k.weight, d, d, p->k},
        {b->v.weight, d, d, p->v},           {b->post.weight, d, d, p->post},
        {b->proj_1.weight, d, d, p->proj_1}, {b->conv1.weight, d, d, p->conv1},
        {b->proj_2.weight, d, d, p->proj_2},
    };

    memcpy(m, all, sizeof all);
}

static void
pack(const M2nLearner *l, const Matrix *m)
{
    if (l->back)
        m2n_image_gemm_pack_transposed(m->in, m->out, l->weights + m->weight, m->packed);
    else
        m2n_image_gemm_pack(m->out, m->in, l->weights + m->weight, m->packed);
}

static void
pack_one(gsize begin, gsize end, guint thread, gpointer data)
{
    const M2nLearner *l = data;
    Matrix m[N_MATRICES];

    (void)thread;
    block_matrices(l, m);
    for (gsize i = begin; i < end; i++)
        pack(l, &m[i]);
}

void
m2n_learner_pack_block(M2nLearner *l, gboolean back)
{
    l->back = back;
    m2n_parallel_each(l->pool, N_MATRICES, pack_one, l);
}

void
m2n_learner_pack_end(M2nLearner *l, const M2nLinearAt *at, gsize out, gsize in, gboolean back)
{
    l->back = back;
    pack(l, &(Matrix){at->weight, out, in, l->packed.end});
}

/* A product and that with the transpose may differ in size. */
static gsize
packed_floats(gsize out, gsize in)
{
    return MAX(m2n_image_gemm_packed_floats(out, in), m2n_image_gemm_packed_floats(in, out));
}

void
m2n_learner_lay_out_packed(M2nLearner *l, M2nArena *a)
{
    const gsize d = l->config.hid_T, c = (gsize)l->config.steps * l->config.hid_S;
    M2nPackedBlock *p = &l->packed;
    float **square[] = {&p->q, &p->k, &p->v, &p->post, &p->proj_1, &p->conv1, &p->proj_2};

    for (gsize i = 0; i < G_N_ELEMENTS(square); i++)
        *square[i] = m2n_arena_floats(a, packed_floats(d, d));
    p->fc1 = m2n_arena_floats(a, packed_floats(4 * d, d));
    p->fc2 = m2n_arena_floats(a, packed_floats(d, 4 * d));
    p->end = m2n_arena_floats(a, packed_floats(c, d));
}

/* Floats of w->gemm. */
gsize
m2n_learner_gemm_scratch(const M2nLearner *l)
{
    const gsize d = l->config.hid_T, c = (gsize)l->config.steps * l->config.hid_S;
    gsize n = m2n_gemm_scratch();

    n = MAX(n, MAX(m2n_image_gemm_scratch(4 * d, d), m2n_image_gemm_scratch(d, 4 * d)));
    return MAX(n, MAX(m2n_image_gemm_scratch(c, d), m2n_image_gemm_scratch(d, c)));
}

/* ---- norms ---------------------------------------------------------------------------------- */

void
m2n_norm_channel(float *y, const float *x, gsize hw, float gamma, float beta, float mean,
                 float rstd)
{
    const double s = (double)gamma * (double)rstd;

    m2n_scale_shift(y, x, hw, (float)s, (float)((double)beta - (double)mean * s));
}

float
m2n_learner_kept(const M2nLearner *l)
{
    return l->keep == NULL ? 1.0f : (float)(1.0 / (1.0 - l->config.drop_path));
}

float
m2n_learner_keep(const M2nLearner *l, guint which, gsize row)
{
    if (l->keep == NULL)
        return 1.0f;
    return l->keep[(2 * l->layer + which) * l->rows + row] ? m2n_learner_kept(l) : 0.0f;
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

static void
clear_workers(gsize begin, gsize end, guint thread, gpointer data)
{
    const Part *p = data;

    (void)thread;
    for (gsize t = MAX(begin, 1); t < end; t++)
        memset(p->l->worker[t].gradient, 0, (p->end - p->begin) * sizeof(float));
}

void
m2n_learner_begin_part(M2nLearner *l, gsize begin, gsize end)
{
    Part p = {l, begin, end};

    l->part = begin;
    l->worker[0].gradient = l->gradient + begin;
    m2n_parallel_for(l->pool, l->threads, clear_workers, &p);
}

static void
clear_gradient(gsize begin, gsize end, guint thread, gpointer data)
{
    (void)thread;
    memset((float *)data + begin, 0, (end - begin) * sizeof(float));
}

void
m2n_learner_clear_gradient(M2nLearner *l)
{
    m2n_parallel_for(l->pool, l->parameters->total, clear_gradient, l->gradient);
}

static void
add_part(gsize begin, gsize end, guint thread, gpointer data)
{
    const Part *p = data;
    float *g = p->l->gradient + p->begin;

    (void)thread;
    for (guint t = 1; t < p->l->threads; t++) {
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

    if (l->threads > 1)
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
