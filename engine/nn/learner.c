/* The learner: memory of a step, and the two stages. */
#include <string.h>

#include "engine/base/cpu.h"
#include "engine/base/error.h"
#include "engine/nn/learner_private.h"
#include "engine/ops/depthwise_backward.h"
#include "engine/ops/mse.h"

/* ---- memory --------------------------------------------------------------------------------- */

static double *
doubles(M2nArena *a, gsize n)
{
    return (double *)(void *)m2n_arena_floats(a, 2 * n);
}

static M2nRowNorm
row_norm(const M2nLearner *l, M2nArena *a)
{
    M2nRowNorm n;

    n.mean = m2n_arena_floats(a, l->rows);
    n.rstd = m2n_arena_floats(a, l->rows);
    return n;
}

/* All a block keeps; one that is recomputed has its output alone for itself and shares the rest. */
static void
lay_out_trace(const M2nLearner *l, M2nArena *a, M2nTrace *t, const M2nTrace *shared)
{
    const gsize n = l->rows * l->config.hid_T * l->hw, d = l->config.hid_T;

    if (shared != NULL) {
        *t = *shared;
    } else {
        float **one[] = {&t->z,      &t->q,   &t->k,   &t->v,     &t->post,  &t->x,
                         &t->proj_1, &t->dw5, &t->dw7, &t->conv1, &t->middle};

        for (gsize i = 0; i < G_N_ELEMENTS(one); i++)
            *one[i] = m2n_arena_floats(a, n);
        t->wide = m2n_arena_floats(a, 4 * n);
    }
    t->sum = m2n_arena_floats(a, n);
    t->attention = m2n_arena_floats(a, l->rows * M2N_HEADS * l->config.variables);
    M2nRowNorm *norms[] = {&t->norm_q,    &t->norm_k, &t->norm_v,
                           &t->norm_post, &t->norm_1, &t->norm_2};
    for (gsize i = 0; i < G_N_ELEMENTS(norms); i++)
        *norms[i] = row_norm(l, a);
    for (guint i = 0; i < 2; i++) {
        t->mean[i] = m2n_arena_floats(a, d);
        t->variance[i] = m2n_arena_floats(a, d);
    }
}

/* Largest number of floats any worker's gradient stands for at one time. */
static gsize
largest_part(const M2nLearner *l)
{
    gsize n =
        MAX(l->places.translator,
            (gsize)l->config.steps * l->config.hid_S * (l->config.hid_T + 1) + l->config.hid_T);

    for (guint i = 0; i < l->config.N_T; i++)
        n = MAX(n, l->places.block[i].end - l->places.block[i].begin);
    return n;
}

static gsize
op_scratch(const M2nLearner *l)
{
    const M2nDepthwise depthwise[] = {{M2N_CHAIN, l->height, l->width, 7, 3},
                                      {M2N_CHAIN, l->height, l->width, 5, 1}};
    const M2nAttention attention = {l->config.variables, l->config.hid_T, l->hw};
    gsize n = MAX(m2n_learner_coder_scratch(l), m2n_attention_scratch(&attention));

    for (gsize i = 0; i < G_N_ELEMENTS(depthwise); i++)
        n = MAX(n, m2n_depthwise_backward_scratch(&depthwise[i]));
    return n;
}

static void
lay_out_worker(const M2nLearner *l, M2nArena *a, M2nWorker *w)
{
    const M2nConfig *c = &l->config;
    const gsize n = c->hid_T * l->hw;

    for (guint i = 0; i < 5; i++)
        w->row[i] = m2n_arena_floats(a, n);
    w->wide = m2n_arena_floats(a, 4 * n);
    for (guint i = 0; i < 2; i++)
        w->chain[i] = m2n_arena_floats(a, M2N_CHAIN * l->hw);
    w->channel = m2n_arena_floats(a, c->hid_T);
    m2n_learner_lay_out_coder(l, a, w);
    if (w != l->worker) /* the first thread has the learner's */
        w->gradient = m2n_arena_floats(a, largest_part(l));
    w->gemm = m2n_arena_floats(a, m2n_learner_gemm_scratch(l));
    w->op = m2n_arena_floats(a, op_scratch(l));
}

