/* Encoder and decoder: stages leave their output before the norm, the next reader applies it. */
#include "engine/nn/coder.h"

#include "engine/ops/fused_conv.h"

#define GROUPS 2u
#define CHUNK 2048u /* positions of the readout at a time: 8 KiB of sums */

M2nFusedConv
m2n_encoder_stage(const M2nConfig *c, guint i)
{
    guint shrink = 1;

    for (guint k = 0; k < i; k++)
        shrink *= m2n_config_stride(k);
    return (M2nFusedConv){.in = i == 0 ? 1 : c->hid_S,
                          .out = c->hid_S,
                          .height = c->height / shrink,
                          .width = c->width / shrink,
                          .stride = m2n_config_stride(i),
                          .groups = GROUPS};
}

M2nFusedConv
m2n_decoder_stage(const M2nConfig *c, guint i)
{
    const gboolean up = m2n_config_stride(c->N_S - 1 - i) == 2;
    guint shrink = m2n_config_shrink(c);

    for (guint k = 0; k < i; k++)
        shrink /= m2n_config_stride(c->N_S - 1 - k);
    return (M2nFusedConv){.in = c->hid_S,
                          .out = up ? 4 * c->hid_S : c->hid_S,
                          .height = c->height / shrink,
                          .width = c->width / shrink,
                          .stride = 1,
                          .groups = GROUPS,
                          .shuffle = up};
}

void
m2n_coder_lay_out(M2nCoderScratch *s, const M2nModel *m, M2nArena *arena)
{
    const M2nConfig *c = &m->config;
    gsize scratch = 0, bands = 0;

    for (guint i = 0; i < 2 * c->N_S; i++) {
        const M2nFusedConv shape =
            i < c->N_S ? m2n_encoder_stage(c, i) : m2n_decoder_stage(c, i - c->N_S);

        scratch = MAX(scratch, m2n_fused_conv_scratch(&shape));
        bands = MAX(bands, m2n_fused_conv_bands(&shape));
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
    m2n_fused_conv(shape, y, x, normed ? s->scale : NULL, normed ? s->shift : NULL, stage->weight,
                   stage->bias, s->moments, s->lines);
    m2n_fused_conv_norm(shape, s->moments, stage->norm.gamma, stage->norm.beta, s->scale, s->shift,
                        NULL, NULL);
}

void
m2n_encode_image(const M2nModel *m, const M2nCoderScratch *s, guint variable, const float *x,
                 float *row, gsize channels, gsize channel)
{
    const M2nConfig *c = &m->config;
    const guint shrink = m2n_config_shrink(c);
    const gsize hw = (gsize)(c->height / shrink) * (c->width / shrink);

    for (guint i = 0; i < c->N_S; i++) {
        const M2nFusedConv shape = m2n_encoder_stage(c, i);

        run_stage(&shape, &m->encoder[variable * c->N_S + i], s, i > 0, x, s->image[i % 2]);
        x = s->image[i % 2];
    }
    for (gsize f = 0; f < c->hid_S; f++) {
        float *latent = s->image[c->N_S % 2]; /* the one x is not */

        m2n_norm_silu(hw, x + f * hw, s->scale[f], s->shift[f], latent);
        m2n_panel_put(row, channels, channel + f, 0, hw, latent);
    }
}

void
m2n_read_out(gsize channels, gsize hw, const float *x, const float *scale, const float *shift,
             const float *weight, float bias, float *y)
{
    for (gsize first = 0; first < hw; first += CHUNK) {
        const gsize n = MIN(CHUNK, hw - first);

        for (gsize p = first; p < first + n; p++)
            y[p] = bias;
        for (gsize f = 0; f < channels; f++)
            m2n_norm_silu_readout(n, x + f * hw + first, scale[f], shift[f], weight[f], y + first);
    }
}

void
m2n_decode_image(const M2nModel *m, const M2nCoderScratch *s, guint variable, const float *row,
                 gsize channels, gsize channel, float *y)
{
    const M2nConfig *c = &m->config;
    const M2nLinear *readout = &m->readout[variable];
    const guint shrink = m2n_config_shrink(c);
    const gsize hw = (gsize)(c->height / shrink) * (c->width / shrink);
    float *x = s->image[1];

    for (gsize f = 0; f < c->hid_S; f++)
        m2n_panel_fetch(row, channels, channel + f, 0, hw, x + f * hw);
    for (guint i = 0; i < c->N_S; i++) {
        const M2nFusedConv shape = m2n_decoder_stage(c, i);

        run_stage(&shape, &m->decoder[variable * c->N_S + i], s, i > 0, x, s->image[i % 2]);
        x = s->image[i % 2];
    }
    m2n_read_out(c->hid_S, (gsize)c->height * c->width, x, s->scale, s->shift, readout->weight,
                 readout->bias[0], y);
}
