/* M2nRegrid: fields from one grid to another, through PROJ.  Weights are computed once per pair of grids
 * and applied to any number of fields. */
#pragma once
#include "grib/grid.h"

G_BEGIN_DECLS

typedef enum { M2N_REGRID_BILINEAR, M2N_REGRID_NEAREST, M2N_REGRID_CONSERVATIVE } M2nRegridMethod;

typedef struct M2nRegrid M2nRegrid;

/* (transfer full) `max_memory`: bytes that the weights, those of winds and what making them takes may be
 * together; 0: no bound.  NULL: M2N_ERROR_FORMAT (a CRS PROJ does not know), M2N_ERROR_SHAPE (no overlap: both
 * extents), M2N_ERROR_MEMORY. */
M2nRegrid *m2n_regrid_new(const M2nGrid *from, const M2nGrid *to, M2nRegridMethod method,
                          guint64 max_memory, GError **error);
guint64 m2n_regrid_memory(const M2nRegrid *r); /* bytes held */
void m2n_regrid_free(M2nRegrid *r);

/* in [from->n_points] -> out [to->n_points].  Missing values never bleed: they take no part in the mean, and
 * a point more than half of whose weight is missing, or that lies outside, is NaN.  Thread-safe. */
void m2n_regrid_apply(const M2nRegrid *r, const float *in, float *out);

/* The same for a wind, both parts earth-relative on both grids: each source's wind is carried to the target's
 * east and north, which differ near a pole.  After _prepare_wind() _apply_wind() is thread-safe.  FALSE:
 * M2N_ERROR_MEMORY, _FORMAT. */
gboolean m2n_regrid_prepare_wind(M2nRegrid *r, GError **error);
void m2n_regrid_apply_wind(const M2nRegrid *r, const float *u, const float *v, float *out_u,
                           float *out_v);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(M2nRegrid, m2n_regrid_free)

G_END_DECLS
