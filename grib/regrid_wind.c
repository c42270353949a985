/* Regridding of wind: the source's east and north are not the target's, least of all across a pole. */
#include <math.h>

#include "engine/base/error.h"
#include "grib/projection.h"
#include "grib/regrid_weights.h"

#define RADIANS (G_PI / 180)

/* lon, lat in radians of all points of a grid, [2 n] (transfer full). */
static double *
positions(const M2nGrid *g, GError **error)
{
    g_autoptr(M2nProjection) p = m2n_projection_new(g->crs, error);
    g_autofree gsize *start = m2n_grid_row_starts(g);
    const gsize n = g->n_points;

    if (p == NULL)
        return NULL;
    double *at = g_try_new(double, 2 * n + 1);
    if (at == NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY,
                    "no memory for positions of %" G_GSIZE_FORMAT " points", n);
        return NULL;
    }
    for (guint r = 0; r < g->height; r++)
        m2n_grid_row_lonlat(g, p, r, 0, m2n_grid_row_length(g, r), at + start[r],
                            at + n + start[r]);
    for (gsize i = 0; i < 2 * n; i++)
        at[i] *= RADIANS;
    return at;
}

/* The angle from the east at a to the east at b, for vectors carried along with least turning: both bases in
 * space, projected on each other. */
static double
turn(double lon_a, double lat_a, double lon_b, double lat_b)
{
    const double d = lon_b - lon_a, sa = sin(lat_a), sb = sin(lat_b);

    /* E_b.E_a = cos d, N_b.N_a = sa sb cos d + ca cb, N_b.E_a = -sb sin d ... */
    return atan2(-(sa + sb) * sin(d), (1 + sa * sb) * cos(d) + cos(lat_a) * cos(lat_b));
}

float *
m2n_weights_turns(const M2nWeights *w, const M2nGrid *from, const M2nGrid *to, GError **error)
{
    const guint64 places = 2 * (from->n_points + to->n_points) * sizeof(double);

    if (!m2n_weights_allow(w, places + 2 * w->used * sizeof(float), error))
        return NULL;
    g_autofree double *a = positions(from, error);
    g_autofree double *b = a != NULL ? positions(to, error) : NULL;

    if (b == NULL)
        return NULL;
    float *turns = g_try_new(float, 2 * w->used + 1);
    if (turns == NULL) {
        g_set_error_literal(error, M2N_ERROR, M2N_ERROR_MEMORY,
                            "regridding weights do not fit in memory");
        return NULL;
    }
    for (gsize k = 0; k < w->n_to; k++)
        for (gsize e = w->start[k]; e < w->start[k + 1]; e++) {
            const gsize i = w->index[e];
            const double t = turn(a[i], a[from->n_points + i], b[k], b[to->n_points + k]);
            turns[2 * e] = (float)cos(t);
            turns[2 * e + 1] = (float)sin(t);
        }
    return turns;
}
