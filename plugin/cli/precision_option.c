#include "plugin/cli/precision_option.h"

gboolean
m2n_precision_option(const char *text, gboolean quiet, M2nPrecision *out, GError **error)
{
    if (text == NULL)
        return TRUE;
    if (!m2n_precision_parse(text, out, error)) {
        g_prefix_error(error, "--precision ");
        return FALSE;
    }
    if (!quiet && m2n_precision_warning(*out) != NULL)
        g_printerr("%s\n", m2n_precision_warning(*out));
    return TRUE;
}
