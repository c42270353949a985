/* Coordinate axes by CF conventions and by the names that the large archives use. */
#include "plugin/gridded_axes.h"

#include <cpl_conv.h>
#include <ogr_srs_api.h>
#include <string.h>

#include "plugin/gridded_axis.h"

#define MAX_LEVELS 10000
#define MAX_VERSIONS 16
#define MAX_LISTED 100 /* names in `coordinates`, each of which is opened */

static const char *const time_names[] = {"valid_time", "time", "t", NULL};
static const char *const y_names[] = {"latitude", "lat", "y", "rlat", NULL};
static const char *const x_names[] = {"longitude", "lon", "x", "rlon", NULL};

/* The array that holds a dimension's coordinates (transfer full), or NULL. */
static GDALMDArrayH
coordinates_of(GDALGroupH group, GDALDimensionH dim)
{
    GDALMDArrayH array = GDALDimensionGetIndexingVariable(dim);

    if (array == NULL)
        array = GDALGroupOpenMDArray(group, GDALDimensionGetName(dim), NULL);
    return array;
}

gboolean
m2n_axes_scalar_time(GDALGroupH group, const char *name, gint64 *time)
{
    GDALMDArrayH array = GDALGroupOpenMDArray(group, name, NULL);
    gsize n = 0;

    if (array == NULL)
        return FALSE;
    g_autofree gint64 *times = m2n_axis_times(array, &n, NULL);
    GDALMDArrayRelease(array);
    if (times == NULL || n != 1)
        return FALSE;
    *time = times[0];
    return TRUE;
}

static gboolean
set_levels(M2nAxes *a, GDALMDArrayH array, GError **error)
{
    double unit;

    a->levels = m2n_axis_values(array, &a->n_levels, error);
    if (a->levels == NULL)
        return FALSE;
    if (a->n_levels > MAX_LEVELS)
        return m2n_axis_fail(error, GDALMDArrayGetName(array), "more levels than a field has");
    a->vertical = m2n_vertical_of(array, &unit);
    for (gsize i = 0; i < a->n_levels; i++)
        a->levels[i] *= unit;
    return TRUE;
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
    g_autofree double *x = m2n_axis_values(x_array, &nx, error);
    g_autofree double *y = x != NULL ? m2n_axis_values(y_array, &ny, error) : NULL;
    const gboolean degrees = is_degrees(x_array) && is_degrees(y_array);
    g_autofree char *crs = degrees ? g_strdup("EPSG:4326") : projected_crs(array);

    if (x == NULL || y == NULL)
        return FALSE;
    if (crs == NULL)
        return m2n_axis_fail(error, GDALMDArrayGetName(y_array), "neither degrees nor a grid mapping");
    if (!m2n_axis_even(x, nx, degrees, &a->flip_x, &dx))
        return m2n_axis_fail(error, GDALMDArrayGetName(x_array), "is not evenly spaced");
    const gboolean even = m2n_axis_even(y, ny, FALSE, &south_up, &dy);
    a->flip_y = !south_up; /* m2n_axis_even ascends; rows go from the north */
    if (!even && (!degrees || !(dy > 0) || !ascends(y, ny)))
        return m2n_axis_fail(error, GDALMDArrayGetName(y_array), "is not evenly spaced");
    const double geo[6] = {x[0] - dx / 2, dx, 0, y[ny - 1] + dy / 2, 0, -dy};
    a->grid = m2n_grid_new_affine(crs, (guint)nx, (guint)ny, geo);
    if (!even)
        keep_rows(a->grid, y, ny);
    return TRUE;
}

/* (transfer full) An array of one value; NULL: there is none of this name. */
static GDALMDArrayH
open_scalar(GDALGroupH group, const char *name)
{
    GDALMDArrayH found = GDALGroupOpenMDArray(group, name, NULL);

    if (found != NULL && GDALMDArrayGetTotalElementsCount(found) != 1)
        g_clear_pointer(&found, GDALMDArrayRelease);
    return found;
}

/* The time of all of the array: a scalar by a usual name, which `coordinates` lists if the array has that attribute. */
static GDALMDArrayH
scalar_time(GDALGroupH group, GDALMDArrayH array)
{
    g_autofree char *listed = m2n_array_attribute(array, "coordinates");
    g_auto(GStrv) words = g_strsplit(listed != NULL ? listed : "", " ", MAX_LISTED + 1);
    GDALMDArrayH found = NULL;

    for (guint i = 0; found == NULL && time_names[i] != NULL; i++)
        if (listed == NULL || g_strv_contains((const char *const *)words, time_names[i]))
            found = open_scalar(group, time_names[i]);
    return found;
}

/* The height or pressure of all of the array: a scalar that `coordinates` lists or, without that, one by a usual name.  An
 * axis of length 1 that only other arrays have is not meant. */
static GDALMDArrayH
scalar_level(GDALGroupH group, GDALMDArrayH array)
{
    g_autofree char *listed = m2n_array_attribute(array, "coordinates");
    g_auto(GStrv) words = g_strsplit(listed != NULL ? listed : "", " ", MAX_LISTED + 1);
    const char *const *names = listed != NULL ? (const char *const *)words : m2n_level_names;

    for (guint i = 0; names[i] != NULL && i < MAX_LISTED; i++) {
        GDALMDArrayH found = open_scalar(group, names[i]);
        if (found == NULL)
            continue;
        if (m2n_is_level(names[i], found) && (listed != NULL || GDALMDArrayGetDimensionCount(found) == 0))
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
            (g_strv_contains(time_names, name) || (units && strstr(units, " since ") != NULL)))
            a->time = (int)i;
        else if (g_strv_contains(y_names, name) || (units && g_str_has_prefix(units, "degrees_north")))
            a->y = (int)i;
        else if (g_strv_contains(x_names, name) || (units && g_str_has_prefix(units, "degrees_east")))
            a->x = (int)i;
        else if (m2n_is_level(name, coordinate[i]))
            a->level = (int)i;
        else if (g_str_equal(name, "expver"))
            a->version = (int)i;
        else if (size != 1 && a->n_dims >= 3)
            return m2n_axis_fail(error, name, "a dimension without a meaning here");
    }
    return TRUE;
}

static gboolean
fill_axes(M2nAxes *a, GDALGroupH group, GDALMDArrayH array, GDALMDArrayH *coordinate,
          GError **error)
{
    GDALMDArrayH time = a->time >= 0 ? coordinate[a->time] : scalar_time(group, array);
    GDALMDArrayH level = a->level >= 0 ? coordinate[a->level] : scalar_level(group, array);
    gboolean ok = TRUE;

    if (coordinate[a->y] == NULL || coordinate[a->x] == NULL)
        ok = m2n_axis_fail(error, coordinate[a->y] == NULL ? "y" : "x", "has no coordinates");
    else if (time == NULL)
        ok = m2n_axis_fail(error, "time", "there is none");
    ok = ok && (a->times = m2n_axis_times(time, &a->n_times, error)) != NULL && (level == NULL || set_levels(a, level, error)) &&
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
            ok = m2n_axis_fail(error, GDALDimensionGetName(dims[axes->version]), "more versions than a field has");
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
