/* M2nSession: the forward pass.  Images (one variable at one step) go through encoder and decoder one per
 * thread; rows (one variable of one batch item, all steps) through the translator likewise. */
#include "engine/nn/session.h"

#include <string.h>

#include "engine/base/arena.h"
#include "engine/base/cpu.h"
#include "engine/base/error.h"
#include "engine/nn/network.h"
#include "engine/ops/activation.h"
#include "engine/ops/attention.h"
#include "engine/ops/batch_norm.h"
#include "engine/ops/conv3x3.h"
#include "engine/ops/depthwise.h"
#include "engine/ops/gemm.h"
#include "engine/ops/group_norm.h"
#include "engine/ops/pixel_shuffle.h"

typedef struct {
    float *image[3];          /* [S][H][W]: one stage's input, output, and before the shuffle */
    float *wide[2], *deep[3]; /* [4D][h][w], [D][h][w] */
    float *gemm;
} Scratch;

struct M2nSession {
    M2nModel *model;
    M2nPool *pool;
    M2nArena *arena;
    gsize batch, rows, hw; /* rows = batch * V, hw of the latent grid */
    float *latent;         /* [rows][T*S][hw] */
    float *z;              /* [rows][D][hw] */
    float *q, *k, *v, *mixed;
    float *weight;    /* [batch][heads][V][V] */
    Scratch *scratch; /* [threads] */

    const float *x; /* of the running forecast */
    float *y;
    guint layer;
};

/* ---- memory ---------------------------------------------------------------------------- */

static void
lay_out(M2nSession *s, M2nArena *a, guint threads)
{
    const M2nConfig *c = &s->model->config;
    const gsize image = (gsize)c->hid_S * c->height * c->width, row = c->hid_T * s->hw;

    s->latent = m2n_arena_floats(a, s->rows * c->steps * c->hid_S * s->hw);
    s->z = m2n_arena_floats(a, s->rows * row);
    s->q = m2n_arena_floats(a, s->rows * row);
    s->k = m2n_arena_floats(a, s->rows * row);
    s->v = m2n_arena_floats(a, s->rows * row);
    s->mixed = m2n_arena_floats(a, s->rows * row);
    s->weight = m2n_arena_floats(a, s->batch * M2N_HEADS * c->variables * c->variables);
    for (guint t = 0; t < threads; t++) {
        Scratch one;

        for (guint i = 0; i < 3; i++) {
            one.image[i] = m2n_arena_floats(a, image);
            one.deep[i] = m2n_arena_floats(a, row);
        }
        one.wide[0] = m2n_arena_floats(a, 4 * row);
        one.wide[1] = m2n_arena_floats(a, 4 * row);
        one.gemm = m2n_arena_floats(a, m2n_gemm_scratch());
        if (s->scratch != NULL)
            s->scratch[t] = one;
    }
}

static void
set_sizes(M2nSession *s, M2nModel *m, guint batch)
{
    const M2nConfig *c = &m->config;
    const guint shrink = m2n_config_shrink(c);

    s->model = m;
    s->batch = batch;
    s->rows = (gsize)batch * c->variables;
    s->hw = (gsize)(c->height / shrink) * (c->width / shrink);
}

gsize
m2n_session_memory(const M2nModel *m, guint batch, guint threads)
{
    g_autoptr(M2nArena) measuring = m2n_arena_new(0, NULL);
    M2nSession s = {0};

    set_sizes(&s, (M2nModel *)m, batch);
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
    set_sizes(s, m2n_model_ref(m), batch);
    s->scratch = g_new0(Scratch, threads);
    s->arena = m2n_arena_new(need, error);
    if (s->arena == NULL)
        return NULL;
    lay_out(s, s->arena, threads);
    s->pool = m2n_pool_new(threads, error);
    return s->pool != NULL ? g_steal_pointer(&s) : NULL;
}

void
m2n_session_free(M2nSession *s)
{
    g_clear_pointer(&s->pool, m2n_pool_free);
    g_clear_pointer(&s->arena, m2n_arena_free);
    g_free(s->scratch);
    m2n_model_unref(s->model);
    g_free(s);
}

/* ---- encoder and decoder: one image ------------------------------------------------------- */

static void
norm_silu(const M2nConfig *c, const M2nStage *stage, float *x, gsize hw)
{
    const M2nGroupNorm norm = {c->hid_S, hw, 2};

    m2n_group_norm(&norm, x, x, stage->gamma, stage->beta, NULL, NULL);
    m2n_silu(x, x, c->hid_S * hw);
}

