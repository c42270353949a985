/* What the names and units of arrays in NetCDF and Zarr archives mean. */
#pragma once
#include "grib/domain.h"

G_BEGIN_DECLS

/* eccodes paramId of a name ("t2m", "2m_temperature", "T") or CF standard_name; 0: unknown. *level:
 * the pressure in hPa that digits at its end state ("t850"), else 0. */
long m2n_gridded_param(const char *name, const char *standard_name, double *level);

/* The same quantity?  Equal, or one of the pairs that services number twice (total cloud cover 164
 * as a fraction and 228164 in percent: units tell them apart). */
gboolean m2n_same_param(long a, long b);

/* value in `to` = value in `from` * factor + offset.  An unstated `from` (empty) is taken as `to`.
 * FALSE: M2N_ERROR_UNITS naming both. */
gboolean m2n_unit_conversion(const char *from, const char *to, double *factor, double *offset,
                             GError **error);

G_END_DECLS
