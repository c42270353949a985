/* The command line of met2net-forecast: what was given, and what it means. */
#pragma once
#include "plugin/batch.h"

G_BEGIN_DECLS

typedef struct {
    char *model, *output, *folder, *format, *lead_time, *variables, *steps, *member, *crs, *bounds,
        *resolution, *resampling, *precision, *max_memory, *grib_order, **init_times,
        **creation_options, **inputs;
    gint jobs, threads;
    gboolean together, initial_state, ccsds, sidecar, overwrite, dry_run, quiet;

    /* filled by m2n_forecast_options_read() */
    M2nBatchOptions batch; /* but for inputs and group; points into this structure */
    char *template, **names;
    double edges[4];
    GArray *times, *leads, *members;
} M2nForecastOptions;

#define M2N_FORECAST_OPTIONS_DEFAULT                                                               \
    {                                                                                              \
        .jobs = 1, .threads = 1, .batch = M2N_BATCH_OPTIONS_DEFAULT                                \
    }

/* (transfer full) free with g_free(); what they fill belongs to `o`. */
GOptionEntry *m2n_forecast_option_entries(M2nForecastOptions *o);
/* FALSE: M2N_ERROR_ARGUMENT: option, value and what was expected. */
gboolean m2n_forecast_options_read(M2nForecastOptions *o, GError **error);
void m2n_forecast_options_clear(M2nForecastOptions *o);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(M2nForecastOptions, m2n_forecast_options_clear)

G_END_DECLS
