/* Extent and pixel size in another CRS, with OGR's transformations. */
#define _GNU_SOURCE /* cpl_vsi.h names struct stat64 */
#include "plugin/output_grid.h"

#include <cpl_conv.h>
#include <cpl_error.h>
#include <cpl_vsi.h>
#include <math.h>
#include <string.h>

#include "engine/base/error.h"
#include "grib/projection.h"

#define LONGEST_CRS 8192u
#define SAMPLES 41 /* points per side, inside as well: a pole may lie in the middle */

/* "EPSG:3857": letters, digits and '_', one colon. */
static gboolean
is_code(const char *crs)
{
    static const char name[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
    const gsize n = strspn(crs, name);

    if (g_ascii_strncasecmp(crs, "EPSG:", 5) == 0 && crs[5 + strspn(crs + 5, "0123456789")] != '\0')
        return FALSE; /* PROJ would take 4326x for 4326 */
    return n > 0 && crs[n] == ':' && crs[n + 1] != '\0' &&
           strspn(crs + n + 1, name) == strlen(crs + n + 1);
}

/* A code that is the name of a file would be read as one. */
static gboolean
is_harmless(const char *crs)
{
    VSIStatBufL st;

    return strlen(crs) <= LONGEST_CRS && m2n_crs_is_harmless(crs) &&
           (!is_code(crs) || VSIStatL(crs, &st) != 0);
}

OGRSpatialReferenceH
m2n_crs_import(const char *crs, GError **error)
{
    static const char *const gdal_names[] = {"WGS84", "WGS72", "NAD83", "NAD27", NULL};
    OGRSpatialReferenceH srs = OSRNewSpatialReference(NULL);
    OGRErr err = OGRERR_FAILURE;

    CPLErrorReset();

    CPLPushErrorHandler(CPLQuietErrorHandler);
    if (g_strv_contains(gdal_names, crs)) {
        err = OSRSetFromUserInput(srs, crs);
    } else if (is_harmless(crs) && g_str_has_prefix(crs, "+proj=")) {
        err = OSRImportFromProj4(srs, crs);
    } else if (is_harmless(crs) && is_code(crs)) {
        err = OSRSetFromUserInput(srs, crs);
    } else if (is_harmless(crs) && g_ascii_isupper(*crs) && strchr(crs, '[') != NULL) {
        char *copy = g_strdup(crs), *at = copy;
        err = OSRImportFromWkt(srs, &at);
        g_free(copy);
    }
    CPLPopErrorHandler();
    /* what PROJ says matters where its database is missing: then nothing is wrong with the name */
    g_autofree char *reason = g_strdup(CPLGetLastErrorMsg());
    CPLErrorReset();
    if (err != OGRERR_NONE) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT,
                    "CRS \"%.64s\": expected a code such as EPSG:3857, WKT or a PROJ string "
                    "without files%s%s",
                    crs, *reason != '\0' ? "; " : "", reason);
        OSRDestroySpatialReference(srs);
        return NULL;
    }
    OSRSetAxisMappingStrategy(srs, OAMS_TRADITIONAL_GIS_ORDER);
    return srs;
}

char *
m2n_crs_to_wkt(const char *crs, GError **error)
{
    OGRSpatialReferenceH srs = m2n_crs_import(crs, error);
    const char *const options[] = {"FORMAT=WKT2_2018", NULL};
    char *wkt = NULL, *copy = NULL;

    if (srs == NULL)
        return NULL;
    if (OSRExportToWktEx(srs, &wkt, options) == OGRERR_NONE)
        copy = g_strdup(wkt);
    else
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT, "CRS \"%.64s\": cannot be written as WKT",
                    crs);
    CPLFree(wkt);
    OSRDestroySpatialReference(srs);
    return copy;
}

typedef struct {
    double west, south, east, north;
} Box;

static Box
box_of(const M2nGrid *g)
{
    return (Box){g->geo[0], g->geo[3] + g->geo[5] * g->height, g->geo[0] + g->geo[1] * g->width,
                 g->geo[3]};
}

