/* Coordinate axes by CF conventions and by the names that the large archives use. */
#include "plugin/gridded_axes.h"

#include <cpl_conv.h>
#include <cpl_string.h>
#include <math.h>
#include <ogr_srs_api.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/error.h"
#include "plugin/gdal_reason.h"

#define MAX_AXIS 10000000 /* entries; beyond it a corrupt header, not a calendar */
#define MAX_LEVELS 10000
#define MAX_VERSIONS 16

static const char *const time_names[] = {"valid_time", "time", "t", NULL};
static const char *const y_names[] = {"latitude", "lat", "y", "rlat", NULL};
static const char *const x_names[] = {"longitude", "lon", "x", "rlon", NULL};

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

gboolean
m2n_time_units_parse(const char *units, double *unit, gint64 *epoch)
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

    if (sscanf(units, "%31s since %d-%d-%d%n", word, &year, &month, &day, &used) != 4)
        return FALSE;
    const char *clock = units + used;
    while (*clock == ' ' || *clock == 'T')
        clock++;
    if (*clock != 0 && sscanf(clock, "%d:%d", &hour, &minute) == 2) {
        const char *colon = strchr(clock, ':');
        colon = colon != NULL ? strchr(colon + 1, ':') : NULL;
        second = colon != NULL ? g_ascii_strtod(colon + 1, NULL) : 0;
    }
    g_autoptr(GDateTime) date = g_date_time_new_utc(year, month, day, hour, minute, second);
    if (date == NULL)
        return FALSE;
    *epoch = g_date_time_to_unix(date);
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

static gboolean
fail(GError **error, const char *axis, const char *what)
{
    const gboolean missed = m2n_gdal_file_missed(); /* which is why */

    g_set_error(error, M2N_ERROR, missed ? M2N_ERROR_IO : M2N_ERROR_FORMAT, "axis %s: %s", axis,
                missed ? g_strerror(errno) : what);
    return FALSE;
}

/* Not M2N_ERROR_FORMAT, for that array would be passed over. */
static gboolean
no_memory(GError **error, const char *axis, guint64 n)
{
    g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY, "axis %s: no memory for %" G_GUINT64_FORMAT " values", axis, n);
    return FALSE;
}

/* (transfer full) all values of an array of at most one dimension */
static double *
read_values(GDALMDArrayH array, gsize *n, GError **error)
{
    const char *name = GDALMDArrayGetName(array);
    const guint64 count = GDALMDArrayGetTotalElementsCount(array);
    const GUInt64 start = 0;
    const size_t counts = (size_t)count;

    if (GDALMDArrayGetDimensionCount(array) > 1 || count == 0 || count > MAX_AXIS ||
        m2n_array_chunk(array) > MAX_AXIS * sizeof(double))
        return fail(error, name, "cannot be read"), NULL;
    g_autofree double *values = g_try_new(double, count);
    if (values == NULL)
        return no_memory(error, name, count), NULL;
    GDALExtendedDataTypeH type = GDALExtendedDataTypeCreate(GDT_Float64);
    const int ok = GDALMDArrayRead(array, &start, &counts, NULL, NULL, type, values, NULL, 0);
    GDALExtendedDataTypeRelease(type);
    if (!ok || m2n_gdal_file_missed()) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_IO, "axis %s: cannot be read: %s", name, m2n_gdal_reason(M2N_GDAL_READ_SILENT));
        return NULL;
    }
    *n = (gsize)count;
    return g_steal_pointer(&values);
}

static gboolean
is_one_of(const char *name, const char *const *names)
{
    return g_strv_contains(names, name);
}

/* The array that holds a dimension's coordinates (transfer full), or NULL. */
static GDALMDArrayH
coordinates_of(GDALGroupH group, GDALDimensionH dim)
{
    GDALMDArrayH array = GDALDimensionGetIndexingVariable(dim);

    if (array == NULL)
        array = GDALGroupOpenMDArray(group, GDALDimensionGetName(dim), NULL);
    return array;
}

