/* Cell areas on the sphere, for means that do not favour the poles. */
#include "plugin/verify_weights.h"

#include <math.h>
#include <string.h>

#include "engine/base/error.h"
#include "plugin/output_grid.h"

#define RADIANS (G_PI / 180)

/* Longitude-latitude on some sphere: rotated poles (ob_tran) included. */
static gboolean
is_geographic(const char *crs)
{
    return g_str_equal(crs, "EPSG:4326") || g_str_equal(crs, "OGC:CRS84") ||
           strstr(crs, "+proj=longlat") != NULL || strstr(crs, "+proj=latlong") != NULL ||
           strstr(crs, "o_proj=longlat") != NULL || strstr(crs, "o_proj=latlon") != NULL ||
           g_str_has_prefix(crs, "GEOGCRS") || g_str_has_prefix(crs, "GEOGCS");
}

static double
row_centre(const M2nGrid *g, guint y)
{
    return g->row_y != NULL ? g->row_y[y] : g->geo[3] + (y + 0.5) * g->geo[5];
}

/* edge[height + 1], degrees, north to south */
static void
row_edges(const M2nGrid *g, double *edge)
{
    const guint h = g->height;
    double north, south; /* depth of the outermost rows */

    for (guint y = 1; y < h; y++)
        edge[y] = (row_centre(g, y - 1) + row_centre(g, y)) / 2;
    north = h > 1 ? row_centre(g, 0) - row_centre(g, 1) : fabs(g->geo[5]);
    south = h > 1 ? row_centre(g, h - 2) - row_centre(g, h - 1) : fabs(g->geo[5]);
    edge[0] = row_centre(g, 0) + north / 2;
    edge[h] = row_centre(g, h - 1) - south / 2;
    if (g->wraps && edge[0] + north > 90)
        edge[0] = 90;
    if (g->wraps && edge[h] - south < -90)
        edge[h] = -90;
    edge[0] = fmin(edge[0], 90);
    edge[h] = fmax(edge[h], -90);
}

static void
geographic_areas(const M2nGrid *g, double *area)
{
    g_autofree double *edge = g_new(double, g->height + 1);

    row_edges(g, edge);
    for (guint y = 0; y < g->height; y++)
        for (guint x = 0; x < g->width; x++)
            area[(gsize)y * g->width + x] = sin(edge[y] * RADIANS) - sin(edge[y + 1] * RADIANS);
}

typedef struct {
    double x, y, z;
} Vector;

static double
dot(const Vector *a, const Vector *b)
{
    return a->x * b->x + a->y * b->y + a->z * b->z;
}

/* Solid angle of the triangle of unit vectors a, b, c: Van Oosterom and Strackee (1983),
 * equation 8. */
static double
triangle(const Vector *a, const Vector *b, const Vector *c)
{
    const Vector cross = {b->y * c->z - b->z * c->y, b->z * c->x - b->x * c->z,
                          b->x * c->y - b->y * c->x};

    return 2 * atan2(fabs(dot(a, &cross)), 1 + dot(a, b) + dot(b, c) + dot(c, a));
}

static gboolean
no_way(const char *crs, GError **error)
{
    g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT,
                "cell areas: CRS \"%s\" has no way to longitude and latitude", crs);
    return FALSE;
}

/* NULL: M2N_ERROR_FORMAT. */
static OGRCoordinateTransformationH
to_lonlat(const char *crs, GError **error)
{
    g_autoptr(GError) why = NULL;
    OGRSpatialReferenceH from = m2n_crs_import(crs, &why);

    if (from == NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT, "cell areas: %s", why->message);
        return NULL;
    }
    OGRSpatialReferenceH own = OSRCloneGeogCS(from); /* no datum shift: areas alone matter */
    OSRSetAxisMappingStrategy(own, OAMS_TRADITIONAL_GIS_ORDER);
    OGRCoordinateTransformationH t = OCTNewCoordinateTransformation(from, own);
    OSRDestroySpatialReference(own);
    OSRDestroySpatialReference(from);
    if (t == NULL)
        no_way(crs, error);
    return t;
}

/* Unit vectors of the (width + 1) corners along the top edge of row y.  FALSE: PROJ refused a
 * point. */
static gboolean
corner_row(const M2nGrid *g, guint y, OGRCoordinateTransformationH t, Vector *corner)
{
    for (guint x = 0; x <= g->width; x++) {
        double px = g->geo[0] + x * g->geo[1] + y * g->geo[2];
        double py = g->geo[3] + x * g->geo[4] + y * g->geo[5];
        if (!OCTTransform(t, 1, &px, &py, NULL) || !isfinite(px) || !isfinite(py))
            return FALSE;
        corner[x] = (Vector){cos(py * RADIANS) * cos(px * RADIANS),
                             cos(py * RADIANS) * sin(px * RADIANS), sin(py * RADIANS)};
    }
    return TRUE;
}

static gboolean
projected_areas(const M2nGrid *g, double *area, GError **error)
{
    OGRCoordinateTransformationH t = to_lonlat(g->crs, error);
    if (t == NULL)
        return FALSE;
    g_autofree Vector *top = g_new(Vector, g->width + 1), *bottom = g_new(Vector, g->width + 1);
    gboolean ok = corner_row(g, 0, t, top);

    for (guint y = 0; ok && y < g->height; y++) {
        ok = corner_row(g, y + 1, t, bottom);
        for (guint x = 0; ok && x < g->width; x++)
            area[(gsize)y * g->width + x] = triangle(&top[x], &top[x + 1], &bottom[x]) +
                                            triangle(&top[x + 1], &bottom[x + 1], &bottom[x]);
        memcpy(top, bottom, sizeof *top * (g->width + 1));
    }
    OCTDestroyCoordinateTransformation(t);
    return ok || no_way(g->crs, error);
}

double *
m2n_cell_weights(const M2nGrid *grid, GError **error)
{
    const gsize n = grid->n_points;
    double mean = 0;

    if (grid->row_points != NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT,
                    "cell areas: a reduced grid (%s) has no cells", grid->type);
        return NULL;
    }
    g_autofree double *area = g_new(double, n);
    if (is_geographic(grid->crs))
        geographic_areas(grid, area);
    else if (!projected_areas(grid, area, error))
        return NULL;
    for (gsize i = 0; i < n; i++)
        mean += area[i] / (double)n;
    for (gsize i = 0; i < n; i++)
        area[i] /= mean;
    return g_steal_pointer(&area);
}
