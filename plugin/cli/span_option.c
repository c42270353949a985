#include "plugin/cli/span_option.h"

#include "engine/base/error.h"
#include "grib/split.h"

gboolean
m2n_span_parse(const char *option, const char *text, gint64 *first, gint64 *last, GError **error)
{
    g_autofree char *where = g_strconcat("--", option, NULL);
    M2nTimeSpan span;

    if (!m2n_time_span_parse(text, where, &span, error))
        return FALSE;
    *first = span.first;
    *last = span.last;
    if (*first <= *last)
        return TRUE;
    g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT, "%s: '%s' leaves nothing to score", where, text);
    return FALSE;
}
