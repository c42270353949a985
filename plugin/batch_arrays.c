/* Forecasts as NetCDF and Zarr by the CF conventions 1.8, through GDAL's multidimensional API. */
#include <cpl_conv.h>
#include <cpl_error.h>
#include <gdal.h>
#include <math.h>
#include <ogr_srs_api.h>

#include "engine/base/error.h"
#include "grib/variable.h"
#include "plugin/batch_product.h"
#include "plugin/gdal_reason.h"
#include "plugin/linear_unit.h"
#include "plugin/output_grid.h"
#include "plugin/quantity.h"
#include "plugin/variable_text.h"

typedef struct {
    const M2nProduct *p;
    gboolean netcdf;
    GDALGroupH root;
    GDALDimensionH time, y, x;
    GDALMDArrayH
        axes[4]; /* their coordinates, held until the end: Zarr names dimensions after them */
    guint n_axes;
    OGRSpatialReferenceH srs; /* NULL: longitude and latitude */
    gboolean failed;
} Sink;

static void
put_text(GDALMDArrayH array, const char *name, const char *value)
{
    GDALExtendedDataTypeH type = GDALExtendedDataTypeCreateString(0);
    GDALAttributeH a = GDALMDArrayCreateAttribute(array, name, 0, NULL, type, NULL);

    GDALExtendedDataTypeRelease(type);
    if (a != NULL) {
        GDALAttributeWriteString(a, value);
        GDALAttributeRelease(a);
    }
}

static void
put_number(GDALMDArrayH array, const char *name, GDALDataType kind, double value)
{
    GDALExtendedDataTypeH type = GDALExtendedDataTypeCreate(kind);
    GDALAttributeH a = GDALMDArrayCreateAttribute(array, name, 0, NULL, type, NULL);

    GDALExtendedDataTypeRelease(type);
    if (a != NULL) {
        GDALAttributeWriteDouble(a, value);
        GDALAttributeRelease(a);
    }
}

static void
put_global(Sink *s, const char *name, const char *value)
{
    GDALExtendedDataTypeH type = GDALExtendedDataTypeCreateString(0);
    GDALAttributeH a = GDALGroupCreateAttribute(s->root, name, 0, NULL, type, NULL);

    GDALExtendedDataTypeRelease(type);
    s->failed = s->failed || a == NULL;
    if (a != NULL) {
        GDALAttributeWriteString(a, value);
        GDALAttributeRelease(a);
    }
}

/* The dimension's own coordinate. */
static void
keep_axis(Sink *s, GDALDimensionH dim, GDALMDArrayH array)
{
    if (!s->netcdf)
        GDALDimensionSetIndexingVariable(dim, array);
    s->axes[s->n_axes++] = array;
}

/* A coordinate of doubles along one dimension, or a scalar when dim is NULL. */
static void
put_axis(Sink *s, const char *name, GDALDimensionH dim, const double *values, gsize n,
         const char *units, const char *const *attributes)
{
    GDALExtendedDataTypeH type = GDALExtendedDataTypeCreate(GDT_Float64);
    GDALMDArrayH array = GDALGroupCreateMDArray(s->root, name, dim != NULL, &dim, type, NULL);
    const GUInt64 start = 0;
    const size_t count = n;

    if (array == NULL) {
        s->failed = TRUE;
    } else {
        GDALMDArraySetUnit(array, units);
        for (guint i = 0; attributes[i] != NULL; i += 2)
            put_text(array, attributes[i], attributes[i + 1]);
        s->failed = s->failed ||
                    !GDALMDArrayWrite(array, &start, &count, NULL, NULL, type, values, NULL, 0);
        if (dim != NULL && g_str_equal(name, GDALDimensionGetName(dim)))
            keep_axis(s, dim, array);
        else
            GDALMDArrayRelease(array);
    }
    GDALExtendedDataTypeRelease(type);
}

/* What a value says of the time step that ends at its time. */
static const char *
cell_methods(const M2nVariable *v)
{
    const M2nVariableInfo *known = m2n_variable_info(v);

    switch (known != NULL ? known->statistics : M2N_INSTANT) {
    case M2N_AVERAGED:
        return "time: mean";
    case M2N_ACCUMULATED:
        return "time: sum";
    case M2N_MAXIMUM:
        return "time: maximum";
    case M2N_MINIMUM:
        return "time: minimum";
    default:
        return "time: point";
    }
}

static gboolean
is_point(const M2nVariable *v)
{
    return g_str_equal(cell_methods(v), "time: point");
}

