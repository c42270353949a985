/* The vertical axis of an array in a NetCDF file or Zarr folder. */
#pragma once
#include <gdal.h>
#include <glib.h>

G_BEGIN_DECLS

/* What a vertical axis counts: pressure in hPa, height above ground in metres, or numbers of layers and the like. */
typedef enum { M2N_NO_LEVELS, M2N_PRESSURES, M2N_HEIGHTS, M2N_OTHER_LEVELS } M2nVertical;

extern const char *const m2n_level_names[]; /* usual ones, NULL at the end */

/* TRUE for a dimension or scalar of this name whose coordinates (may be NULL) are levels.  By CF 1.8, 4.3: axis "Z", or the
 * standard name of a height or pressure; or by a usual name, to which CDO adds a number ("height_2"). */
gboolean m2n_is_level(const char *name, GDALMDArrayH coordinate);

/* What the values count, times *unit: hPa, metres, or 1 for others. */
M2nVertical m2n_vertical_of(GDALMDArrayH coordinate, double *unit);

G_END_DECLS
