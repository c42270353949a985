/* Opening and reading a prepared data set, and the statistics of its training span. */
#include "grib/dataset.h"

#include <math.h>
#include <string.h>

#include "engine/base/error.h"
#include "grib/dataset_private.h"

struct M2nDataset {
    M2nSafetensors *st;
    const M2nTensorInfo *fields;
    M2nDomain *domain;
    gint64 *times;
    gsize n, per_time; /* values per time: V H W */
    M2nSplit split;
    gboolean statistics_given;
};

static const char *
name_of(const M2nDataset *d)
{
    return m2n_source_name(m2n_safetensors_source(d->st));
}

static gboolean
read_times(M2nDataset *d, GError **error)
{
    const M2nTensorInfo *t = m2n_safetensors_find(d->st, "times");

    if (t == NULL || strcmp(t->dtype, "I64") != 0 || t->rank != 1 || t->elements < 1) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT,
                    "%s: times: expected a tensor [N] of I64; is this a prepared data set?",
                    name_of(d));
        return FALSE;
    }
    d->n = (gsize)t->elements;
    d->times = g_try_new(gint64, d->n);
    if (d->times == NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY, "%s: times: %zu do not fit in memory",
                    name_of(d), d->n);
        return FALSE;
    }
    if (!m2n_safetensors_read_raw(d->st, t, 0, d->n, d->times, error))
        return FALSE;
    for (gsize i = 1; i < d->n; i++)
        if (d->times[i] <= d->times[i - 1]) {
            g_autofree char *at = m2n_span_time_format(d->times[i]);

            g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT,
                        "%s: times: number %zu (%s) is not after the one before it", name_of(d), i,
                        at);
            return FALSE;
        }
    return TRUE;
}

static gboolean
check_fields(M2nDataset *d, GError **error)
{
    const M2nTensorInfo *t = d->fields = m2n_safetensors_find(d->st, "fields");
    const guint64 want[4] = {d->n, d->domain->n_variables, d->domain->grid->height,
                             d->domain->grid->width};

    if (t == NULL || strcmp(t->dtype, "F32") != 0 || t->rank != 4) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT,
                    "%s: fields: expected a tensor [N][V][H][W] of F32", name_of(d));
        return FALSE;
    }
    if (memcmp(t->shape, want, sizeof want) != 0) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_SHAPE,
                    "%s: fields: [%" G_GUINT64_FORMAT "][%" G_GUINT64_FORMAT "][%" G_GUINT64_FORMAT
                    "][%" G_GUINT64_FORMAT
                    "] where times, variables and grid say [%" G_GUINT64_FORMAT
                    "][%" G_GUINT64_FORMAT "][%" G_GUINT64_FORMAT "][%" G_GUINT64_FORMAT "]",
                    name_of(d), t->shape[0], t->shape[1], t->shape[2], t->shape[3], want[0],
                    want[1], want[2], want[3]);
        return FALSE;
    }
    d->per_time = (gsize)(want[1] * want[2] * want[3]);
    return TRUE;
}

static gboolean
read_split(M2nDataset *d, GError **error)
{
    for (guint i = 0; i < M2N_N_SPANS; i++) {
        const char *text = m2n_safetensors_metadata(d->st, m2n_span_names[i]);

        if (text == NULL) {
            d->split = m2n_split_default(d->times, d->n);
            return TRUE;
        }
        if (!m2n_time_span_parse(text, name_of(d), &d->split.span[i], error))
            return FALSE;
    }
    return m2n_split_check(&d->split, name_of(d), error);
}

M2nDataset *
m2n_dataset_open(M2nSource *source, GError **error)
{
    g_autoptr(M2nDataset) d = g_new0(M2nDataset, 1);

    d->st = m2n_safetensors_open(source, error);
    if (d->st == NULL || !read_times(d, error))
        return NULL;
    d->domain = m2n_domain_read(d->st, error);
    if (d->domain == NULL || !check_fields(d, error) || !read_split(d, error))
        return NULL;
    return g_steal_pointer(&d);
}

void
m2n_dataset_free(M2nDataset *d)
{
    g_clear_pointer(&d->domain, m2n_domain_free);
    g_clear_pointer(&d->st, m2n_safetensors_free);
    g_free(d->times);
    g_free(d);
}

const char *
m2n_dataset_name(const M2nDataset *d)
{
    return name_of(d);
}

const M2nDomain *
m2n_dataset_domain(const M2nDataset *d)
{
    return d->domain;
}

const gint64 *
m2n_dataset_times(const M2nDataset *d, gsize *n)
{
    *n = d->n;
    return d->times;
}

const M2nSplit *
m2n_dataset_split(const M2nDataset *d)
{
    return &d->split;
}

/* A run of days would not notice that another one made its dataset anew in place. */
static gboolean
read_values(const M2nDataset *d, guint64 first, gsize n, float *out, GError **error)
{
    return m2n_safetensors_read_f32(d->st, d->fields, first, n, out, error) &&
           m2n_source_unchanged(m2n_safetensors_source(d->st), error);
}

gboolean
m2n_dataset_read(const M2nDataset *d, gsize first, gsize n, float *out, GError **error)
{
    g_assert(first <= d->n && n <= d->n - first);
    return read_values(d, (guint64)first * d->per_time, n * d->per_time, out, error);
}

