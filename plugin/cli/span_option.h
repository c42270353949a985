/* --span FIRST/LAST, as the tools have it that score forecasts. */
#pragma once
#include <glib.h>

G_BEGIN_DECLS

/* A span as m2n_time_span_parse() has it, but not an empty one; seconds since 1970.  `option`: for the message.
 * FALSE: M2N_ERROR_ARGUMENT. */
gboolean m2n_span_parse(const char *option, const char *text, gint64 *first, gint64 *last,
                        GError **error);

G_END_DECLS
