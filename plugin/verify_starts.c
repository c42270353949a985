/* Which forecasts a verification scores: those for which everything they are measured by is there. */
#include "plugin/verify_starts.h"

#include "engine/base/error.h"
#include "plugin/quantity.h"

#define DAY 86400

typedef struct {
    const M2nVerifyOptions *o;
    const M2nForecastSource *source;
    const M2nTruth *truth;
    const gint64 *leads;
    guint n_leads;
} Run;

/* The same hour on the last day that is known at the initial time. */
gint64
m2n_yesterday_of(gint64 init, gint64 lead)
{
    return init + lead - DAY * ((lead + DAY - 1) / DAY);
}

/* Everything a forecast from `init` is measured by is there and inside the span.  Files may hold lead times
 * for which nothing is known yet: one is enough for them. */
static gboolean
can_score(const Run *r, gint64 init, gboolean from_files)
{
    const gint64 first = init - m2n_forecast_source_reach(r->source);
    guint have = 0;

    if (r->o->has_span && (first < r->o->first || init + r->leads[r->n_leads - 1] > r->o->last))
        return FALSE;
    for (gint64 t = init; !from_files && t >= first; t -= m2n_forecast_source_domain(r->source)->time_step)
        if (!m2n_truth_has(r->truth, t))
            return FALSE;
    for (guint i = 0; i < r->n_leads; i++)
        have += (guint)m2n_truth_has(r->truth, init + r->leads[i]);
    return from_files ? have > 0 : have == r->n_leads;
}

static gboolean
has_yesterday(const Run *r, gint64 init)
{
    for (guint i = 0; i < r->n_leads; i++)
        if (m2n_truth_has(r->truth, init + r->leads[i]) &&
            !m2n_truth_has(r->truth, m2n_yesterday_of(init, r->leads[i])))
            return FALSE;
    return TRUE;
}

static void
candidates(const Run *r, GArray *out)
{
    guint n_files = 0;
    const gint64 *files = m2n_forecast_source_starts(r->source, &n_files);
    const gint64 every = r->o->every > 0 ? r->o->every : m2n_forecast_source_domain(r->source)->time_step;
    gsize n = 0;
    const gint64 *times = m2n_truth_times(r->truth, &n);
    gint64 next = G_MININT64;

    for (guint i = 0; i < n_files; i++)
        if (can_score(r, files[i], TRUE))
            g_array_append_val(out, files[i]);
    for (gsize i = 0; files == NULL && i < n; i++)
        if (times[i] >= next && can_score(r, times[i], FALSE)) {
            g_array_append_val(out, times[i]);
            next = times[i] + every;
        }
}

static gboolean
fail_no_start(const Run *r, GError **error)
{
    gsize n = 0;
    const gint64 *times = m2n_truth_times(r->truth, &n);
    g_autofree char *first = m2n_time_format(times[0]), *last = m2n_time_format(times[n - 1]);
    guint n_files = 0;
    const gint64 *files = m2n_forecast_source_starts(r->source, &n_files);
    if (n_files > 0) {
        g_autofree char *begin = m2n_time_format(files[0]);
        g_autofree char *end = m2n_time_format(files[n_files - 1] + r->leads[r->n_leads - 1]);
        g_set_error(
            error, M2N_ERROR, M2N_ERROR_MISSING,
            "%s: the forecasts are for times from %s to %s%s, the data from %s to %s: nothing "
            "in common",
            r->o->data[0], begin, end, r->o->has_span ? " (and the span)" : "", first, last);
        return FALSE;
    }
    g_autofree char *reach = m2n_duration_format(MAX(m2n_forecast_source_reach(r->source), 1));
    g_autofree char *lead = m2n_duration_format(r->leads[r->n_leads - 1]);

    g_set_error(error, M2N_ERROR, M2N_ERROR_MISSING,
                "%s: no forecast can be scored: one needs %s before its initial time and %s after "
                "it%s; the data "
                "hold %" G_GSIZE_FORMAT " times from %s to %s",
                r->o->data[0], reach, lead, r->o->has_span ? " inside the span" : "", n, first,
                last);
    return FALSE;
}

GArray *
m2n_verify_starts(const M2nVerifyOptions *o, const M2nForecastSource *source, const M2nTruth *truth,
                  M2nReport *report, gboolean *persistence, gboolean *yesterday, GError **error)
{
    Run r = {.o = o, .source = source, .truth = truth};
    g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(gint64));
    g_autoptr(GArray) starts = g_array_new(FALSE, FALSE, sizeof(gint64));

    r.leads = m2n_forecast_source_leads(source, &r.n_leads);
    candidates(&r, all);
    if (all->len == 0) {
        fail_no_start(&r, error);
        return NULL;
    }
    for (guint i = 0; i < all->len; i++) {
        const gint64 init = g_array_index(all, gint64, i);
        if (m2n_truth_has(truth, init) && has_yesterday(&r, init))
            g_array_append_val(starts, init);
    }
    *persistence = *yesterday = TRUE;
    if (starts->len > 0) {
        const guint left_out = all->len - starts->len;
        if (left_out > 0)
            m2n_report_note(
                report,
                "%u forecast%s left out: the data lack the day before, so nothing could be "
                "compared with the same hour yesterday",
                left_out, left_out == 1 ? "" : "s");
        return g_steal_pointer(&starts);
    }
    *yesterday = FALSE;
    m2n_report_note(report, "no comparison with the same hour yesterday: the data begin too late");
    for (guint i = 0; i < all->len; i++)
        *persistence &= m2n_truth_has(truth, g_array_index(all, gint64, i));
    if (!*persistence)
        m2n_report_note(report, "no comparison with persistence: the data lack an initial time");
    return g_steal_pointer(&all);
}
