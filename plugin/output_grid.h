/* The grid of the bands when the forecast is wanted in another CRS, and CRS names in general. */
#pragma once
#include <ogr_srs_api.h>

#include "grib/grid.h"

G_BEGIN_DECLS

/* (transfer full, OSRDestroySpatialReference) A CRS as a person writes it; x is east.  Accepted: AUTHORITY:CODE, WKT, a PROJ
 * string; nothing that would make a file or a URL be opened, for the name may come from an
 * untrusted file.  NULL: M2N_ERROR_ARGUMENT. */
OGRSpatialReferenceH m2n_crs_import(const char *crs, GError **error);
/* (transfer full) The same as WKT. */
char *m2n_crs_to_wkt(const char *crs, GError **error);

/* (transfer full) A grid in `crs` that covers `from`: square pixels, as many along the diagonal as
 * `from` has (the rule of gdalwarp).  A field that goes all round the globe is cut to where the CRS
 * is meant to be used: +-85.06 degrees for EPSG:3857.  NULL: M2N_ERROR_ARGUMENT, M2N_ERROR_SHAPE
 * (no place in common). */
M2nGrid *m2n_output_grid_new(const M2nGrid *from, const char *crs, GError **error);

G_END_DECLS
