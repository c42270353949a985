/* Times, durations and sizes as people and metadata write them.  Times are UTC seconds since
 * 1970-01-01T00:00:00Z, durations seconds. */
#pragma once
#include <glib.h>

G_BEGIN_DECLS

/* "2024-01-28T06:30:00Z", shorter from the right ("2024-01-28T06", "2024-01-28"), "Z" optional, a
 * blank for the "T".  Always UTC: an offset is refused.  FALSE: M2N_ERROR_ARGUMENT naming the text.
 */
gboolean m2n_time_parse(const char *text, gint64 *time, GError **error);
char *m2n_time_format(gint64 time); /* (transfer full) "2024-01-28T06:30:00Z" */
/* A GCompareFunc on gint64: times or durations ascending. */
int m2n_time_compare(gconstpointer a, gconstpointer b);
/* Index of `time` in times[n] ascending, or n. */
gsize m2n_time_find(const gint64 *times, gsize n, gint64 time);
/* Index of the latest of times[n] ascending that is there with steps - 1 before it, `step` seconds apart, or n. */
gsize m2n_time_latest(const gint64 *times, gsize n, gint64 step, guint steps);

/* "90m", "24h", "5d", "1d12h", or ISO 8601 "PT24H", "P5D".  A number needs its unit; 1 s to 100
 * years.  FALSE: M2N_ERROR_ARGUMENT naming the text. */
gboolean m2n_duration_parse(const char *text, gint64 *seconds, GError **error);
char *m2n_duration_format(gint64 seconds); /* (transfer full) "36 h", "90 min", "20 s" */

/* "512MB", "2GB", "1.5G", a plain number of bytes; powers of 1024.  FALSE: M2N_ERROR_ARGUMENT
 * naming the text. */
gboolean m2n_size_parse(const char *text, guint64 *bytes, GError **error);
char *m2n_size_format(guint64 bytes); /* (transfer full) "1.5 MB", in powers of 1024 as above */

G_END_DECLS
