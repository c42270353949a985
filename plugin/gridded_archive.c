/* Windows out of NetCDF and Zarr archives. */
#include "plugin/gridded_archive.h"

#include <math.h>

#include "engine/base/error.h"
#include "grib/variable.h"
#include "plugin/gridded_index.h"
#include "plugin/quantity.h"

#define MAX_MOMENTS (1u << 25) /* of all variables in use: 512 MiB */

typedef M2nGriddedVariable Variable;
typedef M2nGriddedMoment Moment;

static int
by_time(gconstpointer a, gconstpointer b)
{
    const Moment *p = a, *q = b;

    if (p->time != q->time)
        return p->time < q->time ? -1 : 1;
    return p->piece < q->piece ? -1 : p->piece > q->piece; /* the file named first wins */
}

/* (transfer full) When there is a field in any of the files, ascending, each time once; NULL: no memory. */
static Moment *
moments_of(const Variable *v, gsize *n)
{
    Moment *m = g_try_new(Moment, v->n_times);
    gsize all = 0;

    if (m == NULL)
        return NULL;
    for (guint k = 0; k < v->pieces->len; k++) {
        const M2nGriddedPiece *p = g_ptr_array_index(v->pieces, k);
        for (gsize i = 0; i < p->axes->n_times; i++)
            m[all++] = (Moment){p->axes->times[i], k, (guint)i};
    }
    qsort(m, all, sizeof *m, by_time);
    *n = 0;
    for (gsize i = 0; i < all; i++)
        if (*n == 0 || m[i].time != m[*n - 1].time)
            m[(*n)++] = m[i];
    return m;
}

static gboolean
no_memory_for_times(const Variable *v, GError **error)
{
    g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY, "%s: no memory for %" G_GSIZE_FORMAT " times", v->id.name, v->n_times);
    return FALSE;
}

/* Made when a variable is first used: archives have far more variables than a model. */
static gboolean
set_moments(M2nGridded *a, Variable *v, GError **error)
{
    if (v->moments != NULL)
        return TRUE;
    if (a->n_moments + v->n_times <= MAX_MOMENTS)
        v->moments = moments_of(v, &v->n_moments);
    if (v->moments == NULL)
        return no_memory_for_times(v, error);
    a->n_moments += v->n_moments;
    return TRUE;
}

M2nGridded *
m2n_gridded_open(const char *const *names, GError **error)
{
    g_autoptr(M2nGridded) a = g_new0(M2nGridded, 1);

    a->files = g_ptr_array_new_with_free_func(m2n_gridded_file_free);
    a->variables = g_ptr_array_new_with_free_func(m2n_gridded_variable_free);
    a->axes = g_ptr_array_new_with_free_func(m2n_gridded_axes_free);
    a->times = g_ptr_array_new_with_free_func(g_free);
    GDALAllRegister();
    for (guint i = 0; names[i] != NULL; i++)
        if (!m2n_gridded_index(a, names[i], error))
            return NULL;
    if (a->variables->len == 0) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT,
                    "%s: no field with rows, columns and a time in NetCDF or Zarr; GRIB files of a "
                    "folder are named one "
                    "by one or as \"FOLDER/*.grib2\"",
                    names[0] != NULL ? names[0] : "no file");
        return NULL;
    }
    return g_steal_pointer(&a);
}

void
m2n_gridded_free(M2nGridded *a)
{
    g_ptr_array_unref(a->files);
    g_ptr_array_unref(a->variables);
    g_ptr_array_unref(a->axes);
    g_ptr_array_unref(a->times);
    g_clear_pointer(&a->regrid, m2n_regrid_free);
    g_clear_pointer(&a->from, m2n_grid_unref);
    g_clear_pointer(&a->to, m2n_grid_unref);
    g_free(a);
}

void
m2n_gridded_set_memory(M2nGridded *a, guint64 bytes)
{
    a->max_memory = bytes;
}

/* ---- finding
 * ------------------------------------------------------------------------------------- */

static void
append_time(GString *s, gint64 t)
{
    g_autoptr(GDateTime) d = g_date_time_new_from_unix_utc(t);
    g_autofree char *text = d != NULL ? g_date_time_format(d, "%Y-%m-%dT%H:%M:%SZ") : g_strdup("?");
    g_string_append(s, text);
}

