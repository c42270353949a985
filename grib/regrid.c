/* Weights made once per pair of grids, and their application. */
#include "grib/regrid.h"

#include <math.h>
#include <string.h>

#include "engine/base/error.h"
#include "grib/regrid_weights.h"

/* A target point counts as missing when more than half of its weight is. */
#define LEAST_VALID 0.5

struct M2nRegrid {
    M2nGrid *from, *to;
    gboolean same; /* equal grids: a copy */
    M2nWeights w;
    float *turns; /* of winds, [w.used][2]; NULL until asked for */
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
    r->from = m2n_grid_ref(from);
    r->to = m2n_grid_ref(to);
    r->w.n_to = to->n_points;
    r->same = m2n_grid_equal(from, to);
    if (r->same)
        return g_steal_pointer(&r);
    r->w.start = g_try_new(gsize, to->n_points + 1);
    if (r->w.start == NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY,
                    "no memory for regridding to %" G_GSIZE_FORMAT " points", to->n_points);
        return NULL;
    }
    const gboolean ok =
        method == M2N_REGRID_CONSERVATIVE
            ? m2n_weights_areas(&r->w, from, to, error)
            : m2n_weights_points(&r->w, from, to, method == M2N_REGRID_NEAREST, error);
    if (!ok)
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
    m2n_grid_unref(r->from);
    m2n_grid_unref(r->to);
    g_free(r->turns);
    g_free(r->w.start);
    g_free(r->w.index);
    g_free(r->w.weight);
    g_free(r);
}

void
m2n_regrid_apply(const M2nRegrid *r, const float *in, float *out)
{
    if (r->same) {
        memcpy(out, in, r->from->n_points * sizeof *out);
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

gboolean
m2n_regrid_prepare_wind(M2nRegrid *r, GError **error)
{
    if (!r->same && r->turns == NULL)
        r->turns = m2n_weights_turns(&r->w, r->from, r->to, error);
    return r->same || r->turns != NULL;
}

void
m2n_regrid_apply_wind(const M2nRegrid *r, const float *u, const float *v, float *out_u,
                      float *out_v)
{
    if (r->same) {
        memcpy(out_u, u, r->from->n_points * sizeof *out_u);
        memcpy(out_v, v, r->from->n_points * sizeof *out_v);
        return;
    }
    g_assert(r->turns != NULL);
    for (gsize k = 0; k < r->w.n_to; k++) {
        double sum_u = 0, sum_v = 0, valid = 0, all = 0;

        for (gsize e = r->w.start[k]; e < r->w.start[k + 1]; e++) {
            const double weight = (double)r->w.weight[e];
            const double a = (double)u[r->w.index[e]], b = (double)v[r->w.index[e]];
            const double c = (double)r->turns[2 * e], s = (double)r->turns[2 * e + 1];
            all += weight;
            if (!isnan(a) && !isnan(b)) {
                sum_u += weight * (c * a - s * b);
                sum_v += weight * (s * a + c * b);
                valid += weight;
            }
        }
        const gboolean enough = valid > 0 && valid >= LEAST_VALID * all;
        out_u[k] = enough ? (float)(sum_u / valid) : NAN;
        out_v[k] = enough ? (float)(sum_v / valid) : NAN;
    }
}
