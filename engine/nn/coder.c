/* Encoder and decoder: stages leave their output before the norm, the next reader applies it. */
#include "engine/nn/coder.h"

#include "engine/ops/fused_conv.h"

#define GROUPS 2u
#define CHUNK 2048u /* positions of the readout at a time: 8 KiB of sums */

/* Stage i of the encoder, whose input is height x width. */
static M2nFusedConv
encoder_shape(const M2nConfig *c, guint i, gsize height, gsize width)
{
    return (M2nFusedConv){.in = i == 0 ? 1 : c->hid_S,
                          .out = c->hid_S,
                          .height = height,
                          .width = width,
                          .stride = m2n_config_stride(i),
                          .groups = GROUPS};
}

static M2nFusedConv
decoder_shape(const M2nConfig *c, guint i, gsize height, gsize width)
{
    const gboolean up = m2n_config_stride(c->N_S - 1 - i) == 2;

    return (M2nFusedConv){.in = c->hid_S,
                          .out = up ? 4 * c->hid_S : c->hid_S,
                          .height = height,
                          .width = width,
                          .stride = 1,
                          .groups = GROUPS,
                          .shuffle = up};
}

void
m2n_coder_lay_out(M2nCoderScratch *s, const M2nModel *m, M2nArena *arena)
{
    const M2nConfig *c = &m->config;
    gsize height = c->height, width = c->width, scratch = 0, bands = 0;

    for (guint i = 0; i < 2 * c->N_S; i++) {
        const M2nFusedConv shape = i < c->N_S ? encoder_shape(c, i, height, width)
                                              : decoder_shape(c, i - c->N_S, height, width);

        scratch = MAX(scratch, m2n_fused_conv_scratch(&shape));
        bands = MAX(bands, m2n_fused_conv_bands(&shape));
        height = shape.shuffle ? 2 * height : height / shape.stride;
        width = shape.shuffle ? 2 * width : width / shape.stride;
    }
    for (guint i = 0; i < 2; i++)
        s->image[i] = m2n_arena_floats(arena, (gsize)c->hid_S * c->height * c->width);
    s->scale = m2n_arena_floats(arena, c->hid_S);
    s->shift = m2n_arena_floats(arena, c->hid_S);
    s->moments =
        (gpointer)m2n_arena_floats(arena, GROUPS * bands * sizeof(M2nMoments) / sizeof(float));
    s->lines = m2n_arena_floats(arena, scratch);
}

/* One stage: x with the norm in the scratch (or none) -> y, and y's norm into the scratch. */
static void
run_stage(const M2nFusedConv *shape, const M2nStage *stage, const M2nCoderScratch *s,
          gboolean normed, const float *x, float *y)
{
    const gsize bands = m2n_fused_conv_bands(shape);
    const gsize per_group = (shape->shuffle ? shape->out / 4 : shape->out) / GROUPS;

    m2n_fused_conv(shape, y, x, normed ? s->scale : NULL, normed ? s->shift : NULL, stage->weight,
                   stage->bias, s->moments, s->lines);
    for (gsize g = 0; g < GROUPS; g++) {
        double mean, rstd;

        m2n_moments_finish(s->moments + g * bands, bands, &mean, &rstd);
        for (gsize c = g * per_group; c < (g + 1) * per_group; c++) {
            const double scale = rstd * (double)stage->norm.gamma[c];

            s->scale[c] = (float)scale;
            s->shift[c] = (float)((double)stage->norm.beta[c] - mean * scale);
        }
    }
}

void
m2n_encode_image(const M2nModel *m, const M2nCoderScratch *s, guint variable, const float *x,
                 float *row, gsize channels, gsize channel)
{
    const M2nConfig *c = &m->config;
    gsize height = c->height, width = c->width;

    for (guint i = 0; i < c->N_S; i++) {
        const M2nFusedConv shape = encoder_shape(c, i, height, width);

        run_stage(&shape, &m->encoder[variable * c->N_S + i], s, i > 0, x, s->image[i % 2]);
        height /= shape.stride;
        width /= shape.stride;
        x = s->image[i % 2];
    }
    for (gsize f = 0; f < c->hid_S; f++) {
        float *latent = s->image[c->N_S % 2]; /* the one x is not */

        m2n_norm_silu(height * width, x + f * height * width, s->scale[f], s->shift[f], latent);
        m2n_panel_put(row, channels, channel + f, 0, height * width, latent);
    }
}

static void
read_out(const M2nModel *m, const M2nCoderScratch *s, const M2nLinear *readout, const float *x,
         float *y)
{
    const gsize hw = (gsize)m->config.height * m->config.width;

    for (gsize first = 0; first < hw; first += CHUNK) {
        const gsize n = MIN(CHUNK, hw - first);

        for (gsize p = first; p < first + n; p++)
            y[p] = readout->bias[0];
        for (gsize f = 0; f < m->config.hid_S; f++)
            m2n_norm_silu_readout(n, x + f * hw + first, s->scale[f], s->shift[f],
                                  readout->weight[f], y + first);
    }
}

void
m2n_decode_image(const M2nModel *m, const M2nCoderScratch *s, guint variable, const float *row,
                 gsize channels, gsize channel, float *y)
{
    const M2nConfig *c = &m->config;
    const guint shrink = m2n_config_shrink(c);
    gsize height = c->height / shrink, width = c->width / shrink;
    float *x = s->image[1];

    for (gsize f = 0; f < c->hid_S; f++)
        m2n_panel_fetch(row, channels, channel + f, 0, height * width, x + f * height * width);
    for (guint i = 0; i < c->N_S; i++) {
        const M2nFusedConv shape = decoder_shape(c, i, height, width);

        run_stage(&shape, &m->decoder[variable * c->N_S + i], s, i > 0, x, s->image[i % 2]);
        height *= shape.shuffle ? 2 : 1;
        width *= shape.shuffle ? 2 : 1;
        x = s->image[i % 2];
    }
    read_out(m, s, &m->readout[variable], x, y);
}