/* Seconds: an hour when all lead times are whole ones. */
static double
time_unit(const M2nProduct *p)
{
    for (guint i = 0; i < p->n_steps; i++)
        if (p->leads[i] % 3600 != 0 || p->domain->time_step % 3600 != 0)
            return 1;
    return 3600;
}

/* From when to when a value that is not of a point in time holds: CF 1.8 (7.1, 7.3.1) asks for it beside such a method. */
static void
put_time_bounds(Sink *s)
{
    const M2nProduct *p = s->p;
    g_autofree double *bounds = g_new(double, 2 * p->n_steps);
    const double unit = time_unit(p);
    GDALDimensionH dims[2] = {s->time, GDALGroupCreateDimension(s->root, "nv", NULL, NULL, 2, NULL)};
    GDALExtendedDataTypeH type = GDALExtendedDataTypeCreate(GDT_Float64);

    if (dims[1] != NULL && !s->netcdf) /* in Zarr a dimension without a coordinate has no name */
        put_axis(s, "nv", dims[1], (double[]){0, 1}, 2, "1", (const char *const[]){"long_name", "begin and end", NULL});
    GDALMDArrayH array = dims[1] != NULL ? GDALGroupCreateMDArray(s->root, "time_bnds", 2, dims, type, NULL) : NULL;
    const GUInt64 start[2] = {0};
    const size_t count[2] = {p->n_steps, 2};

    for (guint i = 0; i < p->n_steps; i++) {
        bounds[2 * i] = (double)(p->leads[i] - p->domain->time_step) / unit;
        bounds[2 * i + 1] = (double)p->leads[i] / unit;
    }
    s->failed = s->failed || array == NULL || !GDALMDArrayWrite(array, start, count, NULL, NULL, type, bounds, NULL, 0);
    if (array != NULL)
        GDALMDArrayRelease(array);
    if (dims[1] != NULL)
        GDALDimensionRelease(dims[1]);
    GDALExtendedDataTypeRelease(type);
}

static void
put_times(Sink *s)
{
    const M2nProduct *p = s->p;
    g_autofree double *at = g_new(double, p->n_steps);
    g_autoptr(GDateTime) init = g_date_time_new_from_unix_utc(p->init_time);
    g_autofree char *since = g_date_time_format(init, "%Y-%m-%d %H:%M:%S");
    const double unit = time_unit(p);
    gboolean bounded = FALSE;

    for (guint i = 0; i < p->n_variables; i++)
        bounded = bounded || !is_point(&p->domain->variables[p->variables[i]]);
    for (guint i = 0; i < p->n_steps; i++)
        at[i] = (double)p->leads[i] / unit;
    const char *word = unit > 1 ? "hours" : "seconds";
    g_autofree char *units = g_strdup_printf("%s since %s", word, since);
    const char *const time[] = {"standard_name", "time",     "long_name",
                                "valid time",    "calendar", "proleptic_gregorian",
                                "axis",          "T",        bounded ? "bounds" : NULL,
                                "time_bnds",     NULL};
    const char *const reference[] = {
        "standard_name", "forecast_reference_time", "long_name", "initial time of the forecast",
        "calendar",      "proleptic_gregorian",     NULL};
    const char *const period[] = {"standard_name", "forecast_period", "long_name",
                                  "time since the initial time", NULL};
    const double zero = 0;
    put_axis(s, "time", s->time, at, p->n_steps, units, time);
    put_axis(s, "forecast_reference_time", NULL, &zero, 1, units, reference);
    put_axis(s, "leadtime", s->time, at, p->n_steps, word, period);
    if (bounded)
        put_time_bounds(s);
}

/* What the axes are called and mean: degrees, degrees round another pole, or lengths. */
typedef struct {
    const char *x, *y;                   /* names */
    const char *standard_x, *standard_y; /* CF */
    const char *units_x, *units_y;
} Axes;

static Axes
axes_of(OGRSpatialReferenceH srs)
{
    if (srs == NULL)
        return (Axes){"lon", "lat", "longitude", "latitude", "degrees_east", "degrees_north"};
    if (OSRIsGeographic(srs))
        return (Axes){"rlon", "rlat", "grid_longitude", "grid_latitude", "degrees", "degrees"};
    const char *units = m2n_linear_unit(srs);
    return (Axes){"x", "y", "projection_x_coordinate", "projection_y_coordinate", units, units};
}

