/* What a batch consists of, and what it would cost. */
#include <glib/gstdio.h>

#include "engine/base/error.h"
#include "engine/nn/session.h"
#include "plugin/batch_job.h"
#include "plugin/output_grid.h"
#include "plugin/quantity.h"
#include "plugin/shared_model.h"
#include "plugin/source_vsi.h"

static void
add_jobs(GArray *jobs, const M2nBatchOptions *o, char **inputs, gboolean latest, gint64 init_time)
{
    for (guint i = 0; i < MAX(o->n_members, 1); i++) {
        const long member = o->n_members > 0 ? o->members[i] : -1;
        const M2nBatchJob job = {g_strdupv(inputs), latest, init_time, member};
        g_array_append_val(jobs, job);
    }
}

M2nBatchJob *
m2n_batch_jobs(const M2nBatchOptions *o, guint *n)
{
    GArray *jobs = g_array_new(FALSE, FALSE, sizeof(M2nBatchJob));

    for (guint i = 0; o->inputs[i] != NULL && (i == 0 || !o->together); i++) {
        char *one[2] = {(char *)o->inputs[i], NULL};
        char **inputs = o->together ? (char **)o->inputs : one;
        if (o->n_init_times == 0)
            add_jobs(jobs, o, inputs, TRUE, 0);
        for (guint t = 0; t < o->n_init_times; t++)
            add_jobs(jobs, o, inputs, FALSE, o->init_times[t]);
    }
    *n = jobs->len;
    return (M2nBatchJob *)(void *)g_array_free(jobs, FALSE);
}

void
m2n_batch_jobs_free(M2nBatchJob *jobs, guint n)
{
    for (guint i = 0; i < n; i++)
        g_strfreev(jobs[i].inputs);
    g_free(jobs);
}

gboolean
m2n_job_find_variable(const M2nDomain *d, const char *model, const char *name, guint *v, GError **error)
{
    for (*v = 0; *v < d->n_variables; (*v)++)
        if (g_str_equal(name, d->variables[*v].name))
            return TRUE;
    g_autoptr(GString) known = g_string_new(NULL);
    for (guint k = 0; k < d->n_variables; k++)
        g_string_append_printf(known, "%s%s", k > 0 ? ", " : "", d->variables[k].name);
    g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT, "%s: no variable %s; it has %s", model, name, known->str);
    return FALSE;
}

gboolean
m2n_batch_check(const M2nBatchOptions *o, GError **error)
{
    M2nTemplateSplit split;
    M2nConfig config;

    if (!m2n_template_check(o->output, &split, error) ||
        !m2n_product_check_raster(o->format, &o->product, error))
        return FALSE;
    g_autofree char *wkt = o->crs != NULL ? m2n_crs_to_wkt(o->crs, error) : NULL;
    if (o->crs != NULL && wkt == NULL)
        return FALSE;
    if (o->model == NULL)
        return TRUE;
    g_autoptr(M2nSource) source = m2n_source_open_vsi(o->model, error);
    g_autoptr(M2nSafetensors) tensors = source != NULL ? m2n_safetensors_open(source, error) : NULL;
    g_autoptr(M2nDomain) d = tensors != NULL && m2n_config_read(tensors, &config, error) ? m2n_domain_read(tensors, error) : NULL;
    if (d == NULL)
        return FALSE;
    for (guint i = 0, v; o->variables != NULL && o->variables[i] != NULL; i++)
        if (!m2n_job_find_variable(d, o->model, o->variables[i], &v, error))
            return FALSE;
    return TRUE;
}

typedef struct {
    const M2nBatchOptions *o;
    const M2nBatchListener *listener;
    guint64 passes, memory,
        disk;         /* passes of the model; bytes of one job at a time; bytes written */
    char *model;      /* the one that has been measured */
    double seconds;   /* of one pass */
    guint64 session;  /* bytes of its session */
    M2nOpenJob *open; /* the job looked at last: keeps its input's index in memory */
    M2nBatchResult result;
} Plan;

static void
say(Plan *p, M2nBatchEvent event, const char *text)
{
    if (p->listener->event != NULL)
        p->listener->event(event, text, p->listener->user_data);
}

/* Time and memory of one pass of the job's model; measured once for a model. */
static gboolean
measure(Plan *p, const M2nOpenJob *job, guint *window, GError **error)
{
    const char *name = m2n_forecast_model(job->forecast);
    g_autoptr(M2nSource) source = m2n_source_open_vsi(name, error);
    g_autoptr(M2nSafetensors) tensors = source != NULL ? m2n_safetensors_open(source, error) : NULL;
    M2nConfig c;

    if (tensors == NULL || !m2n_config_read(tensors, &c, error))
        return FALSE;
    *window = c.steps;
    if (p->model != NULL && g_str_equal(p->model, name))
        return TRUE;
    const gsize n = (gsize)c.steps * c.variables * c.height * c.width;
    g_autoptr(M2nModel) model =
        m2n_shared_model(tensors, job->spec->precision, p->o->threads, error);
    g_autoptr(M2nSession) session =
        model != NULL ? m2n_session_new(model, 1, p->o->threads, 0, error) : NULL;
    g_autofree float *x = g_new0(float, n), *y = g_new(float, n);
    for (int i = 0; session != NULL && i < 2; i++) { /* the first touches the memory */
        const gint64 start = g_get_monotonic_time();
        if (!m2n_session_run(session, x, y, NULL, NULL, error))
            return FALSE;
        p->seconds = (double)(g_get_monotonic_time() - start) / 1e6;
    }
    if (session == NULL)
        return FALSE;
    p->session = m2n_session_memory(model, 1, p->o->threads);
    g_free(p->model);
    p->model = g_strdup(name);
    return TRUE;
}