static void
encode_images(gsize begin, gsize end, guint thread, gpointer data)
{
    const M2nSession *s = data;
    const M2nConfig *c = &s->model->config;
    const Scratch *t = &s->scratch[thread];

    for (gsize image = begin; image < end; image++) { /* (b*T + step)*V + v, the order of x */
        const gsize v = image % c->variables, step = image / c->variables % c->steps;
        const gsize row = image / c->variables / c->steps * c->variables + v;
        const float *in = s->x + image * c->height * c->width;
        M2nConv3x3 shape = {1, c->hid_S, c->height, c->width, 1};

        for (guint i = 0; i < c->N_S; i++) {
            const M2nStage *stage = &s->model->encoder[v * c->N_S + i];
            float *out = i + 1 < c->N_S ? t->image[i % 2]
                                        : s->latent + (row * c->steps + step) * c->hid_S * s->hw;

            shape.stride = m2n_config_stride(i);
            m2n_conv3x3(&shape, out, in, stage->weight, stage->bias);
            shape.height /= shape.stride;
            shape.width /= shape.stride;
            shape.in = c->hid_S;
            norm_silu(c, stage, out, shape.height * shape.width);
            in = out;
        }
    }
}

static void
decode_images(gsize begin, gsize end, guint thread, gpointer data)
{
    const M2nSession *s = data;
    const M2nConfig *c = &s->model->config;
    const Scratch *t = &s->scratch[thread];

    for (gsize image = begin; image < end; image++) {
        const gsize v = image % c->variables, step = image / c->variables % c->steps;
        const gsize row = image / c->variables / c->steps * c->variables + v;
        const float *in = s->latent + (row * c->steps + step) * c->hid_S * s->hw;
        float *y = s->y + image * c->height * c->width;
        const guint shrink = m2n_config_shrink(c);
        M2nConv3x3 shape = {c->hid_S, c->hid_S, c->height / shrink, c->width / shrink, 1};

        for (guint i = 0; i < c->N_S; i++) {
            const M2nStage *stage = &s->model->decoder[v * c->N_S + i];
            const gboolean up = m2n_config_stride(c->N_S - 1 - i) == 2;
            float *out = t->image[i % 2];

            shape.out = up ? 4 * c->hid_S : c->hid_S;
            m2n_conv3x3(&shape, up ? t->image[2] : out, in, stage->weight, stage->bias);
            if (up) {
                m2n_pixel_shuffle(c->hid_S, shape.height, shape.width, out, t->image[2]);
                shape.height *= 2;
                shape.width *= 2;
            }
            norm_silu(c, stage, out, shape.height * shape.width);
            in = out;
        }
        const M2nLinear *readout = &s->model->readout[v];
        const gsize hw = (gsize)c->height * c->width;
        m2n_gemm(FALSE, FALSE, 1, hw, c->hid_S, readout->weight, c->hid_S, in, hw, FALSE, y, hw,
                 t->gemm);
        for (gsize p = 0; p < hw; p++)
            y[p] += readout->bias[0];
    }
}

/* ---- translator: one row ------------------------------------------------------------------ */

/* y[out][hw] = weight x[in][hw] + bias; bias NULL: none */
static void
conv1x1(const M2nSession *s, const Scratch *t, float *y, const float *x, gsize out, gsize in,
        const float *weight, const float *bias)
{
    m2n_gemm(FALSE, FALSE, out, s->hw, in, weight, in, x, s->hw, FALSE, y, s->hw, t->gemm);
    for (gsize c = 0; bias != NULL && c < out; c++)
        for (gsize p = 0; p < s->hw; p++)
            y[c * s->hw + p] += bias[c];
}

static void
project(const M2nSession *s, const Scratch *t, float *y, const float *x, const M2nProjection *p)
{
    const gsize d = s->model->config.hid_T;
    const M2nGroupNorm norm = {d, s->hw, 1};

    conv1x1(s, t, y, x, d, d, p->weight, NULL);
    m2n_group_norm(&norm, y, y, p->gamma, p->beta, NULL, NULL);
}

static void
rows_in(gsize begin, gsize end, guint thread, gpointer data)
{
    const M2nSession *s = data;
    const M2nConfig *c = &s->model->config;
    const gsize d = c->hid_T, ch = (gsize)c->steps * c->hid_S;

    for (gsize r = begin; r < end; r++)
        conv1x1(s, &s->scratch[thread], s->z + r * d * s->hw, s->latent + r * ch * s->hw, d, ch,
                s->model->conv1.weight, s->model->conv1.bias);
}

static void
rows_out(gsize begin, gsize end, guint thread, gpointer data)
{
    const M2nSession *s = data;
    const M2nConfig *c = &s->model->config;
    const gsize d = c->hid_T, ch = (gsize)c->steps * c->hid_S;

    for (gsize r = begin; r < end; r++)
        conv1x1(s, &s->scratch[thread], s->latent + r * ch * s->hw, s->z + r * d * s->hw, ch, d,
                s->model->conv2.weight, s->model->conv2.bias);
}

static void
rows_project(gsize begin, gsize end, guint thread, gpointer data)
{
    const M2nSession *s = data;
    const M2nBlock *b = &s->model->block[s->layer];
    const gsize row = s->model->config.hid_T * s->hw;

    for (gsize r = begin; r < end; r++) {
        project(s, &s->scratch[thread], s->q + r * row, s->z + r * row, &b->q);
        project(s, &s->scratch[thread], s->k + r * row, s->z + r * row, &b->k);
        project(s, &s->scratch[thread], s->v + r * row, s->z + r * row, &b->v);
    }
}

