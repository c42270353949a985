/* M2nSplit: which times train, which validate, which test.
 *
 * Spans include both ends.  No window crosses the end of a span. */
#pragma once
#include "engine/train/batch_source.h"

G_BEGIN_DECLS

typedef struct {
    gint64 first, last; /* seconds since 1970-01-01T00:00:00Z; first > last: empty */
} M2nTimeSpan;

#define M2N_TIME_SPAN_EMPTY {.first = 1, .last = 0}

typedef struct {
    M2nTimeSpan span[M2N_N_SPANS];
} M2nSplit;

extern const char *const m2n_span_names[M2N_N_SPANS]; /* "train", "validation", "test" */

char *m2n_span_time_format(gint64 time); /* (transfer full) "2016-03-01T06:00:00Z" */

/* "2010/2015": from the start of the first to the end of the second, each "2016", "2016-03", "2016-03-01",
 * "2016-03-01T06" or "2016-03-01T06:30:00Z" (UTC); "2016" alone is "2016/2016"; "none" is empty.  FALSE:
 * M2N_ERROR_ARGUMENT naming `where`. */
gboolean m2n_time_span_parse(const char *text, const char *where, M2nTimeSpan *out, GError **error);
char *m2n_time_span_format(const M2nTimeSpan *s); /* (transfer full) what _parse() reads */

/* The last tenth of the times tests, the tenth before it validates. */
M2nSplit m2n_split_default(const gint64 *times, gsize n);
/* FALSE: M2N_ERROR_ARGUMENT when two spans overlap: a score on trained times would mean nothing. */
gboolean m2n_split_check(const M2nSplit *s, const char *where, GError **error);

G_END_DECLS
