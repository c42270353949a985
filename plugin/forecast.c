/* From GRIB archive and model file to fields of a forecast. */
#include "plugin/forecast.h"

#include <math.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/nn/session.h"
#include "plugin/quantity.h"
#include "plugin/shared_archive.h"
#include "plugin/shared_model.h"
#include "plugin/source_vsi.h"
#include "plugin/unlikely_input.h"
#include "plugin/variable_text.h"

#define READING 0.1 /* share of the progress bar; the rest is the network */

struct M2nForecast {
    M2nSource *model;
    char **inputs; /* names */
    char *input_stamp;
    M2nSafetensors *tensors;
    M2nDomain *domain;
    M2nSharedArchive *archive;
    M2nConfig config;
    gint64 init_time;
    guint steps, threads;
    M2nPrecision precision;
    guint64 max_memory;
    M2nRegridMethod method;
    char *key;
};

/* ---- opening --------------------------------------------------------------------------------- */

static gboolean
open_model(M2nForecast *f, const M2nForecastSpec *spec, GError **error)
{
    f->model = m2n_source_open_vsi(spec->model, error);
    if (f->model == NULL)
        return FALSE;
    f->tensors = m2n_safetensors_open(f->model, error);
    if (f->tensors == NULL || !m2n_config_read(f->tensors, &f->config, error) ||
        !m2n_model_check(f->tensors, error))
        return FALSE;
    f->domain = m2n_domain_read(f->tensors, error);
    if (f->domain == NULL)
        return FALSE;
    const M2nDomain *d = f->domain;
    if (d->n_variables != f->config.variables || d->grid->width != f->config.width ||
        d->grid->height != f->config.height) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_SHAPE,
                    "%s: config is for %u variables on %ux%u, variables and grid for %u on %ux%u",
                    spec->model, f->config.variables, f->config.width, f->config.height,
                    d->n_variables, d->grid->width, d->grid->height);
        return FALSE;
    }
    return TRUE;
}

static gboolean
open_inputs(M2nForecast *f, const M2nForecastSpec *spec, GError **error)
{
    const char *const *names = (const char *const *)spec->inputs;

    f->inputs = g_strdupv(spec->inputs);
    f->input_stamp = m2n_input_stamp(names, error);
    if (f->input_stamp == NULL)
        return FALSE;
    f->archive = m2n_shared_archive_open(names, f->input_stamp, spec->member, spec->max_memory, error);
    if (f->archive == NULL)
        return FALSE;
    f->init_time = spec->init_time;
    return spec->latest ? m2n_shared_archive_latest(f->archive, f->domain, f->config.steps,
                                                    &f->init_time, error)
                        : m2n_shared_archive_has_window(f->archive, f->domain, f->config.steps,
                                                        f->init_time, error);
}

static gboolean
set_length(M2nForecast *f, const M2nForecastSpec *spec, GError **error)
{
    const gint64 step = f->domain->time_step;
    const gint64 steps = spec->lead_time == 0 ? f->config.steps : spec->lead_time / step;
    const guint64 values =
        ((guint64)steps + 1) * f->domain->n_variables * f->domain->grid->n_points;

    if (spec->lead_time % step != 0 || steps > M2N_MAX_LEAD_STEPS) {
        g_autofree char *lead = m2n_duration_format(spec->lead_time);
        g_autofree char *unit = m2n_duration_format(step);
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT,
                    "%s: lead time %s: expected 1 to %u times the time step of the model, %s",
                    spec->file != NULL ? spec->file : spec->model, lead, M2N_MAX_LEAD_STEPS, unit);
        return FALSE;
    }
    if (values * sizeof(float) > spec->max_memory) {
        g_autofree char *needed = m2n_size_format(values * sizeof(float));
        g_autofree char *bound = m2n_size_format(spec->max_memory);
        g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY,
                    "%s: the forecast alone takes %s, MAX_MEMORY allows %s", spec->model, needed,
                    bound);
        return FALSE;
    }
    f->steps = (guint)steps;
    return TRUE;
}