static gboolean
set_times(M2nAxes *a, GDALMDArrayH array, GError **error)
{
    const char *name = GDALMDArrayGetName(array), *units = GDALMDArrayGetUnit(array);
    g_autofree char *calendar = m2n_array_attribute(array, "calendar");
    gsize n = 0;
    double unit;
    gint64 epoch;

    if (units == NULL || !m2n_time_units_parse(units, &unit, &epoch))
        return fail(error, name, "units are not \"... since <date>\"");
    if (calendar != NULL && !g_str_equal(calendar, "standard") &&
        !g_str_equal(calendar, "gregorian") && !g_str_equal(calendar, "proleptic_gregorian"))
        return fail(error, name, "a calendar other than the Gregorian one");
    g_autofree double *values = read_values(array, &n, error);
    if (values == NULL)
        return FALSE;
    if ((a->times = g_try_new(gint64, n)) == NULL)
        return no_memory(error, name, n);
    a->n_times = n;
    for (gsize i = 0; i < n; i++) {
        if (!(fabs(values[i] * unit) < 1e12))
            return fail(error, name, "holds no time");
        a->times[i] = epoch + llround(values[i] * unit);
    }
    return TRUE;
}

gboolean
m2n_axes_scalar_time(GDALGroupH group, const char *name, gint64 *time)
{
    GDALMDArrayH array = GDALGroupOpenMDArray(group, name, NULL);
    M2nAxes axes = {.n_times = 0};

    if (array == NULL)
        return FALSE;
    const gboolean ok = set_times(&axes, array, NULL) && axes.n_times == 1;
    if (ok)
        *time = axes.times[0];
    GDALMDArrayRelease(array);
    m2n_axes_clear(&axes);
    return ok;
}

static gboolean
set_levels(M2nAxes *a, GDALMDArrayH array, GError **error)
{
    double unit;

    a->levels = read_values(array, &a->n_levels, error);
    if (a->levels == NULL)
        return FALSE;
    if (a->n_levels > MAX_LEVELS)
        return fail(error, GDALMDArrayGetName(array), "more levels than a field has");
    a->vertical = m2n_vertical_of(array, &unit);
    for (gsize i = 0; i < a->n_levels; i++)
        a->levels[i] *= unit;
    return TRUE;
}

#define FARTHEST 1e9 /* metres: no grid of the earth reaches so far, and a longitude beyond is never unwrapped */
#define WIDEST 2000  /* degrees: columns that jump to and fro take ever more turns */

/* First value and step of an evenly spaced axis, turned so that it ascends.  Longitudes that jump
 * by a turn are unwrapped.  NaN as step: not even numbers of a grid. */
static gboolean
even_axis(double *v, gsize n, gboolean degrees, gboolean *flip, double *step)
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

/* (transfer full) what PROJ reads, of a grid that is not in longitude and latitude; NULL: none
 * stated */
static char *
projected_crs(GDALMDArrayH array)
{
    OGRSpatialReferenceH srs = GDALMDArrayGetSpatialRef(array);
    char *wkt = NULL, *crs = NULL;

    if (srs == NULL)
        return NULL;
    const char *const options[] = {"FORMAT=WKT2_2018", NULL};
    if (OSRExportToWktEx(srs, &wkt, options) == OGRERR_NONE)
        crs = g_strdup(wkt);
    CPLFree(wkt);
    OSRDestroySpatialReference(srs);
    return crs;
}

static gboolean
ascends(const double *v, gsize n)
{
    for (gsize i = 1; i < n; i++)
        if (!(v[i] > v[i - 1]))
            return FALSE;
    return TRUE;
}

/* Rows of unequal height (Gaussian latitudes) keep their own centres. */
static void
keep_rows(M2nGrid *grid, const double *y, gsize n)
{
    grid->row_y = g_new(double, n);
    for (gsize i = 0; i < n; i++)
        grid->row_y[i] = y[n - 1 - i];
}

