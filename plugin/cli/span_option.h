/* --span FIRST/LAST, as the tools have it that score forecasts. */
#pragma once
#include <glib.h>

G_BEGIN_DECLS

/* "2024-01-27/2024-01-31T23", seconds since 1970; a bare day as the last one means all of it.  `option`: for the
 * message.  FALSE: M2N_ERROR_ARGUMENT. */
gboolean m2n_span_parse(const char *option, const char *text, gint64 *first, gint64 *last,
                        GError **error);

G_END_DECLS
