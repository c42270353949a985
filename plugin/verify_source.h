/* M2nForecastSource: the forecasts that are judged, from a model or from files.  Private to verification. */
#pragma once
#include "grib/domain.h"
#include "plugin/verify.h"

G_BEGIN_DECLS

typedef struct M2nForecastSource M2nForecastSource;

/* (transfer full) NULL: as m2n_forecast_open(), m2n_input_open(). */
M2nForecastSource *m2n_forecast_source_open(const M2nVerifyOptions *o, GError **error);
void m2n_forecast_source_free(M2nForecastSource *s);

const char *m2n_forecast_source_name(const M2nForecastSource *s); /* for the report */
const M2nDomain *m2n_forecast_source_domain(const M2nForecastSource *s);
const gint64 *m2n_forecast_source_leads(const M2nForecastSource *s, guint *n); /* seconds */
/* Fields before the initial time that a forecast starts from: (steps - 1) * time step; 0 for files. */
gint64 m2n_forecast_source_reach(const M2nForecastSource *s);
/* Initial times of the files, ascending; NULL for a model, which starts anywhere. */
const gint64 *m2n_forecast_source_starts(const M2nForecastSource *s, guint *n);

/* What each m2n_forecast_source_read() may take beside its result, in bytes. */
void m2n_forecast_source_set_memory(M2nForecastSource *s, guint64 bytes);
/* Of a model, from several threads at once.  out[n_leads][V][points]; a lead time a file does not hold is NaN.  FALSE: any of M2nForecast's errors. */
gboolean m2n_forecast_source_read(const M2nForecastSource *s, gint64 init_time, float *out,
                                  GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(M2nForecastSource, m2n_forecast_source_free)

G_END_DECLS
