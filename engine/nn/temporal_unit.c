/* The temporal attention unit: four passes over panels and planes. */
#include <string.h>

#include "engine/nn/translator.h"
#include "engine/ops/activation.h"
#include "engine/ops/depthwise.h"

#define GROUP 8u         /* channels of one item of the depthwise passes: 1 KiB of each panel */
#define HIDDEN_GROUP 32u /* the same of the hidden layer; divides 4D, as D is a multiple of 8 */
#define AHEAD 4u         /* channels whose lines are fetched before they are needed */

/* ---- depthwise convolutions ------------------------------------------------------------------ */

/* Channel `c` of a row -> the inside of a padded plane. */
static void
fetch_plane(const M2nTranslator *t, const float *panels, gsize channels, gsize c, float *plane)
{
    for (gsize i = 0; i < t->height; i++)
        m2n_panel_fetch(panels, channels, c, i * t->width, t->width, plane + i * t->pitch);
}

static void
put_image(const M2nTranslator *t, float *panels, gsize channels, gsize c, const float *image,
          gsize pitch)
{
    for (gsize i = 0; i < t->height; i++)
        m2n_panel_put(panels, channels, c, i * t->width, t->width, image + i * pitch);
}

static gsize
round_width(const M2nTranslator *t)
{
    return (t->width + M2N_PANEL - 1) / M2N_PANEL * M2N_PANEL;
}

/* The lines of channel c of a row on their way to L1: panels lie too far apart for the processor to guess. */
static void
prefetch_channel(const M2nTranslator *t, const float *row, gsize c)
{
    for (gsize p = 0; p < t->panels; p++) {
        const float *at = row + (p * t->wide_channels + c) * M2N_PANEL;

        __builtin_prefetch(at, 1);
        __builtin_prefetch(at + M2N_PANEL / 2, 1);
    }
}

/* item = row * (D / GROUP) + group: a = dw7(dw5(gate)), channel by channel.  In `wide` the gate is the third
 * quarter of each panel, a the last. */
static void
pass_gate_planes(gsize begin, gsize end, guint thread, gpointer data)
{
    const M2nTranslator *t = data;
    const M2nTranslatorScratch *s = &t->scratch[thread];
    const M2nBlock *b = &t->model->block[t->layer];
    const gsize groups = t->d / GROUP, rounded = round_width(t);
    M2nDepthwise shape = {1, t->height, t->width, 5, 1};

    for (gsize item = begin; item < end; item++) {
        float *row = m2n_translator_wide(t, item / groups * t->panels);

        for (gsize c = item % groups * GROUP; c < (item % groups + 1) * GROUP; c++) {
            prefetch_channel(t, row, 2 * t->d + c);
            prefetch_channel(t, row, 3 * t->d + c);
        }
        for (gsize c = item % groups * GROUP; c < (item % groups + 1) * GROUP; c++) {
            fetch_plane(t, row, t->wide_channels, 2 * t->d + c, s->plane[0]);
            shape.k = 5, shape.dilation = 1;
            m2n_depthwise_plane(&shape, s->plane[1], t->pitch, s->plane[0], t->pitch,
                                b->dw5.weight + c * 25, b->dw5.bias[c]);
            for (gsize i = 0; rounded > t->width && i < t->height; i++)
                memset(s->plane[1] + i * t->pitch + t->width, 0,
                       (rounded - t->width) * sizeof(float));
            shape.k = 7, shape.dilation = 3;
            if (t->width == M2N_PANEL) { /* a row of the image is one of a panel */
                m2n_depthwise_plane(&shape, row + (3 * t->d + c) * M2N_PANEL,
                                    t->wide_channels * M2N_PANEL, s->plane[1], t->pitch,
                                    b->dw7.weight + c * 49, b->dw7.bias[c]);
                continue;
            }
            m2n_depthwise_plane(&shape, s->image, rounded, s->plane[1], t->pitch,
                                b->dw7.weight + c * 49, b->dw7.bias[c]);
            put_image(t, row, t->wide_channels, 3 * t->d + c, s->image, rounded);
        }
    }
}

static void
hidden_plane(const M2nTranslator *t, const M2nTranslatorScratch *s, const M2nBlock *b, float *row,
             gsize c)
{
    const M2nDepthwise shape = {1, t->height, t->width, 3, 1};
    const gsize rounded = round_width(t);

    if (t->width == M2N_PANEL &&
        m2n_depthwise3_gelu(row + c * M2N_PANEL, t->wide_channels * M2N_PANEL, t->height,
                            b->dw3.weight + c * 9, b->dw3.bias[c]))
        return;
    fetch_plane(t, row, t->wide_channels, c, s->plane[0]);
    m2n_depthwise_plane(&shape, s->image, rounded, s->plane[0], t->pitch, b->dw3.weight + c * 9,
                        b->dw3.bias[c]);
    m2n_gelu(s->image, s->image, t->height * rounded);
    put_image(t, row, t->wide_channels, c, s->image, rounded);
}

/* item = row * (4D / GROUP) + group: hidden = gelu(dw3(hidden)) */
static void
pass_hidden_planes(gsize begin, gsize end, guint thread, gpointer data)
{
    const M2nTranslator *t = data;
    const gsize groups = 4 * t->d / HIDDEN_GROUP;

    for (gsize item = begin; item < end; item++) {
        float *row = m2n_translator_wide(t, item / groups * t->panels);
        const gsize first = item % groups * HIDDEN_GROUP, last = first + HIDDEN_GROUP;

        for (gsize c = first; c < first + AHEAD; c++)
            prefetch_channel(t, row, c);
        for (gsize c = first; c < last; c++) {
            if (c + AHEAD < last)
                prefetch_channel(t, row, c + AHEAD);
            hidden_plane(t, &t->scratch[thread], &t->model->block[t->layer], row, c);
        }
    }
}

