/* M2nGrid: where the points of a field lie.  Immutable and shared.
 *
 * Row 0 is the northernmost (largest y) row, column 0 the westernmost (smallest x), whatever the file
 * said.  Three kinds cover what weather services send:
 *   affine     evenly spaced in its CRS: `geo`
 *   gaussian   columns evenly spaced, rows at `row_y`
 *   reduced    rows at `row_y`, row r holding row_points[r] points spread over the longitudes
 * A grid that has no rows and columns in any CRS (spherical harmonics, an unstructured mesh) keeps its
 * name in `type`, has crs NULL and one row of values in stored order: it can be shown, not regridded.
 * Longitude and latitude on the message's sphere are taken as the target's (weather practice); projected
 * grids use the message's own earth shape. */
#pragma once
#include <glib.h>

G_BEGIN_DECLS

typedef struct {
    gatomicrefcount references;
    /* What proj_create() reads: "EPSG:4326" (used as lon, lat) for lat-lon grids, else PROJ string or
     * WKT.  NULL: the points have no place in rows and columns. */
    char *crs;
    char *no_place;      /* then the reason, one line; else NULL */
    char type[32];       /* the source's own name: "regular_ll", "lambert", ... for messages */
    guint width, height; /* columns (0 for a reduced grid), rows */
    gsize n_points;      /* width * height, or the sum of row_points */
    double geo[6]; /* outer corner of pixel (0,0) and steps, GDAL order, CRS units; geo[5] < 0 */
    double *row_y; /* [height] y of the row centres, or NULL when evenly spaced */
    guint *row_points;       /* [height] or NULL */
    double *row_x0, *row_dx; /* [height] first longitude and spacing of a reduced row, or NULL */
    gboolean wraps;          /* the columns go all round the globe */
    long shape_of_earth;     /* GRIB2 code table 3.2, so that the writer keeps it; 6 when unknown */
    double earth_major, earth_minor; /* metres, for codes that carry their own axes; else 0 */
} M2nGrid;

/* (transfer full) */
M2nGrid *m2n_grid_new_affine(const char *crs, guint width, guint height, const double geo[6]);
/* (transfer full) An empty grid for a reader to fill; crs may be NULL. */
M2nGrid *m2n_grid_alloc(const char *crs, const char *type);
M2nGrid *m2n_grid_ref(const M2nGrid *g); /* immutable but for its count */
void m2n_grid_unref(M2nGrid *g);
guint64 m2n_grid_bytes(const M2nGrid *g); /* of memory */
/* Same points, to a thousandth of a cell; longitudes may differ by whole turns. */
gboolean m2n_grid_equal(const M2nGrid *a, const M2nGrid *b);
gboolean m2n_grid_is_lonlat(const M2nGrid *g);  /* x is longitude, y latitude, in degrees */
gboolean m2n_grid_is_angular(const M2nGrid *g); /* the same, or about a rotated pole */
gboolean m2n_grid_has_place(const M2nGrid *g);  /* FALSE: crs is NULL */
/* Of a grid with a place: y of a row, its number of points, x at a (fractional) column of it. */
double m2n_grid_row_y(const M2nGrid *g, guint row);
guint m2n_grid_row_length(const M2nGrid *g, guint row);
double m2n_grid_row_x(const M2nGrid *g, guint row, double column);
/* (transfer full) "EPSG:4326 64x32 from 180W 90N step 5.625": for error messages and met2net-info */
char *m2n_grid_describe(const M2nGrid *g);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(M2nGrid, m2n_grid_unref)

G_END_DECLS
