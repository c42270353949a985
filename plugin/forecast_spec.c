/* Names and open options to M2nForecastSpec. */
#define _GNU_SOURCE /* cpl_vsi.h names struct stat64 */
#include "plugin/forecast_spec.h"

#include <cpl_conv.h>
#include <cpl_vsi.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/memory_limit.h"
#include "engine/base/suggest.h"
#include "plugin/forecast_file.h"
#include "plugin/quantity.h"
#include "plugin/source_vsi.h"

enum {
    MODEL,
    VARIABLE,
    INIT_TIME,
    LEAD_TIME,
    INITIAL_STATE,
    MEMBER,
    T_SRS,
    RESAMPLING,
    THREADS,
    MAX_MEMORY,
    PRECISION,
    CACHE
};
static const char *const options_known[] = {
    "MODEL",      "VARIABLE", "INIT_TIME",  "LEAD_TIME", "INITIAL_STATE", "MEMBER", "T_SRS",
    "RESAMPLING", "THREADS",  "MAX_MEMORY", "PRECISION", "CACHE",         NULL};

void
m2n_forecast_spec_free(M2nForecastSpec *spec)
{
    g_free(spec->file);
    g_free(spec->model);
    g_strfreev(spec->inputs);
    g_strfreev(spec->variables);
    g_free(spec->crs);
    g_free(spec);
}

static gboolean
fail(GError **error, const char *value, const char *expected)
{
    g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT, "\"%.64s\": expected %s", value, expected);
    return FALSE;
}

static gboolean
set_boolean(const char *value, gboolean *out, GError **error)
{
    const char *const yes[] = {"YES", "TRUE", "ON", "1", NULL};
    const char *const no[] = {"NO", "FALSE", "OFF", "0", NULL};
    g_autofree char *upper = g_ascii_strup(value, -1);

    *out = g_strv_contains(yes, upper);
    return *out || g_strv_contains(no, upper) || fail(error, value, "YES or NO");
}

static gboolean
set_threads(const char *value, guint *out, GError **error)
{
    guint64 n = 0;

    *out = 0;
    if (g_ascii_strcasecmp(value, "ALL_CPUS") == 0)
        return TRUE;
    if (!g_ascii_string_to_unsigned(value, 10, 1, 1024, &n, NULL))
        return fail(error, value, "1 to 1024, or ALL_CPUS");
    *out = (guint)n;
    return TRUE;
}

static gboolean
set_member(const char *value, long *out, GError **error)
{
    guint64 n = 0;

    if (!g_ascii_string_to_unsigned(value, 10, 0, M2N_MAX_MEMBER, &n, NULL))
        return fail(error, value, "the number of a member, 0 to 65535");
    *out = (long)n;
    return TRUE;
}

static gboolean
set_variables(const char *value, char ***out, GError **error)
{
    g_strfreev(*out);
    *out = g_strsplit(value, ",", -1);
    if ((*out)[0] == NULL) /* GLib splits "" into nothing */
        return fail(error, value, "names of variables with commas between");
    for (guint i = 0; (*out)[i] != NULL; i++)
        if (*g_strstrip((*out)[i]) == '\0')
            return fail(error, value, "names of variables with commas between");
    return TRUE;
}

static gboolean
set_option(M2nForecastSpec *spec, guint option, const char *value, GError **error)
{
    switch (option) {
    case MODEL:
        g_free(spec->model);
        spec->model = g_strdup(value);
        return *value != '\0' || fail(error, value, "a file name");
    case VARIABLE:
        return set_variables(value, &spec->variables, error);
    case INIT_TIME:
        return m2n_init_time_parse(value, spec, error);
    case LEAD_TIME:
        return m2n_duration_parse(value, &spec->lead_time, error);
    case INITIAL_STATE:
        return set_boolean(value, &spec->initial_state, error);
    case MEMBER:
        return set_member(value, &spec->member, error);
    case T_SRS:
        g_free(spec->crs);
        spec->crs = g_strdup(value);
        return TRUE;
    case RESAMPLING:
        return m2n_resampling_parse(value, &spec->resampling, error);
    case THREADS:
        return set_threads(value, &spec->threads, error);
    case MAX_MEMORY:
        return m2n_size_parse(value, &spec->max_memory, error);
    case PRECISION:
        return m2n_precision_parse(value, &spec->precision, error);
    default:
        return set_boolean(value, &spec->disk_cache, error);
    }
}

