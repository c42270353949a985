/* Forecast after forecast against what happened, with what it has to beat. */
#include "plugin/verify.h"

#include <math.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/memory_limit.h"
#include "plugin/quantity.h"
#include "plugin/unlikely_input.h"
#include "plugin/variable_text.h"
#include "plugin/verify_ahead.h"
#include "plugin/verify_starts.h"
#include "plugin/verify_weights.h"

#define DAY 86400
#define MAP_LEADS 4
#define CLIMATOLOGY_SHARE 0.2        /* of the progress */
#define LEAST_PAST (5 * (gint64)DAY) /* a climatology of fewer days before the span says little */

enum { FORECAST, PERSISTENCE, YESTERDAY, CLIMATOLOGY, N_CONTENDERS };
static const char *const contender_names[N_CONTENDERS] = {"forecast", "persistence",
                                                          "same hour yesterday", "climatology"};

typedef struct {
    const M2nVerifyOptions *o;
    M2nProgressFunc progress;
    gpointer user_data;
    guint64 max_memory;
    M2nForecastSource *source;
    const M2nDomain *domain;
    M2nTruth *truth;
    const gint64 *leads;
    guint n_leads;
    GArray *starts; /* gint64 */
    gboolean use[N_CONTENDERS];
    M2nScores *scores[N_CONTENDERS];
    M2nVerification *result;
} Run;

void
m2n_verification_free(M2nVerification *v)
{
    g_clear_pointer(&v->report, m2n_report_free);
    g_clear_pointer(&v->maps, m2n_error_maps_free);
    g_clear_pointer(&v->grid, m2n_grid_unref);
    g_free(v);
}

/* ---- climatology --------------------------------------------------------------------------------- */

static gboolean
part_of_progress(double done, const char *message, gpointer user_data)
{
    const Run *r = user_data;

    return r->progress == NULL || r->progress(done * CLIMATOLOGY_SHARE, message, r->user_data);
}

static gboolean
make_climatology(Run *r, GError **error)
{
    gsize n = 0;
    const gint64 *times = m2n_truth_times(r->truth, &n);
    const gint64 first_used =
        g_array_index(r->starts, gint64, 0) - m2n_forecast_source_reach(r->source);
    gint64 first = r->o->climatology_first, last = r->o->climatology_last;
    M2nReport *report = r->result->report;

    if (!r->o->has_climatology) {
        first = times[0];
        last = first_used - 1;
        if (last - first < LEAST_PAST) {
            last = times[n - 1];
            m2n_report_note(
                report, "the climatology includes the times that are scored, which flatters it; "
                        "give it a span of its own");
        }
    }
    if (!m2n_truth_make_climatology(r->truth, first, last, &report->climatology, part_of_progress,
                                    r, error))
        return FALSE;
    r->use[CLIMATOLOGY] = TRUE;
    for (guint i = 0; i < r->starts->len; i++)
        for (guint k = 0; k < r->n_leads; k++)
            if (m2n_truth_climatology(r->truth,
                                      g_array_index(r->starts, gint64, i) + r->leads[k]) == NULL)
                r->use[CLIMATOLOGY] = FALSE;
    if (!r->use[CLIMATOLOGY])
        m2n_report_note(report, "no comparison with climatology: its span lacks a time of day");
    return TRUE;
}

/* ---- scoring ------------------------------------------------------------------------------------- */

/* The four fields and the truth of one lead time, [V][points] each, NaN wherever one of them is. */
typedef struct {
    float *fields[N_CONTENDERS], *truth, *climatology;
} Fields;

static gboolean
copy_truth(Run *r, gint64 time, float *out, GError **error)
{
    const float *field = m2n_truth_field(r->truth, time, error);

    if (field == NULL)
        return FALSE;
    memcpy(out, field, r->domain->n_variables * r->domain->grid->n_points * sizeof *out);
    return TRUE;
}

static gboolean
gather(Run *r, gint64 init, gint64 lead, Fields *f, GError **error)
{
    const gsize n = r->domain->n_variables * r->domain->grid->n_points;

    if (!copy_truth(r, init + lead, f->truth, error) ||
        (r->use[PERSISTENCE] && !copy_truth(r, init, f->fields[PERSISTENCE], error)) ||
        (r->use[YESTERDAY] &&
         !copy_truth(r, m2n_yesterday_of(init, lead), f->fields[YESTERDAY], error)))
        return FALSE;
    if (r->use[CLIMATOLOGY])
        memcpy(f->fields[CLIMATOLOGY], m2n_truth_climatology(r->truth, init + lead),
               n * sizeof(float));
    for (gsize i = 0; i < n; i++)
        for (int c = 0; c < N_CONTENDERS; c++)
            if (r->use[c] && isnan(f->fields[c][i]))
                f->truth[i] = NAN; /* left out for all */
    return TRUE;
}

