/* One axis: its values as numbers, as times, as columns or rows of a grid. */
#include "plugin/gridded_axis.h"

#include <cpl_conv.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/error.h"
#include "plugin/gdal_reason.h"

#define MAX_AXIS 10000000 /* entries; beyond it a corrupt header, not a calendar */
#define FARTHEST 1e9 /* metres: no grid of the earth reaches so far, and a longitude beyond is never unwrapped */
#define WIDEST 2000  /* degrees: columns that jump to and fro take ever more turns */

char *
m2n_array_attribute(GDALMDArrayH array, const char *name)
{
    GDALAttributeH attribute = GDALMDArrayGetAttribute(array, name);
    char *text = NULL;

    if (attribute != NULL) {
        text = g_strdup(GDALAttributeReadAsString(attribute));
        GDALAttributeRelease(attribute);
    }
    return text;
}

/* What follows the time of day: nothing, UTC, or hours and minutes east of it (UDUNITS).  FALSE: none of these. */
static gboolean
parse_zone(const char *zone, gint64 *east)
{
    static const char *const utc[] = {"", "Z", "UTC", "GMT", NULL};
    guint hours = 0, minutes = 0;
    int used = 0;

    *east = 0;
    if (g_strv_contains(utc, zone))
        return TRUE;
    if (*zone != '+' && *zone != '-')
        return FALSE;
    const gboolean together = strspn(zone + 1, "0123456789") == 4; /* +0130 */
    if (sscanf(zone + 1, together ? "%2u%2u%n" : "%2u:%2u%n", &hours, &minutes, &used) == 1)
        used = (int)strspn(zone + 1, "0123456789");
    *east = (*zone == '-' ? -1 : 1) * (gint64)(hours * 3600 + minutes * 60);
    return used > 0 && zone[1 + used] == '\0' && hours < 24 && minutes < 60;
}

/* "hours since 1900-01-01 00:00:0.0 +01:00" -> seconds of one unit, and of the epoch; without a zone UTC.  FALSE: not of
 * this form, as months, which have no length. */
static gboolean
parse_units(const char *units, double *unit, gint64 *epoch)
{
    static const struct {
        const char *name;
        double seconds;
    } known[] = {{"second", 1},   {"seconds", 1},  {"sec", 1},    {"secs", 1},  {"s", 1},
                 {"minute", 60},  {"minutes", 60}, {"min", 60},   {"mins", 60}, {"hour", 3600},
                 {"hours", 3600}, {"hr", 3600},    {"hrs", 3600}, {"h", 3600},  {"day", 86400},
                 {"days", 86400}, {"d", 86400}};
    char word[32];
    int year, month, day, hour = 0, minute = 0, used = 0;
    double second = 0;
    gint64 east;

    if (sscanf(units, "%31s since %d-%d-%d%n", word, &year, &month, &day, &used) != 4)
        return FALSE;
    const char *clock = units + used;
    while (*clock == ' ' || *clock == 'T')
        clock++;
    if (g_ascii_isdigit(*clock) && sscanf(clock, "%2d%n", &hour, &used) == 1) {
        clock += used;
        if (sscanf(clock, ":%2d%n", &minute, &used) == 1)
            clock += used;
        if (*clock == ':')
            second = g_ascii_strtod(clock + 1, (char **)&clock);
    }
    while (*clock == ' ')
        clock++;
    g_autofree char *zone = g_strchomp(g_strdup(clock));
    if (!parse_zone(zone, &east))
        return FALSE;
    g_autoptr(GDateTime) date = g_date_time_new_utc(year, month, day, hour, minute, second);
    if (date == NULL)
        return FALSE;
    *epoch = g_date_time_to_unix(date) - east;
    for (gsize i = 0; i < G_N_ELEMENTS(known); i++)
        if (g_ascii_strcasecmp(word, known[i].name) == 0) {
            *unit = known[i].seconds;
            return TRUE;
        }
    return FALSE;
}

guint64
m2n_array_chunk(GDALMDArrayH array)
{
    GDALExtendedDataTypeH type = GDALMDArrayGetDataType(array);
    double bytes = (double)GDALExtendedDataTypeGetSize(type);
    size_t n = 0;
    GUInt64 *block = GDALMDArrayGetBlockSize(array, &n);

    for (size_t i = 0; i < n; i++) /* 0: stored in one piece, which is not read whole */
        bytes *= (double)block[i];
    CPLFree(block);
    GDALExtendedDataTypeRelease(type);
    return (guint64)fmin(bytes, 1e15);
}

gboolean
m2n_axis_fail(GError **error, const char *axis, const char *what)
{
    const gboolean missed = m2n_gdal_file_missed(); /* which is why */

    g_set_error(error, M2N_ERROR, missed ? M2N_ERROR_IO : M2N_ERROR_FORMAT, "axis %s: %s", axis,
                missed ? g_strerror(errno) : what);
    return FALSE;
}

