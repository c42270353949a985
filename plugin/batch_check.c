/* Is an output file there, whole, and what it would be if it were written again? */
#define _GNU_SOURCE /* cpl_vsi.h names struct stat64 */
#include <cpl_error.h>
#include <gdal.h>
#include <math.h>
#include <stdarg.h>

#include "grib/archive.h"
#include "plugin/batch_product.h"
#include "plugin/field_metadata.h"
#include "plugin/gdal_reason.h"
#include "plugin/source_vsi.h"

static gboolean G_GNUC_PRINTF(2, 3) no(char **why, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    *why = g_strdup_vprintf(format, args);
    va_end(args);
    return FALSE;
}

/* Metadata that must be as we would write it. */
static gboolean
same_provenance(const M2nProduct *p, const char *(*get)(gpointer data, const char *key),
                gpointer data, char **why)
{
    for (guint i = 0; p->provenance[i] != NULL; i++) {
        g_auto(GStrv) pair = g_strsplit(p->provenance[i], "=", 2);
        const char *have = get(data, pair[0]);
        if (have == NULL || !g_str_equal(have, pair[1] != NULL ? pair[1] : ""))
            return no(why, "%s is \"%s\", now \"%s\"", pair[0], have != NULL ? have : "", pair[1]);
    }
    return TRUE;
}

static gboolean
same_checksum(const float *values, gsize n, const char *stated, char **why)
{
    g_autofree char *sum = m2n_values_checksum(values, n);

    return stated != NULL && g_str_equal(sum, stated) ? TRUE
                                                      : no(why, "its values are not those written");
}

/* ---- GeoTIFF ------------------------------------------------------------------------------------- */

static const char *
raster_item(gpointer data, const char *key)
{
    return GDALGetMetadataItem(data, key, NULL);
}

/* The description names variable, level and valid time. */
static gboolean
same_band(const M2nProduct *p, GDALDatasetH d, guint b, char **why)
{
    const M2nVariable *v = &p->domain->variables[p->variables[b % p->n_variables]];
    const M2nFieldTime time = {.init_time = p->init_time, .lead = p->leads[b / p->n_variables]};
    const char *have = GDALGetDescription(GDALGetRasterBand(d, (int)b + 1));
    g_autofree char *want = m2n_field_description(v, &time);

    return g_str_equal(have, want) ? TRUE : no(why, "band %u is \"%s\", now \"%s\"", b + 1, have, want);
}

static gboolean
check_raster(const M2nProduct *p, GDALDatasetH d, char **why)
{
    const guint n_bands = p->n_steps * p->n_variables;
    const int w = (int)p->grid->width, h = (int)p->grid->height;
    double geo[6] = {0};

    if (GDALGetRasterXSize(d) != w || GDALGetRasterYSize(d) != h ||
        GDALGetRasterCount(d) != (int)n_bands)
        return no(why, "other size or number of bands");
    GDALGetGeoTransform(d, geo);
    for (int i = 0; i < 6; i++)
        if (!(fabs(geo[i] - p->grid->geo[i]) <= 1e-9 * fabs(p->grid->geo[1])))
            return no(why, "another grid");
    if (!same_provenance(p, raster_item, d, why))
        return FALSE;
    g_autofree float *values = g_try_new(float, n_bands * p->grid->n_points);
    if (values == NULL)
        return no(why, "too large to be checked");
    for (guint b = 0; b < n_bands; b++) {
        if (!same_band(p, d, b, why))
            return FALSE;
        float *to = values + b * p->grid->n_points;
        if (GDALRasterIO(GDALGetRasterBand(d, (int)b + 1), GF_Read, 0, 0, w, h, to, w, h,
                         GDT_Float32, 0, 0) != CE_None)
            return no(why, "cannot be read: %s", m2n_gdal_reason(M2N_GDAL_READ_SILENT));
    }
    return same_checksum(values, n_bands * p->grid->n_points,
                         GDALGetMetadataItem(d, "MET2NET_CHECKSUM", NULL), why);
}

/* ---- NetCDF, Zarr -------------------------------------------------------------------------------- */

/* (transfer none) lives until the next call */
typedef struct {
    GDALGroupH root;
    char *last;
} Attributes;