static gboolean
is_degrees(GDALMDArrayH array)
{
    const char *units = GDALMDArrayGetUnit(array), *name = GDALMDArrayGetName(array);

    if (units != NULL && g_str_has_prefix(units, "degree"))
        return !g_str_has_prefix(name, "r"); /* rlat, rlon: degrees round another pole */
    return (units == NULL || *units == 0) && (name[0] == 'l');
}

static gboolean
set_grid(M2nAxes *a, GDALMDArrayH array, GDALMDArrayH y_array, GDALMDArrayH x_array, GError **error)
{
    gsize nx = 0, ny = 0;
    double dx, dy;
    gboolean south_up;
    g_autofree double *x = read_values(x_array, &nx, error);
    g_autofree double *y = x != NULL ? read_values(y_array, &ny, error) : NULL;
    const gboolean degrees = is_degrees(x_array) && is_degrees(y_array);
    g_autofree char *crs = degrees ? g_strdup("EPSG:4326") : projected_crs(array);

    if (x == NULL || y == NULL)
        return FALSE;
    if (crs == NULL)
        return fail(error, GDALMDArrayGetName(y_array), "neither degrees nor a grid mapping");
    if (!even_axis(x, nx, degrees, &a->flip_x, &dx))
        return fail(error, GDALMDArrayGetName(x_array), "is not evenly spaced");
    const gboolean even = even_axis(y, ny, FALSE, &south_up, &dy);
    a->flip_y = !south_up; /* even_axis ascends; rows go from the north */
    if (!even && (!degrees || !(dy > 0) || !ascends(y, ny)))
        return fail(error, GDALMDArrayGetName(y_array), "is not evenly spaced");
    const double geo[6] = {x[0] - dx / 2, dx, 0, y[ny - 1] + dy / 2, 0, -dy};
    a->grid = m2n_grid_new_affine(crs, (guint)nx, (guint)ny, geo);
    if (!even)
        keep_rows(a->grid, y, ny);
    return TRUE;
}

/* A coordinate without a dimension: a scalar named by `names`. */
static GDALMDArrayH
scalar_of(GDALGroupH group, GDALMDArrayH array, const char *const *names)
{
    g_autofree char *listed = m2n_array_attribute(array, "coordinates");
    g_auto(GStrv) words = g_strsplit(listed != NULL ? listed : "", " ", -1);

    for (guint i = 0; names[i] != NULL; i++) {
        if (listed != NULL && !g_strv_contains((const char *const *)words, names[i]))
            continue;
        GDALMDArrayH found = GDALGroupOpenMDArray(group, names[i], NULL);
        if (found == NULL)
            continue;
        if (GDALMDArrayGetTotalElementsCount(found) == 1)
            return found;
        GDALMDArrayRelease(found);
    }
    return NULL;
}

/* The height or pressure of all of the array: a scalar that `coordinates` lists or, without that, one by a usual name.  An
 * axis of length 1 that only other arrays have is not meant. */
static GDALMDArrayH
scalar_level(GDALGroupH group, GDALMDArrayH array)
{
    g_autofree char *listed = m2n_array_attribute(array, "coordinates");
    g_auto(GStrv) words = g_strsplit(listed != NULL ? listed : "", " ", -1);
    const char *const *names = listed != NULL ? (const char *const *)words : m2n_level_names;

    for (guint i = 0; names[i] != NULL; i++) {
        GDALMDArrayH found = GDALGroupOpenMDArray(group, names[i], NULL);
        if (found == NULL)
            continue;
        if (m2n_is_level(names[i], found) && GDALMDArrayGetTotalElementsCount(found) == 1 &&
            (listed != NULL || GDALMDArrayGetDimensionCount(found) == 0))
            return found;
        GDALMDArrayRelease(found);
    }
    return NULL;
}