static char *
make_key(const M2nForecast *f)
{
    g_autoptr(GString) text = g_string_new("met2net " MET2NET_VERSION "\n");

    /* names too: a stamp can be forged on a medium that someone else made, a name on this machine cannot */
    g_string_append_printf(text, "%s %s\n", m2n_source_name(f->model), m2n_source_stamp(f->model));
    for (guint i = 0; f->inputs[i] != NULL; i++)
        g_string_append_printf(text, "%s\n", f->inputs[i]);
    g_string_append(text, f->input_stamp);
    guint members;
    g_string_append_printf(text, "%" G_GINT64_FORMAT " %u %d %s %ld", f->init_time, f->steps,
                           (int)f->method, m2n_precision_name(f->precision),
                           m2n_forecast_member(f, &members));
    return g_compute_checksum_for_string(G_CHECKSUM_SHA256, text->str, (gssize)text->len);
}

M2nForecast *
m2n_forecast_open(const M2nForecastSpec *spec, GError **error)
{
    g_autoptr(M2nForecast) f = g_new0(M2nForecast, 1);

    f->threads = spec->threads;
    f->precision = spec->precision;
    f->max_memory = spec->max_memory;
    f->method = spec->resampling;
    if (!open_model(f, spec, error) || !set_length(f, spec, error) || !open_inputs(f, spec, error))
        return NULL;
    f->key = make_key(f);
    return g_steal_pointer(&f);
}

void
m2n_forecast_free(M2nForecast *f)
{
    g_clear_pointer(&f->archive, m2n_shared_archive_unref);
    g_clear_pointer(&f->domain, m2n_domain_free);
    g_clear_pointer(&f->tensors, m2n_safetensors_free);
    g_clear_pointer(&f->model, m2n_source_unref);
    g_strfreev(f->inputs);
    g_free(f->input_stamp);
    g_free(f->key);
    g_free(f);
}

/* ---- asking ---------------------------------------------------------------------------------- */

const M2nDomain *
m2n_forecast_domain(const M2nForecast *f)
{
    return f->domain;
}

guint
m2n_forecast_steps(const M2nForecast *f)
{
    return f->steps;
}

guint
m2n_forecast_window(const M2nForecast *f)
{
    return f->config.steps;
}

gint64
m2n_forecast_init_time(const M2nForecast *f)
{
    return f->init_time;
}

long
m2n_forecast_centre(const M2nForecast *f)
{
    return m2n_shared_archive_centre(f->archive);
}

const char *
m2n_forecast_model(const M2nForecast *f)
{
    return m2n_source_name(f->model);
}

const char *
m2n_forecast_warning(const M2nForecast *f)
{
    return m2n_precision_warning(f->precision);
}

long
m2n_forecast_member(const M2nForecast *f, guint *members)
{
    return m2n_shared_archive_member(f->archive, members);
}

const char *
m2n_forecast_note(const M2nForecast *f)
{
    return m2n_shared_archive_note(f->archive);
}

const char *
m2n_forecast_key(const M2nForecast *f)
{
    return f->key;
}

gsize
m2n_forecast_n_values(const M2nForecast *f)
{
    return (gsize)(1 + f->steps) * f->domain->n_variables * f->domain->grid->n_points;
}

static gboolean
changed(const char *name, GError **error)
{
    g_set_error(error, M2N_ERROR, M2N_ERROR_IO,
                "%s: the file has changed since the forecast was opened; open it again", name);
    return FALSE;
}

static gboolean
model_unchanged(const M2nForecast *f, GError **error)
{
    g_autoptr(M2nSource) now = m2n_source_open_vsi(m2n_source_name(f->model), error);

    if (now == NULL)
        return FALSE;
    return g_str_equal(m2n_source_stamp(now), m2n_source_stamp(f->model)) ||
           changed(m2n_source_name(f->model), error);
}

/* FALSE: M2N_ERROR_IO: a model or input file has changed since open, or is gone; names it. */
static gboolean
unchanged(const M2nForecast *f, GError **error)
{
    if (!model_unchanged(f, error))
        return FALSE;
    g_autofree char *now = m2n_input_stamp((const char *const *)f->inputs, error);
    if (now == NULL)
        return FALSE;
    g_auto(GStrv) old_lines = g_strsplit(f->input_stamp, "\n", -1),
                  lines = g_strsplit(now, "\n", -1);
    for (guint i = 0; f->inputs[i] != NULL; i++)
        if (!g_str_equal(old_lines[i], lines[i]))
            return changed(f->inputs[i], error);
    return TRUE;
}

char *
m2n_forecast_model_hash(const M2nForecast *f, GError **error)
{
    return m2n_shared_hash(f->model, error);
}

/* ---- computing ------------------------------------------------------------------------------- */

