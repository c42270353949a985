/* M2nTranslator: the middle of the network at work, and its buffers; inside engine/nn only.
 *
 * A row is one variable of one batch item.  Images of a row are stored in panels of 32 positions (see
 * engine/ops/panel_gemm.h).  A block is nine passes, each cut into independent items that m2n_parallel_each()
 * hands out; between them group norms put the sums of all panels of a row together. */
#pragma once
#include "engine/nn/network.h"
#include "engine/ops/panel.h"

G_BEGIN_DECLS

/* Group norms whose scale and shift are applied by whoever reads next. */
typedef enum {
    M2N_NORM_Q,
    M2N_NORM_K,
    M2N_NORM_V,
    M2N_NORM_X,
    M2N_NORM_Z,
    M2N_N_NORMS
} M2nNormSlot;

#define M2N_MATRICES 3u /* that one pass multiplies with, at most */

typedef struct {
    float *panel[2]; /* [2][D][32]; the first is also `product`'s */
    M2nProductScratch product;
    float *heads;    /* [2][V][D/8][32] */
    float *plane[2]; /* one channel with its zero rim */
    float *image;    /* [h][round32(w)] */
} M2nTranslatorScratch;

typedef struct {
    const M2nModel *model;
    M2nPool *pool;
    gsize batch, rows, height, width, hw, panels; /* of the latent grid; rows = batch * V */
    gsize d, ts;                                  /* D and T*S */
    /* Two unused channels keep the panels of `wide` from lying a power of two apart: with D = 256 the lines of
     * one channel would all fall into one set of the caches. */
    gsize wide_channels;
    gsize pitch, plane_size; /* of a padded plane */

    float *latent; /* [rows][panels][T*S][32]: input and output, in the memory of `wide`: no block runs meanwhile */
    /* [rows][panels][2][D][32]: z, before norm_2 (see scale[M2N_NORM_Z]), and x, before norm_1 */
    float *deep;
    float *wide; /* [rows][panels][4D + 2][32]: q k v - , then - - gate a, then the hidden layer */
    float *scale[M2N_N_NORMS], *shift[M2N_N_NORMS]; /* [rows][D] */
    float *mix, *mix_shift;                         /* [rows][V][D], [rows][D] */
    float *residual[2], *doubled[2];                /* [rows][D]: scale and shift of x */
    M2nMoments *moments;                            /* [3][rows][panels] */
    double *score; /* [batch][heads][panels][V][V], then weights in the first panel's place */
    M2nTranslatorScratch *scratch; /* [threads] */
    const M2nMatrix
        *matrix[M2N_MATRICES]; /* of the pass at work, and what they need besides, in one piece */
    float *more[M2N_MATRICES];
    guint layer;
} M2nTranslator;

/* Sizes, then buffers from the arena (a measuring one too; `scratch` NULL then). */
void m2n_translator_init(M2nTranslator *t, const M2nModel *model, guint batch);
void m2n_translator_lay_out(M2nTranslator *t, M2nArena *arena, guint threads);

void m2n_translator_begin(M2nTranslator *t); /* latent -> z */
void m2n_translator_block(M2nTranslator *t); /* block number t->layer */
void m2n_translator_end(M2nTranslator *t);   /* z -> latent */

/* The temporal unit: x and norm_1 -> z with its moments. */
void m2n_temporal_unit(M2nTranslator *t);

/* A pass over m2n_translator_items() that multiplies with these n matrices, and t->more[0 .. n). */
void m2n_translator_products(M2nTranslator *t, M2nTask pass, gsize n,
                             const M2nMatrix *const *matrix);

/* Scale and shift of a group norm with one group from moments[slot]. */
void m2n_translator_finish_norm(M2nTranslator *t, guint moments_slot, M2nNormSlot slot,
                                const M2nNorm *norm);

/* Panel number row * panels + panel of z and of x, which lies after it. */
static inline float *
m2n_translator_z(const M2nTranslator *t, gsize panel)
{
    return t->deep + panel * 2 * t->d * M2N_PANEL;
}

static inline float *
m2n_translator_x(const M2nTranslator *t, gsize panel)
{
    return m2n_translator_z(t, panel) + t->d * M2N_PANEL;
}

/* Panel number row * panels + panel of `wide`. */
static inline float *
m2n_translator_wide(const M2nTranslator *t, gsize panel)
{
    return t->wide + panel * t->wide_channels * M2N_PANEL;
}

/* One or two panels of a row that go through matrix products together: pairs of whole ones, as long as there
 * are, then single ones. */
typedef struct {
    gsize row, first, n; /* number of the first, row * panels + panel; 1 or 2 */
} M2nPanels;

static inline gsize
m2n_translator_items(const M2nTranslator *t)
{
    return t->rows * (t->panels - t->hw / M2N_PANEL / 2);
}

static inline M2nPanels
m2n_translator_item(const M2nTranslator *t, gsize item)
{
    const gsize pairs = t->hw / M2N_PANEL / 2, items = t->panels - pairs;
    const gsize row = item / items, i = item % items;

    return i < pairs ? (M2nPanels){row, row * t->panels + 2 * i, 2}
                     : (M2nPanels){row, row * t->panels + pairs + i, 1};
}

static inline gsize
m2n_translator_lanes(const M2nTranslator *t, gsize panel)
{
    return MIN(M2N_PANEL, t->hw - panel * M2N_PANEL);
}

G_END_DECLS
