/* M2nForecastSpec: what the user asked for: a forecast file (forecast.json) or a GRIB file with a
 * model, and open options over it.  Nothing but the forecast file has been read, and every source
 * it names has passed the rules of plugin/allowed_source.h.
 *
 *   { "met2net": 1,                      version of this format, the first key
 *     "model": "model.safetensors",      required; relative to the forecast file itself, not to a link to it
 *     "input": ["analysis.grib2"],       required; one name or several, or "analysis_*.grib2"
 *     "init_time": "latest",             or "2024-01-28T00:00:00Z"
 *     "lead_time": "24h",                the model's window when absent
 *     "variables": ["t2m", "u10"],       all when absent
 *     "initial_state": false,            step 0 is the last input field
 *     "member": 3,                       of an ensemble (GRIB); the lowest when absent, with a warning
 *     "precision": "float32",            or "bf16", "int8": see engine/nn/precision.h
 *     "output": { "crs": "EPSG:3857", "resampling": "bilinear" } }
 *
 * Unknown and repeated keys are errors that name line and column.  Open options: see
 * met2net_open(). */
#pragma once
#include "engine/nn/precision.h"
#include "grib/regrid.h"

G_BEGIN_DECLS

#define M2N_MAX_MEMBER 65535u

typedef struct {
    char *file;  /* the forecast file, or NULL */
    char *model; /* resolved names, for plugin/source_vsi.h */
    char **inputs;
    gboolean latest;  /* TRUE: init_time is to be found */
    gint64 init_time; /* seconds since 1970 */
    gint64 lead_time; /* seconds; 0: the model's window */
    char **variables; /* NULL: all */
    gboolean initial_state;
    long member; /* of an ensemble; -1: the lowest */
    char *crs; /* NULL: the model's */
    M2nRegridMethod resampling;
    M2nPrecision precision;
    guint threads;      /* 0: one per CPU */
    guint64 max_memory; /* bytes, > 0 */
    gboolean disk_cache;
} M2nForecastSpec;

/* (transfer full) name: with or without "MET2NET:"; options: NULL or "KEY=VALUE" strings.  NULL:
 * M2N_ERROR_IO, _FORMAT (unknown key, wrong type: file, line, column), _ARGUMENT (an option),
 * _DENIED. */
M2nForecastSpec *m2n_forecast_spec_new(const char *name, const char *const *options,
                                       GError **error);
void m2n_forecast_spec_free(M2nForecastSpec *spec);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(M2nForecastSpec, m2n_forecast_spec_free)

G_END_DECLS