/* Which role each dimension plays; one of length 1 that plays none does no harm. */
static gboolean
sort_dimensions(M2nAxes *a, GDALDimensionH *dims, size_t n, GDALMDArrayH *coordinate,
                GError **error)
{
    for (size_t i = 0; i < n; i++) {
        const char *name = GDALDimensionGetName(dims[i]);
        const char *units = coordinate[i] != NULL ? GDALMDArrayGetUnit(coordinate[i]) : NULL;
        const guint64 size = GDALDimensionGetSize(dims[i]);

        if (a->time < 0 &&
            (is_one_of(name, time_names) || (units && strstr(units, " since ") != NULL)))
            a->time = (int)i;
        else if (is_one_of(name, y_names) || (units && g_str_has_prefix(units, "degrees_north")))
            a->y = (int)i;
        else if (is_one_of(name, x_names) || (units && g_str_has_prefix(units, "degrees_east")))
            a->x = (int)i;
        else if (m2n_is_level(name, coordinate[i]))
            a->level = (int)i;
        else if (g_str_equal(name, "expver"))
            a->version = (int)i;
        else if (size != 1 && a->n_dims >= 3)
            return fail(error, name, "a dimension without a meaning here");
    }
    return TRUE;
}

static gboolean
fill_axes(M2nAxes *a, GDALGroupH group, GDALMDArrayH array, GDALMDArrayH *coordinate,
          GError **error)
{
    GDALMDArrayH time = a->time >= 0 ? coordinate[a->time] : scalar_of(group, array, time_names);
    GDALMDArrayH level = a->level >= 0 ? coordinate[a->level] : scalar_level(group, array);
    gboolean ok = TRUE;

    if (coordinate[a->y] == NULL || coordinate[a->x] == NULL)
        ok = fail(error, coordinate[a->y] == NULL ? "y" : "x", "has no coordinates");
    else if (time == NULL)
        ok = fail(error, "time", "there is none");
    ok = ok && set_times(a, time, error) && (level == NULL || set_levels(a, level, error)) &&
         set_grid(a, array, coordinate[a->y], coordinate[a->x], error);
    if (a->time < 0 && time != NULL)
        GDALMDArrayRelease(time);
    if (a->level < 0 && level != NULL)
        GDALMDArrayRelease(level);
    return ok;
}

gboolean
m2n_axes_read(M2nAxes *axes, GDALGroupH group, GDALMDArrayH array, GError **error)
{
    size_t n = 0;
    GDALDimensionH *dims = GDALMDArrayGetDimensions(array, &n);
    g_autofree GDALMDArrayH *coordinate = g_new0(GDALMDArrayH, n + 1);
    gboolean ok = TRUE;

    *axes = (M2nAxes){.n_dims = (guint)n, .time = -1, .level = -1, .y = -1, .x = -1, .version = -1};
    axes->n_versions = 1;
    if (n >= 2) {
        for (size_t i = 0; i < n; i++)
            coordinate[i] = coordinates_of(group, dims[i]);
        ok = sort_dimensions(axes, dims, n, coordinate, error);
        if (ok && axes->version >= 0)
            axes->n_versions = (gsize)GDALDimensionGetSize(dims[axes->version]);
        if (axes->n_versions > MAX_VERSIONS)
            ok = fail(error, GDALDimensionGetName(dims[axes->version]), "more versions than a field has");
        if (ok && axes->y >= 0 && axes->x >= 0)
            ok = fill_axes(axes, group, array, coordinate, error);
    }
    for (size_t i = 0; i < n; i++)
        if (coordinate[i] != NULL)
            GDALMDArrayRelease(coordinate[i]);
    GDALReleaseDimensions(dims, n);
    return ok;
}

void
m2n_axes_clear(M2nAxes *axes)
{
    g_clear_pointer(&axes->times, g_free);
    g_clear_pointer(&axes->levels, g_free);
    g_clear_pointer(&axes->grid, m2n_grid_unref);
}
