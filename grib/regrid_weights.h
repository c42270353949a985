/* What regrid.c and the files that compute weights share.  Private to them. */
#pragma once
#include "grib/regrid.h"

G_BEGIN_DECLS

/* For each target point a list of source points and weights, in compressed rows. */
typedef struct {
    gsize n_to;
    gsize *start; /* [n_to + 1] */
    guint32 *index;
    float *weight;
    gsize used, room;
    guint64 max_memory; /* of all of these, and of what is needed for a while; 0: no bound */
} M2nWeights;

/* Room for so many entries, or for as many as are allowed.  FALSE: no more than before. */
gboolean m2n_weights_reserve(M2nWeights *w, gsize room);
/* FALSE: out of memory, or more than is allowed; m2n_weights_fail() says which. */
gboolean m2n_weights_add(M2nWeights *w, gsize index, double weight);
gboolean m2n_weights_fail(const M2nWeights *w, GError **error); /* FALSE */
/* Whether `more` bytes may be had beside the weights.  FALSE: M2N_ERROR_MEMORY. */
gboolean m2n_weights_allow(const M2nWeights *w, guint64 more, GError **error);

/* Index of the first point of each row, [height + 1] (transfer full). */
gsize *m2n_grid_row_starts(const M2nGrid *g);

/* Longitude and latitude, degrees, of a row's centres at columns first, first + 1, ... n of them, on the
 * grid's own earth; NaN where the CRS ends. */
typedef struct M2nProjection M2nProjection;
void m2n_grid_row_lonlat(const M2nGrid *g, M2nProjection *p, guint row, double first, guint n,
                         double *lon, double *lat);

/* Each fills w->start and the lists for every point of `to`.  FALSE: M2N_ERROR_FORMAT, _MEMORY. */
gboolean m2n_weights_points(M2nWeights *w, const M2nGrid *from, const M2nGrid *to, gboolean nearest,
                            GError **error);
gboolean m2n_weights_areas(M2nWeights *w, const M2nGrid *from, const M2nGrid *to, GError **error);

/* (transfer full) [used][2] cosine and sine of the turn of each source's east onto the target's. */
float *m2n_weights_turns(const M2nWeights *w, const M2nGrid *from, const M2nGrid *to,
                         GError **error);

G_END_DECLS