char *
m2n_gridded_describe(const M2nGridded *a, GError **error)
{
    g_autoptr(GString) s = g_string_new(NULL);

    for (guint i = 0; i < a->variables->len; i++) {
        const Variable *v = g_ptr_array_index(a->variables, i);
        gsize n = 0;
        g_autofree Moment *m = moments_of(v, &n);
        if (m == NULL) {
            no_memory_for_times(v, error);
            return NULL;
        }
        g_autofree char *grid = m2n_grid_describe(v->grid);
        g_string_append_printf(s, "%s%s: paramId %ld, %s %g", i > 0 ? "\n" : "", v->id.name,
                               v->id.param_id, v->id.type_of_level, v->id.level);
        g_string_append_printf(s, ", %s, %" G_GSIZE_FORMAT " times", *v->units ? v->units : "no units", n);
        if (n > 0) {
            g_string_append(s, " from ");
            append_time(s, m[0].time);
            g_string_append(s, " to ");
            append_time(s, m[n - 1].time);
        }
        g_string_append_printf(s, ", %s", grid);
    }
    return g_string_free(g_steal_pointer(&s), FALSE);
}

gboolean
m2n_gridded_reference_time(const M2nGridded *a, gint64 *time)
{
    *time = a->reference_time;
    return a->has_reference;
}

M2nVariable *
m2n_gridded_variables(const M2nGridded *a, guint *n)
{
    M2nVariable *all = g_new(M2nVariable, a->variables->len);

    for (guint i = 0; i < a->variables->len; i++) {
        const Variable *v = g_ptr_array_index(a->variables, i);
        all[i] = v->id;
        if (*all[i].units == 0)
            g_strlcpy(all[i].units, v->units, sizeof all[i].units);
    }
    *n = a->variables->len;
    return all;
}

static gboolean
serves(const Variable *v, const M2nVariable *want)
{
    if (want->param_id == 0)
        return g_str_equal(v->id.name, want->name);
    return m2n_variable_matches(want, v->id.param_id, v->id.type_of_level, v->id.level,
                                v->step_type);
}

static Variable *
find(M2nGridded *a, const M2nVariable *want, GError **error)
{
    GString *found;

    for (guint i = 0; i < a->variables->len; i++) {
        Variable *v = g_ptr_array_index(a->variables, i);
        if (serves(v, want))
            return set_moments(a, v, error) ? v : NULL;
    }
    found = g_string_new(NULL);
    for (guint i = 0; i < a->variables->len && i < 20; i++) {
        const Variable *v = g_ptr_array_index(a->variables, i);
        g_string_append_printf(found, "%s%s (%s %g)", i > 0 ? ", " : "", v->id.name,
                               v->id.type_of_level, v->id.level);
    }
    const M2nGriddedFile *file = g_ptr_array_index(a->files, 0);
    g_set_error(error, M2N_ERROR, M2N_ERROR_MISSING, "%s: needs %s (paramId %ld, %s %g), has %s",
                file->name, want->name, want->param_id, want->type_of_level, want->level,
                found->str);
    g_string_free(found, TRUE);
    return NULL;
}

M2nGrid *
m2n_gridded_grid(M2nGridded *a, const M2nVariable *v, GError **error)
{
    const Variable *found = find(a, v, error);

    return found != NULL ? found->grid : NULL;
}

static const Moment *
moment_at(const Variable *v, gint64 time)
{
    const Moment *m = v->moments;
    gsize low = 0, high = v->n_moments;

    while (low < high) {
        const gsize middle = low + (high - low) / 2;
        if (m[middle].time < time)
            low = middle + 1;
        else
            high = middle;
    }
    return low < v->n_moments && m[low].time == time ? &m[low] : NULL;
}

gint64 *
m2n_gridded_times(M2nGridded *a, const M2nDomain *d, gsize *n, GError **error)
{
    g_autofree Variable **v = g_new(Variable *, d->n_variables);

    for (guint i = 0; i < d->n_variables; i++)
        if ((v[i] = find(a, &d->variables[i], error)) == NULL)
            return NULL;
    g_autofree gint64 *times = g_try_new(gint64, v[0]->n_moments);
    if (times == NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY, "%s: no memory for its times", v[0]->id.name);
        return NULL;
    }
    *n = 0;
    for (gsize k = 0; k < v[0]->n_moments; k++) {
        const gint64 t = v[0]->moments[k].time;
        gboolean all = TRUE;
        for (guint i = 1; all && i < d->n_variables; i++)
            all = moment_at(v[i], t) != NULL;
        if (all)
            times[(*n)++] = t;
    }
    return g_steal_pointer(&times);
}

gboolean
m2n_gridded_latest(M2nGridded *a, const M2nDomain *d, guint steps, gint64 *init_time,
                   GError **error)
{
    gsize n = 0;
    g_autofree gint64 *times = m2n_gridded_times(a, d, &n, error);

    if (times == NULL)
        return FALSE;
    const gsize latest = m2n_time_latest(times, n, d->time_step, steps);
    if (latest < n) {
        *init_time = times[latest];
        return TRUE;
    }
    const M2nGriddedFile *file = g_ptr_array_index(a->files, 0);
    g_set_error(error, M2N_ERROR, M2N_ERROR_MISSING,
                "%s: needs %u fields of each variable every %" G_GINT64_FORMAT
                " s, has %" G_GSIZE_FORMAT " times with all variables and no such run among them",
                file->name, steps, d->time_step, n);
    return FALSE;
}

