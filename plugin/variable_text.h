/* What people call a variable (grib/variable.h knows what GRIB calls it), and the bounds nature sets it.
 *
 * A variable that no table knows is shown by the model's own name and has no bounds. */
#pragma once
#include "grib/domain.h"

G_BEGIN_DECLS

/* (transfer none) "2 metre temperature", or the model's own name. */
const char *m2n_variable_long_name(const M2nVariable *v);
/* (transfer none) CF standard name, or NULL. */
const char *m2n_variable_standard_name(const M2nVariable *v);

/* The rule for fields with bounds: what the network gives outside of them is set to the bound, after each
 * window and before it is fed back; NaN stays NaN.  Cloud cover lies in 0..1 or 0..100 % as its units say;
 * humidity, pressure, precipitation, snow and speeds are not negative.  Relative humidity has no upper bound:
 * analyses hold supersaturated air.  -INFINITY and INFINITY: no bound. */
void m2n_variable_bounds(const M2nVariable *v, double *lower, double *upper);
/* In place, fields[steps][V][points]. */
void m2n_domain_keep_bounds(const M2nDomain *d, float *fields, guint steps);

/* (transfer full) "m s**-1" as "m/s", "(0 - 1)" as "1": what UDUNITS and GDAL read. */
char *m2n_units_text(const char *eccodes_units);
/* (transfer full) "2 m", "850 hPa", "surface". */
char *m2n_level_text(const char *type_of_level, double level);

G_END_DECLS
