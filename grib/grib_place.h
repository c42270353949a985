/* What the files share that give a grid definition its place.  Private to them. */
#pragma once
#include "grib/grib_spec.h"

G_BEGIN_DECLS

/* (transfer full) Kinds M2N_SPEC_LATLON and _GAUSSIAN.  NULL: M2N_ERROR_FORMAT. */
M2nGrid *m2n_place_lonlat(const M2nGridSpec *s, GError **error);

/* (transfer full) Their CRS, about the pole they are turned to. */
char *m2n_place_lonlat_crs(const M2nGridSpec *s);

/* " +name=value", with a point for the decimal whatever the locale; the axes of the message's earth. */
void m2n_place_append(GString *s, const char *name, double value);
void m2n_place_append_earth(GString *s, const M2nGridSpec *g);

/* FALSE: M2N_ERROR_FORMAT: "grid: <what>: <value>". */
gboolean m2n_place_fail(const char *what, double value, GError **error);

G_END_DECLS