static void
lay_out(M2nLearner *l, M2nArena *a)
{
    const M2nConfig *c = &l->config;
    const gsize d = c->hid_T, n = l->rows * d * l->hw;
    const gsize latents = l->rows * c->steps * c->hid_S * l->hw;
    float **fields[] = {&l->z, &l->dz, &l->dq, &l->dt, &l->dy, &l->mixed};
    float **vectors[] = {&l->scale, &l->shift, &l->coefficient[0], &l->coefficient[1],
                         &l->coefficient[2]};

    for (gsize i = 0; i < G_N_ELEMENTS(fields); i++)
        *fields[i] = m2n_arena_floats(a, n);
    for (gsize i = 0; i < G_N_ELEMENTS(vectors); i++)
        *vectors[i] = m2n_arena_floats(a, d);
    for (guint i = 0; i < 3; i++) {
        l->projection_scale[i] = m2n_arena_floats(a, l->rows * d);
        l->projection_shift[i] = m2n_arena_floats(a, l->rows * d);
    }
    l->row_sum = doubles(a, l->rows * d);
    l->row_product = doubles(a, l->rows * d);
    l->channel_sum = doubles(a, 2 * d);
    l->channel_product = l->channel_sum != NULL ? l->channel_sum + d : NULL; /* NULL: measuring */
    l->latent_x = m2n_arena_floats(a, latents);
    l->latent_y = m2n_arena_floats(a, latents);
    l->latent_out = m2n_arena_floats(a, latents);
    l->image_loss = doubles(a, l->rows * c->steps);
    for (guint i = 0; i < c->N_T; i++)
        lay_out_trace(l, a, &l->trace[i], i > 0 && i < l->recomputed ? &l->trace[0] : NULL);
    for (guint t = 0; t < l->threads; t++)
        lay_out_worker(l, a, &l->worker[t]);
    m2n_learner_lay_out_stages(l, a);
    if (l->recomputed == 0)
        m2n_learner_lay_out_kept(l, a);
    m2n_learner_lay_out_packed(l, a);
    l->query = m2n_arena_floats(a, l->parameters->total);
    l->key = m2n_arena_floats(a, l->parameters->total);
    l->gradient = m2n_arena_floats(a, l->parameters->total);
}

/* (transfer full) everything but the arena */
static M2nLearner *
new_empty(const M2nConfig *c, guint batch, guint threads, guint recomputed)
{
    M2nLearner *l = g_new0(M2nLearner, 1);
    const guint shrink = m2n_config_shrink(c);

    l->config = *c;
    l->batch = batch;
    l->threads = threads > 0 ? threads : g_get_num_processors();
    l->recomputed = recomputed;
    l->rows = l->all_rows = (gsize)batch * c->variables;
    l->height = c->height / shrink;
    l->width = c->width / shrink;
    l->hw = l->height * l->width;
    l->parameters = m2n_parameters_new(c);
    m2n_places_init(&l->places, c, l->parameters);
    l->trace = g_new0(M2nTrace, c->N_T);
    l->worker = g_new0(M2nWorker, l->threads);
    l->stage = g_new0(M2nPackedStage, 2 * c->variables * c->N_S);
    return l;
}

void
m2n_learner_free(M2nLearner *l)
{
    g_clear_pointer(&l->pool, m2n_pool_free);
    g_clear_pointer(&l->arena, m2n_arena_free);
    m2n_places_clear(&l->places);
    g_clear_pointer(&l->parameters, m2n_parameters_free);
    g_free(l->trace);
    g_free(l->worker);
    g_free(l->stage);
    g_free(l);
}

gsize
m2n_learner_memory(const M2nConfig *config, guint batch, guint threads, guint recomputed)
{
    g_autoptr(M2nArena) measuring = m2n_arena_new(0, NULL);
    g_autoptr(M2nLearner) l = new_empty(config, batch, threads, recomputed);

    lay_out(l, measuring);
    return m2n_arena_peak(measuring);
}

