/* M2nSession: one model at work: threads and activations.  Used by one thread at a time. */
#pragma once
#include "engine/base/progress.h"
#include "engine/nn/model.h"

G_BEGIN_DECLS

typedef struct M2nSession M2nSession;

/* Bytes a session for this batch and thread count will allocate; checked before anything is. */
gsize m2n_session_memory(const M2nModel *m, guint batch, guint threads);

/* (transfer full) threads 0: one per online CPU.  max_memory 0: no bound.  NULL: M2N_ERROR_MEMORY (too
 * little allowed or available: names both figures). */
M2nSession *m2n_session_new(M2nModel *m, guint batch, guint threads, gsize max_memory,
                            GError **error);
void m2n_session_free(M2nSession *s);

/* One forward pass: x, y [B][T][V][H][W] normalised float32, may not overlap.  FALSE:
 * M2N_ERROR_CANCELLED when progress said stop (y is then undefined). */
gboolean m2n_session_run(M2nSession *s, const float *x, float *y, M2nProgressFunc progress,
                         gpointer user_data, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(M2nSession, m2n_session_free)

G_END_DECLS
