/* The windows of a data set, as the trainer's batch source. */
#include <math.h>
#include <string.h>

#include "engine/base/error.h"
#include "grib/dataset.h"
#include "grib/dataset_private.h"

/* Enough windows for the spread of changes to three digits; a long archive has far more. */
#define CHANGE_SAMPLES 4096u

struct M2nWindows {
    M2nDataset *dataset; /* borrowed */
    M2nDomain *domain;
    M2nBatchSource source;
    GArray *first[M2N_N_SPANS]; /* gsize */
    gsize per_time;
    float *window; /* physical [2T][V][H][W] */
    const char **names, **units;
    double *scale;
    char *fingerprint;
};

M2nDomain *
m2n_domain_copy(const M2nDomain *d)
{
    M2nDomain *copy = g_memdup2(d, sizeof *d);

    copy->variables = g_memdup2(d->variables, d->n_variables * sizeof *d->variables);
    copy->grid = m2n_grid_ref(d->grid);
    return copy;
}

/* ---- which windows there are ----------------------------------------------------------------- */

static void
find_windows(M2nWindows *w, M2nSpan span)
{
    gsize n, run = 0; /* run: evenly spaced times that end at i, all inside the span */
    const gint64 *times = m2n_dataset_times(w->dataset, &n);
    const M2nTimeSpan *s = &m2n_dataset_split(w->dataset)->span[span];
    const gsize length = 2 * (gsize)w->source.steps;

    for (gsize i = 0; i < n; i++) {
        if (times[i] < s->first || times[i] > s->last) {
            run = 0;
            continue;
        }
        run = run > 0 && times[i] - times[i - 1] == w->domain->time_step ? run + 1 : 1;
        if (run >= length) {
            const gsize start = i + 1 - length;

            g_array_append_val(w->first[span], start);
        }
    }
    w->source.n_windows[span] = w->first[span]->len;
}

static gboolean
no_windows(const M2nWindows *w, GError **error)
{
    const M2nTimeSpan *s = &m2n_dataset_split(w->dataset)->span[M2N_SPAN_TRAIN];
    g_autofree char *text = m2n_time_span_format(s);
    gsize n, inside = 0;
    const gint64 *times = m2n_dataset_times(w->dataset, &n);

    for (gsize i = 0; i < n; i++)
        inside += times[i] >= s->first && times[i] <= s->last;
    g_set_error(error, M2N_ERROR, M2N_ERROR_MISSING,
                "%s: training span %s: its %zu times hold no %u in a row %" G_GINT64_FORMAT
                " s apart (%u in, %u out)",
                m2n_dataset_name(w->dataset), text, inside, 2 * w->source.steps,
                w->domain->time_step, w->source.steps, w->source.steps);
    return FALSE;
}

/* ---- target "change" ------------------------------------------------------------------------- */

/* Standard deviation about zero of (output field - last input field): what the network's unit
 * output then means, since the forecast is x_last + change_std * output with no mean added. */
static gboolean
find_change_std(M2nWindows *w, GError **error)
{
    const guint t = w->source.steps, n_variables = w->domain->n_variables;
    const gsize points = w->per_time / n_variables, n = w->first[M2N_SPAN_TRAIN]->len;
    const gsize samples = MIN(n, CHANGE_SAMPLES);
    g_autofree double *sum = g_new0(double, n_variables);

    for (gsize k = 0; k < samples; k++) {
        const gsize i = g_array_index(w->first[M2N_SPAN_TRAIN], gsize, k * n / samples);
        const float *last = w->window + (t - 1) * w->per_time;

        if (!m2n_dataset_read(w->dataset, i, 2 * t, w->window, error))
            return FALSE;
        for (guint s = t; s < 2 * t; s++)
            for (gsize j = 0; j < w->per_time; j++) {
                const double d = (double)w->window[s * w->per_time + j] - (double)last[j];

                sum[j / points] += d * d;
            }
    }
    for (guint v = 0; v < n_variables; v++) {
        w->domain->variables[v].change_std = sqrt(sum[v] / (double)(samples * t * points));
        if (!(w->domain->variables[v].change_std > 0)) {
            g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT, "%s: %s: never changes",
                        m2n_dataset_name(w->dataset), w->domain->variables[v].name);
            return FALSE;
        }
    }
    return TRUE;
}

static double
field_scale(const M2nDomain *d, const M2nVariable *v)
{
    return d->normalisation == M2N_MINMAX ? v->max - v->min : v->std;
}

/* ---- the source ------------------------------------------------------------------------------ */

static gboolean
read_window(gpointer data, M2nSpan span, guint64 index, float *x, float *y, GError **error)
{
    M2nWindows *w = data;
    const guint t = w->source.steps;
    const gsize half = t * w->per_time, points = w->per_time / w->domain->n_variables;
    const gsize first = m2n_windows_first(w, span, index);
    gsize n;
    const gint64 *times = m2n_dataset_times(w->dataset, &n);

    if (!m2n_dataset_read(w->dataset, first, 2 * t, w->window, error))
        return FALSE;
    for (guint s = 0; s < 2 * t; s++)
        if (!m2n_fields_check(w->domain, m2n_dataset_name(w->dataset), times[first + s],
                              w->window + s * w->per_time, error))
            return FALSE;
    memcpy(x, w->window, half * sizeof *x);
    memcpy(y, w->window + half, half * sizeof *y);
    if (w->domain->target == M2N_TARGET_CHANGE) {
        const float *last = x + half - w->per_time;

        for (gsize i = 0; i < half; i++) {
            const gsize j = i % w->per_time;

            y[i] = (float)(((double)y[i] - (double)last[j]) /
                           w->domain->variables[j / points].change_std);
        }
    } else
        m2n_domain_normalise(w->domain, y, t);
    m2n_domain_normalise(w->domain, x, t);
    return TRUE;
}

