/* One axis of an array in a NetCDF file or Zarr folder, and what any array says of itself. */
#pragma once
#include <gdal.h>
#include <glib.h>

G_BEGIN_DECLS

/* (transfer full) or NULL */
char *m2n_array_attribute(GDALMDArrayH array, const char *name);

/* Bytes that are unpacked together when any of them is read; 0: none are. */
guint64 m2n_array_chunk(GDALMDArrayH array);

/* FALSE, and M2N_ERROR_FORMAT: "axis <axis>: <what>"; or M2N_ERROR_IO where a file could not be read, which is then why. */
gboolean m2n_axis_fail(GError **error, const char *axis, const char *what);

/* (transfer full) All *n > 0 values of an array of at most one dimension.  NULL: M2N_ERROR_FORMAT (not such an array, or far
 * too long), _IO, _MEMORY: one line without the file's name. */
double *m2n_axis_values(GDALMDArrayH array, gsize *n, GError **error);

/* (transfer full) The same as UTC seconds, by CF 1.8, 4.4, in the Gregorian calendar; NULL also when they are no times. */
gint64 *m2n_axis_times(GDALMDArrayH array, gsize *n, GError **error);

/* Turns the n values of an axis so that they ascend (*flip: they did not), unwraps longitudes (`degrees`) that jump by a turn,
 * and sets their step.  FALSE: not evenly spaced, to a fiftieth of the step; NaN as step: not numbers of a grid at all. */
gboolean m2n_axis_even(double *v, gsize n, gboolean degrees, gboolean *flip, double *step);

G_END_DECLS
