#include "engine/nn/coder.h"

#include "engine/ops/activation.h"
#include "engine/ops/conv3x3.h"
#include "engine/ops/group_norm.h"
#include "engine/ops/panel.h"
#include "engine/ops/pixel_shuffle.h"

void
m2n_coder_lay_out(M2nCoderScratch *s, const M2nModel *m, M2nArena *arena)
{
    const M2nConfig *c = &m->config;

    for (guint i = 0; i < 3; i++)
        s->image[i] = m2n_arena_floats(arena, (gsize)c->hid_S * c->height * c->width);
}

static void
norm_silu(const M2nConfig *c, const M2nStage *stage, float *x, gsize hw)
{
    const M2nGroupNorm norm = {c->hid_S, hw, 2};

    m2n_group_norm(&norm, x, x, stage->norm.gamma, stage->norm.beta, NULL, NULL);
    m2n_silu(x, x, c->hid_S * hw);
}

const float *
m2n_encode_image(const M2nModel *m, const M2nCoderScratch *s, guint variable, const float *x)
{
    const M2nConfig *c = &m->config;
    M2nConv3x3 shape = {1, c->hid_S, c->height, c->width, 1};

    for (guint i = 0; i < c->N_S; i++) {
        const M2nStage *stage = &m->encoder[variable * c->N_S + i];
        float *out = s->image[i % 2];

        shape.stride = m2n_config_stride(i);
        m2n_conv3x3(&shape, out, x, stage->weight, stage->bias);
        shape.height /= shape.stride;
        shape.width /= shape.stride;
        shape.in = c->hid_S;
        norm_silu(c, stage, out, shape.height * shape.width);
        x = out;
    }
    return x;
}

float *
m2n_decoder_input(const M2nCoderScratch *s)
{
    return s->image[1];
}

void
m2n_decode_image(const M2nModel *m, const M2nCoderScratch *s, guint variable, float *y)
{
    const M2nConfig *c = &m->config;
    const guint shrink = m2n_config_shrink(c);
    const M2nLinear *readout = &m->readout[variable];
    const gsize hw = (gsize)c->height * c->width;
    M2nConv3x3 shape = {c->hid_S, c->hid_S, c->height / shrink, c->width / shrink, 1};
    const float *in = m2n_decoder_input(s);

    for (guint i = 0; i < c->N_S; i++) {
        const M2nStage *stage = &m->decoder[variable * c->N_S + i];
        const gboolean up = m2n_config_stride(c->N_S - 1 - i) == 2;
        float *out = s->image[i % 2];

        shape.out = up ? 4 * c->hid_S : c->hid_S;
        m2n_conv3x3(&shape, up ? s->image[2] : out, in, stage->weight, stage->bias);
        if (up) {
            m2n_pixel_shuffle(c->hid_S, shape.height, shape.width, out, s->image[2]);
            shape.height *= 2;
            shape.width *= 2;
        }
        norm_silu(c, stage, out, shape.height * shape.width);
        in = out;
    }
    for (gsize p = 0; p < hw; p++)
        y[p] = readout->bias[0];
    for (gsize f = 0; f < c->hid_S; f++)
        for (gsize p = 0; p < hw; p++)
            y[p] += readout->weight[f] * in[f * hw + p];
}
