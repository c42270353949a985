/* M2nProjection: between the coordinates of a CRS and longitude, latitude on that CRS's own earth.
 *
 * No datum shift is ever made: weather practice takes the latitude and longitude of a message's sphere
 * as those of the target.  One projection belongs to one thread at a time. */
#pragma once
#include <glib.h>

G_BEGIN_DECLS

typedef struct M2nProjection M2nProjection;

/* FALSE: PROJ or GDAL would open a file or URL for it (grids, init files, +proj=defmodel, tinshift).  What follows
 * refuses such a CRS as M2N_ERROR_FORMAT, for models and forecast files come from anywhere. */
gboolean m2n_crs_is_harmless(const char *crs);

/* (transfer full) What proj_create() reads; "+proj=..." strings need no +type=crs.  NULL:
 * M2N_ERROR_FORMAT naming the CRS. */
M2nProjection *m2n_projection_new(const char *crs, GError **error);
void m2n_projection_free(M2nProjection *p);

/* In place, n points.  lon, lat in degrees; x, y in the CRS's units, easting first (degrees for a rotated
 * pole).  What the projection cannot map is NaN, NaN. */
void m2n_projection_forward(M2nProjection *p, double *lon_x, double *lat_y, gsize n);
void m2n_projection_inverse(M2nProjection *p, double *x_lon, double *y_lat, gsize n);

/* Squared eccentricity of the CRS's ellipsoid; 0 of a sphere. */
double m2n_projection_eccentricity2(const M2nProjection *p);

/* The parameters as one PROJ string without +type=crs ("+proj=lcc +lat_0=25 ..."). (transfer full) NULL:
 * M2N_ERROR_FORMAT when PROJ has no such form. */
char *m2n_projection_parameters(const char *crs, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(M2nProjection, m2n_projection_free)

G_END_DECLS