gboolean
m2n_dataset_read_field(const M2nDataset *d, gsize time, guint variable, float *out, GError **error)
{
    const gsize n = d->domain->grid->n_points;

    g_assert(time < d->n && variable < d->domain->n_variables);
    return read_values(d, (guint64)time * d->per_time + variable * n, n, out, error);
}

/* ---- statistics ------------------------------------------------------------------------------ */

typedef struct {
    double n, mean, square; /* square: sum of (x - mean)^2 */
    double min, max;
} Moments;

/* Merges the moments of one field (Chan, Golub, LeVeque 1983): stable over any number of fields. */
static void
add_field(Moments *m, const float *x, gsize n)
{
    double sum = 0, square = 0;

    for (gsize i = 0; i < n; i++) {
        sum += (double)x[i];
        m->min = MIN(m->min, (double)x[i]);
        m->max = MAX(m->max, (double)x[i]);
    }
    const double mean = sum / (double)n, shift = mean - m->mean, total = m->n + (double)n;
    for (gsize i = 0; i < n; i++)
        square += ((double)x[i] - mean) * ((double)x[i] - mean);
    m->square += square + shift * shift * m->n * (double)n / total;
    m->mean += shift * (double)n / total;
    m->n = total;
}

gboolean
m2n_fields_check(const M2nDomain *domain, const char *where, gint64 time, const float *fields,
                 GError **error)
{
    const gsize n = (gsize)domain->grid->height * domain->grid->width;

    for (guint v = 0; v < domain->n_variables; v++, fields += n) {
        gsize missing = 0;

        for (gsize i = 0; i < n; i++)
            missing += isfinite(fields[i]) ? 0u : 1u;
        if (missing > 0) {
            g_autofree char *at = m2n_span_time_format(time);

            g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT,
                        "%s: %s at %s: %zu of %zu points are missing", where,
                        domain->variables[v].name, at, missing, n);
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean
store_moments(M2nDomain *domain, const Moments *m, const char *where, GError **error)
{
    for (guint v = 0; v < domain->n_variables; v++) {
        M2nVariable *variable = &domain->variables[v];

        /* a spread that float32 cannot tell from rounding would be blown up to noise */
        if (!(m[v].max - m[v].min > 1e-6 * MAX(fabs(m[v].max), 1e-30))) {
            g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT,
                        "%s: %s: constant (%g %s) over the training span; nothing to learn", where,
                        variable->name, m[v].mean, variable->units);
            return FALSE;
        }
        variable->mean = m[v].mean;
        variable->std = sqrt(m[v].square / m[v].n);
        variable->min = m[v].min;
        variable->max = m[v].max;
    }
    return TRUE;
}

gboolean
m2n_statistics(M2nDomain *domain, const M2nTimeSpan *span, const gint64 *times, gsize n,
               M2nFieldsReader read, gpointer data, const char *where, GError **error)
{
    const gsize points = (gsize)domain->grid->height * domain->grid->width;
    g_autofree Moments *m = g_new0(Moments, domain->n_variables);
    g_autofree float *x = g_try_new(float, points * domain->n_variables);

    if (x == NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY, "%s: one time does not fit in memory",
                    where);
        return FALSE;
    }
    for (guint v = 0; v < domain->n_variables; v++)
        m[v] = (Moments){.min = INFINITY, .max = -INFINITY};
    for (gsize i = 0; i < n; i++) {
        if (times[i] < span->first || times[i] > span->last)
            continue;
        if (!read(data, i, x, error) || !m2n_fields_check(domain, where, times[i], x, error))
            return FALSE;
        for (guint v = 0; v < domain->n_variables; v++)
            add_field(&m[v], x + v * points, points);
    }
    if (m[0].n == 0) {
        g_autofree char *text = m2n_time_span_format(span);
        g_autofree char *a = m2n_span_time_format(times[0]),
                        *b = m2n_span_time_format(times[n - 1]);

        g_set_error(error, M2N_ERROR, M2N_ERROR_MISSING,
                    "%s: training span %s: no times in it (the data are %s/%s)", where, text, a, b);
        return FALSE;
    }
    return store_moments(domain, m, where, error);
}

static gboolean
read_one(gpointer data, gsize i, float *out, GError **error)
{
    return m2n_dataset_read(data, i, 1, out, error);
}

gboolean
m2n_dataset_set_split(M2nDataset *d, const M2nSplit *split, GError **error)
{
    if (!m2n_split_check(split, name_of(d), error) ||
        !m2n_statistics(d->domain, &split->span[M2N_SPAN_TRAIN], d->times, d->n, read_one, d,
                        name_of(d), error))
        return FALSE;
    d->split = *split;
    d->statistics_given = FALSE;
    return TRUE;
}

void
m2n_dataset_set_statistics(M2nDataset *d, const M2nVariable *variables)
{
    for (guint v = 0; v < d->domain->n_variables; v++) {
        M2nVariable *to = &d->domain->variables[v];
        const M2nVariable *from = &variables[v];

        to->mean = from->mean;
        to->std = from->std;
        to->min = from->min;
        to->max = from->max;
        to->change_std = from->change_std;
    }
    d->statistics_given = TRUE;
}

gboolean
m2n_dataset_statistics_given(const M2nDataset *d)
{
    return d->statistics_given;
}
