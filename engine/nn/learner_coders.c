/* Encoders and decoders in training: each image forward and backward while it is in cache.  For their way back
 * encoders keep all stages but the first, if memory allows; that one is the largest, and soon computed again.  The
 * stages are those of a forecast (coder.h). */
#include <string.h>

#include "engine/nn/coder.h"
#include "engine/nn/learner_private.h"
#include "engine/ops/activation_backward.h"
#include "engine/ops/fused_conv_backward.h"
#include "engine/ops/mse.h"
#include "engine/ops/norm_backward.h"
#include "engine/ops/pixel_shuffle.h"
#include "engine/ops/pointwise.h"

#define GROUPS 2

typedef struct {
    gsize variable, latent; /* latent: first float of this image's [S][P] */
} Image;

/* Statistics of each stage's norm, for the way back. */
typedef struct {
    float mean[M2N_MAX_STAGES][GROUPS], rstd[M2N_MAX_STAGES][GROUPS];
} Norms;

/* Number `i` of [B][T][V]: which variable it is and where its latent lies in [B*V][T*S][P]. */
static Image
locate(const M2nLearner *l, gsize i)
{
    const M2nConfig *c = &l->config;
    const gsize v = i % c->variables, step = i / c->variables % c->steps;
    const gsize row = i / c->variables / c->steps * c->variables + v;

    return (Image){v, (row * c->steps + step) * c->hid_S * l->hw};
}

/* ---- weights, packed once a step ----------------------------------------------------------------- */

static M2nFusedConv
stage_shape(const M2nConfig *c, gboolean decoder, guint i)
{
    return decoder ? m2n_decoder_stage(c, i) : m2n_encoder_stage(c, i);
}

void
m2n_learner_lay_out_stages(M2nLearner *l, M2nArena *a)
{
    const M2nConfig *c = &l->config;

    for (guint n = 0; n < 2 * c->variables * c->N_S; n++) {
        const M2nFusedConv s = stage_shape(c, n >= c->variables * c->N_S, n % c->N_S);

        l->stage[n].forward = m2n_arena_floats(a, m2n_fused_conv_packed_floats(s.out, s.in, s.stride));
        l->stage[n].back = m2n_arena_floats(a, m2n_fused_conv_backward_packed_floats(&s));
    }
}

/* Floats of w->op that its ops need. */
gsize
m2n_learner_coder_scratch(const M2nLearner *l)
{
    gsize n = 0;

    for (guint i = 0; i < 2 * l->config.N_S; i++) {
        const M2nFusedConv s = stage_shape(&l->config, i >= l->config.N_S, i % l->config.N_S);

        n = MAX(n, MAX(m2n_fused_conv_scratch(&s), m2n_fused_conv_backward_scratch(&s)));
    }
    return n;
}

void
m2n_learner_lay_out_coder(const M2nLearner *l, M2nArena *a, M2nWorker *w)
{
    const M2nConfig *c = &l->config;
    const gsize plane = (gsize)c->height * c->width;
    gsize bands = 0;

    for (guint i = 0; i < 2; i++)
        w->plane[i] = m2n_arena_floats(a, plane);
    for (guint i = 0; i < 2; i++)
        w->image[i] = m2n_arena_floats(a, c->hid_S * plane);
    for (guint i = 0; i < c->N_S; i++) {
        const M2nFusedConv encoder = m2n_encoder_stage(c, i), decoder = m2n_decoder_stage(c, i);

        w->conv[i] = m2n_arena_floats(a, c->hid_S * plane);
        w->scale[i] = m2n_arena_floats(a, c->hid_S);
        w->shift[i] = m2n_arena_floats(a, c->hid_S);
        bands = MAX(bands, MAX(m2n_fused_conv_bands(&encoder), m2n_fused_conv_bands(&decoder)));
    }
    w->moments = (gpointer)m2n_arena_floats(a, GROUPS * bands * sizeof(M2nMoments) / sizeof(float));
}

#define NORM_FLOATS (sizeof(Norms) / sizeof(float))

/* Floats of one image after stage i of an encoder. */
static gsize
stage_floats(const M2nConfig *c, guint i)
{
    const M2nFusedConv s = m2n_encoder_stage(c, i);

    return s.out * s.height * s.width / s.stride / s.stride;
}

