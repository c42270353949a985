/* Weights made once per pair of grids, and their application. */
#include "grib/regrid.h"

#include <math.h>
#include <string.h>

#include "engine/base/error.h"
#include "grib/regrid_weights.h"

/* A target point counts as missing when more than half of its weight is. */
#define LEAST_VALID 0.5

struct M2nRegrid {
    gsize n_from;
    gboolean same; /* equal grids: a copy */
    M2nWeights w;
};

gboolean
m2n_weights_add(M2nWeights *w, gsize index, double weight)
{
    if (w->used == w->room) {
        const gsize room = MAX(1024, w->room + w->room / 2);
        guint32 *index_new = g_try_renew(guint32, w->index, room);
        if (index_new == NULL)
            return FALSE;
        w->index = index_new;
        float *weight_new = g_try_renew(float, w->weight, room);
        if (weight_new == NULL)
            return FALSE;
        w->weight = weight_new;
        w->room = room;
    }
    w->index[w->used] = (guint32)index;
    w->weight[w->used++] = (float)weight;
    return TRUE;
}

static gboolean
check_places(const M2nGrid *from, const M2nGrid *to, GError **error)
{
    const M2nGrid *without = !m2n_grid_has_place(from) ? from : !m2n_grid_has_place(to) ? to : NULL;

    if (without == NULL)
        return TRUE;
    g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT, "grid %s cannot be regridded: %s",
                without->type, without->no_place);
    return FALSE;
}

M2nRegrid *
m2n_regrid_new(const M2nGrid *from, const M2nGrid *to, M2nRegridMethod method, GError **error)
{
    if (!check_places(from, to, error))
        return NULL;
    g_autoptr(M2nRegrid) r = g_new0(M2nRegrid, 1);
    r->n_from = from->n_points;
    r->w.n_to = to->n_points;
    r->same = m2n_grid_equal(from, to);
    if (r->same)
        return g_steal_pointer(&r);
    if (method == M2N_REGRID_CONSERVATIVE) {
        g_set_error_literal(error, M2N_ERROR, M2N_ERROR_ARGUMENT,
                            "conservative regridding is not available");
        return NULL;
    }
    r->w.start = g_try_new(gsize, to->n_points + 1);
    if (r->w.start == NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY, "regridding to %" G_GSIZE_FORMAT " points",
                    to->n_points);
        return NULL;
    }
    if (!m2n_weights_points(&r->w, from, to, method == M2N_REGRID_NEAREST, error))
        return NULL;
    if (r->w.used == 0) {
        g_autofree char *a = m2n_grid_describe(from), *b = m2n_grid_describe(to);
        g_set_error(error, M2N_ERROR, M2N_ERROR_SHAPE, "no overlap of the grids %s and %s", a, b);
        return NULL;
    }
    return g_steal_pointer(&r);
}

void
m2n_regrid_free(M2nRegrid *r)
{
    g_free(r->w.start);
    g_free(r->w.index);
    g_free(r->w.weight);
    g_free(r);
}

void
m2n_regrid_apply(const M2nRegrid *r, const float *in, float *out)
{
    if (r->same) {
        memcpy(out, in, r->n_from * sizeof *out);
        return;
    }
    for (gsize k = 0; k < r->w.n_to; k++) {
        double sum = 0, valid = 0, all = 0;

        for (gsize e = r->w.start[k]; e < r->w.start[k + 1]; e++) {
            const double v = (double)in[r->w.index[e]], weight = (double)r->w.weight[e];
            all += weight;
            if (!isnan(v)) {
                sum += weight * v;
                valid += weight;
            }
        }
        out[k] = valid > 0 && valid >= LEAST_VALID * all ? (float)(sum / valid) : NAN;
    }
}