static void
score(Run *r, guint lead, const Fields *f)
{
    const gsize points = r->domain->grid->n_points;

    for (guint v = 0; v < r->domain->n_variables; v++) {
        const float *truth = f->truth + v * points;
        const float *climatology = r->use[CLIMATOLOGY] ? f->fields[CLIMATOLOGY] + v * points : NULL;
        for (int c = 0; c < N_CONTENDERS; c++)
            if (r->use[c])
                m2n_scores_add(r->scores[c], v, lead, f->fields[c] + v * points, truth,
                               c == CLIMATOLOGY ? NULL : climatology);
        if (r->result->maps != NULL)
            m2n_error_maps_add(r->result->maps, v, lead, f->fields[FORECAST] + v * points, truth);
    }
}

static gboolean
score_start(Run *r, gint64 init, const float *forecast, Fields *f, GError **error)
{
    const gsize n = r->domain->n_variables * r->domain->grid->n_points;

    for (guint lead = 0; lead < r->n_leads; lead++) {
        if (!m2n_truth_has(r->truth, init + r->leads[lead]))
            continue;
        memcpy(f->fields[FORECAST], forecast + lead * n, n * sizeof *forecast);
        if (!gather(r, init, r->leads[lead], f, error))
            return FALSE;
        score(r, lead, f);
    }
    return TRUE;
}

/* Forecasts are computed ahead by other threads and scored here, one after the other, so that the sums do
 * not depend on who was first. */
static gboolean
score_all(Run *r, GError **error)
{
    const gsize n = r->domain->n_variables * r->domain->grid->n_points;
    g_autofree float *room = g_try_new(float, (N_CONTENDERS + 1) * n);
    g_autoptr(M2nAhead) ahead =
        m2n_ahead_new(r->source, (const gint64 *)(const void *)r->starts->data, r->starts->len,
                      r->o->jobs, error);
    Fields f = {.truth = room};

    if (ahead == NULL)
        return FALSE;
    if (room == NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY,
                    "%" G_GSIZE_FORMAT " values do not fit in memory", n);
        return FALSE;
    }
    for (int c = 0; c < N_CONTENDERS; c++)
        f.fields[c] = room + (gsize)(c + 1) * n;
    for (guint i = 0; i < r->starts->len; i++) {
        const float *forecast = m2n_ahead_next(ahead, error);
        if (forecast == NULL ||
            !score_start(r, g_array_index(r->starts, gint64, i), forecast, &f, error))
            return FALSE;
        const double done = (i + 1.0) / r->starts->len;
        g_autofree char *text = g_strdup_printf("%u of %u forecasts", i + 1, r->starts->len);
        if (r->progress != NULL &&
            !r->progress(CLIMATOLOGY_SHARE + (1 - CLIMATOLOGY_SHARE) * done, text, r->user_data)) {
            g_set_error(error, M2N_ERROR, M2N_ERROR_CANCELLED, "stopped after %u of %u forecasts",
                        i + 1, r->starts->len);
            return FALSE;
        }
    }
    return TRUE;
}

/* What a model starts from is what happened: the first of its fields is looked at, for a wrong unit is in all. */
static gboolean
note_doubts(Run *r, GError **error)
{
    const gsize points = r->domain->grid->n_points;
    const float *fields = m2n_truth_field(r->truth, g_array_index(r->starts, gint64, 0), error);

    for (guint v = 0; fields != NULL && v < r->domain->n_variables; v++) {
        g_autofree char *doubt =
            m2n_unlikely_input(&r->domain->variables[v], r->o->data, fields + v * points, points);
        if (doubt != NULL)
            m2n_report_note(r->result->report, "%s", doubt);
    }
    return fields != NULL;
}

/* ---- setting up ---------------------------------------------------------------------------------- */

static gboolean
open_run(Run *r, GError **error)
{
    r->source = m2n_forecast_source_open(r->o, error);
    if (r->source == NULL)
        return FALSE;
    r->domain = m2n_forecast_source_domain(r->source);
    r->leads = m2n_forecast_source_leads(r->source, &r->n_leads);
    r->truth = m2n_truth_open(r->o->data, r->domain, r->o->resampling, r->max_memory / 2, error);
    if (r->truth == NULL)
        return FALSE;
    r->result->grid = m2n_grid_ref(r->domain->grid);
    if (m2n_truth_note(r->truth) != NULL)
        m2n_report_note(r->result->report, "%s", m2n_truth_note(r->truth));
    r->use[FORECAST] = TRUE;
    r->starts = m2n_verify_starts(r->o, r->source, r->truth, r->result->report, &r->use[PERSISTENCE],
                                  &r->use[YESTERDAY], error);
    return r->starts != NULL && make_climatology(r, error) && (r->o->model == NULL || note_doubts(r, error));
}

