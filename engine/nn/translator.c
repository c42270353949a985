/* The translator: buffers, attention across variables, and the order of the passes. */
#include "engine/nn/translator.h"

#include <math.h>
#include <string.h>

#include "engine/ops/attention.h"
#include "engine/ops/depthwise.h"

#define PARTS 16u       /* for threads to share what is made before a pass of products */
#define RIM_COLUMNS 16u /* the 9 of the dilated 7x7 filter, rounded up so that rows stay aligned */

/* ---- buffers ----------------------------------------------------------------------------- */

void
m2n_translator_init(M2nTranslator *t, const M2nModel *model, guint batch)
{
    const M2nConfig *c = &model->config;
    const guint shrink = m2n_config_shrink(c);

    t->model = model;
    t->batch = batch;
    t->rows = (gsize)batch * c->variables;
    t->height = c->height / shrink;
    t->width = c->width / shrink;
    t->hw = t->height * t->width;
    t->panels = (t->hw + M2N_PANEL - 1) / M2N_PANEL;
    t->d = c->hid_T;
    t->ts = (gsize)c->steps * c->hid_S;
    t->wide_channels = 4 * t->d + 2; /* see the header */
    t->pitch = (t->width + M2N_PANEL - 1) / M2N_PANEL * M2N_PANEL + 2 * RIM_COLUMNS;
    t->plane_size = t->height * t->pitch;
}

static void
lay_out_scratch(M2nTranslator *t, M2nArena *arena, M2nTranslatorScratch *s)
{
    for (guint i = 0; i < 2; i++) {
        s->panel[i] = m2n_arena_floats(arena, 2 * t->d * M2N_PANEL);
        s->plane[i] = m2n_arena_floats(arena, t->plane_size);
        if (s->plane[i] != NULL) { /* its rim stays zero for ever; passes write the inside */
            memset(s->plane[i], 0, t->plane_size * sizeof(float));
            s->plane[i] += RIM_COLUMNS;
        }
    }
    m2n_product_lay_out(&s->product, arena, t->model->precision, MAX(4 * t->d, t->ts), s->panel[0]);
    s->heads =
        m2n_arena_floats(arena, 2 * t->model->config.variables * t->d / M2N_HEADS * M2N_PANEL);
    s->image = m2n_arena_floats(arena, t->height * (t->pitch - 2 * RIM_COLUMNS));
}

/* The most that one pass needs. */
static gsize
more_floats(const M2nModel *m)
{
    const M2nBlock *b = &m->block[0];
    const gsize hidden = m2n_matrix_expanded_floats(&b->conv1) +
                         m2n_matrix_expanded_floats(&b->proj_2) +
                         m2n_matrix_expanded_floats(&b->fc1);
    const gsize ends =
        MAX(m2n_matrix_expanded_floats(&m->conv1), m2n_matrix_expanded_floats(&m->conv2));

    return MAX(MAX(hidden, ends), m2n_matrix_expanded_floats(&b->fc2));
}

void
m2n_translator_lay_out(M2nTranslator *t, M2nArena *arena, guint threads)
{
    const gsize v = t->model->config.variables, panels = t->rows * t->panels;
    const gsize vector = t->rows * t->d;

    t->deep = m2n_arena_floats(arena, panels * 2 * t->d * M2N_PANEL);
    t->wide = m2n_arena_floats(arena, panels * MAX(t->wide_channels, t->ts) * M2N_PANEL);
    t->latent = t->wide;
    for (guint i = 0; i < M2N_N_NORMS; i++) {
        t->scale[i] = m2n_arena_floats(arena, vector);
        t->shift[i] = m2n_arena_floats(arena, vector);
    }
    for (guint i = 0; i < 2; i++) {
        t->residual[i] = m2n_arena_floats(arena, vector);
        t->doubled[i] = m2n_arena_floats(arena, vector);
    }
    t->more[0] = m2n_arena_floats(arena, more_floats(t->model));
    t->mix = m2n_arena_floats(arena, vector * v);
    t->mix_shift = m2n_arena_floats(arena, vector);
    t->moments = (gpointer)m2n_arena_floats(arena, 3 * panels * sizeof(M2nMoments) / sizeof(float));
    t->score = (gpointer)m2n_arena_floats(arena, t->batch * M2N_HEADS * t->panels * v * v * 2);
    for (guint i = 0; i < threads; i++) {
        M2nTranslatorScratch one = {0};

        lay_out_scratch(t, arena, &one);
        if (t->scratch != NULL)
            t->scratch[i] = one;
    }
    if (t->latent != NULL &&
        t->hw % M2N_PANEL != 0) /* lanes past hw are computed with, though to no effect */
        memset(t->latent, 0, panels * t->ts * M2N_PANEL * sizeof(float));
}

