/* Times, durations and sizes to and from text; times in order. */
#include "plugin/quantity.h"

#include <string.h>

#include "engine/base/error.h"

#define LONGEST (G_GINT64_CONSTANT(100) * 366 * 86400)

/* Exactly `digits` decimal digits at *at, which moves on. */
static gboolean
take_number(const char **at, guint digits, int *value)
{
    *value = 0;
    for (guint i = 0; i < digits; i++, (*at)++) {
        if (!g_ascii_isdigit(**at))
            return FALSE;
        *value = *value * 10 + (**at - '0');
    }
    return TRUE;
}

static gboolean
take_char(const char **at, const char *accepted)
{
    if (**at == '\0' || strchr(accepted, **at) == NULL)
        return FALSE;
    (*at)++;
    return TRUE;
}

gboolean
m2n_time_parse(const char *text, gint64 *time, GError **error)
{
    const char *at = text;
    int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
    gboolean ok = take_number(&at, 4, &year) && take_char(&at, "-") &&
                  take_number(&at, 2, &month) && take_char(&at, "-") && take_number(&at, 2, &day);

    if (ok && take_char(&at, "T ")) {
        ok = take_number(&at, 2, &hour);
        if (ok && take_char(&at, ":"))
            ok = take_number(&at, 2, &minute);
        if (ok && take_char(&at, ":"))
            ok = take_number(&at, 2, &second);
        take_char(&at, "Z");
    }
    g_autoptr(GDateTime) t =
        ok && *at == '\0' ? g_date_time_new_utc(year, month, day, hour, minute, second) : NULL;
    if (t == NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT,
                    "\"%.64s\" is not a time in UTC such as 2024-01-28T06:00:00Z", text);
        return FALSE;
    }
    *time = g_date_time_to_unix(t);
    return TRUE;
}

char *
m2n_time_format(gint64 time)
{
    g_autoptr(GDateTime) t = g_date_time_new_from_unix_utc(time);

    return t != NULL ? g_date_time_format(t, "%Y-%m-%dT%H:%M:%SZ")
                     : g_strdup_printf("%" G_GINT64_FORMAT " s since 1970", time);
}

int
m2n_time_compare(gconstpointer a, gconstpointer b)
{
    const gint64 x = *(const gint64 *)a, y = *(const gint64 *)b;
    return x < y ? -1 : x > y;
}

gsize
m2n_time_find(const gint64 *times, gsize n, gint64 t)
{
    gsize low = 0, high = n;

    while (low < high) {
        const gsize middle = low + (high - low) / 2;
        if (times[middle] < t)
            low = middle + 1;
        else
            high = middle;
    }
    return low < n && times[low] == t ? low : n;
}

gsize
m2n_time_latest(const gint64 *times, gsize n, gint64 step, guint steps)
{
    for (gsize i = n; i-- > 0;) {
        guint have = 1;
        while (have < steps && m2n_time_find(times, n, times[i] - (gint64)have * step) < n)
            have++;
        if (have == steps)
            return i;
    }
    return n;
}

static gint64
unit_seconds(char unit)
{
    switch (g_ascii_tolower(unit)) {
    case 'd':
        return 86400;
    case 'h':
        return 3600;
    case 'm':
        return 60;
    case 's':
        return 1;
    default:
        return 0;
    }
}

gboolean
m2n_duration_parse(const char *text, gint64 *seconds, GError **error)
{
    const gboolean iso = g_ascii_toupper(*text) == 'P';
    const char *at = text + (iso ? 1 : 0);
    gboolean in_time = !iso; /* ISO: "M" before the "T" is a month, which has no fixed length */
    gint64 total = 0, smallest = G_MAXINT64;

    while (*at != '\0') {
        char *end = NULL;
        if (iso && !in_time && g_ascii_toupper(*at) == 'T' && at[1] != '\0') {
            in_time = TRUE;
            at++;
        }
        const guint64 n = g_ascii_isdigit(*at) ? g_ascii_strtoull(at, &end, 10) : 0;
        const gint64 unit = end != NULL ? unit_seconds(*end) : 0;
        /* falling units alone ("1d12h"), so that "1h1d" is noticed as the typing error it is */
        if (unit == 0 || unit >= smallest || (!in_time && unit != 86400) ||
            (iso && in_time && unit == 86400) || n > (guint64)(LONGEST / unit)) {
            total = 0;
            break;
        }
        total += (gint64)n * unit;
        smallest = unit;
        at = end + 1;
    }
    if (total <= 0 || total > LONGEST) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT,
                    "\"%.64s\" is not a length of time such as 90m, 24h, 5d or PT24H", text);
        return FALSE;
    }
    *seconds = total;
    return TRUE;
}

char *
m2n_duration_format(gint64 seconds)
{
    if (seconds % 3600 == 0)
        return g_strdup_printf("%" G_GINT64_FORMAT " h", seconds / 3600);
    if (seconds % 60 == 0)
        return g_strdup_printf("%" G_GINT64_FORMAT " min", seconds / 60);
    return g_strdup_printf("%" G_GINT64_FORMAT " s", seconds);
}

gboolean
m2n_size_parse(const char *text, guint64 *bytes, GError **error)
{
    static const char units[] = "BKMGT";
    char *end = NULL;
    const double n = g_ascii_isdigit(*text) ? g_ascii_strtod(text, &end) : -1;
    double factor = 1;

    if (end != NULL && *end != '\0') {
        const char *unit = strchr(units, g_ascii_toupper(*end));
        for (const char *u = units; unit != NULL && u < unit; u++)
            factor *= 1024;
        end += g_ascii_toupper(*end) != 'B';
        end += g_ascii_toupper(*end) == 'B';
        if (unit == NULL)
            end = NULL;
    }
    if (end == NULL || *end != '\0' || !(n > 0) || n * factor > 0x1p60) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT,
                    "\"%.64s\" is not a size such as 512MB or 2GB", text);
        return FALSE;
    }
    *bytes = (guint64)(n * factor);
    return TRUE;
}

char *
m2n_size_format(guint64 bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    char number[G_ASCII_DTOSTR_BUF_SIZE];
    double n = (double)bytes;
    guint unit = 0;

    while (n >= 1024 && unit + 1 < G_N_ELEMENTS(units)) {
        n /= 1024;
        unit++;
    }
    g_ascii_formatd(number, sizeof number, unit > 0 && n < 10 ? "%.1f" : "%.0f", n);
    return g_strdup_printf("%s %s", number, units[unit]);
}
