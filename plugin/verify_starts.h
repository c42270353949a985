/* Which forecasts are scored, and which contenders have a field for all of them.  Private to verification. */
#pragma once
#include "plugin/verify_source.h"
#include "plugin/verify_truth.h"

G_BEGIN_DECLS

/* (transfer full) Initial times, gint64.  A contender without a field for some forecasts would be scored on other ones
 * than the model: those forecasts are left out, unless none would remain; then the contender is (FALSE), and the
 * report says so.  NULL: M2N_ERROR_MISSING: what a forecast needs, and what there is. */
GArray *m2n_verify_starts(const M2nVerifyOptions *o, const M2nForecastSource *source,
                          const M2nTruth *truth, M2nReport *report, gboolean *persistence,
                          gboolean *yesterday, GError **error);

/* The same hour on the last day that is known at the initial time. */
gint64 m2n_yesterday_of(gint64 init, gint64 lead);

G_END_DECLS