static guint64
input_bytes(const M2nOpenJob *job)
{
    guint64 bytes = 0;
    GStatBuf st;

    for (guint i = 0; job->spec->inputs[i] != NULL; i++)
        bytes += g_stat(job->spec->inputs[i], &st) == 0 ? (guint64)st.st_size : 0;
    return bytes;
}

/* GRIB packs 16 bits; the others keep 32, which deflate shrinks by what the weather allows. */
static guint64
output_bytes(const M2nOpenJob *job, M2nFormat format)
{
    const guint64 n = (guint64)job->n_steps * job->n_variables * job->grid->n_points;

    return n * (format == M2N_FORMAT_GRIB2 ? 2 : 4);
}

static gboolean
plan_job(Plan *p, const M2nTemplateSplit *split, const M2nBatchJob *wanted, GError **error)
{
    M2nOpenJob *job = m2n_job_open(p->o, split, wanted, error);
    guint window = 1, todo = 0;

    g_clear_pointer(&p->open, m2n_job_free);
    p->open = job;
    if (job == NULL || !measure(p, job, &window, error))
        return FALSE;
    const M2nDomain *d = m2n_forecast_domain(job->forecast);
    const guint passes = (m2n_forecast_steps(job->forecast) + window - 1) / window;
    const guint64 fields = (2 * (guint64)window * d->n_variables * d->grid->n_points +
                            m2n_forecast_n_values(job->forecast) +
                            (guint64)job->n_steps * job->n_variables * job->grid->n_points) *
                           sizeof(float);
    for (guint i = 0; i < job->files->len; i++) {
        g_autofree char *why = NULL;
        todo +=
            p->o->overwrite || !m2n_job_file_is_done(job, job->files->pdata[i], p->o->format, &why);
    }
    g_autofree char *init = m2n_time_format(m2n_forecast_init_time(job->forecast));
    g_autofree char *read = m2n_size_format(input_bytes(job)), *grid = m2n_grid_describe(job->grid);
    const M2nBatchFile *first = job->files->pdata[0];
    g_autofree char *text = g_strdup_printf(
        "%s (%s): from %s, %u steps of %u variables on %s, %u pass%s -> %s%s: %s",
        wanted->inputs[0], read, init, job->n_steps, job->n_variables, grid, passes,
        passes == 1 ? "" : "es", first->path, job->files->len > 1 ? " and others" : "",
        todo > 0 ? "to be written" : "complete, nothing to do");
    say(p, M2N_BATCH_PLAN, text);
    p->result.files += todo;
    p->result.done += todo > 0;
    p->result.skipped += todo == 0;
    if (todo == 0)
        return TRUE;
    p->passes += passes;
    p->memory = MAX(p->memory, fields + p->session);
    p->disk += output_bytes(job, p->o->format);
    return TRUE;
}

static void
say_total(Plan *p)
{
    const guint jobs = MAX(p->o->jobs, 1), threads = MAX(p->o->threads, 1);
    g_autofree char *memory = m2n_size_format(p->memory * jobs), *disk = m2n_size_format(p->disk);
    const double seconds = (double)p->passes * p->seconds / jobs;
    g_autofree char *text = g_strdup_printf(
        "In all: %u forecasts (%u files), %u complete already, %u cannot be made; "
        "%" G_GUINT64_FORMAT " passes of %.3f s, about %.*f s with %u at once on %u thread%s each; "
        "up to %s of memory, up to %s on disk",
        p->result.done, p->result.files, p->result.skipped, p->result.failed, p->passes, p->seconds,
        seconds < 10 ? 1 : 0, seconds, jobs, threads, threads == 1 ? "" : "s", memory, disk);

    say(p, M2N_BATCH_PLAN, text);
}

gboolean
m2n_batch_plan(const M2nBatchOptions *options, const M2nBatchListener *listener,
               M2nBatchResult *result, GError **error)
{
    Plan p = {.o = options, .listener = listener};
    M2nTemplateSplit split;
    guint n = 0;

    if (!m2n_template_check(options->output, &split, error))
        return FALSE;
    M2nBatchJob *jobs = m2n_batch_jobs(options, &n);
    for (guint i = 0; i < n; i++) {
        g_autoptr(GError) problem = NULL;
        if (!plan_job(&p, &split, &jobs[i], &problem)) {
            p.result.failed++;
            say(&p, M2N_BATCH_FAILED, problem->message);
        }
        if (listener->progress != NULL &&
            !listener->progress((i + 1.0) / n, "looking", listener->user_data)) {
            p.result.cancelled = TRUE;
            break;
        }
    }
    say_total(&p);
    *result = p.result;
    m2n_batch_jobs_free(jobs, n);
    g_clear_pointer(&p.open, m2n_job_free);
    g_free(p.model);
    return TRUE;
}
