/* How well a model forecasts the windows of a span. */
#pragma once
#include "engine/base/group.h"
#include "engine/base/progress.h"
#include "engine/nn/session.h"
#include "engine/train/batch_source.h"

G_BEGIN_DECLS

/* Collective over `group`, whose processes share the windows; NULL: alone.  mse [variables]: mean over windows, steps and grid of (forecast - target)^2 in network units; times
 * scale^2 it is in physical ones.  `batch` windows run at a time.  FALSE: M2N_ERROR_CANCELLED, _MEMORY, or
 * what the source says.  Windows of the span must exist. */
gboolean m2n_score(M2nModel *model, const M2nBatchSource *source, M2nSpan span, guint batch,
                   guint threads, M2nGroup *group, double *mse, M2nProgressFunc progress,
                   gpointer user_data, GError **error);

G_END_DECLS