static void
put_places(Sink *s)
{
    const M2nGrid *g = s->p->grid;
    const Axes a = axes_of(s->srs);
    const gboolean lonlat = s->srs == NULL; /* GDAL itself gives the others a long name */
    const char *const y[] = {"standard_name", a.standard_y, "axis", "Y",
                             lonlat ? "long_name" : NULL, "latitude", NULL};
    const char *const x[] = {"standard_name", a.standard_x, "axis", "X",
                             lonlat ? "long_name" : NULL, "longitude", NULL};
    g_autofree double *rows = g_new(double, g->height), *columns = g_new(double, g->width);

    for (guint i = 0; i < g->height; i++)
        rows[i] = m2n_grid_row_y(g, i);
    for (guint i = 0; i < g->width; i++)
        columns[i] = m2n_grid_row_x(g, 0, i);
    put_axis(s, a.y, s->y, rows, g->height, a.units_y, y);
    put_axis(s, a.x, s->x, columns, g->width, a.units_x, x);
}

/* Name of the scalar coordinate that holds a variable's level, written once.  NULL: has none. */
static char *
put_level(Sink *s, const M2nVariable *v)
{
    static const char *const height[] = {"standard_name", "height", "positive", "up",
                                         "axis",          "Z",      NULL};
    static const char *const pressure[] = {
        "standard_name", "air_pressure", "positive", "down", "axis", "Z", NULL};
    const gboolean above = g_str_equal(v->type_of_level, "heightAboveGround");
    const gboolean isobaric = g_str_equal(v->type_of_level, "isobaricInhPa");
    char number[G_ASCII_DTOSTR_BUF_SIZE];

    if (!above && !isobaric)
        return NULL;
    g_ascii_formatd(number, sizeof number, "%g", v->level);
    g_strdelimit(number, ".", '_');
    char *name = g_strdup_printf("%s_%s", above ? "height" : "pressure", number);
    GDALMDArrayH have = GDALGroupOpenMDArray(s->root, name, NULL);
    if (have != NULL)
        GDALMDArrayRelease(have);
    else
        put_axis(s, name, NULL, &v->level, 1, above ? "m" : "hPa", above ? height : pressure);
    return name;
}

static void
describe(Sink *s, GDALMDArrayH array, const M2nVariable *v, const char *level)
{
    const char *standard_name = m2n_variable_standard_name(v);
    g_autofree char *units = m2n_units_text(v->units);
    g_autofree char *coordinates =
        g_strconcat("forecast_reference_time leadtime", level != NULL ? " " : "", level, NULL);

    GDALMDArraySetUnit(array, units);
    GDALMDArraySetNoDataValueAsDouble(array, NAN);
    if (s->srs != NULL)
        GDALMDArraySetSpatialRef(array, s->srs);
    put_text(array, "long_name", m2n_variable_long_name(v));
    if (standard_name != NULL)
        put_text(array, "standard_name", standard_name);
    put_text(array, "coordinates", coordinates);
    put_text(array, "cell_methods", cell_methods(v));
    if (v->param_id != 0)
        put_number(array, "GRIB_paramId", GDT_Int32, (double)v->param_id);
    put_text(array, "GRIB_typeOfLevel", v->type_of_level);
    put_number(array, "GRIB_level", GDT_Float64, v->level);
}

/* One variable, all its times: [n_steps][height][width] out of the product's [n_steps][V][...]. */
static void
put_variable(Sink *s, guint i)
{
    const M2nProduct *p = s->p;
    const M2nVariable *v = &p->domain->variables[p->variables[i]];
    const gsize points = p->grid->n_points;
    g_autofree char *level = put_level(s, v);
    g_autofree char *block = g_strdup_printf("BLOCKSIZE=1,%u,%u", p->grid->height, p->grid->width);
    const char *const nc_options[] = {block, "COMPRESS=DEFLATE", "ZLEVEL=4", NULL};
    const char *const zarr_options[] = {block, "COMPRESS=ZLIB", NULL};
    GDALDimensionH dims[3] = {s->time, s->y, s->x};
    GDALExtendedDataTypeH type = GDALExtendedDataTypeCreate(GDT_Float32);
    GDALMDArrayH array = GDALGroupCreateMDArray(s->root, v->name, 3, dims, type,
                                                (char **)(s->netcdf ? nc_options : zarr_options));
    const GUInt64 start[3] = {0};
    const size_t count[3] = {p->n_steps, p->grid->height, p->grid->width};
    const GPtrDiff_t stride[3] = {(GPtrDiff_t)(points * p->n_variables), (GPtrDiff_t)p->grid->width,
                                  1};

    if (array == NULL) {
        s->failed = TRUE;
    } else {
        describe(s, array, v, level);
        s->failed = s->failed || !GDALMDArrayWrite(array, start, count, NULL, stride, type,
                                                   p->values + i * points, NULL, 0);
        GDALMDArrayRelease(array);
    }
    GDALExtendedDataTypeRelease(type);
}

