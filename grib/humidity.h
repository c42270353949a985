/* Relative humidity, in %, where a file has other measures of the same.
 *
 * Saturation vapour pressure after Buck and Tetens as the IFS has it (documentation of cycle 47r3, part IV,
 * section 7.4): es = 611.21 Pa exp(a3 (T - 273.16) / (T - a4)), over water a3 17.502, a4 32.19, over ice 22.587
 * and -0.7.  T in K, p in Pa, q in kg/kg.  NaN gives NaN. */
#pragma once
#include <glib.h>

G_BEGIN_DECLS

/* From temperature and dew point, over water, as stations report it. */
double m2n_humidity_from_dew_point(double t, double dew_point);
/* From specific humidity, over water above 0 C, ice below -23 C, a mixture between: paramId 157. */
double m2n_humidity_from_specific(double t, double q, double p);

G_END_DECLS
