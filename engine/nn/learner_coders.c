/* Encoders and decoders in training: each image forward and backward while it is in cache, so that
 * nothing is kept for the way back but the latents. */
#include <string.h>

#include "engine/nn/learner_private.h"
#include "engine/ops/activation.h"
#include "engine/ops/activation_backward.h"
#include "engine/ops/conv3x3.h"
#include "engine/ops/conv3x3_backward.h"
#include "engine/ops/mse.h"
#include "engine/ops/norm_backward.h"
#include "engine/ops/pixel_shuffle.h"

#define GROUPS 2

typedef struct {
    gsize variable, latent; /* latent: first float of this image's [S][P] */
} Image;

/* Number `i` of [B][T][V]: which variable it is and where its latent lies in [B*V][T*S][P]. */
static Image
locate(const M2nLearner *l, gsize i)
{
    const M2nConfig *c = &l->config;
    const gsize v = i % c->variables, step = i / c->variables % c->steps;
    const gsize row = i / c->variables / c->steps * c->variables + v;

    return (Image){v, (row * c->steps + step) * c->hid_S * l->hw};
}

/* Stage i of an encoder reads this; its output is height/stride x width/stride. */
static M2nConv3x3
encoder_shape(const M2nConfig *c, guint i)
{
    const guint shrink = 1u << (i / 2);

    return (M2nConv3x3){i == 0 ? 1 : c->hid_S, c->hid_S, c->height / shrink, c->width / shrink,
                        m2n_config_stride(i)};
}

static gboolean
goes_up(const M2nConfig *c, guint i)
{
    return m2n_config_stride(c->N_S - 1 - i) == 2;
}

static M2nConv3x3
decoder_shape(const M2nConfig *c, guint i)
{
    guint shrink = m2n_config_shrink(c);

    for (guint s = 0; s < i; s++)
        shrink /= goes_up(c, s) ? 2 : 1;
    return (M2nConv3x3){c->hid_S, goes_up(c, i) ? 4 * c->hid_S : c->hid_S, c->height / shrink,
                        c->width / shrink, 1};
}

/* out = SiLU(norm(conv)); mean and rstd [GROUPS] for the way back */
static void
norm_silu(const M2nLearner *l, const M2nStageAt *at, gsize hw, float *out, const float *conv,
          float *mean, float *rstd)
{
    const M2nGroupNorm norm = {l->config.hid_S, hw, GROUPS};

    m2n_group_norm(&norm, out, conv, l->query + at->gamma, l->query + at->beta, mean, rstd);
    m2n_silu(out, out, l->config.hid_S * hw);
}

/* Gradient of norm_silu: da -> dconv (written), both [S][hw]; `normed` is scratch. */
static void
norm_silu_backward(const M2nLearner *l, const M2nWorker *w, const M2nStageAt *at, gsize hw,
                   float *dconv, float *da, const float *conv, const float *mean, const float *rstd,
                   float *normed)
{
    const M2nGroupNorm norm = {l->config.hid_S, hw, GROUPS};
    const gsize n = l->config.hid_S * hw;

    m2n_apply_norm(l->config.hid_S, hw, GROUPS, normed, conv, l->query + at->gamma,
                   l->query + at->beta, mean, rstd);
    m2n_silu_backward(da, da, normed, n);
    m2n_group_norm_backward(&norm, dconv, da, conv, l->query + at->gamma, mean, rstd,
                            m2n_worker_gradient(l, w, at->gamma),
                            m2n_worker_gradient(l, w, at->beta));
}

/* ---- encoder -------------------------------------------------------------------------------- */

/* All stages of one image; each stage's convolution and output stay in w->conv and w->activated. */
static void
encode_image(const M2nLearner *l, const M2nWorker *w, gsize variable, const float *in,
             float (*mean)[GROUPS], float (*rstd)[GROUPS], float *latent)
{
    const M2nConfig *c = &l->config;

    for (guint i = 0; i < c->N_S; i++) {
        const M2nStageAt *at = &l->places.encoder[variable * c->N_S + i];
        const M2nConv3x3 shape = encoder_shape(c, i);
        const gsize hw = shape.height * shape.width / (shape.stride * shape.stride);
        float *out = i + 1 == c->N_S && latent != NULL ? latent : w->activated[i];

        m2n_conv3x3(&shape, w->conv[i], in, l->query + at->weight, l->query + at->bias);
        norm_silu(l, at, hw, out, w->conv[i], mean[i], rstd[i]);
        in = out;
    }
}

