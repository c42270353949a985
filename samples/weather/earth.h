/* The ground under the sample weather: a coarse Earth, and the sun above it.
 * Angles in radians, times in UTC seconds since 1970. */
#pragma once
#include <glib.h>

/* Share of land, 0 .. 1. */
double m2n_earth_land(double latitude, double longitude);
/* Metres above the sea, smooth; mountains as wide as a coarse grid can hold. */
double m2n_earth_height(double latitude, double longitude);
/* +1 in the middle of July, -1 in the middle of January. */
double m2n_earth_season(gint64 time);
/* Water temperature in K by latitude and season; below freezing where there would be ice. */
double m2n_earth_sea_temperature(double latitude, double season);
/* Cosine of the sun's zenith angle, 0 at night. */
double m2n_earth_sun(gint64 time, double latitude, double longitude);
