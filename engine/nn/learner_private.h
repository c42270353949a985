/* What the parts of a learner share.  Shapes: R = B*V rows, D = hid_T, P = h*w, C = T*S. */
#pragma once
#include "engine/base/arena.h"
#include "engine/nn/learner.h"
#include "engine/ops/attention.h"
#include "engine/ops/panel.h"

G_BEGIN_DECLS

/* Channels that go through a chain of depthwise convolutions and activations together: they stay in L1 and L2. */
#define M2N_CHAIN 8u
#define M2N_MAX_STAGES 16 /* as m2n_config_check() */

/* ---- where weights lie: offsets into the array of all of them, the same for both branches and for the
 * gradient ---- */

typedef struct {
    gsize weight, bias;
} M2nLinearAt;

typedef struct {
    gsize weight, bias, gamma, beta; /* 3x3 convolution, group norm */
} M2nStageAt;

typedef struct {
    gsize weight, gamma, beta; /* 1x1 convolution without bias, group norm */
} M2nProjectionAt;

typedef struct {
    gsize gamma, beta, mean, variance; /* batch norm; the last two are the running ones */
} M2nBatchNormAt;

typedef struct {
    M2nProjectionAt q, k, v, post;
    gsize norm_1[2], norm_2[2]; /* gamma, beta */
    M2nBatchNormAt batch_norm[2];
    gsize layer_scale[2];
    M2nLinearAt proj_1, dw5, dw7, conv1, proj_2, fc1, dw3, fc2;
    gsize begin, end; /* everything above lies in here */
} M2nBlockAt;

typedef struct {
    M2nStageAt *encoder, *decoder; /* [V][N_S], in the order they run */
    M2nLinearAt *readout;          /* [V] */
    M2nLinearAt conv1, conv2;
    M2nBlockAt *block; /* [N_T] */
    gsize translator;  /* first float of the translator; encoders and decoders lie before it */
} M2nPlaces;

void m2n_places_init(M2nPlaces *places, const M2nConfig *config, const M2nParameters *parameters);
void m2n_places_clear(M2nPlaces *places);

/* ---- memory ---- */

typedef struct {
    float *mean, *rstd; /* [R], one group */
} M2nRowNorm;

/* What one block remembers of its forward pass; [R][D][P] where not said. */
typedef struct {
    float *z;                          /* the block's input */
    float *q, *k, *v, *post;           /* 1x1 convolutions before their norms */
    float *x;                          /* after the attention's residual and norm_1 */
    float *proj_1, *dw5, *dw7, *conv1; /* of the gate, as named in M2nBlockAt */
    float *middle;                     /* after the gate's residual */
    float *wide;                       /* [R][4D][P] fc1 */
    float *sum;                        /* 2x + x2, before the last norm */
    M2nRowNorm norm_q, norm_k, norm_v, norm_post, norm_1, norm_2;
    float *mean[2], *variance[2]; /* [D] of the two batch norms */
    float *attention;             /* [B][heads][V][V] */
} M2nTrace;

/* A stage's 3x3 convolution, packed for fused_conv.h and fused_conv_backward.h. */
typedef struct {
    float *forward, *back;
} M2nPackedStage;

/* Weights of the block at work, or of a 1x1 convolution at either end, packed for image_gemm.h. */
typedef struct {
    float *q, *k, *v, *post, *proj_1, *conv1, *proj_2, *fc1, *fc2, *end;
} M2nPackedBlock;

/* One thread's own memory. */
typedef struct M2nWorker {
    M2nPool *pool;                /* threads that wait to help with the row at work, or NULL */
    const struct M2nWorker *team; /* theirs, by number */
    float *row[5];                /* [D][P] */
    float *wide;                  /* [4D][P] */
    float *chain[2];              /* [M2N_CHAIN][P] */
    float *channel;               /* [D] */
    float *image[2];              /* [S][H][W] */
    float *plane[2];              /* [H][W] */
    float *conv[M2N_MAX_STAGES];                          /* [S][h_i][w_i] per stage, before its norm */
    float *scale[M2N_MAX_STAGES], *shift[M2N_MAX_STAGES]; /* [S], that norm */
    M2nMoments *moments;                                  /* of the stage at work */
    float *gradient;  /* of the part at work: all coders, one block, or one 1x1 convolution; the first one's lies in the
                         learner's own */
    float *gemm, *op; /* scratch of the ops */
} M2nWorker;

