#include "plugin/cli/span_option.h"

#include "engine/base/error.h"
#include "plugin/quantity.h"

gboolean
m2n_span_parse(const char *option, const char *text, gint64 *first, gint64 *last, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(text, "/", -1);

    if (g_strv_length(parts) != 2) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT, "--%s %s: expected FIRST/LAST", option,
                    text);
        return FALSE;
    }
    if (!m2n_time_parse(parts[0], first, error) || !m2n_time_parse(parts[1], last, error))
        return FALSE;
    if (g_utf8_strlen(parts[1], -1) == 10)
        *last += 86399;
    if (*last >= *first)
        return TRUE;
    g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT, "--%s %s: ends before it begins", option,
                text);
    return FALSE;
}
