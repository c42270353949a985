/* Forecasts to be judged: computed by a model, or read from files. */
#include "plugin/verify_source.h"

#include <math.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/memory_limit.h"
#include "engine/base/suggest.h"
#include "grib/variable.h"
#include "plugin/forecast.h"
#include "plugin/input.h"
#include "plugin/quantity.h"
#include "plugin/verify_report.h"

typedef struct {
    M2nInput *input;
    gint64 init_time;
} File;

struct M2nForecastSource {
    char *name;
    M2nDomain domain; /* variables owned; the grid referenced */
    guint *map;       /* [V] index of each variable in the model's domain */
    gint64 *leads;    /* [n_leads] */
    guint n_leads;
    M2nForecastSpec *spec; /* of the model */
    M2nForecast *forecast; /* one is held open, so that model and input stay loaded */
    gint64 reach;
    M2nRegridMethod method;
    GArray *files;  /* File, by initial time */
    gint64 *starts; /* [files->len] */
};

static void
clear_file(gpointer data)
{
    m2n_input_free(((File *)data)->input);
}

void
m2n_forecast_source_free(M2nForecastSource *s)
{
    g_clear_pointer(&s->forecast, m2n_forecast_free);
    g_clear_pointer(&s->spec, m2n_forecast_spec_free);
    g_clear_pointer(&s->files, g_array_unref);
    g_clear_pointer(&s->domain.grid, m2n_grid_unref);
    g_free(s->domain.variables);
    g_free(s->map);
    g_free(s->leads);
    g_free(s->starts);
    g_free(s->name);
    g_free(s);
}

/* The chosen variables of `all`, in the order asked for. */
static gboolean
choose(M2nForecastSource *s, const M2nVariable *all, guint n_all, const char *const *names,
       GError **error)
{
    const guint n = names != NULL ? g_strv_length((char **)names) : n_all;

    s->domain.variables = g_new0(M2nVariable, n);
    s->domain.n_variables = n;
    s->map = g_new0(guint, n);
    for (guint i = 0; i < n; i++) {
        guint v = names == NULL ? i : 0;
        while (names != NULL && v < n_all && !g_str_equal(all[v].name, names[i]))
            v++;
        if (v == n_all) {
            g_autofree const char **known = g_new0(const char *, n_all + 1);
            for (guint k = 0; k < n_all; k++)
                known[k] = all[k].name;
            g_autofree char *hint = m2n_suggest_text(names[i], known);
            g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT, "%s: no variable %s%s", s->name,
                        names[i], hint);
            return FALSE;
        }
        s->map[i] = v;
        s->domain.variables[i] = all[v];
    }
    return TRUE;
}

/* ---- a model ------------------------------------------------------------------------------------- */

static gboolean
open_model(M2nForecastSource *s, const M2nVerifyOptions *o, GError **error)
{
    g_autofree char *model = g_strconcat("MODEL=", o->model, NULL);
    g_autofree char *threads = g_strdup_printf("THREADS=%u", MAX(o->threads, 1));
    const char *const options[] = {model, threads, "CACHE=NO", NULL};

    s->name = g_strdup(o->model);
    s->spec = m2n_forecast_spec_new(o->data[0], options, error);
    if (s->spec == NULL)
        return FALSE;
    g_strfreev(s->spec->inputs);
    s->spec->inputs = g_strdupv((char **)o->data);
    s->spec->lead_time = o->lead_time;
    s->spec->resampling = o->resampling;
    s->spec->precision = o->precision;
    if (o->max_memory > 0)
        s->spec->max_memory = o->max_memory;
    s->spec->max_memory /= MAX(o->jobs, 1);
    s->forecast = m2n_forecast_open(s->spec, error); /* the latest: any will do */
    if (s->forecast == NULL)
        return FALSE;
    const M2nDomain *d = m2n_forecast_domain(s->forecast);
    s->domain = (M2nDomain){.grid = m2n_grid_ref(d->grid), .time_step = d->time_step};
    if (!choose(s, d->variables, d->n_variables, o->variables, error))
        return FALSE;
    s->n_leads = m2n_forecast_steps(s->forecast);
    s->leads = g_new(gint64, s->n_leads);
    for (guint i = 0; i < s->n_leads; i++)
        s->leads[i] = (gint64)(i + 1) * d->time_step;
    s->reach = (gint64)(m2n_forecast_window(s->forecast) - 1) * d->time_step;
    return TRUE;
}

