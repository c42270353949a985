/* Verification: a model run over a span of data, or forecast files already written, against what happened.
 *
 * Beside the forecast stand, on the same points and the same times:
 *   persistence          the field at the initial time
 *   same hour yesterday  the field 24 h (48 h, ...) before the valid time, not after the initial time
 *   climatology          plugin/verify_truth.h; also what ACC is measured from
 * A point at which any of them or the truth has no value is left out of all. */
#pragma once
#include "engine/base/progress.h"
#include "engine/nn/precision.h"
#include "grib/regrid.h"
#include "plugin/verify_chart.h"
#include "plugin/verify_report.h"

G_BEGIN_DECLS

typedef struct {
    const char *model;            /* run it; or */
    const char *const *forecasts; /* NULL-terminated files to be judged; NULL: the model */
    const char *const *data; /* NULL-terminated: what happened (and what the model starts from) */
    const char *const *variables; /* NULL: all of the model, or of the first forecast */
    gboolean has_span;
    gint64 first,
        last;     /* all fields a forecast starts from and is measured by lie in [first, last] */
    gint64 every; /* seconds between initial times; 0: the model's time step */
    gint64 lead_time; /* seconds; 0: the model's window */
    gboolean has_climatology;
    gint64 climatology_first, climatology_last; /* else what lies before the span, or all */
    M2nRegridMethod resampling;
    guint jobs, threads;    /* forecasts at once; threads of each: neither changes a number */
    M2nPrecision precision; /* of the model */
    guint64 max_memory;     /* bytes, all jobs together; 0: the default of met2net_open() */
    gboolean maps;          /* keep error sums of each point for up to 4 lead times */
} M2nVerifyOptions;

#define M2N_VERIFY_OPTIONS_DEFAULT                                                                 \
    {                                                                                              \
        .resampling = M2N_REGRID_BILINEAR, .jobs = 1, .threads = 1                                 \
    }

typedef struct {
    M2nReport *report;
    M2nErrorMaps *maps; /* or NULL */
    M2nGrid *grid;
} M2nVerification;

/* (transfer full) NULL: as m2n_forecast_open() and m2n_input_open(); M2N_ERROR_MISSING: no forecast of the
 * span can be scored, and why; _CANCELLED. */
M2nVerification *m2n_verify(const M2nVerifyOptions *options, M2nProgressFunc progress,
                            gpointer user_data, GError **error);
void m2n_verification_free(M2nVerification *v);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(M2nVerification, m2n_verification_free)

G_END_DECLS