/* One part of a whole: maps its 0..1 to [begin, begin + share]. */
typedef struct {
    M2nProgressFunc progress;
    gpointer user_data;
    double begin, share;
} Part;

static gboolean
report_part(double done, const char *message, gpointer user_data)
{
    const Part *p = user_data;
    return p->progress == NULL || p->progress(p->begin + done * p->share, message, p->user_data);
}

static gboolean
read_window(const M2nForecast *f, guint64 max_memory, float *x, Part *part, GError **error)
{
    part->begin = 0;
    part->share = READING;
    return m2n_shared_archive_read_window(f->archive, f->domain, f->config.steps, f->init_time,
                                          f->method, max_memory, x, report_part, part, error);
}

static void
only_finite(float *x, gsize n)
{
    for (gsize i = 0; i < n; i++)
        if (!isfinite(x[i]))
            x[i] = NAN;
}

/* All windows, one after the other; x and y [T][V][H][W] are scratch, x holds the input. */
static gboolean
run_windows(const M2nForecast *f, M2nSession *session, float *x, float *y, float *out, Part *part,
            GError **error)
{
    const guint T = f->config.steps;
    const gsize step = (gsize)f->domain->n_variables * f->domain->grid->n_points;
    const guint n_windows = (f->steps + T - 1) / T;

    memcpy(out, x + (T - 1) * step, step * sizeof *out);
    for (guint k = 0; k < n_windows; k++) {
        const guint wanted = MIN(T, f->steps - k * T);
        part->begin = READING + (1 - READING) * k / n_windows;
        part->share = (1 - READING) / n_windows;
        m2n_domain_normalise(f->domain, x, T);
        if (!m2n_session_run(session, x, y, report_part, part, error))
            return FALSE;
        /* the last field before this window, in physical units, is the one written last */
        m2n_domain_denormalise(f->domain, y, T, out + (gsize)k * T * step);
        only_finite(y, T * step);
        m2n_domain_keep_bounds(f->domain, y, T);
        memcpy(out + (1 + (gsize)k * T) * step, y, wanted * step * sizeof *out);
        float *t = x;
        x = y;
        y = t;
    }
    return TRUE;
}

gboolean
m2n_forecast_compute(const M2nForecast *f, guint64 beside, float *out, M2nProgressFunc progress,
                     gpointer user_data, GError **error)
{
    const gsize window =
        (gsize)f->config.steps * f->domain->n_variables * f->domain->grid->n_points;
    const guint64 own = (m2n_forecast_n_values(f) + 2 * (guint64)window) * sizeof(float) +
                        m2n_model_memory(&f->config, f->precision) + beside;
    const gboolean allowed = own < f->max_memory;
    g_autofree float *x = allowed ? g_try_new(float, window) : NULL;
    g_autofree float *y = allowed ? g_try_new(float, window) : NULL;
    Part part = {.progress = progress, .user_data = user_data};

    if (x == NULL || y == NULL) {
        g_autofree char *needed = m2n_size_format(own);
        g_autofree char *bound = m2n_size_format(f->max_memory);
        if (allowed)
            g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY,
                        "%s: no memory for %s of fields and weights", m2n_source_name(f->model),
                        needed);
        else
            g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY,
                        "%s: fields and weights take %s, MAX_MEMORY allows %s",
                        m2n_source_name(f->model), needed, bound);
        return FALSE;
    }
    if (!unchanged(f, error) || !read_window(f, f->max_memory - own, x, &part, error))
        return FALSE;
    g_autoptr(M2nModel) model = m2n_shared_model(f->tensors, f->precision, f->threads, error);
    if (model == NULL)
        return FALSE;
    g_autoptr(M2nSession) session =
        m2n_session_new(model, 1, f->threads, (gsize)(f->max_memory - own), error);
    if (session == NULL) {
        g_prefix_error(error, "%s: ", m2n_source_name(f->model));
        return FALSE;
    }
    return run_windows(f, session, x, y, out, &part, error) && unchanged(f, error);
}

char **
m2n_forecast_doubts(const M2nForecast *f, const float *out)
{
    const gsize points = f->domain->grid->n_points;
    char **lines = g_new0(char *, f->domain->n_variables + 1);

    for (guint v = 0; v < f->domain->n_variables; v++) {
        char *line = m2n_unlikely_input(&f->domain->variables[v], (const char *const *)f->inputs, out + v * points, points);
        lines[v] = line != NULL ? line : g_strdup("");
    }
    return lines;
}
