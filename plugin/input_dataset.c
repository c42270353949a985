/* Windows out of a prepared dataset. */
#define _GNU_SOURCE /* cpl_vsi.h names struct stat64 */
#include "plugin/input_dataset.h"

#include <cpl_vsi.h>

#include "engine/base/error.h"
#include "grib/variable.h"
#include "plugin/quantity.h"

gboolean
m2n_dataset_recognises(const char *name)
{
    guint8 head[9];
    VSIStatBufL st;

    if (VSIStatL(name, &st) != 0 || !VSI_ISREG(st.st_mode)) /* a pipe would be waited for */
        return FALSE;
    VSILFILE *file = VSIFOpenL(name, "rb");

    if (file == NULL)
        return FALSE;
    const size_t got = VSIFReadL(head, 1, sizeof head, file);
    VSIFCloseL(file);
    return got == sizeof head && head[8] == '{' && head[4] == 0 && head[5] == 0 && head[6] == 0 &&
           head[7] == 0;
}

const M2nVariable *
m2n_dataset_variable(const M2nDataset *s, const M2nVariable *want, guint *index)
{
    const M2nDomain *have = m2n_dataset_domain(s);

    for (guint i = 0; i < have->n_variables; i++) {
        const M2nVariable *v = &have->variables[i];
        if (g_str_equal(want->name, v->name) ||
            m2n_variable_matches(want, v->param_id, v->type_of_level, v->level, "instant")) {
            *index = i;
            return v;
        }
    }
    return NULL;
}

/* Which of the dataset's variables serves each of the domain's, on the same grid and in the same unit. */
static gboolean
map_variables(const M2nDataset *s, const M2nDomain *d, guint *map, GError **error)
{
    const M2nDomain *have = m2n_dataset_domain(s);

    for (guint i = 0; i < d->n_variables; i++) {
        const M2nVariable *want = &d->variables[i], *v = m2n_dataset_variable(s, want, &map[i]);
        if (v != NULL && g_str_equal(v->units, want->units))
            continue;
        g_set_error(
            error, M2N_ERROR, v == NULL ? M2N_ERROR_MISSING : M2N_ERROR_UNITS,
            "%s: needs %s (paramId %ld, %s %g) in %s, which this dataset was not prepared with",
            m2n_dataset_name(s), want->name, want->param_id, want->type_of_level, want->level,
            want->units);
        return FALSE;
    }
    if (m2n_grid_equal(have->grid, d->grid))
        return TRUE;
    g_autofree char *a = m2n_grid_describe(have->grid), *b = m2n_grid_describe(d->grid);
    g_set_error(error, M2N_ERROR, M2N_ERROR_SHAPE, "%s: prepared on %s, wanted on %s",
                m2n_dataset_name(s), a, b);
    return FALSE;
}

gint64 *
m2n_dataset_domain_times(const M2nDataset *s, const M2nDomain *d, gsize *n, GError **error)
{
    g_autofree guint *map = g_new(guint, d->n_variables);

    if (!map_variables(s, d, map, error))
        return NULL;
    const gint64 *times = m2n_dataset_times(s, n);
    return g_memdup2(times, *n * sizeof *times);
}

gboolean
m2n_dataset_has_window(const M2nDataset *s, const M2nDomain *d, guint steps, gint64 init_time,
                       GError **error)
{
    g_autofree guint *map = g_new(guint, d->n_variables);
    gsize n;
    const gint64 *times = m2n_dataset_times(s, &n);

    if (!map_variables(s, d, map, error))
        return FALSE;
    for (guint t = 0; t < steps; t++) {
        const gint64 time = init_time - (gint64)t * d->time_step;
        if (m2n_time_find(times, n, time) < n)
            continue;
        g_autofree char *text = m2n_time_format(time);
        g_set_error(error, M2N_ERROR, M2N_ERROR_MISSING, "%s: holds nothing at %s",
                    m2n_dataset_name(s), text);
        return FALSE;
    }
    return TRUE;
}

gboolean
m2n_dataset_latest(const M2nDataset *s, const M2nDomain *d, guint steps, gint64 *init_time,
                   GError **error)
{
    gsize n;
    const gint64 *times = m2n_dataset_times(s, &n);

    const gsize latest = m2n_time_latest(times, n, d->time_step, steps);
    if (latest < n) {
        *init_time = times[latest];
        return m2n_dataset_has_window(s, d, steps, *init_time, error);
    }
    g_set_error(error, M2N_ERROR, M2N_ERROR_MISSING,
                "%s: needs %u times every %" G_GINT64_FORMAT " s, has %" G_GSIZE_FORMAT
                " times and no such run among them",
                m2n_dataset_name(s), steps, d->time_step, n);
    return FALSE;
}

gboolean
m2n_dataset_read_window(const M2nDataset *s, const M2nDomain *d, guint steps, gint64 init_time,
                        float *out, GError **error)
{
    const gsize points = d->grid->n_points;
    g_autofree guint *map = g_new(guint, d->n_variables);
    gsize n;
    const gint64 *times = m2n_dataset_times(s, &n);

    if (!m2n_dataset_has_window(s, d, steps, init_time, error) || !map_variables(s, d, map, error))
        return FALSE;
    for (guint t = 0; t < steps; t++) {
        const gint64 time = init_time - (gint64)(steps - 1 - t) * d->time_step;
        const gsize at = m2n_time_find(times, n, time);
        for (guint i = 0; i < d->n_variables; i++)
            if (!m2n_dataset_read_field(s, at, map[i],
                                        out + ((gsize)t * d->n_variables + i) * points, error))
                return FALSE;
    }
    return TRUE;
}