/* What encoders keep of each image for the way back: as in M2nWorker, one image after the other; stages from the
 * second on. */
typedef struct {
    float *conv[M2N_MAX_STAGES], *scale[M2N_MAX_STAGES], *shift[M2N_MAX_STAGES];
    float *norms; /* statistics of all stages */
} M2nKeptStages;

struct M2nLearner {
    M2nConfig config;
    M2nParameters *parameters;
    M2nPlaces places;
    float *query, *key, *gradient; /* [parameters->total] */
    M2nArena *arena;
    M2nPool *pool;
    M2nGroup *group;
    guint batch, threads, recomputed;
    gsize rows, hw, height, width; /* rows: R; the others of the latent grid */
    gsize all_rows;                /* of the whole group */

    M2nPackedStage *stage;                           /* [encoder, decoder][V][N_S] */
    M2nPackedBlock packed;
    gboolean back;                                   /* packed for the way back */
    M2nTrace *trace;                                 /* [N_T] */
    M2nWorker *worker;                               /* [threads] */
    float *z;                                        /* [R][D][P], the last block's output */
    float *dz, *dq, *dt, *dy, *mixed;                /* the same size, shared by all blocks */
    float *projection_scale[3], *projection_shift[3]; /* [R][D], norms of q, k, v of the block at work */
    double *row_sum, *row_product;                   /* [R][D] */
    double *channel_sum, *channel_product;           /* [D], the second right behind the first */
    float *scale, *shift;                            /* [D] of the batch norm at work */
    float *coefficient[3];                           /* [D] of m2n_norm_combine */
    float *latent_x, *latent_y, *latent_out;         /* [R][C][P] */
    M2nKeptStages kept;                              /* of the encoders of x; norms NULL: nothing */
    gboolean keeping;                                /* the encoders at work */
    double *image_loss;                              /* [B*T*V] */

    /* of the pass at work */
    const float *images, *target; /* [B][T][V][H][W] */
    const float *latent;
    float *out, *dlatent;
    float *weights;     /* query or key */
    const guint8 *keep; /* [2 N_T][R] or NULL */
    guint layer;
    M2nTrace *t;    /* of that layer */
    gsize part;     /* offset of the first float the workers' gradients stand for */
    gboolean learn; /* gradients of parameters are wanted */
};

/* ---- learner_coders.c: encoders and decoders ---- */

void m2n_learner_lay_out_stages(M2nLearner *l, M2nArena *a);
void m2n_learner_lay_out_kept(M2nLearner *l, M2nArena *a);
void m2n_learner_lay_out_coder(const M2nLearner *l, M2nArena *a, M2nWorker *w);
gsize m2n_learner_coder_scratch(const M2nLearner *l);
/* With the weights of this step: before all that follows. */
void m2n_learner_pack_stages(M2nLearner *l);

/* keep: for m2n_learner_encode_backward() of the same images, if there is memory */
void m2n_learner_encode(M2nLearner *l, const float *images, float *latent, gboolean keep);
/* Adds the encoders' part to the gradient. */
void m2n_learner_encode_backward(M2nLearner *l, const float *images, const float *dlatent);
/* This process's part of the mean squared error of the decoded latent.  With dlatent: writes its gradient there and adds the decoders'
 * part to the gradient. */
double m2n_learner_decode(M2nLearner *l, const float *latent, const float *target, float *dlatent);

/* ---- learner_forward.c ---- */

/* The translator of `weights`, leaving traces and updating its running statistics. */
void m2n_learner_translate(M2nLearner *l, float *weights, const guint8 *keep, const float *latent,
                           float *out);
/* The input of block l->layer, into its trace. */
void m2n_learner_block_input(M2nLearner *l, const float *latent);
/* l->projection_scale and _shift from the trace */
void m2n_learner_fold_projections(M2nLearner *l);
/* q, k or v (0, 1, 2) of batch item b, normed */
M2nAttentionInput m2n_learner_projection(const M2nLearner *l, guint which, gsize b);
/* l->mixed from them and the attention of the trace */
void m2n_learner_mix(M2nLearner *l);
/* sum = z + SiLU(norm(post)) of row r */
void m2n_learner_post(const M2nLearner *l, gsize r, float *sum, const float *post, const float *z);
/* Block l->layer from its input, its output into the next one's trace, of the last into l->z.  `again`: its trace has
 * the batch statistics of the first time, and the running ones stay. */
void m2n_learner_block(M2nLearner *l, gboolean again);

