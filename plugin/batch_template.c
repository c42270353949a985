/* Names of output files. */
#include "plugin/batch_template.h"

#include <string.h>

#include "engine/base/error.h"

#define DEFAULT_TIME "%Y%m%dT%H%MZ"

typedef enum { INPUT, FOLDER, MODEL, INIT, VALID, STEP, VARIABLE, MEMBER, EXT, N_FIELDS } Field;

static const char *const field_names[N_FIELDS] = {"input", "folder",   "model",  "init", "valid",
                                                  "step",  "variable", "member", "ext"};

/* At "{name}" or "{name:format}": the field, what follows the colon (transfer full, or NULL), and the text
 * after it.  NULL: no such field. */
static const char *
parse_field(const char *at, Field *field, char **format)
{
    const char *end = strchr(at, '}');

    *format = NULL;
    if (end == NULL)
        return NULL;
    g_autofree char *inside = g_strndup(at + 1, (gsize)(end - at - 1));
    char *colon = strchr(inside, ':');
    if (colon != NULL)
        *colon = 0;
    for (guint f = 0; f < N_FIELDS; f++)
        if (g_str_equal(inside, field_names[f]) && (colon == NULL || f == INIT || f == VALID)) {
            *field = f;
            *format = colon != NULL ? g_strdup(colon + 1) : NULL;
            return end + 1;
        }
    return NULL;
}

gboolean
m2n_template_check(const char *text, M2nTemplateSplit *split, GError **error)
{
    *split = (M2nTemplateSplit){FALSE, FALSE};
    for (const char *at = text; *at != 0;) {
        Field field = N_FIELDS;
        g_autofree char *format = NULL;
        if ((at[0] == '{' && at[1] == '{') || (at[0] == '}' && at[1] == '}')) {
            at += 2;
            continue;
        }
        if (*at != '{') {
            at++;
            continue;
        }
        const char *next = parse_field(at, &field, &format);
        if (next == NULL) {
            g_set_error(
                error, M2N_ERROR, M2N_ERROR_ARGUMENT,
                "output name \"%s\": at \"%.12s\": expected {input}, {folder}, {model}, {init}, "
                "{valid}, {step}, {variable}, {member} or {ext}",
                text, at);
            return FALSE;
        }
        split->per_variable |= field == VARIABLE;
        split->per_step |= field == STEP || field == VALID;
        at = next;
    }
    return TRUE;
}

static char *
stem(const char *path)
{
    char *base = g_path_get_basename(path);
    char *dot = strrchr(base, '.');

    if (dot != NULL && dot != base)
        *dot = 0;
    return base;
}

static char *
time_text(gint64 t, const char *format)
{
    g_autoptr(GDateTime) d = g_date_time_new_from_unix_utc(t);
    char *text = d != NULL ? g_date_time_format(d, format != NULL ? format : DEFAULT_TIME) : NULL;

    return text != NULL ? text : g_strdup("unknown-time");
}

static char *
field_text(Field field, const char *format, const M2nTemplateValues *v)
{
    switch (field) {
    case INPUT:
        return stem(v->input);
    case FOLDER:
        return g_path_get_dirname(v->input);
    case MODEL:
        return stem(v->model);
    case INIT:
        return time_text(v->init_time, format);
    case VALID:
        return time_text(v->init_time + v->lead, format);
    case STEP:
        if (v->lead % 3600 != 0)
            return g_strdup_printf("%03" G_GINT64_FORMAT "m", v->lead / 60);
        return g_strdup_printf("%03" G_GINT64_FORMAT, v->lead / 3600);
    case VARIABLE:
        return g_strdup(v->variable);
    case MEMBER:
        return g_strdup_printf("%02ld", MAX(v->member, 0));
    default:
        return g_strdup(v->suffix);
    }
}

char *
m2n_template_fill(const char *text, const M2nTemplateValues *values)
{
    GString *out = g_string_new(NULL);

    for (const char *at = text; *at != 0;) {
        Field field = N_FIELDS;
        g_autofree char *format = NULL;
        if (*at != '{' || at[1] == '{') {
            const gboolean doubled =
                (at[0] == '{' && at[1] == '{') || (at[0] == '}' && at[1] == '}');
            g_string_append_c(out, *at);
            at += doubled ? 2 : 1;
            continue;
        }
        at = parse_field(at, &field, &format);
        g_assert(at != NULL);
        g_autofree char *filled = field_text(field, format, values);
        g_string_append(out, filled);
    }
    return g_string_free(out, FALSE);
}
