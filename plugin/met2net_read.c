/* The public API: computing, and fields as they are handed out. */
#include <string.h>

#include "engine/base/error.h"
#include "plugin/cache.h"
#include "plugin/disk_cache.h"
#include "plugin/met2net_private.h"
#include "plugin/quantity.h"

int
met2net_is_computed(met2net *f)
{
    g_autoptr(M2nResult) r = m2n_cache_peek(f->forecast);

    return r != NULL || (f->spec->disk_cache && m2n_disk_cache_has(m2n_forecast_key(f->forecast)));
}

/* (transfer full) */
static M2nResult *
get_result(met2net *f, met2net_progress progress, void *user_data, GError **error)
{
    GError *inner = NULL;

    if (f->failure != NULL) {
        g_propagate_error(error, g_error_copy(f->failure));
        return NULL;
    }
    M2nResult *r = m2n_cache_get(f->forecast, f->spec->disk_cache, progress, user_data, &inner);
    if (r == NULL) {
        if (!g_error_matches(inner, M2N_ERROR, M2N_ERROR_CANCELLED))
            f->failure = g_error_copy(inner);
        g_propagate_error(error, inner);
    }
    return r;
}

int
met2net_compute(met2net *f, met2net_progress progress, void *user_data, met2net_error *error)
{
    GError *inner = NULL;
    g_autoptr(M2nResult) r = get_result(f, progress, user_data, &inner);

    return r != NULL || m2n_handle_failed(inner, error);
}

/* Beside the result and the field that is handed out. */
static gboolean
make_output(met2net *f, GError **error)
{
    const guint64 most = f->spec->max_memory,
                  taken = (m2n_forecast_n_values(f->forecast) + f->grid->n_points) * sizeof(float);

    if (taken >= most) {
        g_autofree char *needed = m2n_size_format(taken), *bound = m2n_size_format(most);
        g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY,
                    "%s: a forecast and a field of %ux%u take %s, MAX_MEMORY allows %s",
                    m2n_forecast_model(f->forecast), f->grid->width, f->grid->height, needed, bound);
        return FALSE;
    }
    f->output = m2n_output_new(m2n_forecast_domain(f->forecast), f->grid, f->spec->resampling, TRUE,
                               most - taken, error);
    if (f->output == NULL)
        g_prefix_error(error, "%s: ", m2n_forecast_model(f->forecast));
    return f->output != NULL;
}

/* A variable of the model's fields [V][H][W] onto the grid of the handle. */
static gboolean
place_field(met2net *f, const float *fields, guint variable, float *out, GError **error)
{
    const M2nDomain *d = m2n_forecast_domain(f->forecast);
    const gsize n = d->grid->n_points;

    if (f->spec->crs == NULL) {
        memcpy(out, fields + variable * n, n * sizeof *out);
        return TRUE;
    }
    if (f->output == NULL && !make_output(f, error))
        return FALSE;
    return m2n_output_place(f->output, fields, variable, out, error);
}

int
met2net_read(met2net *f, unsigned variable, unsigned step, float *out, met2net_error *error)
{
    const M2nDomain *d = m2n_forecast_domain(f->forecast);
    GError *inner = NULL;

    if (m2n_handle_field(f, variable, step) < 0) {
        g_set_error(&inner, M2N_ERROR, M2N_ERROR_ARGUMENT,
                    "%s: variable %u, step %u: there are %u and %u", f->info.model, variable, step,
                    f->info.n_variables, f->info.n_steps);
        return m2n_handle_failed(inner, error);
    }
    g_autoptr(M2nResult) r = get_result(f, NULL, NULL, &inner);
    if (r == NULL)
        return m2n_handle_failed(inner, error);
    const guint stored = step + (f->spec->initial_state ? 0 : 1); /* 0 is the last input field */
    const float *fields = r->values + (gsize)stored * d->n_variables * d->grid->n_points;
    return place_field(f, fields, f->chosen[variable], out, &inner) || m2n_handle_failed(inner, error);
}