static gboolean
run_model(const M2nForecastSource *s, gint64 init_time, float *out, GError **error)
{
    const guint v_all = m2n_forecast_domain(s->forecast)->n_variables;
    const gsize points = s->domain.grid->n_points;

    M2nForecastSpec spec = *s->spec; /* borrows its texts: several threads may be here at once */
    spec.latest = FALSE;
    spec.init_time = init_time;
    g_autoptr(M2nForecast) f = m2n_forecast_open(&spec, error);
    if (f == NULL)
        return FALSE;
    g_autofree float *all = g_try_new(float, m2n_forecast_n_values(f));
    if (all == NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY, "%s: a forecast does not fit in memory",
                    s->name);
        return FALSE;
    }
    if (!m2n_forecast_compute(f, 0, all, NULL, NULL, error))
        return FALSE;
    for (guint lead = 0; lead < s->n_leads; lead++)
        for (guint i = 0; i < s->domain.n_variables; i++)
            memcpy(out + ((gsize)lead * s->domain.n_variables + i) * points,
                   all + ((gsize)(lead + 1) * v_all + s->map[i]) * points, points * sizeof *out);
    return TRUE;
}

/* ---- files --------------------------------------------------------------------------------------- */

static int
by_start(gconstpointer a, gconstpointer b)
{
    const gint64 x = ((const File *)a)->init_time, y = ((const File *)b)->init_time;
    return x < y ? -1 : x > y;
}

/* Bytes for the index of one more file: half of all, as m2n_truth_open() leaves it, but for the others'. */
static guint64
room_for_index(const M2nForecastSource *s, const M2nVerifyOptions *o)
{
    const guint64 half = (o->max_memory > 0 ? o->max_memory : m2n_memory_default()) / 2;
    guint64 taken = 0;

    for (guint i = 0; i < s->files->len; i++)
        taken += m2n_input_index_memory(g_array_index(s->files, File, i).input);
    return MAX(half - MIN(half, taken), 1);
}

static gboolean
add_file(M2nForecastSource *s, const M2nVerifyOptions *o, const char *name, GError **error)
{
    const char *const names[] = {name, NULL};
    File f = {.input = m2n_input_open_with(names, -1, room_for_index(s, o), error)};

    if (f.input == NULL)
        return FALSE;
    g_array_append_val(s->files, f);
    File *kept = &g_array_index(s->files, File, s->files->len - 1);
    if (m2n_input_reference_time(kept->input, &kept->init_time))
        return TRUE;
    g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT,
                "%s: does not say when its forecast starts (GRIB reference time, CF "
                "forecast_reference_time)",
                name);
    return FALSE;
}

/* What sums, means and extremes of the file are over: its times are as far apart.  1 where there are none: any time
 * will do then. */
static gint64
step_of_statistics(const File *f, const M2nDomain *domain)
{
    static const gint64 tried[] = {3600, 3 * 3600, 6 * 3600, 12 * 3600, 24 * 3600}; /* of GRIB, where one serves */
    M2nDomain d = *domain;
    gboolean summed = FALSE;

    for (guint v = 0; v < d.n_variables; v++) {
        const M2nVariableInfo *known = m2n_variable_info(&d.variables[v]);
        summed = summed || (known != NULL && known->statistics != M2N_INSTANT);
    }
    for (gsize i = 0; summed && i < G_N_ELEMENTS(tried); i++) {
        gsize n = 0;

        d.time_step = tried[i];
        g_autofree gint64 *times = m2n_input_times(f->input, &d, &n, NULL);
        if (times != NULL && n > 0)
            return n > 1 ? times[1] - times[0] : MAX(times[0] - f->init_time, 1);
    }
    return 1;
}

static gboolean
set_file_domain(M2nForecastSource *s, const M2nVerifyOptions *o, GError **error)
{
    const File *first = &g_array_index(s->files, File, 0);
    guint n = 0;
    g_autofree M2nVariable *all = m2n_input_variables(first->input, &n);

    if (!choose(s, all, n, o->variables, error))
        return FALSE;
    const M2nGrid *grid = n > 0 ? m2n_input_grid(first->input, &s->domain.variables[0]) : NULL;
    if (grid == NULL || grid->row_points != NULL || grid->crs == NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT,
                    "%s: no variable on a grid with rows and columns", s->name);
        return FALSE;
    }
    s->domain.grid = m2n_grid_ref((M2nGrid *)grid);
    s->domain.time_step = step_of_statistics(first, &s->domain);
    return TRUE;
}