/* ---- products -------------------------------------------------------------------------- */

/* item = part of PARTS */
static void
pass_expand(gsize begin, gsize end, guint thread, gpointer data)
{
    const M2nTranslator *t = data;

    (void)thread;
    for (gsize part = begin; part < end; part++)
        for (gsize i = 0; i < M2N_MATRICES && t->matrix[i] != NULL; i++)
            m2n_matrix_expand(t->matrix[i], part, PARTS, t->more[i]);
}

void
m2n_translator_products(M2nTranslator *t, M2nTask pass, gsize n, const M2nMatrix *const *matrix)
{
    for (gsize i = 0; i < M2N_MATRICES; i++) {
        t->matrix[i] = i < n ? matrix[i] : NULL;
        if (i > 0 && i < n)
            t->more[i] = t->more[i - 1] + m2n_matrix_expanded_floats(matrix[i - 1]);
    }
    if (t->hw >= 2 * M2N_PANEL) /* else there are no pairs */
        m2n_parallel_each(t->pool, PARTS, pass_expand, t);
    m2n_parallel_each(t->pool, m2n_translator_items(t), pass, t);
}

/* ---- norms ------------------------------------------------------------------------------- */

void
m2n_translator_finish_norm(M2nTranslator *t, guint moments_slot, M2nNormSlot slot,
                           const M2nNorm *norm)
{
    for (gsize r = 0; r < t->rows; r++) {
        double mean, rstd;

        m2n_moments_finish(t->moments + (moments_slot * t->rows + r) * t->panels, t->panels, &mean,
                           &rstd);
        for (gsize c = 0; c < t->d; c++) {
            const double scale = rstd * (double)norm->gamma[c];

            t->scale[slot][r * t->d + c] = (float)scale;
            t->shift[slot][r * t->d + c] = (float)((double)norm->beta[c] - mean * scale);
        }
    }
}

/* z or x of a row's panels, with its norm to be applied. */
static M2nOperand
normalised(const M2nTranslator *t, M2nNormSlot slot, const float *x, gsize row)
{
    return (M2nOperand){x, 2 * t->d * M2N_PANEL, t->scale[slot] + row * t->d,
                        t->shift[slot] + row * t->d};
}

/* ---- passes: item = row * panels + panel ---------------------------------------------------- */

static void
pass_begin(gsize begin, gsize end, guint thread, gpointer data)
{
    const M2nTranslator *t = data;

    for (gsize item = begin; item < end; item++) {
        const M2nPanels p = m2n_translator_item(t, item);

        const M2nOperand x = {t->latent + p.first * t->ts * M2N_PANEL, t->ts * M2N_PANEL, NULL,
                              NULL};

        m2n_product(&t->model->conv1, t->more[0], &t->scratch[thread].product, p.n, x,
                    m2n_translator_z(t, p.first), 2 * t->d * M2N_PANEL);
    }
}

static void
pass_end(gsize begin, gsize end, guint thread, gpointer data)
{
    const M2nTranslator *t = data;

    for (gsize item = begin; item < end; item++) {
        const M2nPanels p = m2n_translator_item(t, item);

        m2n_product(&t->model->conv2, t->more[0], &t->scratch[thread].product, p.n,
                    normalised(t, M2N_NORM_Z, m2n_translator_z(t, p.first), p.row),
                    t->latent + p.first * t->ts * M2N_PANEL, t->ts * M2N_PANEL);
    }
}

