/* The coordinate axes of an array in a NetCDF file or Zarr folder: which dimension is which, where
 * the points lie and when. */
#pragma once
#include <gdal.h>

#include "grib/grid.h"
#include "plugin/gridded_levels.h"

G_BEGIN_DECLS

typedef struct {
    guint n_dims;
    int time, level, y, x, version; /* index of the dimension, -1: none */
    gsize n_times, n_levels, n_versions;
    gint64 *times;           /* [n_times] UTC seconds; one where time is a scalar */
    double *levels;          /* [n_levels] or NULL */
    M2nVertical vertical;
    gboolean flip_y, flip_x; /* rows from the south, columns from the east */
    M2nGrid *grid;
} M2nAxes;

/* TRUE and axes->grid NULL: no field (an axis, a table).  FALSE: M2N_ERROR_FORMAT: it has rows and
 * columns but an axis that cannot be understood: one line without the file's name. */
gboolean m2n_axes_read(M2nAxes *axes, GDALGroupH group, GDALMDArrayH array, GError **error);
void m2n_axes_clear(M2nAxes *axes);

/* A scalar that holds a time.  FALSE: it is not there or holds something else. */
gboolean m2n_axes_scalar_time(GDALGroupH group, const char *name, gint64 *time);

G_END_DECLS