void
m2n_learner_lay_out_kept(M2nLearner *l, M2nArena *a)
{
    const gsize images = l->rows * l->config.steps;

    for (guint i = 1; i < l->config.N_S; i++) {
        l->kept.conv[i] = m2n_arena_floats(a, images * stage_floats(&l->config, i));
        l->kept.scale[i] = m2n_arena_floats(a, images * l->config.hid_S);
        l->kept.shift[i] = m2n_arena_floats(a, images * l->config.hid_S);
    }
    l->kept.norms = m2n_arena_floats(a, images * NORM_FLOATS);
}

/* The worker with an image's kept stages for its own. */
static M2nWorker
with_kept(const M2nLearner *l, const M2nWorker *w, gsize image)
{
    M2nWorker k = *w;

    for (guint i = 1; i < l->config.N_S; i++) {
        k.conv[i] = l->kept.conv[i] + image * stage_floats(&l->config, i);
        k.scale[i] = l->kept.scale[i] + image * l->config.hid_S;
        k.shift[i] = l->kept.shift[i] + image * l->config.hid_S;
    }
    return k;
}

/* Stage i of a variable's encoder or decoder. */
static const M2nPackedStage *
packed_stage(const M2nLearner *l, gboolean decoder, gsize variable, guint i)
{
    return &l->stage[((decoder ? l->config.variables : 0) + variable) * l->config.N_S + i];
}

static void
pack_stage(gsize begin, gsize end, guint thread, gpointer data)
{
    const M2nLearner *l = data;
    const gsize half = l->config.variables * l->config.N_S;

    for (gsize n = begin; n < end; n++) {
        const M2nFusedConv s = stage_shape(&l->config, n >= half, (guint)(n % l->config.N_S));
        const M2nStageAt *at = n < half ? &l->places.encoder[n] : &l->places.decoder[n - half];

        m2n_fused_conv_pack(s.out, s.in, s.stride, l->query + at->weight, l->stage[n].forward);
        m2n_fused_conv_backward_pack(&s, l->query + at->weight, l->stage[n].back,
                                     l->worker[thread].op);
    }
}

void
m2n_learner_pack_stages(M2nLearner *l)
{
    m2n_parallel_each(l->pool, 2 * l->config.variables * l->config.N_S, pack_stage, l);
}

/* ---- one stage ------------------------------------------------------------------------------- */

/* in, with the norm of stage i - 1 still to come, -> w->conv[i], scale and shift of its norm */
static void
run_stage(const M2nLearner *l, const M2nWorker *w, gboolean decoder, gsize variable, guint i,
          const float *in, Norms *norms)
{
    const M2nFusedConv shape = stage_shape(&l->config, decoder, i);
    const M2nStageAt *at =
        &(decoder ? l->places.decoder : l->places.encoder)[variable * l->config.N_S + i];

    m2n_fused_conv(&shape, w->conv[i], in, i > 0 ? w->scale[i - 1] : NULL,
                   i > 0 ? w->shift[i - 1] : NULL, packed_stage(l, decoder, variable, i)->forward,
                   l->query + at->bias, w->moments, w->op);
    m2n_fused_conv_norm(&shape, w->moments, l->query + at->gamma, l->query + at->beta, w->scale[i],
                        w->shift[i], norms->mean[i], norms->rstd[i]);
}

/* The last stage of a decoder is read out: its output's gradient is that of the one image times a weight a channel. */
typedef struct {
    const float *dy; /* [H][W] */
    gsize weight;    /* of the read-out */
} ReadOut;

/* Norm and SiLU of stage i, at `at`.  w->image[0]: gradient of its output, if not by `from` -> w->image[1]: of the
 * convolution's, before the shuffle. */