/* The lead times any of the files holds; the initial state itself is no forecast. */
static gboolean
set_file_leads(M2nForecastSource *s, const M2nVerifyOptions *o, GError **error)
{
    g_autoptr(GArray) leads = g_array_new(FALSE, FALSE, sizeof(gint64));

    for (guint i = 0; i < s->files->len; i++) {
        const File *f = &g_array_index(s->files, File, i);
        gsize n = 0;
        g_autofree gint64 *times = m2n_input_times(f->input, &s->domain, &n, error);
        if (times == NULL)
            return FALSE;
        for (gsize k = 0; k < n; k++) {
            const gint64 lead = times[k] - f->init_time;
            gboolean known = lead <= 0 || (o->lead_time > 0 && lead > o->lead_time);
            for (guint j = 0; !known && j < leads->len; j++)
                known = g_array_index(leads, gint64, j) == lead;
            if (!known)
                g_array_append_val(leads, lead);
        }
    }
    if (leads->len == 0) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_MISSING, "%s: holds nothing after its initial time",
                    s->name);
        return FALSE;
    }
    g_array_sort(leads, m2n_time_compare);
    s->n_leads = leads->len;
    s->leads = (gint64 *)(void *)g_array_free(g_steal_pointer(&leads), FALSE);
    return TRUE;
}

static gboolean
open_files(M2nForecastSource *s, const M2nVerifyOptions *o, GError **error)
{
    const guint n = g_strv_length((char **)o->forecasts);

    s->name = m2n_report_names(o->forecasts);
    s->files = g_array_new(FALSE, TRUE, sizeof(File));
    g_array_set_clear_func(s->files, clear_file);
    for (guint i = 0; i < n; i++)
        if (!add_file(s, o, o->forecasts[i], error))
            return FALSE;
    if (!set_file_domain(s, o, error) || !set_file_leads(s, o, error))
        return FALSE;
    g_array_sort(s->files, by_start);
    s->starts = g_new(gint64, n);
    for (guint i = 0; i < n; i++)
        s->starts[i] = g_array_index(s->files, File, i).init_time;
    return TRUE;
}

static gboolean
read_file(const M2nForecastSource *s, gint64 init_time, float *out, GError **error)
{
    const gsize values = s->domain.n_variables * s->domain.grid->n_points;
    File *f = NULL;

    for (guint i = 0; f == NULL && i < s->files->len; i++)
        if (g_array_index(s->files, File, i).init_time == init_time)
            f = &g_array_index(s->files, File, i);
    g_assert(f != NULL);
    for (guint lead = 0; lead < s->n_leads; lead++) {
        float *to = out + lead * values;
        g_autoptr(GError) problem = NULL;
        if (m2n_input_read_window(f->input, &s->domain, 1, init_time + s->leads[lead], s->method,
                                  to, NULL, NULL, &problem))
            continue;
        if (!g_error_matches(problem, M2N_ERROR, M2N_ERROR_MISSING)) {
            g_propagate_error(error, g_steal_pointer(&problem));
            return FALSE;
        }
        for (gsize i = 0; i < values; i++)
            to[i] = NAN;
    }
    return TRUE;
}

/* ---- both ---------------------------------------------------------------------------------------- */

M2nForecastSource *
m2n_forecast_source_open(const M2nVerifyOptions *o, GError **error)
{
    g_autoptr(M2nForecastSource) s = g_new0(M2nForecastSource, 1);

    s->method = o->resampling;
    if (!(o->forecasts != NULL ? open_files(s, o, error) : open_model(s, o, error)))
        return NULL;
    return g_steal_pointer(&s);
}

const char *
m2n_forecast_source_name(const M2nForecastSource *s)
{
    return s->name;
}

const M2nDomain *
m2n_forecast_source_domain(const M2nForecastSource *s)
{
    return &s->domain;
}

const gint64 *
m2n_forecast_source_leads(const M2nForecastSource *s, guint *n)
{
    *n = s->n_leads;
    return s->leads;
}

gint64
m2n_forecast_source_reach(const M2nForecastSource *s)
{
    return s->reach;
}

const gint64 *
m2n_forecast_source_starts(const M2nForecastSource *s, guint *n)
{
    *n = s->files != NULL ? s->files->len : 0;
    return s->starts;
}

void
m2n_forecast_source_set_memory(M2nForecastSource *s, guint64 bytes)
{
    if (s->spec != NULL)
        s->spec->max_memory = bytes;
    for (guint i = 0; s->files != NULL && i < s->files->len; i++)
        m2n_input_set_memory(g_array_index(s->files, File, i).input, bytes);
}

gboolean
m2n_forecast_source_read(const M2nForecastSource *s, gint64 init_time, float *out, GError **error)
{
    return s->files != NULL ? read_file(s, init_time, out, error)
                            : run_model(s, init_time, out, error);
}