static void
items_attend(gsize begin, gsize end, guint thread, gpointer data)
{
    const M2nSession *s = data;
    const M2nConfig *c = &s->model->config;
    const M2nAttention shape = {c->variables, c->hid_T, s->hw};
    const gsize item = c->variables * c->hid_T * s->hw;
    const gsize weights = M2N_HEADS * c->variables * c->variables;

    (void)thread;
    for (gsize b = begin; b < end; b++)
        m2n_attention(&shape, s->mixed + b * item, s->weight + b * weights, s->q + b * item,
                      s->k + b * item, s->v + b * item);
}

/* z + layer_scale_1 G(BatchNorm(z)) */
static void
gated_attention(const M2nSession *s, const Scratch *t, const M2nBlock *b, float *z)
{
    const M2nConfig *c = &s->model->config;
    const guint shrink = m2n_config_shrink(c);
    const gsize d = c->hid_T, n = d * s->hw;
    M2nDepthwise shape = {d, c->height / shrink, c->width / shrink, 5, 1};
    float *y = t->deep[0], *gate = t->deep[1], *a = t->deep[2], *wide = t->wide[0];

    m2n_batch_norm_apply(d, s->hw, y, z, b->scale[0], b->shift[0]);
    conv1x1(s, t, gate, y, d, d, b->proj_1.weight, b->proj_1.bias);
    m2n_gelu(gate, gate, n);
    m2n_depthwise(&shape, a, gate, b->dw5.weight, b->dw5.bias);
    shape.k = 7;
    shape.dilation = 3;
    m2n_depthwise(&shape, wide, a, b->dw7.weight, b->dw7.bias);
    conv1x1(s, t, a, wide, d, d, b->conv1.weight, b->conv1.bias);
    for (gsize i = 0; i < n; i++)
        a[i] *= gate[i];
    conv1x1(s, t, gate, a, d, d, b->proj_2.weight, b->proj_2.bias);
    for (gsize i = 0; i < n; i++)
        z[i] += b->layer_scale[0][i / s->hw] * (gate[i] + y[i]);
}

/* z + layer_scale_2 M(BatchNorm(z)) */
static void
mlp(const M2nSession *s, const Scratch *t, const M2nBlock *b, float *z)
{
    const M2nConfig *c = &s->model->config;
    const guint shrink = m2n_config_shrink(c);
    const gsize d = c->hid_T, n = d * s->hw;
    const M2nDepthwise shape = {4 * d, c->height / shrink, c->width / shrink, 3, 1};
    float *y = t->deep[0];

    m2n_batch_norm_apply(d, s->hw, y, z, b->scale[1], b->shift[1]);
    conv1x1(s, t, t->wide[0], y, 4 * d, d, b->fc1.weight, b->fc1.bias);
    m2n_depthwise(&shape, t->wide[1], t->wide[0], b->dw3.weight, b->dw3.bias);
    m2n_gelu(t->wide[1], t->wide[1], 4 * n);
    conv1x1(s, t, y, t->wide[1], d, 4 * d, b->fc2.weight, b->fc2.bias);
    for (gsize i = 0; i < n; i++)
        z[i] += b->layer_scale[1][i / s->hw] * y[i];
}

static void
rows_finish(gsize begin, gsize end, guint thread, gpointer data)
{
    const M2nSession *s = data;
    const M2nBlock *b = &s->model->block[s->layer];
    const gsize d = s->model->config.hid_T, n = d * s->hw;
    const Scratch *t = &s->scratch[thread];
    const M2nGroupNorm norm = {d, s->hw, 1};

    for (gsize r = begin; r < end; r++) {
        float *z = s->z + r * n, *x = s->q + r * n; /* q is free by now */

        project(s, t, x, s->mixed + r * n, &b->post);
        m2n_silu(x, x, n);
        for (gsize i = 0; i < n; i++)
            x[i] += z[i];
        m2n_group_norm(&norm, x, x, b->norm_1[0], b->norm_1[1], NULL, NULL);
        memcpy(z, x, n * sizeof(float));
        gated_attention(s, t, b, z);
        mlp(s, t, b, z);
        for (gsize i = 0; i < n; i++)
            z[i] += 2.0f * x[i];
        m2n_group_norm(&norm, z, z, b->norm_2[0], b->norm_2[1], NULL, NULL);
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
    const gsize images = s->rows * c->steps;
    const guint all = c->N_T + 2;

    s->x = x;
    s->y = y;
    m2n_parallel_for(s->pool, images, encode_images, s);
    if (!report(progress, user_data, 1, all, error))
        return FALSE;
    m2n_parallel_for(s->pool, s->rows, rows_in, s);
    for (s->layer = 0; s->layer < c->N_T; s->layer++) {
        m2n_parallel_for(s->pool, s->rows, rows_project, s);
        m2n_parallel_for(s->pool, s->batch, items_attend, s);
        m2n_parallel_for(s->pool, s->rows, rows_finish, s);
        if (!report(progress, user_data, s->layer + 2, all, error))
            return FALSE;
    }
    m2n_parallel_for(s->pool, s->rows, rows_out, s);
    m2n_parallel_for(s->pool, images, decode_images, s);
    return report(progress, user_data, all, all, error);
}