static void
run_norm_backward(const M2nLearner *l, const M2nWorker *w, const M2nFusedConv *shape,
                  const M2nStageAt *at, guint i, const Norms *norms, const ReadOut *from)
{
    const gsize grow = shape->shuffle ? 2 : 1, channels = l->config.hid_S / GROUPS;
    const gsize hw = shape->height * grow * shape->width * grow / shape->stride / shape->stride;
    const float *gamma = l->query + at->gamma;

    for (gsize g = 0; g < GROUPS; g++) {
        const float mean = norms->mean[i][g], rstd = norms->rstd[i][g];
        M2nGroupTotal total = {0};
        float b, d;

        for (gsize c = g * channels; c < (g + 1) * channels; c++) {
            const M2nNormSilu channel = {hw, w->conv[i] + c * hw, w->scale[i][c], w->shift[i][c],
                                         mean};
            float *dv = w->image[0] + c * hw;
            M2nNormSiluSums sums;

            m2n_norm_silu_backward(&channel, dv, from != NULL ? from->dy : dv,
                                   from != NULL ? l->query[from->weight + c] : 1.0f, &sums);
            m2n_group_norm_add(&total, sums.dv, sums.dvx, gamma[c], rstd,
                               m2n_worker_gradient(l, w, at->gamma + c),
                               m2n_worker_gradient(l, w, at->beta + c));
            if (from != NULL)
                *m2n_worker_gradient(l, w, from->weight + c) += (float)sums.readout;
        }
        m2n_group_norm_finish(&total, channels * hw, mean, rstd, &b, &d);
        for (gsize c = g * channels; c < (g + 1) * channels; c++) {
            float *dconv = w->image[1] + c * hw;

            m2n_blend(shape->shuffle ? w->plane[0] : dconv, w->image[0] + c * hw,
                      w->conv[i] + c * hw, hw, rstd * gamma[c], b, d);
            if (shape->shuffle)
                m2n_pixel_unshuffle(1, shape->height, shape->width, dconv, w->plane[0]);
        }
    }
}

/* w->image[0], or `from`: gradient of stage i's output after norm and SiLU -> dv: of its input after them; NULL: not
 * wanted.  in: as of run_stage(). */
static void
run_stage_backward(const M2nLearner *l, const M2nWorker *w, gboolean decoder, gsize variable,
                   guint i, const float *in, const Norms *norms, const ReadOut *from, float *dv)
{
    const M2nFusedConv shape = stage_shape(&l->config, decoder, i);
    const M2nStageAt *at =
        &(decoder ? l->places.decoder : l->places.encoder)[variable * l->config.N_S + i];
    const float *dconv = w->image[1];

    run_norm_backward(l, w, &shape, at, i, norms, from);
    m2n_fused_conv_backward_weight(&shape, m2n_worker_gradient(l, w, at->weight),
                                   m2n_worker_gradient(l, w, at->bias), dconv, in,
                                   i > 0 ? w->scale[i - 1] : NULL, i > 0 ? w->shift[i - 1] : NULL,
                                   w->op);
    if (dv != NULL)
        m2n_fused_conv_backward_input(&shape, dv, dconv,
                                      packed_stage(l, decoder, variable, i)->back, w->op);
}

/* ---- encoder -------------------------------------------------------------------------------- */

static void
encode_image(const M2nLearner *l, const M2nWorker *w, gsize variable, const float *in, Norms *norms)
{
    for (guint i = 0; i < l->config.N_S; i++)
        run_stage(l, w, FALSE, variable, i, i == 0 ? in : w->conv[i - 1], norms);
}

static void
encode_images(gsize begin, gsize end, guint thread, gpointer data)
{
    const M2nLearner *l = data;
    const gsize plane = (gsize)l->config.height * l->config.width;
    const guint last = l->config.N_S - 1;

    for (gsize i = begin; i < end; i++) {
        const M2nWorker w = l->keeping ? with_kept(l, &l->worker[thread], i) : l->worker[thread];
        const Image image = locate(l, i);
        Norms norms = {0};

        encode_image(l, &w, image.variable, l->images + i * plane, &norms);
        if (l->keeping)
            memcpy(l->kept.norms + i * NORM_FLOATS, &norms, sizeof norms);
        for (gsize c = 0; c < l->config.hid_S; c++)
            m2n_norm_silu(l->hw, w.conv[last] + c * l->hw, w.scale[last][c], w.shift[last][c],
                          l->out + image.latent + c * l->hw);
    }
}

