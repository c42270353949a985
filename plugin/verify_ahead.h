/* M2nAhead: forecasts computed by other threads in the order in which they will be asked for. Private to
 * verification. */
#pragma once
#include "plugin/verify_source.h"

G_BEGIN_DECLS

typedef struct M2nAhead M2nAhead;

/* (transfer full) Borrows source and starts.  Files are read one after the other whatever `jobs` says.  NULL:
 * M2N_ERROR_MEMORY. */
M2nAhead *m2n_ahead_new(const M2nForecastSource *source, const gint64 *starts, guint n_starts,
                        guint jobs, GError **error);
/* Waits for those that are being computed and drops the rest. */
void m2n_ahead_free(M2nAhead *a);

/* The next forecast, as m2n_forecast_source_read(); lives until the next call.  NULL: its error.  Not to be
 * called more often than there are starts. */
const float *m2n_ahead_next(M2nAhead *a, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(M2nAhead, m2n_ahead_free)

G_END_DECLS
