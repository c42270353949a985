/* M2nLearner: one Met2Net in training: both sets of weights, their gradients, and the activations of a
 * step.  It computes gradients; who changes the weights with them is not its affair.
 *
 * The two stages of one step (Li et al. 2025, arXiv:2507.17189):
 *
 *   reconstruction  MSE(dec(hid_k(enc(x))), y)          gradient to enc and dec, through hid_k
 *   latent          MSE(hid_q(enc(x)), enc(y))          gradient to hid_q alone
 *   prediction      MSE(dec(hid_q(enc(x))), y)          reported, trains nothing
 *
 * Both translators normalise with the batch's statistics and update their own running ones.
 *
 * Memory: decoders keep nothing, each image is done forward and backward while it is in cache; encoders keep
 * all stages but the first where `max_memory` leaves room.  Each translator block keeps 16 fields of
 * [B*V][D][h][w] floats, or, when `max_memory` asks for it, only its output, and computes the rest again on the
 * way back.
 *
 * In a group each process holds the same weights and some images of the batch; statistics, losses and
 * gradients are those of the whole batch, the same bits everywhere.  Gradients are on their way to the others
 * while those of earlier layers are computed.
 *
 * Same input, group, thread count and instruction set: same bits; another thread count changes the order of sums over rows in
 * gradients of weights, and no loss of the first step.  One thread at a time may call. */
#pragma once
#include "engine/base/group.h"
#include "engine/base/parallel.h"
#include "engine/nn/model.h"
#include "engine/nn/parameters.h"

G_BEGIN_DECLS

typedef struct M2nLearner M2nLearner;

typedef struct {
    double reconstruction, latent, prediction;
} M2nLosses;

/* Which rows of B*V the two residuals of each block keep: [2 N_T][B*V] of 0 or 1 in the order the blocks
 * use them.  A kept row is divided by 1 - drop_path.  NULL: nothing is dropped or divided. */
typedef struct {
    const guint8 *key, *query;
} M2nDropPath;

/* Bytes of a learner that recomputes `recomputed` of its blocks (0 .. N_T). */
gsize m2n_learner_memory(const M2nConfig *config, guint batch, guint threads, guint recomputed);

/* (transfer full) Weights are zero.  As few blocks as `max_memory` allows are recomputed, and with the first of them the
 * encoders; 0: none.  NULL:
 * M2N_ERROR_MEMORY: the least it can do with, and what is allowed. */
M2nLearner *m2n_learner_new(const M2nConfig *config, guint batch, guint threads, gsize max_memory,
                            GError **error);
void m2n_learner_free(M2nLearner *l);
/* From now on the images given are this process's part of `whole_batch`, and m2n_learner_step() is collective.
 * Borrows `group`; NULL: alone. */
void m2n_learner_join(M2nLearner *l, M2nGroup *group, guint whole_batch);

const M2nParameters *m2n_learner_parameters(const M2nLearner *l);
guint m2n_learner_recomputed(const M2nLearner *l);
M2nPool *m2n_learner_pool(const M2nLearner *l);

/* [parameters->total] each.  Of the key weights the translator alone is used. */
float *m2n_learner_query(M2nLearner *l);
float *m2n_learner_key(M2nLearner *l);
float *m2n_learner_gradient(M2nLearner *l);
/* First float of the translator in those arrays. */
gsize m2n_learner_translator(const M2nLearner *l);

/* x, y [B][T][V][H][W] normalised.  Writes the gradient of reconstruction + latent over all trainable
 * parameters (zeros elsewhere) and updates the running statistics of both branches. */
void m2n_learner_step(M2nLearner *l, const float *x, const float *y, const M2nDropPath *drop,
                      M2nLosses *losses);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(M2nLearner, m2n_learner_free)

G_END_DECLS