static void
encode_images(gsize begin, gsize end, guint thread, gpointer data)
{
    const M2nLearner *l = data;
    const gsize plane = (gsize)l->config.height * l->config.width;
    float mean[M2N_MAX_STAGES][GROUPS], rstd[M2N_MAX_STAGES][GROUPS];

    for (gsize i = begin; i < end; i++) {
        const Image image = locate(l, i);

        encode_image(l, &l->worker[thread], image.variable, l->images + i * plane, mean, rstd,
                     l->out + image.latent);
    }
}

void
m2n_learner_encode(M2nLearner *l, const float *images, float *latent)
{
    l->images = images;
    l->out = latent;
    m2n_parallel_for(l->pool, l->rows * l->config.steps, encode_images, l);
}

static void
encode_image_backward(const M2nLearner *l, const M2nWorker *w, gsize variable, const float *in,
                      const float *dlatent)
{
    const M2nConfig *c = &l->config;
    float mean[M2N_MAX_STAGES][GROUPS], rstd[M2N_MAX_STAGES][GROUPS];
    float *da = w->image[0], *dconv = w->image[1], *normed = w->image[2];

    encode_image(l, w, variable, in, mean, rstd, NULL);
    memcpy(da, dlatent, c->hid_S * l->hw * sizeof *da);
    for (guint i = c->N_S; i-- > 0;) {
        const M2nStageAt *at = &l->places.encoder[variable * c->N_S + i];
        const M2nConv3x3 shape = encoder_shape(c, i);
        const gsize hw = shape.height * shape.width / (shape.stride * shape.stride);

        norm_silu_backward(l, w, at, hw, dconv, da, w->conv[i], mean[i], rstd[i], normed);
        m2n_conv3x3_backward_weight(&shape, m2n_worker_gradient(l, w, at->weight),
                                    m2n_worker_gradient(l, w, at->bias), dconv,
                                    i == 0 ? in : w->activated[i - 1], w->op);
        if (i > 0)
            m2n_conv3x3_backward_input(&shape, da, dconv, l->query + at->weight, w->op);
    }
}

static void
encode_images_backward(gsize begin, gsize end, guint thread, gpointer data)
{
    const M2nLearner *l = data;
    const gsize plane = (gsize)l->config.height * l->config.width;

    for (gsize i = begin; i < end; i++) {
        const Image image = locate(l, i);

        encode_image_backward(l, &l->worker[thread], image.variable, l->images + i * plane,
                              l->latent + image.latent);
    }
}

void
m2n_learner_encode_backward(M2nLearner *l, const float *images, const float *dlatent)
{
    l->images = images;
    l->latent = dlatent;
    m2n_learner_begin_part(l, 0, l->places.translator);
    m2n_parallel_for(l->pool, l->rows * l->config.steps, encode_images_backward, l);
    m2n_learner_end_part(l, 0, l->places.translator);
}

/* ---- decoder -------------------------------------------------------------------------------- */

/* y [H][W] of one latent [S][P]; convolutions (shuffled) and outputs stay in the worker. */
static void
decode_image(const M2nLearner *l, const M2nWorker *w, gsize variable, const float *latent,
             float (*mean)[GROUPS], float (*rstd)[GROUPS], float *y)
{
    const M2nConfig *c = &l->config;
    const M2nLinearAt *readout = &l->places.readout[variable];
    const float *in = latent;

    for (guint i = 0; i < c->N_S; i++) {
        const M2nStageAt *at = &l->places.decoder[variable * c->N_S + i];
        const M2nConv3x3 shape = decoder_shape(c, i);
        const gboolean up = goes_up(c, i);

        m2n_conv3x3(&shape, up ? w->image[0] : w->conv[i], in, l->query + at->weight,
                    l->query + at->bias);
        if (up)
            m2n_pixel_shuffle(c->hid_S, shape.height, shape.width, w->conv[i], w->image[0]);
        norm_silu(l, at, shape.height * shape.width * (up ? 4 : 1), w->activated[i], w->conv[i],
                  mean[i], rstd[i]);
        in = w->activated[i];
    }
    m2n_linear(w, y, in, 1, c->hid_S, (gsize)c->height * c->width, l->query + readout->weight,
               l->query + readout->bias);
}

