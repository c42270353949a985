/* M2nTruth: what happened, on the grid of the forecasts: fields by time, kept in memory as far as a bound
 * allows, and the climatology made of them.  One thread at a time. */
#pragma once
#include "plugin/input.h"

G_BEGIN_DECLS

typedef struct M2nTruth M2nTruth;

/* (transfer full) `domain` says variables and grid and must outlive it; max_memory: bytes for all it does, half of
 * them for the climatology.  NULL: as m2n_input_open(), M2N_ERROR_MISSING, _MEMORY. */
M2nTruth *m2n_truth_open(const char *const *names, const M2nDomain *domain, M2nRegridMethod method,
                         guint64 max_memory, GError **error);
guint64 m2n_truth_memory(const M2nTruth *t); /* bytes it may come to hold, with reading */
void m2n_truth_free(M2nTruth *t);

/* As m2n_input_note(). */
const char *m2n_truth_note(const M2nTruth *t);
gboolean m2n_truth_has(const M2nTruth *t, gint64 time);
const gint64 *m2n_truth_times(const M2nTruth *t, gsize *n); /* ascending */

/* [V][points], lives until the next call.  NULL: as m2n_input_read_window(). */
const float *m2n_truth_field(M2nTruth *t, gint64 time, GError **error);

/* ---- climatology --------------------------------------------------------------------------------- */

/* Means over the times in [first, last], at the same time of day; where these span 330 days or more also
 * around the same day of the year, with weights that fall linearly to zero 31 days away (WeatherBench 2's
 * window of 61 days).  (transfer full) *what says so in a line.  FALSE: M2N_ERROR_MISSING: no time in it; _MEMORY. */
gboolean m2n_truth_make_climatology(M2nTruth *t, gint64 first, gint64 last, char **what,
                                    M2nProgressFunc progress, gpointer user_data, GError **error);

/* [V][points] for a valid time, lives until the next call; NULL: none was made, or it has nothing at that
 * time of day. */
const float *m2n_truth_climatology(M2nTruth *t, gint64 time);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(M2nTruth, m2n_truth_free)

G_END_DECLS