/* A global lon-lat box cut to the area of use; other boxes stay. */
static Box
cut_to_use(Box box, OGRSpatialReferenceH from, OGRSpatialReferenceH to)
{
    Box use = {0, 0, 0, 0};

    if (!OSRIsGeographic(from) || box.east - box.west < 359 ||
        !OSRGetAreaOfUse(to, &use.west, &use.south, &use.east, &use.north, NULL) ||
        use.west >= use.east)
        return box;
    box.south = fmax(box.south, use.south);
    box.north = fmin(box.north, use.north);
    if (use.east - use.west < 359) { /* a whole turn is kept as it is, wherever it begins */
        const double turns = 360 * floor((use.west - box.west) / 360);
        box.east = fmin(box.east, use.east - turns);
        box.west = use.west - turns;
    }
    return box;
}

/* Where the points of `box` go.  FALSE: nowhere. */
static gboolean
transform_box(OGRCoordinateTransformationH t, Box box, Box *out)
{
    double x[SAMPLES * SAMPLES], y[SAMPLES * SAMPLES];
    int ok[SAMPLES * SAMPLES];

    for (int i = 0; i < SAMPLES * SAMPLES; i++) {
        x[i] = box.west + (box.east - box.west) * (i % SAMPLES) / (SAMPLES - 1);
        y[i] = box.south + (box.north - box.south) * (i / SAMPLES) / (SAMPLES - 1);
    }
    *out = (Box){INFINITY, INFINITY, -INFINITY, -INFINITY};
    CPLPushErrorHandler(CPLQuietErrorHandler);
    OCTTransformEx(t, SAMPLES * SAMPLES, x, y, NULL, ok);
    CPLPopErrorHandler();
    CPLErrorReset();
    for (int i = 0; i < SAMPLES * SAMPLES; i++) {
        if (!ok[i] || !isfinite(x[i]) || !isfinite(y[i]))
            continue;
        out->west = fmin(out->west, x[i]);
        out->east = fmax(out->east, x[i]);
        out->south = fmin(out->south, y[i]);
        out->north = fmax(out->north, y[i]);
    }
    return out->east > out->west && out->north > out->south;
}

static M2nGrid *
grid_over(const char *crs, Box box, double pixels_diagonal)
{
    const double width = box.east - box.west, height = box.north - box.south;
    const double size = hypot(width, height) / pixels_diagonal;
    const guint columns = (guint)fmax(1, floor(width / size + 0.5));
    const guint rows = (guint)fmax(1, floor(height / size + 0.5));
    const double geo[6] = {box.west, width / columns, 0, box.north, 0, -height / rows};

    return m2n_grid_new_affine(crs, columns, rows, geo);
}

M2nGrid *
m2n_output_grid_new(const M2nGrid *from, const char *crs, GError **error)
{
    OGRSpatialReferenceH a = m2n_crs_import(from->crs, error);
    OGRSpatialReferenceH b = a != NULL ? m2n_crs_import(crs, error) : NULL;
    OGRCoordinateTransformationH t = NULL;
    M2nGrid *grid = NULL;
    Box box;

    if (b != NULL) {
        CPLPushErrorHandler(CPLQuietErrorHandler);
        t = OCTNewCoordinateTransformation(a, b);
        CPLPopErrorHandler();
        CPLErrorReset();
        if (t != NULL && transform_box(t, cut_to_use(box_of(from), a, b), &box))
            grid = grid_over(crs, box, hypot(from->width, from->height));
        else
            g_set_error(error, M2N_ERROR, M2N_ERROR_SHAPE,
                        "CRS \"%.64s\": no place of the forecast can be shown in it", crs);
    }
    g_clear_pointer(&t, OCTDestroyCoordinateTransformation);
    g_clear_pointer(&a, OSRDestroySpatialReference);
    g_clear_pointer(&b, OSRDestroySpatialReference);
    return grid;
}
