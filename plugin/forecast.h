/* M2nForecast: one model on one input at one time, on the model's own grid: the way from archive to
 * fields.
 *
 *   archive -> window -> normalise -> session -> denormalise -> bounds --.
 *                 ^                                                      |
 *                 '------------ longer than the window: feed back -------'
 *
 * Immutable once open, so any number of threads may share one and compute from it, each for itself;
 * plugin/cache.h is what makes them compute once. */
#pragma once
#include "engine/base/progress.h"
#include "grib/domain.h"
#include "plugin/forecast_spec.h"

G_BEGIN_DECLS

#define M2N_MAX_LEAD_STEPS 1000u

typedef struct M2nForecast M2nForecast;

/* (transfer full) Reads headers alone: the model's metadata, the index of the input, and finds
 * init_time. NULL: M2N_ERROR_IO, _FORMAT, _SHAPE, _MISSING (a time or variable: what was needed and
 * found), _ARGUMENT (lead_time no multiple of the time step, or too long), _MEMORY (more than the
 * bound). */
M2nForecast *m2n_forecast_open(const M2nForecastSpec *spec, GError **error);
void m2n_forecast_free(M2nForecast *f);

const M2nDomain *m2n_forecast_domain(const M2nForecast *f);
guint m2n_forecast_steps(const M2nForecast *f); /* lead times, of time_step each; >= 1 */
guint m2n_forecast_window(const M2nForecast *f); /* fields the model starts from, and makes at once */
gint64 m2n_forecast_init_time(const M2nForecast *f);
long m2n_forecast_centre(const M2nForecast *f);       /* GRIB centre of the input */
const char *m2n_forecast_model(const M2nForecast *f); /* file name */
/* What should be known before computing in this precision here, or NULL: m2n_precision_warning(). */
const char *m2n_forecast_warning(const M2nForecast *f);
/* As m2n_archive_member() and _note(). */
long m2n_forecast_member(const M2nForecast *f, guint *members);
const char *m2n_forecast_note(const M2nForecast *f);

/* The name a result is kept under, hexadecimal: it changes when model, input, time, length, precision or our version do. */
const char *m2n_forecast_key(const M2nForecast *f);

/* (transfer full) SHA-256 of the model file, hexadecimal; read once per process and version of the
 * file. NULL: M2N_ERROR_IO. */
char *m2n_forecast_model_hash(const M2nForecast *f, GError **error);

/* Numbers in a result: (1 + steps) * V * H * W. */
gsize m2n_forecast_n_values(const M2nForecast *f);

/* out[1 + steps][V][H][W], physical units: the last input field, then the lead times.  Variables
 * with bounds are kept inside them (plugin/variable_text.h); what is not finite becomes NaN.  The
 * memory bound of the spec holds, `out` and the `beside` bytes that the caller keeps included.  FALSE:
 * M2N_ERROR_IO (also: an input changed meanwhile), _FORMAT, _SHAPE, _MISSING, _MEMORY, _CANCELLED; out is then undefined. */
gboolean m2n_forecast_compute(const M2nForecast *f, guint64 beside, float *out,
                              M2nProgressFunc progress, gpointer user_data, GError **error);

/* (transfer full) [n_variables + NULL], a line on each variable of a result: "" as a rule, a doubt where its input
 * looks wrong: plugin/unlikely_input.h on `out` as computed, where step 0 is the last input field. */
char **m2n_forecast_doubts(const M2nForecast *f, const float *out);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(M2nForecast, m2n_forecast_free)

G_END_DECLS
