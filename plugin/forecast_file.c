/* The keys of forecast.json, one reader each. */
#include "plugin/forecast_file.h"

#include <string.h>

#include "engine/base/error.h"
#include "engine/base/suggest.h"
#include "plugin/allowed_source.h"
#include "plugin/json_cursor.h"
#include "plugin/quantity.h"
#include "plugin/source_glob.h"

#define VERSION 1
#define MAX_VARIABLES 1000u

enum {
    MET2NET,
    MODEL,
    INPUT,
    INIT_TIME,
    LEAD_TIME,
    VARIABLES,
    INITIAL_STATE,
    MEMBER,
    PRECISION,
    OUTPUT
};
static const char *const keys[] = {"met2net",   "model",         "input",  "init_time", "lead_time",
                                   "variables", "initial_state", "member", "precision", "output",
                                   NULL};
enum { CRS, RESAMPLING };
static const char *const output_keys[] = {"crs", "resampling", NULL};

typedef struct {
    M2nForecastSpec *spec;
    gint64 version;
} Reading;

gboolean
m2n_forecast_file_recognises(const char *bytes, gsize n)
{
    static const char key[] = "\"met2net\"";
    gsize i = n >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;

    if (i == n || bytes[i++] != '{')
        return FALSE;
    while (i < n && bytes[i] != '\0' && strchr(" \t\r\n", bytes[i]) != NULL)
        i++;
    return n - i >= strlen(key) && memcmp(bytes + i, key, strlen(key)) == 0;
}

gboolean
m2n_init_time_parse(const char *text, M2nForecastSpec *spec, GError **error)
{
    spec->latest = g_ascii_strcasecmp(text, "latest") == 0;
    if (spec->latest || m2n_time_parse(text, &spec->init_time, NULL))
        return TRUE;
    g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT,
                "\"%.64s\" is neither \"latest\" nor a time in UTC such as 2024-01-28T06:00:00Z", text);
    return FALSE;
}

gboolean
m2n_resampling_parse(const char *text, M2nRegridMethod *method, GError **error)
{
    static const char *const names[] = {"bilinear", "nearest", "conservative", NULL};

    for (guint i = 0; names[i] != NULL; i++) {
        if (g_ascii_strcasecmp(text, names[i]) == 0) {
            *method = (M2nRegridMethod[]){M2N_REGRID_BILINEAR, M2N_REGRID_NEAREST,
                                          M2N_REGRID_CONSERVATIVE}[i];
            return TRUE;
        }
    }
    g_autofree char *hint = m2n_suggest_text(text, names);
    g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT, "\"%.64s\" is no way of resampling%s", text,
                hint);
    return FALSE;
}

/* The reason of `inner` at the place `at` of the file. */
static gboolean
fail_at(const M2nJsonCursor *j, const char *at, GError *inner, GError **error)
{
    g_autoptr(GError) reason = inner;
    return m2n_cursor_fail(j, at, error, "%s", reason->message);
}

static gboolean
read_source(M2nJsonCursor *j, const char *named, char **out, GError **error)
{
    if (*named == '\0')
        return m2n_cursor_fail(j, j->at, error, "empty file name");
    g_free(*out);
    *out = m2n_allowed_source(j->file, named, error);
    return *out != NULL;
}

/* The names one string of "input" stands for, each by the rules. */
static gboolean
read_pattern(M2nJsonCursor *j, const char *named, GPtrArray *inputs, GError **error)
{
    g_autoptr(GError) problem = NULL;
    g_auto(GStrv) names = m2n_source_glob(j->file, named, M2N_MAX_INPUTS - inputs->len, &problem);

    if (names == NULL)
        return m2n_cursor_fail(j, j->at, error, "%s", problem->message);
    for (char **n = names; *n != NULL; n++) {
        char *source = NULL;
        if (!read_source(j, *n, &source, error))
            return FALSE;
        g_ptr_array_add(inputs, source);
    }
    return TRUE;
}

static gboolean
read_inputs(M2nJsonCursor *j, M2nForecastSpec *spec, GError **error)
{
    g_auto(GStrv) named = NULL;
    g_autoptr(GPtrArray) inputs = g_ptr_array_new_with_free_func(g_free);

    if (!m2n_cursor_strings(j, "input", "names of files, such as [\"analysis.grib2\"]", M2N_MAX_INPUTS, &named, error))
        return FALSE;
    for (guint i = 0; named[i] != NULL; i++)
        if (!read_pattern(j, named[i], inputs, error))
            return FALSE;
    g_ptr_array_set_free_func(inputs, NULL);
    g_ptr_array_add(inputs, NULL);
    spec->inputs = (char **)g_ptr_array_free(g_steal_pointer(&inputs), FALSE);
    return TRUE;
}