M2nLearner *
m2n_learner_new(const M2nConfig *config, guint batch, guint threads, gsize max_memory,
                GError **error)
{
    guint recomputed = 0;
    gsize need = m2n_learner_memory(config, batch, threads, 0);

    if (!m2n_isa_check(error))
        return NULL;
    while (max_memory > 0 && need > max_memory && recomputed < config->N_T)
        need = m2n_learner_memory(config, batch, threads, ++recomputed);
    if (max_memory > 0 && need > max_memory) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY,
                    "a training step of batch %u needs at least %" G_GSIZE_FORMAT
                    " MiB, %" G_GSIZE_FORMAT " MiB are allowed",
                    batch, (need >> 20) + 1, max_memory >> 20);
        return NULL;
    }
    g_autoptr(M2nLearner) l = new_empty(config, batch, threads, recomputed);
    l->arena = m2n_arena_new(need, error);
    if (l->arena == NULL)
        return NULL;
    lay_out(l, l->arena);
    memset(l->query, 0, l->parameters->total * sizeof(float));
    memset(l->key, 0, l->parameters->total * sizeof(float));
    l->pool = m2n_pool_new(l->threads, error);
    return l->pool != NULL ? g_steal_pointer(&l) : NULL;
}

/* ---- what callers see ------------------------------------------------------------------------- */

void
m2n_learner_join(M2nLearner *l, M2nGroup *group, guint whole_batch)
{
    l->group = group;
    l->all_rows = (gsize)whole_batch * l->config.variables;
}

const M2nParameters *
m2n_learner_parameters(const M2nLearner *l)
{
    return l->parameters;
}

guint
m2n_learner_recomputed(const M2nLearner *l)
{
    return l->recomputed;
}

M2nPool *
m2n_learner_pool(const M2nLearner *l)
{
    return l->pool;
}

float *
m2n_learner_query(M2nLearner *l)
{
    return l->query;
}

float *
m2n_learner_key(M2nLearner *l)
{
    return l->key;
}

float *
m2n_learner_gradient(M2nLearner *l)
{
    return l->gradient;
}

gsize
m2n_learner_translator(const M2nLearner *l)
{
    return l->places.translator;
}

/* ---- one step --------------------------------------------------------------------------------- */

/* latent_y, which is the target, becomes the gradient of MSE(latent_out, latent_y). */
static void
rows_latent_loss(gsize begin, gsize end, guint thread, gpointer data)
{
    const M2nLearner *l = data;
    const gsize n = (gsize)l->config.steps * l->config.hid_S * l->hw;
    const float scale = (float)(2.0 / ((double)n * (double)l->all_rows));

    (void)thread;
    for (gsize r = begin; r < end; r++) {
        const float *out = l->latent_out + r * n;
        float *target = l->latent_y + r * n;

        l->image_loss[r] = m2n_mse(out, target, n);
#pragma omp simd
        for (gsize i = 0; i < n; i++)
            target[i] = scale * (out[i] - target[i]);
    }
}

/* This process's part of it. */
static double
latent_loss(M2nLearner *l)
{
    double sum = 0.0;

    m2n_parallel_for(l->pool, l->rows, rows_latent_loss, l);
    for (gsize r = 0; r < l->rows; r++)
        sum += l->image_loss[r];
    return sum / (double)l->all_rows;
}

void
m2n_learner_step(M2nLearner *l, const float *x, const float *y, const M2nDropPath *drop,
                 M2nLosses *losses)
{
    m2n_learner_clear_gradient(l);
    m2n_learner_pack_stages(l);

    /* stage 1: encoders and decoders, through the key translator */
    m2n_learner_encode(l, x, l->latent_x, TRUE);
    m2n_learner_translate(l, l->key, drop != NULL ? drop->key : NULL, l->latent_x, l->latent_out);
    losses->reconstruction = m2n_learner_decode(l, l->latent_out, y, l->latent_y);
    l->latent = l->latent_x;
    m2n_learner_translate_backward(l, l->latent_y, l->latent_out);
    m2n_learner_encode_backward(l, x, l->latent_out);
    m2n_group_begin_sum(l->group, l->gradient, l->places.translator);

    /* stage 2: the query translator, between latents that do not move */
    m2n_learner_encode(l, y, l->latent_y, FALSE);
    m2n_learner_translate(l, l->query, drop != NULL ? drop->query : NULL, l->latent_x,
                          l->latent_out);
    losses->prediction = m2n_learner_decode(l, l->latent_out, y, NULL);
    losses->latent = latent_loss(l);
    l->latent = l->latent_x;
    m2n_learner_translate_backward(l, l->latent_y, NULL);
    m2n_group_finish_sums(l->group);
    double all[3] = {losses->reconstruction, losses->latent, losses->prediction};
    m2n_group_sum(l->group, all, G_N_ELEMENTS(all));
    *losses = (M2nLosses){all[0], all[1], all[2]};
}
