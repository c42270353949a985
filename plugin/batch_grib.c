/* Forecasts as GRIB2, through the project's own writer. */
#include <errno.h>
#include <stdio.h>

#include "engine/base/error.h"
#include "grib/grib_writer.h"
#include "plugin/batch_product.h"

/* Borrows from the product; `variables` is the caller's room for the chosen ones. */
static M2nDomain
domain_of(const M2nProduct *p, M2nVariable *variables)
{
    M2nDomain d = *p->domain;

    for (guint i = 0; i < p->n_variables; i++)
        variables[i] = p->domain->variables[p->variables[i]];
    d.n_variables = p->n_variables;
    d.variables = variables;
    d.grid = p->grid;
    return d;
}

static gboolean
put_message(M2nGribWriter *w, const M2nProduct *p, guint step, guint i, FILE *file, GError **error)
{
    const float *values = p->values + ((gsize)step * p->n_variables + i) * p->grid->n_points;
    g_autoptr(GBytes) message =
        m2n_grib_writer_message(w, i, p->init_time, p->init_time + p->leads[step], values, error);
    gsize n = 0;

    if (message == NULL)
        return FALSE;
    const void *bytes = g_bytes_get_data(message, &n);
    if (fwrite(bytes, 1, n, file) == n)
        return TRUE;
    g_set_error(error, M2N_ERROR, M2N_ERROR_IO, "%s", g_strerror(errno));
    return FALSE;
}

static M2nGribWriter *
open_writer(const M2nProduct *p, const M2nProductOptions *options, const M2nDomain *d,
            GError **error)
{
    M2nGribWriterOptions o = M2N_GRIB_WRITER_OPTIONS_DEFAULT;

    o.centre = p->centre;
    o.member = p->member;
    o.n_members = (long)p->n_members;
    o.packing = options->ccsds ? M2N_PACKING_CCSDS : M2N_PACKING_SIMPLE;
    return m2n_grib_writer_new(d, &o, error);
}

gboolean
m2n_product_check_grib(const M2nProduct *p, const M2nProductOptions *options, GError **error)
{
    g_autofree M2nVariable *variables = g_new(M2nVariable, p->n_variables);
    const M2nDomain d = domain_of(p, variables);
    g_autoptr(M2nGribWriter) w = open_writer(p, options, &d, error);

    return w != NULL;
}

gboolean
m2n_product_write_grib(const M2nProduct *p, const char *path, const M2nProductOptions *options,
                       GError **error)
{
    g_autofree M2nVariable *variables = g_new(M2nVariable, p->n_variables);
    const M2nDomain d = domain_of(p, variables);
    g_autoptr(M2nGribWriter) w = open_writer(p, options, &d, error);
    const guint n = p->n_steps * p->n_variables;
    FILE *file = w != NULL ? fopen(path, "wbe") : NULL;
    gboolean ok = file != NULL;

    if (w != NULL && file == NULL)
        g_set_error(error, M2N_ERROR, M2N_ERROR_IO, "%s: %s", path, g_strerror(errno));
    for (guint k = 0; ok && k < n; k++) {
        const guint step = options->variable_major ? k % p->n_steps : k / p->n_variables;
        const guint i = options->variable_major ? k / p->n_steps : k % p->n_variables;
        ok = put_message(w, p, step, i, file, error);
    }
    if (file != NULL && fclose(file) != 0 && ok) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_IO, "%s: %s", path, g_strerror(errno));
        ok = FALSE;
    }
    return ok;
}