static void
pass_project(gsize begin, gsize end, guint thread, gpointer data)
{
    const M2nTranslator *t = data;
    const gsize size = t->d * M2N_PANEL;

    for (gsize item = begin; item < end; item++) {
        const M2nPanels p = m2n_translator_item(t, item);

        m2n_product(&t->model->block[t->layer].qkv, t->more[0], &t->scratch[thread].product, p.n,
                    normalised(t, M2N_NORM_Z, m2n_translator_z(t, p.first), p.row),
                    m2n_translator_wide(t, p.first), t->wide_channels * M2N_PANEL);
        for (gsize i = p.first; i < p.first + p.n; i++)
            for (gsize s = 0; s < 3; s++)
                m2n_panel_moments(t->d, m2n_translator_lanes(t, i % t->panels),
                                  m2n_translator_wide(t, i) + s * size,
                                  &t->moments[s * t->rows * t->panels + i]);
    }
}

/* The channels of one head of q or k, normalised, lanes past hw zero. */
static void
fetch_head(const M2nTranslator *t, M2nNormSlot slot, gsize row, gsize panel, gsize head, float *out)
{
    const gsize n = t->d / M2N_HEADS, at = row * t->d + head * n;
    const gsize lanes = m2n_translator_lanes(t, panel);
    const float *const in[] = {m2n_translator_wide(t, row * t->panels + panel) +
                               (slot * t->d + head * n) * M2N_PANEL};
    const float *const scale[] = {t->scale[slot] + at};

    m2n_panel_combine(n, 1, in, scale, t->shift[slot] + at, out);
    for (gsize c = 0; lanes < M2N_PANEL && c < n; c++)
        memset(out + c * M2N_PANEL + lanes, 0, (M2N_PANEL - lanes) * sizeof(float));
}

/* item = (batch item * heads + head) * panels + panel: its part of the scores */
static void
pass_score(gsize begin, gsize end, guint thread, gpointer data)
{
    const M2nTranslator *t = data;
    const gsize v = t->model->config.variables, n = t->d / M2N_HEADS * M2N_PANEL;
    float *q = t->scratch[thread].heads, *k = q + v * n;

    for (gsize i = begin; i < end; i++) {
        const gsize panel = i % t->panels, head = i / t->panels % M2N_HEADS;
        const gsize row = i / t->panels / M2N_HEADS * v;

        for (gsize j = 0; j < v; j++) {
            fetch_head(t, M2N_NORM_Q, row + j, panel, head, q + j * n);
            fetch_head(t, M2N_NORM_K, row + j, panel, head, k + j * n);
        }
        for (gsize a = 0; a < v; a++)
            for (gsize b = 0; b < v; b++)
                t->score[(i * v + a) * v + b] = m2n_attention_dot(q + a * n, k + b * n, n);
    }
}

/* Softmax, and v's norm folded with the weights: mixed = sum_j mix_j v_j + mix_shift. */
static void
finish_scores(M2nTranslator *t)
{
    const gsize v = t->model->config.variables, n = t->d / M2N_HEADS;
    const double scale = 1.0 / sqrt((double)(n * t->hw));

    for (gsize bh = 0; bh < t->batch * M2N_HEADS; bh++) {
        double *score = t->score + bh * t->panels * v * v;

        for (gsize i = v * v; i < t->panels * v * v; i++)
            score[i % (v * v)] += score[i];
        for (gsize i = 0; i < v * v; i++)
            score[i] *= scale;
        for (gsize i = 0; i < v; i++)
            m2n_softmax(score + i * v, v);
    }
    for (gsize i = 0; i < t->rows * t->d; i++) {
        const gsize row = i / t->d, c = i % t->d, first = row / v * v;
        const double *weight =
            t->score + ((row / v * M2N_HEADS + c / n) * t->panels * v + row % v) * v;
        double shift = 0.0;

        for (gsize j = 0; j < v; j++) {
            const gsize from = (first + j) * t->d + c;

            t->mix[(row * v + j) * t->d + c] =
                (float)(weight[j] * (double)t->scale[M2N_NORM_V][from]);
            shift += weight[j] * (double)t->shift[M2N_NORM_V][from];
        }
        t->mix_shift[i] = (float)shift;
    }
}

