/* What is read from a model file once for all forecasts of the process: its weights and its hash.
 * Thread-safe. */
#pragma once
#include "engine/nn/model.h"

G_BEGIN_DECLS

/* (transfer full) The weights.  The model used last is kept, so that a row of forecasts loads it
 * once.  NULL: as m2n_model_load(). */
M2nModel *m2n_shared_model(const M2nSafetensors *tensors, M2nPrecision precision, guint threads,
                           GError **error);

/* (transfer full) SHA-256 of all bytes of the source, hexadecimal.  NULL: M2N_ERROR_IO. */
char *m2n_shared_hash(M2nSource *source, GError **error);

G_END_DECLS
