/* M2nModel: the weights of one Met2Net, checked and immutable.  Any number of sessions and threads
 * share one model. */
#pragma once
#include "engine/nn/config.h"
#include "engine/nn/precision.h"

G_BEGIN_DECLS

typedef struct M2nModel M2nModel;

/* (transfer full) Reads, checks and rounds to `precision` every tensor of the query branch (names of the published
 * checkpoints, with or without "model."; key branch, fc.* and num_batches_tracked are skipped).
 * NULL: M2N_ERROR_FORMAT (a tensor missing or unknown: its name), M2N_ERROR_SHAPE (tensor, expected,
 * found), M2N_ERROR_IO, M2N_ERROR_MEMORY, M2N_ERROR_ARGUMENT (M2N_ISA is misspelt).
 * Reading and packing take `threads` threads (0: one per processor); the result does not depend on them. */
M2nModel *m2n_model_load(const M2nSafetensors *st, M2nPrecision precision, guint threads,
                         GError **error);

/* The names and shapes of all tensors, from the header alone: what m2n_model_load() would say of them.
 * FALSE: M2N_ERROR_FORMAT, M2N_ERROR_SHAPE. */
gboolean m2n_model_check(const M2nSafetensors *st, GError **error);

/* (transfer full) From all weights in one array, laid out as m2n_parameters_new() says; copied.  For a
 * trainer that wants a forecast of its present state.  NULL: M2N_ERROR_MEMORY, _ARGUMENT (M2N_ISA). */
M2nModel *m2n_model_new(const M2nConfig *config, const float *weights, M2nPrecision precision,
                        guint threads, GError **error);

/* Bytes the weights of such a model take, packed. */
gsize m2n_model_memory(const M2nConfig *config, M2nPrecision precision);

M2nModel *m2n_model_ref(M2nModel *m);
void m2n_model_unref(M2nModel *m);
const M2nConfig *m2n_model_config(const M2nModel *m);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(M2nModel, m2n_model_unref)

G_END_DECLS