/* Here item = (batch item * items of a row + item) * V + variable: rows that mix the same panels come one after
 * the other and find them in L2. */
static void
pass_mix(gsize begin, gsize end, guint thread, gpointer data)
{
    const M2nTranslator *t = data;
    const gsize v = t->model->config.variables, size = t->d * M2N_PANEL;
    const gsize items = m2n_translator_items(t) / t->rows;
    float *in = t->scratch[thread].panel[0];

    for (gsize item = begin; item < end; item++) {
        const gsize first = item / v / items * v, row = first + item % v;
        const M2nPanels p = m2n_translator_item(t, row * items + item / v % items);
        const gsize panel = p.first % t->panels;

        for (gsize k = 0; k < p.n; k++) {
            const float *values[M2N_MAX_COMBINE], *scale[M2N_MAX_COMBINE];

            for (gsize j = 0; j < v; j++) {
                values[j] = m2n_translator_wide(t, (first + j) * t->panels + panel + k) + 2 * size;
                scale[j] = t->mix + (row * v + j) * t->d;
            }
            m2n_panel_combine(t->d, v, values, scale, t->mix_shift + row * t->d, in + k * size);
        }
        m2n_product(&t->model->block[t->layer].post, t->more[0], &t->scratch[thread].product, p.n,
                    (M2nOperand){in, size, NULL, NULL}, m2n_translator_x(t, p.first), 2 * size);
        for (gsize i = p.first; i < p.first + p.n; i++)
            m2n_panel_moments(t->d, m2n_translator_lanes(t, i % t->panels), m2n_translator_x(t, i),
                              &t->moments[i]);
    }
}

/* x = z + silu(norm(x)) */
static void
pass_residual(gsize begin, gsize end, guint thread, gpointer data)
{
    const M2nTranslator *t = data;

    (void)thread;
    for (gsize i = begin; i < end; i++) {
        const gsize at = i / t->panels * t->d;

        m2n_panel_silu_add(t->d, m2n_translator_z(t, i), t->scale[M2N_NORM_Z] + at,
                           t->shift[M2N_NORM_Z] + at, m2n_translator_x(t, i),
                           t->scale[M2N_NORM_X] + at, t->shift[M2N_NORM_X] + at);
        m2n_panel_moments(t->d, m2n_translator_lanes(t, i % t->panels), m2n_translator_x(t, i),
                          &t->moments[i]);
    }
}

/* ---- the order ----------------------------------------------------------------------------- */

void
m2n_translator_begin(M2nTranslator *t)
{
    m2n_translator_products(t, pass_begin, 1, (const M2nMatrix *[]){&t->model->conv1});
    for (gsize i = 0; i < t->rows * t->d; i++) { /* no norm before the first block */
        t->scale[M2N_NORM_Z][i] = 1.0f;
        t->shift[M2N_NORM_Z][i] = 0.0f;
    }
}

void
m2n_translator_block(M2nTranslator *t)
{
    const M2nBlock *b = &t->model->block[t->layer];
    const gsize panels = t->rows * t->panels;

    m2n_translator_products(t, pass_project, 1, (const M2nMatrix *[]){&b->qkv});
    m2n_translator_finish_norm(t, 0, M2N_NORM_Q, &b->q);
    m2n_translator_finish_norm(t, 1, M2N_NORM_K, &b->k);
    m2n_translator_finish_norm(t, 2, M2N_NORM_V, &b->v);
    m2n_parallel_each(t->pool, t->batch * M2N_HEADS * t->panels, pass_score, t);
    finish_scores(t);
    m2n_translator_products(t, pass_mix, 1, (const M2nMatrix *[]){&b->post});
    m2n_translator_finish_norm(t, 0, M2N_NORM_X, &b->post_norm);
    m2n_parallel_each(t->pool, panels, pass_residual, t);
    m2n_translator_finish_norm(t, 0, M2N_NORM_X, &b->norm_1);
    m2n_temporal_unit(t);
    m2n_translator_finish_norm(t, 0, M2N_NORM_Z, &b->norm_2);
}

void
m2n_translator_end(M2nTranslator *t)
{
    m2n_translator_products(t, pass_end, 1, (const M2nMatrix *[]){&t->model->conv2});
}