static void
decode_image_backward(const M2nLearner *l, const M2nWorker *w, gsize variable, const float *latent,
                      float (*mean)[GROUPS], float (*rstd)[GROUPS], const float *dy, float *dlatent)
{
    const M2nConfig *c = &l->config;
    const M2nLinearAt *readout = &l->places.readout[variable];
    const gsize plane = (gsize)c->height * c->width;
    float *da = w->image[0], *dconv = w->image[1], *spare = w->image[2];

    m2n_linear_weight(w, m2n_worker_gradient(l, w, readout->weight),
                      m2n_worker_gradient(l, w, readout->bias), dy, w->activated[c->N_S - 1], 1,
                      c->hid_S, plane);
    m2n_linear_input(w, da, dy, 1, c->hid_S, plane, l->query + readout->weight, FALSE);
    for (guint i = c->N_S; i-- > 0;) {
        const M2nStageAt *at = &l->places.decoder[variable * c->N_S + i];
        const M2nConv3x3 shape = decoder_shape(c, i);
        const gsize hw = shape.height * shape.width, up = goes_up(c, i) ? 4 : 1;
        float *dx = i == 0 ? dlatent : da, *dout = dconv;

        norm_silu_backward(l, w, at, hw * up, dconv, da, w->conv[i], mean[i], rstd[i], spare);
        if (up == 4) {
            m2n_pixel_unshuffle(c->hid_S, shape.height, shape.width, spare, dconv);
            dout = spare;
        }
        m2n_conv3x3_backward_weight(&shape, m2n_worker_gradient(l, w, at->weight),
                                    m2n_worker_gradient(l, w, at->bias), dout,
                                    i == 0 ? latent : w->activated[i - 1], w->op);
        m2n_conv3x3_backward_input(&shape, dx, dout, l->query + at->weight, w->op);
    }
}

static void
decode_images(gsize begin, gsize end, guint thread, gpointer data)
{
    const M2nLearner *l = data;
    const M2nWorker *w = &l->worker[thread];
    const gsize plane = (gsize)l->config.height * l->config.width;
    const gsize all_images = l->all_rows * l->config.steps;
    float mean[M2N_MAX_STAGES][GROUPS], rstd[M2N_MAX_STAGES][GROUPS];
    float *y = w->plane[0], *dy = w->plane[1];

    for (gsize i = begin; i < end; i++) {
        const Image image = locate(l, i);
        const float *target = l->target + i * plane;

        decode_image(l, w, image.variable, l->latent + image.latent, mean, rstd, y);
        l->image_loss[i] = m2n_mse(y, target, plane);
        if (l->dlatent == NULL)
            continue;
        memset(dy, 0, plane * sizeof *dy);
        m2n_mse_backward(dy, y, target, plane, 1.0f / (float)all_images);
        decode_image_backward(l, w, image.variable, l->latent + image.latent, mean, rstd, dy,
                              l->dlatent + image.latent);
    }
}

double
m2n_learner_decode(M2nLearner *l, const float *latent, const float *target, float *dlatent)
{
    const gsize n_images = l->rows * l->config.steps;
    double sum = 0.0;

    l->latent = latent;
    l->target = target;
    l->dlatent = dlatent;
    if (dlatent != NULL)
        m2n_learner_begin_part(l, 0, l->places.translator);
    m2n_parallel_for(l->pool, n_images, decode_images, l);
    if (dlatent != NULL)
        m2n_learner_end_part(l, 0, l->places.translator);
    for (gsize i = 0; i < n_images; i++)
        sum += l->image_loss[i];
    return sum / (double)(l->all_rows * l->config.steps);
}