/* Not M2N_ERROR_FORMAT, for that array would be passed over. */
static gpointer
no_memory(GError **error, const char *axis, guint64 n)
{
    g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY, "axis %s: no memory for %" G_GUINT64_FORMAT " values", axis, n);
    return NULL;
}

/* Coordinates may be packed as fields are (CF 8.1). */
static void
scale(GDALMDArrayH array, double *values, gsize n)
{
    int scaled = 0, moved = 0;
    const double factor = GDALMDArrayGetScale(array, &scaled), offset = GDALMDArrayGetOffset(array, &moved);

    for (gsize i = 0; i < n && (scaled || moved); i++)
        values[i] = values[i] * (scaled ? factor : 1) + (moved ? offset : 0);
}

double *
m2n_axis_values(GDALMDArrayH array, gsize *n, GError **error)
{
    const char *name = GDALMDArrayGetName(array);
    const guint64 count = GDALMDArrayGetTotalElementsCount(array);
    const GUInt64 start = 0;
    const size_t counts = (size_t)count;

    if (GDALMDArrayGetDimensionCount(array) > 1 || count == 0 || count > MAX_AXIS ||
        m2n_array_chunk(array) > MAX_AXIS * sizeof(double))
        return m2n_axis_fail(error, name, "cannot be read"), NULL;
    g_autofree double *values = g_try_new(double, count);
    if (values == NULL)
        return no_memory(error, name, count);
    GDALExtendedDataTypeH type = GDALExtendedDataTypeCreate(GDT_Float64);
    const int ok = GDALMDArrayRead(array, &start, &counts, NULL, NULL, type, values, NULL, 0);
    GDALExtendedDataTypeRelease(type);
    if (!ok || m2n_gdal_file_missed()) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_IO, "axis %s: cannot be read: %s", name, m2n_gdal_reason(M2N_GDAL_READ_SILENT));
        return NULL;
    }
    scale(array, values, (gsize)count);
    *n = (gsize)count;
    return g_steal_pointer(&values);
}

gint64 *
m2n_axis_times(GDALMDArrayH array, gsize *n, GError **error)
{
    const char *name = GDALMDArrayGetName(array), *units = GDALMDArrayGetUnit(array);
    g_autofree char *calendar = m2n_array_attribute(array, "calendar");
    double unit;
    gint64 epoch;

    if (units == NULL || !parse_units(units, &unit, &epoch)) {
        g_autofree char *what = g_strdup_printf(
            "units \"%.64s\" are not seconds, minutes, hours or days \"since <date>\" (UTC, or +01:00)",
            units != NULL ? units : "");
        return m2n_axis_fail(error, name, what), NULL;
    }
    if (calendar != NULL && !g_str_equal(calendar, "standard") &&
        !g_str_equal(calendar, "gregorian") && !g_str_equal(calendar, "proleptic_gregorian"))
        return m2n_axis_fail(error, name, "a calendar other than the Gregorian one"), NULL;
    g_autofree double *values = m2n_axis_values(array, n, error);
    if (values == NULL)
        return NULL;
    g_autofree gint64 *times = g_try_new(gint64, *n);
    if (times == NULL)
        return no_memory(error, name, *n);
    for (gsize i = 0; i < *n; i++) {
        if (!(fabs(values[i] * unit) < 1e12))
            return m2n_axis_fail(error, name, "holds no time"), NULL;
        times[i] = epoch + llround(values[i] * unit);
    }
    return g_steal_pointer(&times);
}

gboolean
m2n_axis_even(double *v, gsize n, gboolean degrees, gboolean *flip, double *step)
{
    *flip = FALSE;
    *step = NAN;
    for (gsize i = 0; i < n; i++)
        if (!(fabs(v[i]) < (degrees ? 1000 : FARTHEST)))
            return FALSE;
    *flip = n > 1 && (degrees ? remainder(v[1] - v[0], 360) : v[1] - v[0]) < 0;
    for (gsize i = 0; *flip && i < n / 2; i++) {
        const double t = v[i];
        v[i] = v[n - 1 - i];
        v[n - 1 - i] = t;
    }
    for (gsize i = 1; degrees && i < n; i++)
        while (v[i] < v[i - 1]) {
            v[i] += 360;
            if (v[i] - v[0] > WIDEST)
                return FALSE;
        }
    *step = n > 1 ? (v[n - 1] - v[0]) / (double)(n - 1) : 1;
    for (gsize i = 1; i < n; i++)
        if (!(fabs(v[i] - v[i - 1] - *step) < 0.02 * *step)) /* float32 axes round */
            return FALSE;
    return *step > 0;
}