/* ---- reading
 * ------------------------------------------------------------------------------------- */

/* Weights are made once for a pair of grids. */
static gboolean
set_regrid(M2nGridded *a, M2nGrid *from, M2nGrid *to, M2nRegridMethod method, const char *name,
           GError **error)
{
    if (a->regrid != NULL && a->method == method && m2n_grid_equal(a->from, from) &&
        m2n_grid_equal(a->to, to))
        return TRUE;
    g_clear_pointer(&a->regrid, m2n_regrid_free);
    g_clear_pointer(&a->from, m2n_grid_unref);
    g_clear_pointer(&a->to, m2n_grid_unref);
    m2n_gridded_forget_slabs(a);
    a->regrid = m2n_regrid_new(from, to, method, a->max_memory, error);
    if (a->regrid == NULL) {
        g_prefix_error(error, "%s: ", name);
        return FALSE;
    }
    a->from = m2n_grid_ref(from);
    a->to = m2n_grid_ref(to);
    a->method = method;
    return TRUE;
}

static gboolean
fail_time(const M2nGridded *a, const M2nVariable *want, gint64 time, M2nError code,
          const char *what, GError **error)
{
    const M2nGriddedFile *file = g_ptr_array_index(a->files, 0);
    g_autoptr(GString) when = g_string_new(NULL);

    append_time(when, time);
    g_set_error(error, M2N_ERROR, (gint)code, "%s: %s at %s: %s", file->name, want->name, when->str,
                what);
    return FALSE;
}

gboolean
m2n_gridded_has_window(M2nGridded *a, const M2nDomain *d, guint steps, gint64 init_time,
                       GError **error)
{
    for (guint i = 0; i < d->n_variables; i++) {
        const Variable *v = find(a, &d->variables[i], error);
        if (v == NULL)
            return FALSE;
        for (guint t = 0; t < steps; t++) {
            const gint64 time = init_time - (gint64)t * d->time_step;
            if (moment_at(v, time) == NULL)
                return fail_time(a, &d->variables[i], time, M2N_ERROR_MISSING, "not there", error);
        }
    }
    return TRUE;
}

/* One variable at one time on the domain's grid; every point must have a value. */
static gboolean
read_field(M2nGridded *a, const M2nDomain *d, Variable *v, const M2nVariable *want, gint64 time,
           M2nRegridMethod method, float *out, GError **error)
{
    const Moment *m = moment_at(v, time);
    const gboolean same = m2n_grid_equal(v->grid, d->grid);

    if (m == NULL)
        return fail_time(a, want, time, M2N_ERROR_MISSING, "not there", error);
    if (!same && !set_regrid(a, v->grid, d->grid, method, v->id.name, error))
        return FALSE;
    g_autofree float *own = same ? NULL : g_try_new(float, v->grid->n_points);
    if (!same && own == NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY,
                    "%s: no memory for %" G_GSIZE_FORMAT " points", v->id.name, v->grid->n_points);
        return FALSE;
    }
    if (!m2n_gridded_field(a, v, m, want->units, same ? out : own, error))
        return FALSE;
    if (!same)
        m2n_regrid_apply(a->regrid, own, out);
    for (gsize i = 0; i < d->grid->n_points; i++)
        if (!isfinite(out[i]))
            return fail_time(a, want, time, M2N_ERROR_SHAPE,
                             "missing values inside the model's domain", error);
    return TRUE;
}

gboolean
m2n_gridded_read_window(M2nGridded *a, const M2nDomain *d, guint steps, gint64 init_time,
                        M2nRegridMethod method, float *out, M2nProgressFunc progress,
                        gpointer user_data, GError **error)
{
    const guint total = steps * d->n_variables;

    for (guint i = 0; i < d->n_variables; i++) {
        Variable *v = find(a, &d->variables[i], error);
        if (v == NULL)
            return FALSE;
        for (guint t = 0; t < steps; t++) {
            const gint64 time = init_time - (gint64)(steps - 1 - t) * d->time_step;
            float *to = out + ((gsize)t * d->n_variables + i) * d->grid->n_points;
            if (!read_field(a, d, v, &d->variables[i], time, method, to, error))
                return FALSE;
            if (progress != NULL &&
                !progress((double)(i * steps + t + 1) / total, "reading", user_data)) {
                g_set_error(error, M2N_ERROR, M2N_ERROR_CANCELLED, "stopped while reading");
                return FALSE;
            }
        }
    }
    return TRUE;
}
