/* See humidity.h for where the numbers come from. */
#include "grib/humidity.h"

#include <math.h>

#define T0 273.16
#define T_ICE 250.16
#define RATIO 0.621981 /* of the gas constants of dry air and vapour */

static double
over_water(double t)
{
    return 611.21 * exp(17.502 * (t - T0) / (t - 32.19));
}

static double
over_ice(double t)
{
    return 611.21 * exp(22.587 * (t - T0) / (t + 0.7));
}

double
m2n_humidity_from_dew_point(double t, double dew_point)
{
    return 100 * over_water(dew_point) / over_water(t);
}

double
m2n_humidity_from_specific(double t, double q, double p)
{
    const double warm = CLAMP((t - T_ICE) / (T0 - T_ICE), 0, 1), water = warm * warm;
    const double saturation = water * over_water(t) + (1 - water) * over_ice(t);
    const double vapour = q * p / (RATIO + (1 - RATIO) * q);

    return 100 * vapour / saturation;
}