static const char *
group_item(gpointer data, const char *key)
{
    Attributes *a = data;
    GDALAttributeH attribute = GDALGroupGetAttribute(a->root, key);

    g_clear_pointer(&a->last, g_free);
    if (attribute != NULL) {
        a->last = g_strdup(GDALAttributeReadAsString(attribute));
        GDALAttributeRelease(attribute);
    }
    return a->last;
}

static gboolean
same_axis(GDALGroupH root, const char *name, const double *want, gsize n, char **why)
{
    GDALMDArrayH array = GDALGroupOpenMDArray(root, name, NULL);
    const char *unit = array != NULL ? GDALMDArrayGetUnit(array) : NULL;
    const double scale = g_strcmp0(unit, "hours") == 0 ? 3600 : 1; /* lead times are wanted in seconds */
    g_autofree double *have = g_new(double, n);
    const GUInt64 start = 0;
    const size_t count = n;
    GDALExtendedDataTypeH type = GDALExtendedDataTypeCreate(GDT_Float64);
    gboolean ok = array != NULL && GDALMDArrayGetDimensionCount(array) == 1 &&
                  GDALMDArrayGetTotalElementsCount(array) == n &&
                  GDALMDArrayRead(array, &start, &count, NULL, NULL, type, have, NULL, 0);

    for (gsize i = 0; ok && i < n; i++)
        ok = fabs(have[i] * scale - want[i]) <= 1e-9 * fabs(want[n - 1] - want[0]);
    GDALExtendedDataTypeRelease(type);
    if (array != NULL)
        GDALMDArrayRelease(array);
    return ok ? TRUE : no(why, "%s is another", name);
}

/* Lead times, rows and columns; the first variable tells what its axes are called. */
static gboolean
same_axes(const M2nProduct *p, GDALGroupH root, char **why)
{
    const M2nGrid *g = p->grid;
    const char *variable = p->domain->variables[p->variables[0]].name;
    GDALMDArrayH array = GDALGroupOpenMDArray(root, variable, NULL);
    size_t n = 0;
    GDALDimensionH *axes = array != NULL ? GDALMDArrayGetDimensions(array, &n) : NULL;
    g_autofree double *x = g_new(double, g->width), *y = g_new(double, g->height),
                      *leads = g_new(double, p->n_steps);

    for (guint i = 0; i < g->width; i++)
        x[i] = m2n_grid_row_x(g, 0, i);
    for (guint i = 0; i < g->height; i++)
        y[i] = m2n_grid_row_y(g, i);
    for (guint i = 0; i < p->n_steps; i++)
        leads[i] = (double)p->leads[i];
    const gboolean ok = n != 3 ? no(why, "%s is not in it", variable)
                               : same_axis(root, "leadtime", leads, p->n_steps, why) &&
                                     same_axis(root, GDALDimensionGetName(axes[1]), y, g->height, why) &&
                                     same_axis(root, GDALDimensionGetName(axes[2]), x, g->width, why);
    GDALReleaseDimensions(axes, n);
    if (array != NULL)
        GDALMDArrayRelease(array);
    return ok;
}

static gboolean
read_array(const M2nProduct *p, GDALGroupH root, guint i, float *values, char **why)
{
    const char *name = p->domain->variables[p->variables[i]].name;
    GDALMDArrayH array = GDALGroupOpenMDArray(root, name, NULL);
    const gsize points = p->grid->n_points;
    const size_t count[3] = {p->n_steps, p->grid->height, p->grid->width};
    const GPtrDiff_t stride[3] = {(GPtrDiff_t)(points * p->n_variables), (GPtrDiff_t)p->grid->width,
                                  1};
    const GUInt64 start[3] = {0};

    if (array == NULL)
        return no(why, "%s is not in it", name);
    GDALExtendedDataTypeH type = GDALExtendedDataTypeCreate(GDT_Float32);
    const gboolean ok =
        GDALMDArrayGetDimensionCount(array) == 3 &&
        GDALMDArrayGetTotalElementsCount(array) == (GUInt64)p->n_steps * points &&
        GDALMDArrayRead(array, start, count, NULL, stride, type, values + i * points, NULL, 0);
    GDALExtendedDataTypeRelease(type);
    GDALMDArrayRelease(array);
    return ok ? TRUE : no(why, "%s cannot be read whole", name);
}

