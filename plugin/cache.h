/* The results of the process: each forecast is computed once, however many handles and threads ask.
 *
 * Keyed by m2n_forecast_key(), so a replaced input is another forecast.  The least recently used
 * results go when their sum passes MET2NET_CACHE_MEMORY [512MB], but the newest stays; a result
 * that is still referenced lives on.  Behind it stands plugin/disk_cache.h.  Thread-safe. */
#pragma once
#include "plugin/forecast.h"

G_BEGIN_DECLS

/* Immutable, reference-counted: values[1 + steps][V][H][W] as from m2n_forecast_compute(). */
typedef struct {
    gatomicrefcount references;
    gsize n;
    float values[];
} M2nResult;

M2nResult *m2n_result_ref(M2nResult *r);
void m2n_result_unref(M2nResult *r);

/* (transfer full) From memory, else from disk, else computed by the first that asks while the
 * others wait, with the progress of that one.  When it is cancelled, one of the others goes on.
 * NULL: as m2n_forecast_compute(); everyone who waited gets the same error. */
M2nResult *m2n_cache_get(const M2nForecast *f, gboolean disk, M2nProgressFunc progress,
                         gpointer user_data, GError **error);

/* (transfer full) NULL: not in memory. */
M2nResult *m2n_cache_peek(const M2nForecast *f);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(M2nResult, m2n_result_unref)

G_END_DECLS
