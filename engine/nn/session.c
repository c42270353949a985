/* M2nSession: the forward pass.  Images (one variable at one step) go through encoder and decoder one per
 * thread, the translator works on all rows at once. */
#include "engine/nn/session.h"

#include "engine/base/arena.h"
#include "engine/base/cpu.h"
#include "engine/base/error.h"
#include "engine/nn/coder.h"
#include "engine/nn/translator.h"

struct M2nSession {
    M2nModel *model;
    M2nPool *pool;
    M2nArena *arena;
    M2nTranslator translator;
    M2nCoderScratch *coder; /* [threads] */

    const float *x; /* of the running forecast */
    float *y;
};

/* ---- memory ---------------------------------------------------------------------------- */

static void
lay_out(M2nSession *s, M2nArena *arena, guint threads)
{
    m2n_translator_lay_out(&s->translator, arena, threads);
    for (guint i = 0; i < threads; i++) {
        M2nCoderScratch one;

        m2n_coder_lay_out(&one, s->translator.model, arena);
        if (s->coder != NULL)
            s->coder[i] = one;
    }
}

gsize
m2n_session_memory(const M2nModel *m, guint batch, guint threads)
{
    g_autoptr(M2nArena) measuring = m2n_arena_new(0, NULL);
    M2nSession s = {0};

    m2n_translator_init(&s.translator, m, batch);
    lay_out(&s, measuring, threads > 0 ? threads : g_get_num_processors());
    return m2n_arena_peak(measuring);
}

M2nSession *
m2n_session_new(M2nModel *m, guint batch, guint threads, gsize max_memory, GError **error)
{
    g_assert(batch > 0);
    if (!m2n_isa_check(error))
        return NULL;
    if (threads == 0)
        threads = g_get_num_processors();
    const gsize need = m2n_session_memory(m, batch, threads);
    if (max_memory > 0 && need > max_memory) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY,
                    "a forecast needs %" G_GSIZE_FORMAT " MiB, %" G_GSIZE_FORMAT " MiB are allowed",
                    (need >> 20) + 1, max_memory >> 20);
        return NULL;
    }
    g_autoptr(M2nSession) s = g_new0(M2nSession, 1);
    s->model = m2n_model_ref(m);
    s->coder = g_new0(M2nCoderScratch, threads);
    s->translator.scratch = g_new0(M2nTranslatorScratch, threads);
    s->arena = m2n_arena_new(need, error);
    if (s->arena == NULL)
        return NULL;
    m2n_translator_init(&s->translator, m, batch);
    lay_out(s, s->arena, threads);
    s->pool = m2n_pool_new(threads, error);
    s->translator.pool = s->pool;
    return s->pool != NULL ? g_steal_pointer(&s) : NULL;
}

void
m2n_session_free(M2nSession *s)
{
    g_clear_pointer(&s->pool, m2n_pool_free);
    g_clear_pointer(&s->arena, m2n_arena_free);
    g_free(s->translator.scratch);
    g_free(s->coder);
    m2n_model_unref(s->model);
    g_free(s);
}

/* ---- images ------------------------------------------------------------------------------ */

/* Where image number i, (b*T + step)*V + v as in x, is kept in the translator's latent. */
static void
locate(const M2nSession *s, gsize image, guint *variable, float **row, gsize *channel)
{
    const M2nConfig *c = &s->model->config;
    const M2nTranslator *t = &s->translator;
    const gsize step = image / c->variables % c->steps;

    *variable = (guint)(image % c->variables);
    *row = t->latent + (image / c->variables / c->steps * c->variables + *variable) * t->panels *
                           t->ts * M2N_PANEL;
    *channel = step * c->hid_S;
}

static void
encode_images(gsize begin, gsize end, guint thread, gpointer data)
{
    const M2nSession *s = data;
    const M2nConfig *c = &s->model->config;

    for (gsize image = begin; image < end; image++) {
        guint variable;
        gsize channel;
        float *row;

        locate(s, image, &variable, &row, &channel);
        m2n_encode_image(s->model, &s->coder[thread], variable, s->x + image * c->height * c->width,
                         row, s->translator.ts, channel);
    }
}

static void
decode_images(gsize begin, gsize end, guint thread, gpointer data)
{
    const M2nSession *s = data;
    const M2nConfig *c = &s->model->config;

    for (gsize image = begin; image < end; image++) {
        guint variable;
        gsize channel;
        float *row;

        locate(s, image, &variable, &row, &channel);
        m2n_decode_image(s->model, &s->coder[thread], variable, row, s->translator.ts, channel,
                         s->y + image * c->height * c->width);
    }
}

/* ---- the whole ---------------------------------------------------------------------------- */

static gboolean
report(M2nProgressFunc progress, gpointer user_data, guint done, guint all, GError **error)
{
    if (progress == NULL || progress((double)done / all, "forecast", user_data))
        return TRUE;
    g_set_error(error, M2N_ERROR, M2N_ERROR_CANCELLED, "forecast stopped");
    return FALSE;
}

gboolean
m2n_session_run(M2nSession *s, const float *x, float *y, M2nProgressFunc progress,
                gpointer user_data, GError **error)
{
    const M2nConfig *c = &s->model->config;
    M2nTranslator *t = &s->translator;
    const gsize images = t->rows * c->steps;
    const guint all = c->N_T + 2;

    s->x = x;
    s->y = y;
    m2n_parallel_each(s->pool, images, encode_images, s);
    if (!report(progress, user_data, 1, all, error))
        return FALSE;
    m2n_translator_begin(t);
    for (t->layer = 0; t->layer < c->N_T; t->layer++) {
        m2n_translator_block(t);
        if (!report(progress, user_data, t->layer + 2, all, error))
            return FALSE;
    }
    m2n_translator_end(t);
    m2n_parallel_each(s->pool, images, decode_images, s);
    return report(progress, user_data, all, all, error);
}