static void
describe(gpointer data, M2nSafetensorsWriter *out)
{
    m2n_domain_write(((M2nWindows *)data)->domain, out);
}

static void
fill_source(M2nWindows *w, guint steps)
{
    const M2nDomain *d = w->domain;

    w->names = g_new0(const char *, d->n_variables);
    w->units = g_new0(const char *, d->n_variables);
    w->scale = g_new0(double, d->n_variables);
    for (guint v = 0; v < d->n_variables; v++) {
        w->names[v] = d->variables[v].name;
        w->units[v] = d->variables[v].units;
    }
    w->source = (M2nBatchSource){
        .steps = steps,
        .variables = d->n_variables,
        .height = d->grid->height,
        .width = d->grid->width,
        .names = w->names,
        .units = w->units,
        .scale = w->scale,
        .data = w,
        .read = read_window,
        .describe = describe,
    };
}

/* What a resumed run must find again: which windows, and the statistics, which follow from the
 * values. */
static char *
fingerprint(const M2nWindows *w)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    gsize n;
    const gint64 *times = m2n_dataset_times(w->dataset, &n);

    g_checksum_update(sum, (const guchar *)times, (gssize)(n * sizeof *times));
    for (guint i = 0; i < M2N_N_SPANS; i++)
        g_checksum_update(sum, (const guchar *)w->first[i]->data,
                          (gssize)(w->first[i]->len * sizeof(gsize)));
    for (guint v = 0; v < w->domain->n_variables; v++) {
        const M2nVariable *x = &w->domain->variables[v];
        const double s[] = {x->mean, x->std, x->min, x->max};

        g_checksum_update(sum, (const guchar *)x->name, -1);
        g_checksum_update(sum, (const guchar *)s, sizeof s);
    }
    return g_strdup(g_checksum_get_string(sum));
}

/* A data set made elsewhere may state one normalisation alone. */
static gboolean
complete_statistics(M2nDataset *d, M2nNormalisation normalisation, GError **error)
{
    const M2nDomain *domain = m2n_dataset_domain(d);
    const M2nSplit split = *m2n_dataset_split(d);

    for (guint v = 0; v < domain->n_variables; v++) {
        const M2nVariable *x = &domain->variables[v];

        if (!(normalisation == M2N_MINMAX ? x->max > x->min : x->std > 0))
            return m2n_dataset_set_split(d, &split, error);
    }
    return TRUE;
}

M2nWindows *
m2n_windows_new(M2nDataset *d, guint steps, M2nNormalisation normalisation, M2nTarget target,
                GError **error)
{
    g_autoptr(M2nWindows) w = g_new0(M2nWindows, 1);

    if (!complete_statistics(d, normalisation, error))
        return NULL;
    w->dataset = d;
    w->domain = m2n_domain_copy(m2n_dataset_domain(d));
    w->domain->normalisation = normalisation;
    w->domain->target = target;
    fill_source(w, steps);
    w->per_time = (gsize)w->source.variables * w->source.height * w->source.width;
    w->window = g_try_new(float, 2 * steps * w->per_time);
    if (w->window == NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY,
                    "%s: a window of %u times does not fit in memory", m2n_dataset_name(d),
                    2 * steps);
        return NULL;
    }
    for (guint i = 0; i < M2N_N_SPANS; i++) {
        w->first[i] = g_array_new(FALSE, FALSE, sizeof(gsize));
        find_windows(w, (M2nSpan)i);
    }
    if (w->source.n_windows[M2N_SPAN_TRAIN] == 0) {
        no_windows(w, error);
        return NULL;
    }
    if (target == M2N_TARGET_CHANGE && !m2n_dataset_statistics_given(d) &&
        !find_change_std(w, error))
        return NULL;
    for (guint v = 0; v < w->domain->n_variables; v++)
        w->scale[v] = target == M2N_TARGET_CHANGE
                          ? w->domain->variables[v].change_std
                          : field_scale(w->domain, &w->domain->variables[v]);
    w->source.fingerprint = w->fingerprint = fingerprint(w);
    return g_steal_pointer(&w);
}

void
m2n_windows_free(M2nWindows *w)
{
    g_clear_pointer(&w->domain, m2n_domain_free);
    for (guint i = 0; i < M2N_N_SPANS; i++)
        g_clear_pointer(&w->first[i], g_array_unref);
    g_free(w->window);
    g_free(w->names);
    g_free(w->units);
    g_free(w->scale);
    g_free(w->fingerprint);
    g_free(w);
}

const M2nBatchSource *
m2n_windows_source(const M2nWindows *w)
{
    return &w->source;
}

const M2nDomain *
m2n_windows_domain(const M2nWindows *w)
{
    return w->domain;
}

gsize
m2n_windows_first(const M2nWindows *w, M2nSpan span, guint64 index)
{
    g_assert(index < w->source.n_windows[span]);
    return g_array_index(w->first[span], gsize, index);
}