static void
put_globals(Sink *s)
{
    g_autofree char *init = m2n_time_format(s->p->init_time);
    g_autofree char *title = g_strdup_printf("Met2Net forecast from %s", init);
    const gsize n = (gsize)s->p->n_steps * s->p->n_variables * s->p->grid->n_points;
    g_autofree char *checksum = m2n_values_checksum(s->p->values, n);

    put_global(s, "Conventions", "CF-1.8");
    put_global(s, "title", title);
    put_global(s, "source", "met2net " MET2NET_VERSION);
    put_global(s, "references", "Met2Net, ICCV 2025, arXiv:2507.17189");
    for (guint i = 0; s->p->provenance[i] != NULL; i++) {
        g_auto(GStrv) pair = g_strsplit(s->p->provenance[i], "=", 2);
        put_global(s, pair[0], pair[1] != NULL ? pair[1] : "");
    }
    put_global(s, "MET2NET_CHECKSUM", checksum);
}

static gboolean
open_srs(Sink *s, GError **error)
{
    if (m2n_grid_is_lonlat(s->p->grid))
        return TRUE;
    s->srs = m2n_crs_import(s->p->grid->crs, error);
    return s->srs != NULL;
}

static void
fill(Sink *s)
{
    const M2nProduct *p = s->p;
    const Axes axes = axes_of(s->srs);

    s->time = GDALGroupCreateDimension(s->root, "time", "TEMPORAL", NULL, p->n_steps, NULL);
    s->y = GDALGroupCreateDimension(s->root, axes.y, "HORIZONTAL_Y", NULL, p->grid->height, NULL);
    s->x = GDALGroupCreateDimension(s->root, axes.x, "HORIZONTAL_X", NULL, p->grid->width, NULL);
    s->failed = s->time == NULL || s->y == NULL || s->x == NULL;
    if (!s->failed) {
        put_globals(s);
        put_times(s);
        put_places(s);
        for (guint i = 0; i < p->n_variables; i++)
            put_variable(s, i);
    }
    for (guint i = 0; i < s->n_axes; i++)
        GDALMDArrayRelease(s->axes[i]);
    if (s->time != NULL)
        GDALDimensionRelease(s->time);
    if (s->y != NULL)
        GDALDimensionRelease(s->y);
    if (s->x != NULL)
        GDALDimensionRelease(s->x);
}

gboolean
m2n_product_write_arrays(const M2nProduct *p, const char *path, M2nFormat format, GError **error)
{
    const char *name = m2n_format_name(format);
    GDALDriverH driver = GDALGetDriverByName(name);
    const char *const nc_options[] = {"FORMAT=NC4", NULL};
    Sink s = {.p = p, .netcdf = format == M2N_FORMAT_NETCDF, .failed = TRUE};

    if (driver == NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT, "GDAL has no %s driver", name);
        return FALSE;
    }
    if (!open_srs(&s, error)) {
        OSRDestroySpatialReference(s.srs);
        return FALSE;
    }
    m2n_gdal_try();
    GDALDatasetH dataset =
        GDALCreateMultiDimensional(driver, path, NULL, s.netcdf ? (char **)nc_options : NULL);
    s.root = dataset != NULL ? GDALDatasetGetRootGroup(dataset) : NULL;
    if (s.root != NULL) {
        fill(&s);
        GDALGroupRelease(s.root);
    }
    g_autofree char *message = g_strdup(CPLGetLastErrorMsg());
    if (dataset != NULL)
        GDALClose(dataset);
    s.failed = s.failed || CPLGetLastErrorType() == CE_Failure;
    CPLPopErrorHandler();
    if (s.srs != NULL)
        OSRDestroySpatialReference(s.srs);
    if (s.failed)
        g_set_error(error, M2N_ERROR, M2N_ERROR_IO, "%s: cannot be written: %s", path,
                    *message != '\0' ? message : m2n_gdal_reason(M2N_GDAL_WRITE_SILENT));
    return !s.failed;
}
