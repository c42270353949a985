/* forecast.json to M2nForecastSpec.  The format stands in plugin/forecast_spec.h. */
#pragma once
#include "plugin/forecast_spec.h"

G_BEGIN_DECLS

#define M2N_FORECAST_FILE_MAX (1u << 20) /* bytes */
#define M2N_MAX_INPUTS 1000u             /* each is an open file */

/* TRUE when a file that begins so is a forecast file: "{", white space, "\"met2net\"". */
gboolean m2n_forecast_file_recognises(const char *bytes, gsize n);

/* Fills spec from the text of `spec->file`; names of sources are resolved and checked with
 * m2n_allowed_source().  FALSE: M2N_ERROR_FORMAT naming line and column, _IO, _DENIED. */
gboolean m2n_forecast_file_parse(M2nForecastSpec *spec, const char *text, gsize n, GError **error);

/* FALSE: M2N_ERROR_ARGUMENT; for keys of the file and the open options of that name. */
gboolean m2n_init_time_parse(const char *text, M2nForecastSpec *spec, GError **error);
gboolean m2n_resampling_parse(const char *text, M2nRegridMethod *method, GError **error);

G_END_DECLS