static gboolean
read_time(M2nJsonCursor *j, guint key, M2nForecastSpec *spec, GError **error)
{
    g_autofree char *text = NULL;
    GError *inner = NULL;

    m2n_cursor_peek(j);
    const char *at = j->at;
    const char *wanted =
        key == INIT_TIME ? "\"latest\" or a time such as \"2024-01-28T06:00:00Z\"" : "a length of time such as \"24h\"";
    if (!m2n_cursor_string(j, keys[key], wanted, &text, error))
        return FALSE;
    if (key == INIT_TIME)
        return m2n_init_time_parse(text, spec, &inner) || fail_at(j, at, inner, error);
    return m2n_duration_parse(text, &spec->lead_time, &inner) || fail_at(j, at, inner, error);
}

static gboolean
read_precision(M2nJsonCursor *j, M2nForecastSpec *spec, GError **error)
{
    g_autofree char *text = NULL;
    GError *inner = NULL;

    m2n_cursor_peek(j);
    const char *at = j->at;
    return m2n_cursor_string(j, "precision", "\"float32\", \"bf16\" or \"int8\"", &text, error) &&
           (m2n_precision_parse(text, &spec->precision, &inner) || fail_at(j, at, inner, error));
}

static gboolean
read_number(M2nJsonCursor *j, long *member, GError **error)
{
    gint64 n = 0;

    m2n_cursor_peek(j);
    const char *at = j->at;
    if (!m2n_cursor_integer(j, "member", &n, error))
        return FALSE;
    if (n < 0 || n > M2N_MAX_MEMBER)
        return m2n_cursor_fail(j, at, error, "member: expected 0 to %u", M2N_MAX_MEMBER);
    *member = (long)n;
    return TRUE;
}

static gboolean
read_output(M2nJsonCursor *j, guint key, gpointer data, GError **error)
{
    M2nForecastSpec *spec = data;
    g_autofree char *text = NULL;
    GError *inner = NULL;

    if (key == CRS)
        return m2n_cursor_string(j, "crs", "a CRS such as \"EPSG:3857\"", &spec->crs, error);
    m2n_cursor_peek(j);
    const char *at = j->at;
    return m2n_cursor_string(j, "resampling", "\"bilinear\", \"nearest\" or \"conservative\"", &text, error) &&
           (m2n_resampling_parse(text, &spec->resampling, &inner) || fail_at(j, at, inner, error));
}

static gboolean
read_member(M2nJsonCursor *j, guint key, gpointer data, GError **error)
{
    Reading *r = data;
    g_autofree char *text = NULL;

    switch (key) {
    case MET2NET:
        return m2n_cursor_integer(j, "met2net", &r->version, error) &&
               (r->version == VERSION ||
                m2n_cursor_fail(j, j->at, error,
                                "met2net: version %" G_GINT64_FORMAT
                                " of the format; this program reads version %d",
                                r->version, VERSION));
    case MODEL:
        return m2n_cursor_string(j, "model", "the name of a file, in double quotes", &text, error) &&
               read_source(j, text, &r->spec->model, error);
    case INPUT:
        return read_inputs(j, r->spec, error);
    case VARIABLES:
        return m2n_cursor_strings(j, "variables", "names such as [\"t2m\"]", MAX_VARIABLES, &r->spec->variables, error);
    case INITIAL_STATE:
        return m2n_cursor_boolean(j, "initial_state", &r->spec->initial_state, error);
    case MEMBER:
        return read_number(j, &r->spec->member, error);
    case PRECISION:
        return read_precision(j, r->spec, error);
    case OUTPUT:
        return (m2n_cursor_peek(j) == '{' ||
                m2n_cursor_fail(j, j->at, error, "output: expected an object such as {\"crs\": \"EPSG:3857\"}")) &&
               m2n_cursor_object(j, output_keys, read_output, r->spec, error);
    default:
        return read_time(j, key, r->spec, error);
    }
}

gboolean
m2n_forecast_file_parse(M2nForecastSpec *spec, const char *text, gsize n, GError **error)
{
    const gsize skip = n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    M2nJsonCursor j = {.file = spec->file, .text = text, .at = text + skip, .end = text + n};
    Reading r = {.spec = spec};
    const char *bad = NULL;

    if (!g_utf8_validate_len(text, n, &bad))
        return m2n_cursor_fail(&j, bad, error, "not UTF-8");
    if (!m2n_cursor_object(&j, keys, read_member, &r, error) || !m2n_cursor_finish(&j, error))
        return FALSE;
    const char *lacks = r.version == 0         ? "met2net"
                        : spec->model == NULL  ? "model"
                        : spec->inputs == NULL ? "input"
                                               : NULL;
    if (lacks != NULL)
        return m2n_cursor_fail(&j, j.text, error, "the key \"%s\" is missing", lacks);
    return TRUE;
}