static gboolean
check_arrays(const M2nProduct *p, GDALDatasetH d, char **why)
{
    const gsize n = (gsize)p->n_steps * p->n_variables * p->grid->n_points;
    Attributes a = {GDALDatasetGetRootGroup(d), NULL};
    g_autofree float *values = g_try_new(float, n);
    gboolean ok = a.root != NULL && values != NULL;

    if (!ok)
        return no(why, "cannot be read");
    ok = same_provenance(p, group_item, &a, why) && same_axes(p, a.root, why);
    for (guint i = 0; ok && i < p->n_variables; i++)
        ok = read_array(p, a.root, i, values, why);
    ok = ok && same_checksum(values, n, group_item(&a, "MET2NET_CHECKSUM"), why);
    g_free(a.last);
    GDALGroupRelease(a.root);
    return ok;
}

static gboolean
check_gdal(const M2nProduct *p, const char *path, M2nFormat format, char **why)
{
    const gboolean arrays = format == M2N_FORMAT_NETCDF || format == M2N_FORMAT_ZARR;
    const char *const drivers[] = {format == M2N_FORMAT_COG ? "GTiff" : m2n_format_name(format),
                                   NULL};

    m2n_gdal_try();
    GDALDatasetH d = GDALOpenEx(
        path, (arrays ? GDAL_OF_MULTIDIM_RASTER : GDAL_OF_RASTER) | GDAL_OF_VERBOSE_ERROR, drivers,
        NULL, NULL);
    gboolean ok = d != NULL;
    if (!ok)
        no(why, "cannot be opened: %s", m2n_gdal_reason(M2N_GDAL_READ_SILENT));
    else
        ok = arrays ? check_arrays(p, d, why) : check_raster(p, d, why);
    if (d != NULL)
        GDALClose(d);
    CPLPopErrorHandler();
    return ok;
}

/* ---- GRIB ---------------------------------------------------------------------------------------- */

/* A GRIB file says nothing of the model it comes from: times, variables and grid must be right and every
 * message must decode. */
static gboolean
check_grib(const M2nProduct *p, const char *path, char **why)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(M2nSource) source = m2n_source_open_vsi(path, &error);
    g_autoptr(M2nArchive) archive = source != NULL ? m2n_archive_open(&source, 1, &error) : NULL;
    g_autofree M2nVariable *variables = g_new(M2nVariable, p->n_variables);
    g_autofree float *fields = g_try_new(float, p->n_variables * p->grid->n_points);
    M2nDomain d = *p->domain;

    if (archive == NULL || fields == NULL)
        return no(why, "%s", error != NULL ? error->message : "too large to be checked");
    for (guint i = 0; i < p->n_variables; i++) {
        variables[i] = p->domain->variables[p->variables[i]];
        const M2nGrid *grid = m2n_archive_grid(archive, &variables[i]);
        if (grid == NULL || !m2n_grid_equal(grid, p->grid))
            return no(why, "%s is not in it on this grid", variables[i].name);
    }
    d.n_variables = p->n_variables;
    d.variables = variables;
    d.grid = p->grid;
    guint members;
    const long member = m2n_archive_member(archive, &members); /* a control alone is no ensemble */
    if (MAX(member, 0) != MAX(p->member, 0))
        return no(why, "holds member %ld, expected %ld", MAX(member, 0), MAX(p->member, 0));
    if (m2n_archive_count(archive) != p->n_steps * p->n_variables)
        return no(why, "%u messages, expected %u", m2n_archive_count(archive),
                  p->n_steps * p->n_variables);
    for (guint step = 0; step < p->n_steps; step++)
        if (!m2n_archive_read_window(archive, &d, 1, p->init_time + p->leads[step],
                                     M2N_REGRID_NEAREST, fields, NULL, NULL, &error))
            return no(why, "%s", error->message);
    return TRUE;
}

gboolean
m2n_product_is_complete(const M2nProduct *p, const char *path, M2nFormat format, char **why)
{
    *why = NULL;
    if (!g_file_test(path, G_FILE_TEST_EXISTS))
        return FALSE;
    return format == M2N_FORMAT_GRIB2 ? check_grib(p, path, why) : check_gdal(p, path, format, why);
}
