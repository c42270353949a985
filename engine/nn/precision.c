#include "engine/nn/precision.h"

#include "engine/base/error.h"
#include "engine/base/suggest.h"
#include "engine/ops/panel_int8.h"

static const char *const names[M2N_N_PRECISIONS + 1] = {"float32", "bf16", "int8", NULL};

gboolean
m2n_precision_parse(const char *text, M2nPrecision *precision, GError **error)
{
    for (guint i = 0; i < M2N_N_PRECISIONS; i++)
        if (g_ascii_strcasecmp(text, names[i]) == 0) {
            *precision = (M2nPrecision)i;
            return TRUE;
        }
    const char *near = m2n_suggest(text, names);
    g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT,
                "\"%.64s\": expected float32, bf16 or int8%s%s%s", text,
                near != NULL ? "; did you mean \"" : "", near != NULL ? near : "",
                near != NULL ? "\"?" : "");
    return FALSE;
}

const char *
m2n_precision_name(M2nPrecision precision)
{
    return names[precision];
}

const char *
m2n_precision_warning(M2nPrecision precision)
{
    if (precision == M2N_INT8 && !m2n_panel_int8_is_fast())
        return "int8: this processor has no VNNI; the result is the same, but it takes longer than "
               "float32";
    return NULL;
}