/* Option names count in any case, as everywhere in GDAL. */
static gboolean
apply_option(M2nForecastSpec *spec, const char *option, GError **error)
{
    const char *equals = strchr(option, '=');
    g_autofree char *key = equals != NULL ? g_strndup(option, (gsize)(equals - option)) : NULL;
    guint i = 0;

    if (key == NULL)
        return fail(error, option, "KEY=VALUE");
    while (options_known[i] != NULL && g_ascii_strcasecmp(options_known[i], key) != 0)
        i++;
    if (options_known[i] == NULL) {
        g_autofree char *hint = m2n_suggest_text(key, options_known);
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT, "unknown option \"%.64s\"%s", key, hint);
        return FALSE;
    }
    if (set_option(spec, i, equals + 1, error))
        return TRUE;
    g_prefix_error(error, "option %s: ", options_known[i]);
    return FALSE;
}

/* (transfer full) The first `most` bytes at most, with a NUL after them. */
static char *
read_start(M2nSource *source, gsize most, gsize *n, GError **error)
{
    *n = (gsize)MIN(m2n_source_size(source), most);
    g_autofree char *text = g_malloc(*n + 1);

    if (!m2n_source_read(source, 0, text, *n, error))
        return NULL;
    text[*n] = '\0';
    return g_steal_pointer(&text);
}

static gboolean
is_folder(const char *name)
{
    VSIStatBufL st;

    return VSIStatExL(name, &st, VSI_STAT_EXISTS_FLAG | VSI_STAT_NATURE_FLAG) == 0 && VSI_ISDIR(st.st_mode);
}

/* A file that begins with "{", or is called .json, is a forecast file; any other, and a folder, is input, whose
 * reader will say so if it is not. */
static gboolean
read_name(M2nForecastSpec *spec, const char *name, GError **error)
{
    gsize n;

    if (is_folder(name)) {
        spec->inputs = g_new0(char *, 2);
        spec->inputs[0] = g_strdup(name);
        return TRUE;
    }
    g_autoptr(M2nSource) source = m2n_source_open_vsi(name, error);
    if (source == NULL)
        return FALSE;
    g_autofree char *text = read_start(source, M2N_FORECAST_FILE_MAX + 1, &n, error);
    if (text == NULL)
        return FALSE;

    if (text[strspn(text, " \t\r\n\xef\xbb\xbf")] != '{' && !g_str_has_suffix(name, ".json")) {
        spec->inputs = g_new0(char *, 2);
        spec->inputs[0] = g_strdup(name);
        return TRUE;
    }
    spec->file = g_strdup(name);
    if (n > M2N_FORECAST_FILE_MAX) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT,
                    "%s: %" G_GUINT64_FORMAT " bytes; a forecast file has at most %u", name,
                    m2n_source_size(source), M2N_FORECAST_FILE_MAX);
        return FALSE;
    }
    return m2n_forecast_file_parse(spec, text, n, error);
}

static gboolean
set_defaults(M2nForecastSpec *spec, GError **error)
{
    const char *cache = CPLGetConfigOption("MET2NET_CACHE", "YES");
    const char *threads = CPLGetConfigOption("GDAL_NUM_THREADS", "ALL_CPUS");

    spec->latest = TRUE;
    spec->member = -1;
    spec->resampling = M2N_REGRID_BILINEAR;
    spec->max_memory = m2n_memory_default();
    if (!set_threads(threads, &spec->threads, NULL))
        spec->threads = 0; /* GDAL_NUM_THREADS is another program's business */
    if (set_boolean(cache, &spec->disk_cache, error))
        return TRUE;
    g_prefix_error(error, "MET2NET_CACHE: ");
    return FALSE;
}

M2nForecastSpec *
m2n_forecast_spec_new(const char *name, const char *const *options, GError **error)
{
    g_autoptr(M2nForecastSpec) spec = g_new0(M2nForecastSpec, 1);

    if (g_ascii_strncasecmp(name, "MET2NET:", 8) == 0)
        name += 8;
    if (*name == '\0') {
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT,
                    "MET2NET: names no file; expected MET2NET:forecast.json");
        return NULL;
    }
    if (!set_defaults(spec, error) || !read_name(spec, name, error))
        return NULL;
    for (guint i = 0; options != NULL && options[i] != NULL; i++) {
        if (!apply_option(spec, options[i], error)) {
            g_prefix_error(error, "%s: ", name);
            return NULL;
        }
    }
    if (spec->model == NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT,
                    "%s: not a forecast file, so a model is needed: open option MODEL, or --model",
                    name);
        return NULL;
    }
    return g_steal_pointer(&spec);
}
