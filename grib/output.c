/* Scalars are regridded; winds are carried to the target's east and north, then turned onto its axes. */
#include "grib/output.h"

#include <math.h>

#include "engine/base/error.h"
#include "grib/wind.h"

#define NONE G_MAXUINT

struct M2nOutput {
    const M2nDomain *domain;
    M2nRegrid *regrid;
    M2nWind *wind; /* of the output grid */
    M2nGrid *to;
    gboolean turn;
    guint *partner; /* [V] the other component, or NONE */
    gboolean *is_u;
};

/* The other component of the wind that variable i is, if the domain has it. */
static guint
find_partner(const M2nDomain *d, guint i, gboolean *is_u)
{
    M2nVariable other;

    if (!m2n_wind_partner(&d->variables[i], &other, is_u))
        return NONE;
    for (guint k = 0; k < d->n_variables; k++)
        if (d->variables[k].param_id == other.param_id &&
            fabs(d->variables[k].level - other.level) < 1e-6)
            return k;
    return NONE;
}

/* Beside the regridding weights: the other component of a wind, and the axes it is turned onto. */
static guint64
beside_weights(const M2nOutput *o)
{
    return o->to->n_points * sizeof(float) + (o->turn ? m2n_wind_memory(o->to) : 0);
}

guint64
m2n_output_memory(const M2nOutput *o)
{
    return m2n_regrid_memory(o->regrid) + beside_weights(o);
}

M2nOutput *
m2n_output_new(const M2nDomain *d, const M2nGrid *to, M2nRegridMethod method, gboolean turn,
               guint64 max_memory, GError **error)
{
    g_autoptr(M2nOutput) o = g_new0(M2nOutput, 1);
    gboolean winds = FALSE;

    o->domain = d;
    o->to = m2n_grid_ref(to);
    o->turn = turn && !m2n_wind_is_earth_relative(to);
    o->partner = g_new(guint, d->n_variables);
    o->is_u = g_new0(gboolean, d->n_variables);
    for (guint i = 0; i < d->n_variables; i++) {
        o->partner[i] = find_partner(d, i, &o->is_u[i]);
        winds |= o->partner[i] != NONE;
    }
    const guint64 beside = beside_weights(o);
    if (max_memory > 0 && max_memory <= beside) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY,
                    "%" G_GSIZE_FORMAT " points take %" G_GUINT64_FORMAT
                    " MiB and more, %" G_GUINT64_FORMAT " MiB are allowed",
                    to->n_points, beside >> 20, max_memory >> 20);
        return NULL;
    }
    o->regrid =
        m2n_regrid_new(d->grid, to, method, max_memory > 0 ? max_memory - beside : 0, error);
    if (o->regrid == NULL)
        return NULL;
    if (winds && !m2n_regrid_prepare_wind(o->regrid, error))
        return NULL;
    if (winds && o->turn) {
        o->wind = m2n_wind_new(to, error);
        if (o->wind == NULL)
            return NULL;
    }
    return g_steal_pointer(&o);
}

void
m2n_output_free(M2nOutput *o)
{
    g_clear_pointer(&o->regrid, m2n_regrid_free);
    g_clear_pointer(&o->wind, m2n_wind_free);
    m2n_grid_unref(o->to);
    g_free(o->partner);
    g_free(o->is_u);
    g_free(o);
}

gboolean
m2n_output_place(const M2nOutput *o, const float *fields, guint variable, float *out,
                 GError **error)
{
    const gsize n = o->domain->grid->n_points;
    const float *own = fields + variable * n;

    g_assert(variable < o->domain->n_variables);
    if (o->partner[variable] == NONE) {
        M2nVariable other;
        gboolean is_u;
        if (o->turn && m2n_wind_partner(&o->domain->variables[variable], &other, &is_u)) {
            g_set_error(error, M2N_ERROR, M2N_ERROR_MISSING,
                        "%s cannot be turned onto the axes of %s without %s, which the model lacks",
                        o->domain->variables[variable].name, o->to->crs, other.name);
            return FALSE;
        }
        m2n_regrid_apply(o->regrid, own, out);
        return TRUE;
    }
    const float *other = fields + o->partner[variable] * n;
    g_autofree float *spare = g_try_new(float, o->to->n_points);
    if (spare == NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY, "no memory for %" G_GSIZE_FORMAT " points",
                    o->to->n_points);
        return FALSE;
    }
    const gboolean is_u = o->is_u[variable];
    float *u = is_u ? out : spare, *v = is_u ? spare : out;
    m2n_regrid_apply_wind(o->regrid, is_u ? own : other, is_u ? other : own, u, v);
    if (o->wind != NULL)
        m2n_wind_to_grid(o->wind, u, v);
    return TRUE;
}