void
m2n_learner_encode(M2nLearner *l, const float *images, float *latent, gboolean keep)
{
    l->images = images;
    l->out = latent;
    l->keeping = keep && l->kept.norms != NULL;
    m2n_parallel_for(l->pool, l->rows * l->config.steps, encode_images, l);
}

/* What encode_image() had, of `image`, into w and norms. */
static void
encode_again(const M2nLearner *l, M2nWorker *w, const Image *image, gsize k, const float *in,
             Norms *norms)
{
    if (l->kept.norms == NULL) {
        encode_image(l, w, image->variable, in, norms);
        return;
    }
    *w = with_kept(l, w, k);
    memcpy(norms, l->kept.norms + k * NORM_FLOATS, sizeof *norms);
    run_stage(l, w, FALSE, image->variable, 0, in, norms);
}

static void
encode_images_backward(gsize begin, gsize end, guint thread, gpointer data)
{
    const M2nLearner *l = data;
    const gsize plane = (gsize)l->config.height * l->config.width;

    for (gsize k = begin; k < end; k++) {
        M2nWorker w = l->worker[thread];
        const Image image = locate(l, k);
        const float *in = l->images + k * plane;
        Norms norms;

        encode_again(l, &w, &image, k, in, &norms);
        memcpy(w.image[0], l->latent + image.latent, l->config.hid_S * l->hw * sizeof(float));
        for (guint i = l->config.N_S; i-- > 0;)
            run_stage_backward(l, &w, FALSE, image.variable, i, i == 0 ? in : w.conv[i - 1], &norms,
                               NULL, i > 0 ? w.image[0] : NULL);
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

/* y [H][W] of one latent [S][P] */
static void
decode_image(const M2nLearner *l, const M2nWorker *w, gsize variable, const float *latent,
             Norms *norms, float *y)
{
    const M2nConfig *c = &l->config;
    const M2nLinearAt *readout = &l->places.readout[variable];
    const guint last = c->N_S - 1;

    for (guint i = 0; i < c->N_S; i++)
        run_stage(l, w, TRUE, variable, i, i == 0 ? latent : w->conv[i - 1], norms);
    m2n_read_out(c->hid_S, (gsize)c->height * c->width, w->conv[last], w->scale[last],
                 w->shift[last], l->query + readout->weight, l->query[readout->bias], y);
}

/* Gradients of stages and read-out from w->plane[1], that of the image. */
static void
decode_image_backward(const M2nLearner *l, const M2nWorker *w, gsize variable, const float *latent,
                      const Norms *norms, float *dlatent)
{
    const M2nLinearAt *readout = &l->places.readout[variable];
    const guint last = l->config.N_S - 1;
    const ReadOut from = {w->plane[1], readout->weight};
    double sum, square;

    m2n_moments(from.dy, (gsize)l->config.height * l->config.width, 0.0f, &sum, &square);
    *m2n_worker_gradient(l, w, readout->bias) += (float)sum;
    for (guint i = l->config.N_S; i-- > 0;)
        run_stage_backward(l, w, TRUE, variable, i, i == 0 ? latent : w->conv[i - 1], norms,
                           i == last ? &from : NULL, i > 0 ? w->image[0] : dlatent);
}

static void
decode_images(gsize begin, gsize end, guint thread, gpointer data)
{
    const M2nLearner *l = data;
    const M2nWorker *w = &l->worker[thread];
    const gsize plane = (gsize)l->config.height * l->config.width;
    const gsize all_images = l->all_rows * l->config.steps;
    float *y = w->plane[0], *dy = w->plane[1];
    Norms norms;

    for (gsize k = begin; k < end; k++) {
        const Image image = locate(l, k);
        const float *target = l->target + k * plane, *latent = l->latent + image.latent;

        decode_image(l, w, image.variable, latent, &norms, y);
        l->image_loss[k] = m2n_mse(y, target, plane);
        if (l->dlatent == NULL)
            continue;
        memset(dy, 0, plane * sizeof *dy);
        m2n_mse_backward(dy, y, target, plane, 1.0f / (float)all_images);
        decode_image_backward(l, w, image.variable, latent, &norms, l->dlatent + image.latent);
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