/* ---- learner_backward.c ---- */

/* After m2n_learner_translate() with the same arguments.  dlatent not NULL: the input's gradient alone (key
 * branch); NULL: the parameters' alone (query branch). */
void m2n_learner_translate_backward(M2nLearner *l, const float *dout, float *dlatent);

/* ---- learner_unit.c, learner_attention.c: the two halves of a block, backward ----
 * l->dz: gradient of the block's output -> of x, between the halves -> of the block's input. */

void m2n_learner_unit_backward(M2nLearner *l);
void m2n_learner_attention_backward(M2nLearner *l);

/* ---- learner_parts.c: shared by all of them ---- */

/* Weights of block l->layer into l->packed, for m2n_linear(), or, back, for m2n_linear_input(). */
void m2n_learner_pack_block(M2nLearner *l, gboolean back);
/* The same of a 1x1 convolution at either end, [out][in], into l->packed.end. */
void m2n_learner_pack_end(M2nLearner *l, const M2nLinearAt *at, gsize out, gsize in, gboolean back);
void m2n_learner_lay_out_packed(M2nLearner *l, M2nArena *a);
gsize m2n_learner_gemm_scratch(const M2nLearner *l);
/* y[out][n] = weight x[in][n] + bias; bias NULL: none */
void m2n_linear(const M2nWorker *w, float *y, const float *x, gsize out, gsize in, gsize n,
                const float *packed, const float *bias);
/* The same of scale[in] x + shift[in]. */
void m2n_linear_normed(const M2nWorker *w, float *y, const float *x, const float *scale,
                       const float *shift, gsize out, gsize in, gsize n, const float *packed,
                       const float *bias);
/* dx[in][n] = (or, add, +=) weight^T dy[out][n] */
void m2n_linear_input(const M2nWorker *w, float *dx, const float *dy, gsize out, gsize in, gsize n,
                      const float *packed, gboolean add);
/* dx[in][n] = weight^T (scale[out] dy[out][n]) */
void m2n_linear_input_scaled(const M2nWorker *w, float *dx, const float *dy, const float *scale,
                             gsize out, gsize in, gsize n, const float *packed);
/* dweight[out][in] += dy x^T, dbias[out] += sums of dy (dbias may be NULL) */
void m2n_linear_weight(const M2nWorker *w, float *dweight, float *dbias, const float *dy,
                       const float *x, gsize out, gsize in, gsize n);
void m2n_linear_bias(float *dbias, const float *dy, gsize out, gsize n);
/* All rows: as many to each thread, and those left over by all threads together. */
void m2n_learner_rows(M2nLearner *l, M2nTask task);
/* task(of a thread, part of 0 .. n, data): all of it here, or shared among the team */
typedef void (*M2nShare)(const M2nWorker *w, gsize begin, gsize end, gconstpointer data);
void m2n_share(const M2nWorker *w, gsize n, M2nShare task, gconstpointer data);
/* One group's norm, channel by channel: y = gamma (x - mean) rstd + beta of channel c. */
void m2n_norm_channel(float *y, const float *x, gsize hw, float gamma, float beta, float mean,
                      float rstd);
/* Factor of a residual: 1, or 1/(1 - p), or 0 for a dropped row. */
float m2n_learner_keep(const M2nLearner *l, guint which, gsize row);
/* That of kept rows: what all of them have. */
float m2n_learner_kept(const M2nLearner *l);
/* Scale and shift of batch norm `which` of the trace at work, into l->scale and l->shift. */
void m2n_learner_fold(M2nLearner *l, guint which);
/* This thread's gradient of the float at `offset`. */
static inline float *
m2n_worker_gradient(const M2nLearner *l, const M2nWorker *w, gsize offset)
{
    return w->gradient + (offset - l->part);
}
/* All threads clear the gradient. */
void m2n_learner_clear_gradient(M2nLearner *l);
/* The workers' gradients stand for [begin, end) from now on.  The first worker adds to the gradient itself, those of
 * the others are zero. */
void m2n_learner_begin_part(M2nLearner *l, gsize begin, gsize end);
/* Adds the others' to the gradient, thread by thread in order. */
void m2n_learner_end_part(M2nLearner *l, gsize begin, gsize end);
/* Sums [R][D] of all rows, of the whole group, into l->channel_sum and l->channel_product, in their order. */
void m2n_learner_sum_rows(M2nLearner *l);

G_END_DECLS
