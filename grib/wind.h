/* Winds: between the axes of a grid and east and north.
 *
 * GRIB calls a wind grid-relative when u points along increasing x and v along increasing y.  The directions
 * of these two on the earth come from the Jacobian of the PROJ transform at every point; they need not be at
 * right angles (Albers, azimuthal, space view).  Fields in M2nField and model windows are earth-relative. */
#pragma once
#include "grib/domain.h"

G_BEGIN_DECLS

typedef struct M2nWind M2nWind;

/* (transfer full) NULL: M2N_ERROR_FORMAT (a grid without a place, a CRS PROJ does not know), _MEMORY. */
M2nWind *m2n_wind_new(const M2nGrid *grid, GError **error);
guint64 m2n_wind_memory(const M2nGrid *grid); /* bytes it holds, at most */
void m2n_wind_free(M2nWind *w);

/* In place, u and v [grid->n_points], earth-relative to grid-relative and back.  NaN where either is, and
 * where the projection ends.  Thread-safe. */
void m2n_wind_to_earth(const M2nWind *w, float *u, float *v);
void m2n_wind_to_grid(const M2nWind *w, float *u, float *v);

/* TRUE when x points east and y north everywhere, so that there is nothing to turn. */
gboolean m2n_wind_is_earth_relative(const M2nGrid *grid);

/* TRUE when `v` is a horizontal wind component; then *other is the component beside it and *is_u says which
 * one `v` is. */
gboolean m2n_wind_partner(const M2nVariable *v, M2nVariable *other, gboolean *is_u);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(M2nWind, m2n_wind_free)

G_END_DECLS