static guint
n_maps(const Run *r)
{
    return r->o->maps ? MIN(r->n_leads, MAP_LEADS) : 0;
}

/* What is held all the time, known before any of it is allocated; forecasts share the rest. */
static gboolean
share_memory(Run *r, GError **error)
{
    const M2nDomain *d = r->domain;
    const guint64 field = d->n_variables * d->grid->n_points * sizeof(float);
    const guint jobs = MAX(r->o->jobs, 1);
    const guint64 own = m2n_truth_memory(r->truth) +
                        m2n_error_maps_memory(d->n_variables, n_maps(r), d->grid->n_points) +
                        (N_CONTENDERS + 1 + ((guint64)jobs + 1) * r->n_leads) * field +
                        (N_CONTENDERS + 1) * d->grid->n_points * sizeof(double);

    if (own >= r->max_memory) {
        g_autofree char *needed = m2n_size_format(own), *bound = m2n_size_format(r->max_memory);
        g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY,
                    "fields to compare take %s, allowed are %s; fewer --jobs, a shorter --lead-time or "
                    "fewer --variables take less",
                    needed, bound);
        return FALSE;
    }
    m2n_forecast_source_set_memory(r->source, (r->max_memory - own) / jobs);
    return TRUE;
}

static gboolean
make_scores(Run *r, GError **error)
{
    const M2nDomain *d = r->domain;
    g_autofree double *weights = m2n_cell_weights(d->grid, error);
    guint leads[MAP_LEADS];
    const guint n = n_maps(r);

    if (weights == NULL)
        return FALSE;
    for (int c = 0; c < N_CONTENDERS; c++)
        if (r->use[c])
            r->scores[c] = m2n_scores_new(d->n_variables, r->n_leads, d->grid->n_points, weights);
    for (guint i = 0; i < n; i++) /* evenly, the last one among them */
        leads[i] = (i + 1) * r->n_leads / n - 1;
    if (n == 0)
        return TRUE;
    r->result->maps = m2n_error_maps_new(d->n_variables, leads, n, d->grid->n_points);
    if (r->result->maps == NULL)
        g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY, "maps of %u variables do not fit in memory",
                    d->n_variables);
    return r->result->maps != NULL;
}

static void
fill_report(Run *r)
{
    M2nReport *report = r->result->report;
    const M2nDomain *d = r->domain;

    report->forecast = g_strdup(m2n_forecast_source_name(r->source));
    report->truth = g_strdupv((char **)r->o->data);
    report->n_starts = r->starts->len;
    report->first = g_array_index(r->starts, gint64, 0);
    report->last = g_array_index(r->starts, gint64, r->starts->len - 1);
    report->n_variables = d->n_variables;
    report->variables = g_new0(char *, d->n_variables + 1);
    report->units = g_new0(char *, d->n_variables + 1);
    for (guint v = 0; v < d->n_variables; v++) {
        report->variables[v] = g_strdup(d->variables[v].name);
        report->units[v] = m2n_units_text(d->variables[v].units);
    }
    report->n_leads = r->n_leads;
    report->leads = g_memdup2(r->leads, r->n_leads * sizeof *r->leads);
    for (int c = 0; c < N_CONTENDERS; c++)
        if (r->scores[c] != NULL)
            m2n_report_add(report, contender_names[c], g_steal_pointer(&r->scores[c]));
}

M2nVerification *
m2n_verify(const M2nVerifyOptions *options, M2nProgressFunc progress, gpointer user_data,
           GError **error)
{
    g_autoptr(M2nVerification) result = g_new0(M2nVerification, 1);
    Run r = {.o = options,
             .max_memory = options->max_memory > 0 ? options->max_memory : m2n_memory_default(),
             .progress = progress,
             .user_data = user_data,
             .result = result};

    result->report = m2n_report_new();
    const gboolean ok = open_run(&r, error) && share_memory(&r, error) && make_scores(&r, error) &&
                        score_all(&r, error);
    if (ok)
        fill_report(&r);
    for (int c = 0; c < N_CONTENDERS; c++)
        g_clear_pointer(&r.scores[c], m2n_scores_free);
    g_clear_pointer(&r.starts, g_array_unref);
    g_clear_pointer(&r.truth, m2n_truth_free);
    g_clear_pointer(&r.source, m2n_forecast_source_free);
    return ok ? g_steal_pointer(&result) : NULL;
}
