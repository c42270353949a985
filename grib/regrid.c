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

static guint64
memory_of(const M2nWeights *w)
{
    return (w->n_to + 1) * sizeof *w->start + w->used * (sizeof *w->index + sizeof *w->weight);
}

gboolean
m2n_weights_allow(const M2nWeights *w, guint64 more, GError **error)
{
    const guint64 need = memory_of(w) + more;

    if (w->max_memory == 0 || need <= w->max_memory)
        return TRUE;
    g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY,
                "regridding to %" G_GSIZE_FORMAT " points takes %" G_GUINT64_FORMAT
                " MiB and more, %" G_GUINT64_FORMAT " MiB are allowed",
                w->n_to, need >> 20, w->max_memory >> 20);
    return FALSE;
}

gboolean
m2n_weights_fail(const M2nWeights *w, GError **error)
{
    if (m2n_weights_allow(w, (w->room + 1) * sizeof *w->index, error)) /* as in most_entries() */
        g_set_error_literal(error, M2N_ERROR, M2N_ERROR_MEMORY,
                            "regridding weights do not fit in memory");
    return FALSE;
}

/* Entries that may be had; while there are some already both old and new ones are there. */
static gsize
most_entries(const M2nWeights *w)
{
    const guint64 taken = (w->n_to + 1) * sizeof *w->start + w->room * sizeof *w->index;

    if (w->max_memory == 0)
        return G_MAXSIZE / 8;
    return w->max_memory > taken ? (w->max_memory - taken) / (sizeof *w->index + sizeof *w->weight)
                                 : 0;
}

gboolean
m2n_weights_reserve(M2nWeights *w, gsize room)
{
    room = MIN(room, most_entries(w));
    if (room <= w->room)
        return FALSE;
    guint32 *index = g_try_renew(guint32, w->index, room);
    if (index == NULL)
        return FALSE;
    w->index = index;
    float *weight = g_try_renew(float, w->weight, room);
    if (weight == NULL)
        return FALSE;
    w->weight = weight;
    w->room = room;
    return TRUE;
}

gboolean
m2n_weights_add(M2nWeights *w, gsize index, double weight)
{
    if (w->used == w->room && !m2n_weights_reserve(w, MAX(1024, w->room + w->room / 2)))
        return FALSE;
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
m2n_regrid_new(const M2nGrid *from, const M2nGrid *to, M2nRegridMethod method, guint64 max_memory,
               GError **error)
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
    r->w.max_memory = max_memory;
    if (!m2n_weights_allow(&r->w, 0, error))
        return NULL;
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

guint64
m2n_regrid_memory(const M2nRegrid *r)
{
    const guint64 turns = r->turns != NULL ? 2 * r->w.used * sizeof *r->turns : 0;

    return r->same ? 0 : memory_of(&r->w) + turns;
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
