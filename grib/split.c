#include "grib/split.h"

#include <string.h>

#include "engine/base/error.h"

const char *const m2n_span_names[M2N_N_SPANS] = {"train", "validation", "test"};

/* Two or four digits at *p, then one of the signs in `after` (NUL always ends). -1: something else. */
static int
read_digits(const char **p, int digits, const char *after)
{
    int value = 0;

    for (int i = 0; i < digits; i++, (*p)++) {
        if (!g_ascii_isdigit(**p))
            return -1;
        value = 10 * value + (**p - '0');
    }
    if (**p == '\0')
        return value;
    if (strchr(after, **p) == NULL)
        return -1;
    (*p)++;
    return value;
}

/* `end`: the last second the text covers, so that 2016 ends with its December. */
static gboolean
time_parse(const char *text, gboolean end, const char *where, gint64 *out, GError **error)
{
    static const char *const after[] = {"-", "-", "T ", ":Z", ":Z", "Z"};
    static const int lowest[] = {1, 1, 1, 0, 0, 0};
    int part[6] = {1, 1, 1, 0, 0, 0}, given = 0;
    const char *p = text;
    g_autoptr(GDateTime) t = NULL, next = NULL;

    while (given < 6) {
        const int value = read_digits(&p, given == 0 ? 4 : 2, after[given]);

        if (value < lowest[given])
            break;
        part[given++] = value;
        if (*p == '\0')
            break;
    }
    if (given > 0 && *p == '\0' && !g_str_has_suffix(text, "-") && !g_str_has_suffix(text, ":"))
        t = g_date_time_new_utc(part[0], part[1], part[2], part[3], part[4], part[5]);
    if (t == NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT,
                    "%s: '%s' is not a time such as 2016, 2016-03-01 or 2016-03-01T06:00Z", where,
                    text);
        return FALSE;
    }
    *out = g_date_time_to_unix(t);
    if (end) {
        next = g_date_time_add_full(t, given == 1, given == 2, given == 3, given == 4, given == 5,
                                    given == 6);
        *out = g_date_time_to_unix(next) - 1;
    }
    return TRUE;
}

char *
m2n_span_time_format(gint64 time)
{
    g_autoptr(GDateTime) t = g_date_time_new_from_unix_utc(time);

    return t ? g_date_time_format(t, "%Y-%m-%dT%H:%M:%SZ")
             : g_strdup_printf("%" G_GINT64_FORMAT " s", time);
}

gboolean
m2n_time_span_parse(const char *text, const char *where, M2nTimeSpan *out, GError **error)
{
    g_auto(GStrv) ends = g_strsplit(text, "/", 3);
    const guint n = g_strv_length(ends);

    if (g_ascii_strcasecmp(text, "none") == 0) {
        *out = (M2nTimeSpan)M2N_TIME_SPAN_EMPTY;
        return TRUE;
    }
    if (n < 1 || n > 2) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT,
                    "%s: '%s' is not a span such as 2010/2015", where, text);
        return FALSE;
    }
    if (!time_parse(ends[0], FALSE, where, &out->first, error) ||
        !time_parse(ends[n - 1], TRUE, where, &out->last, error))
        return FALSE;
    if (out->first > out->last) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT, "%s: '%s' ends before it begins", where,
                    text);
        return FALSE;
    }
    return TRUE;
}

char *
m2n_time_span_format(const M2nTimeSpan *s)
{
    if (s->first > s->last)
        return g_strdup("none");
    g_autofree char *a = m2n_span_time_format(s->first), *b = m2n_span_time_format(s->last);
    return g_strdup_printf("%s/%s", a, b);
}

M2nSplit
m2n_split_default(const gint64 *times, gsize n)
{
    const gsize tenth = n / 10, test = n - tenth, validation = test - tenth;
    M2nSplit s = {{M2N_TIME_SPAN_EMPTY, M2N_TIME_SPAN_EMPTY, M2N_TIME_SPAN_EMPTY}};

    if (n == 0)
        return s;
    s.span[M2N_SPAN_TRAIN] = (M2nTimeSpan){times[0], times[validation - 1]};
    if (tenth > 0) {
        s.span[M2N_SPAN_VALIDATION] = (M2nTimeSpan){times[validation], times[test - 1]};
        s.span[M2N_SPAN_TEST] = (M2nTimeSpan){times[test], times[n - 1]};
    }
    return s;
}

gboolean
m2n_split_check(const M2nSplit *s, const char *where, GError **error)
{
    for (guint i = 0; i < M2N_N_SPANS; i++)
        for (guint j = i + 1; j < M2N_N_SPANS; j++) {
            const M2nTimeSpan *a = &s->span[i], *b = &s->span[j];

            if (MAX(a->first, b->first) <= MIN(a->last, b->last)) {
                g_autofree char *ta = m2n_time_span_format(a), *tb = m2n_time_span_format(b);

                g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT,
                            "%s: the spans %s %s and %s %s overlap", where, m2n_span_names[i], ta,
                            m2n_span_names[j], tb);
                return FALSE;
            }
        }
    return TRUE;
}