/* ---- matrix products: item = row * panels + panel --------------------------------------------- */

/* gate = gelu(proj_1(norm_1(x))); proj_1 holds the batch norm */
static void
pass_gate(gsize begin, gsize end, guint thread, gpointer data)
{
    const M2nTranslator *t = data;
    const M2nBlock *b = &t->model->block[t->layer];
    const gsize size = t->d * M2N_PANEL, wide = t->wide_channels * M2N_PANEL;

    for (gsize item = begin; item < end; item++) {
        const M2nPanels p = m2n_translator_item(t, item);
        const M2nOperand x = {m2n_translator_x(t, p.first), 2 * size,
                              t->scale[M2N_NORM_X] + p.row * t->d,
                              t->shift[M2N_NORM_X] + p.row * t->d};
        float *gate = m2n_translator_wide(t, p.first) + 2 * size;

        m2n_product(&b->proj_1, t->more[0], &t->scratch[thread].product, p.n, x, gate, wide);
        for (gsize k = 0; k < p.n; k++)
            m2n_gelu(gate + k * wide, gate + k * wide, size);
    }
}

/* z = first residual; hidden = fc1(z), over the gate and a of the same panel */
static void
pass_hidden(gsize begin, gsize end, guint thread, gpointer data)
{
    const M2nTranslator *t = data;
    const M2nBlock *b = &t->model->block[t->layer];
    const M2nTranslatorScratch *s = &t->scratch[thread];
    const gsize size = t->d * M2N_PANEL, stride = t->wide_channels * M2N_PANEL;
    float *gated = s->panel[0], *projected = s->panel[1];

    for (gsize item = begin; item < end; item++) {
        const M2nPanels p = m2n_translator_item(t, item);
        float *wide = m2n_translator_wide(t, p.first), *z = m2n_translator_z(t, p.first);

        m2n_product(&b->conv1, t->more[0], &s->product, p.n,
                    (M2nOperand){wide + 3 * size, stride, NULL, NULL}, gated, size);
        for (gsize k = 0; k < p.n; k++)
            m2n_panel_multiply(t->d, wide + k * stride + 2 * size, gated + k * size);
        m2n_product(&b->proj_2, t->more[1], &s->product, p.n, (M2nOperand){gated, size, NULL, NULL},
                    projected, size);
        for (gsize k = 0; k < p.n; k++) {
            const float *const terms[] = {projected + k * size, m2n_translator_x(t, p.first + k)};
            const float *const scale[] = {NULL, t->residual[0] + p.row * t->d};

            m2n_panel_combine(t->d, 2, terms, scale, t->residual[1] + p.row * t->d,
                              z + 2 * k * size);
        }
        m2n_product(&b->fc1, t->more[2], &s->product, p.n, (M2nOperand){z, 2 * size, NULL, NULL},
                    wide, stride);
    }
}

/* z = 2 norm_1(x) + z + fc2(hidden); fc2 holds the layer scale */
static void
pass_output(gsize begin, gsize end, guint thread, gpointer data)
{
    const M2nTranslator *t = data;
    const M2nBlock *b = &t->model->block[t->layer];
    const gsize size = t->d * M2N_PANEL;
    float *out = t->scratch[thread].panel[0];

    for (gsize item = begin; item < end; item++) {
        const M2nPanels p = m2n_translator_item(t, item);
        float *z = m2n_translator_z(t, p.first);

        const M2nOperand hidden = {m2n_translator_wide(t, p.first), t->wide_channels * M2N_PANEL,
                                   NULL, NULL};

        m2n_product(&b->fc2, t->more[0], &t->scratch[thread].product, p.n, hidden, out, size);
        for (gsize k = 0; k < p.n; k++) {
            const float *const terms[] = {out + k * size, z + 2 * k * size,
                                          m2n_translator_x(t, p.first + k)};
            const float *const scale[] = {NULL, NULL, t->doubled[0] + p.row * t->d};

            m2n_panel_combine(t->d, 3, terms, scale, t->doubled[1] + p.row * t->d,
                              z + 2 * k * size);
            m2n_panel_moments(t->d, m2n_translator_lanes(t, (p.first + k) % t->panels),
                              z + 2 * k * size, &t->moments[p.first + k]);
        }
    }
}

void
m2n_temporal_unit(M2nTranslator *t)
{
    const M2nBlock *b = &t->model->block[t->layer];

    for (gsize i = 0; i < t->rows * t->d; i++) {
        const float scale = t->scale[M2N_NORM_X][i], shift = t->shift[M2N_NORM_X][i];

        t->residual[0][i] = b->residual[i % t->d] * scale;
        t->residual[1][i] = b->residual[i % t->d] * shift;
        t->doubled[0][i] = 2.0f * scale;
        t->doubled[1][i] = 2.0f * shift;
    }
    m2n_translator_products(t, pass_gate, 1, (const M2nMatrix *[]){&b->proj_1});
    m2n_parallel_each(t->pool, t->rows * t->d / GROUP, pass_gate_planes, t);
    m2n_translator_products(t, pass_hidden, 3,
                            (const M2nMatrix *[]){&b->conv1, &b->proj_2, &b->fc1});
    m2n_parallel_each(t->pool, t->rows * 4 * t->d / HIDDEN_GROUP, pass_hidden_planes, t);
    m2n_translator_products(t, pass_output, 1, (const M2nMatrix *[]){&b->fc2});
}
