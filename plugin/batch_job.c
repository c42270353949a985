/* One forecast of a batch: what is to be computed, on which grid, into which files. */
#include "plugin/batch_job.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "engine/base/error.h"
#include "grib/output.h"
#include "plugin/output_grid.h"
#include "plugin/quantity.h"

#define MAX_PIXELS (1u << 28) /* of one field: beyond it a slip in bounds or resolution */

static void
file_free(gpointer data)
{
    M2nBatchFile *f = data;

    g_free(f->path);
    g_free(f);
}

void
m2n_job_free(M2nOpenJob *job)
{
    g_clear_pointer(&job->forecast, m2n_forecast_free);
    g_clear_pointer(&job->spec, m2n_forecast_spec_free);
    g_clear_pointer(&job->grid, m2n_grid_unref);
    g_clear_pointer(&job->files, g_ptr_array_unref);
    g_strfreev(job->provenance);
    g_free(job->variables);
    g_free(job->leads);
    g_free(job);
}

/* ---- opening ------------------------------------------------------------------------------------- */

static gint64
wanted_lead(const M2nBatchOptions *o)
{
    if (o->lead_time != 0 || o->n_steps == 0)
        return o->lead_time;
    return o->steps[o->n_steps - 1]; /* they are sorted */
}

static M2nForecastSpec *
make_spec(const M2nBatchOptions *o, const M2nBatchJob *job, GError **error)
{
    g_autofree char *model = o->model != NULL ? g_strconcat("MODEL=", o->model, NULL) : NULL;
    g_autofree char *threads = g_strdup_printf("THREADS=%u", MAX(o->threads, 1));
    g_autofree char *precision =
        o->precision != NULL ? g_strconcat("PRECISION=", o->precision, NULL) : NULL;
    g_autofree char *member =
        job->member >= 0 ? g_strdup_printf("MEMBER=%ld", job->member) : NULL;
    const char *options[6] = {threads, "CACHE=NO", NULL};
    guint n = 2;

    if (model != NULL)
        options[n++] = model;
    if (precision != NULL)
        options[n++] = precision;
    if (member != NULL)
        options[n++] = member;
    M2nForecastSpec *spec = m2n_forecast_spec_new(job->inputs[0], options, error);
    if (spec == NULL)
        return NULL;
    if (job->inputs[1] != NULL) {
        g_strfreev(spec->inputs);
        spec->inputs = g_strdupv(job->inputs);
    }
    if (!job->latest) {
        spec->latest = FALSE;
        spec->init_time = job->init_time;
    }
    if (wanted_lead(o) > 0)
        spec->lead_time = wanted_lead(o);
    if (o->variables != NULL) {
        g_strfreev(spec->variables);
        spec->variables = g_strdupv((char **)o->variables);
    }
    spec->initial_state |= o->initial_state;
    if (o->crs != NULL) {
        g_free(spec->crs);
        spec->crs = g_strdup(o->crs);
    }
    spec->resampling = o->resampling;
    if (o->max_memory > 0)
        spec->max_memory = o->max_memory;
    spec->max_memory /= MAX(o->jobs, 1) * (o->group != NULL ? o->group->local_size : 1);
    return spec;
}

static gboolean
choose_variables(M2nOpenJob *job, GError **error)
{
    const M2nDomain *d = m2n_forecast_domain(job->forecast);
    char **names = job->spec->variables;

    job->n_variables = names != NULL ? g_strv_length(names) : d->n_variables;
    job->variables = g_new(guint, job->n_variables);
    for (guint i = 0; i < job->n_variables; i++) {
        job->variables[i] = i;
        if (names != NULL &&
            !m2n_job_find_variable(d, m2n_forecast_model(job->forecast), names[i], &job->variables[i], error))
            return FALSE;
    }
    return TRUE;
}

static gboolean
choose_steps(M2nOpenJob *job, const M2nBatchOptions *o, GError **error)
{
    const gint64 step = m2n_forecast_domain(job->forecast)->time_step;
    const guint all = m2n_forecast_steps(job->forecast);

    job->leads = g_new(gint64, MAX(all, o->n_steps) + 1);
    if (job->spec->initial_state)
        job->leads[job->n_steps++] = 0;
    for (guint i = 0; o->n_steps == 0 && i < all; i++)
        job->leads[job->n_steps++] = (gint64)(i + 1) * step;
    for (guint i = 0; i < o->n_steps; i++) {
        if (o->steps[i] % step != 0 || o->steps[i] > (gint64)all * step || o->steps[i] < 0) {
            g_autofree char *text = m2n_duration_format(o->steps[i]);
            g_autofree char *unit = m2n_duration_format(step);
            g_set_error(
                error, M2N_ERROR, M2N_ERROR_ARGUMENT,
                "step %s: expected a multiple of the model's time step, %s, within the lead time",
                text, unit);
            return FALSE;
        }
        if (o->steps[i] > 0)
            job->leads[job->n_steps++] = o->steps[i];
    }
    return TRUE;
}

/* Bounds in another unit than the grid's: degrees on a grid in metres are a part of one pixel. */
static gboolean
refuse_narrow_bounds(const M2nGrid *g, const double *bounds, double dx, double dy, GError **error)
{
    OGRSpatialReferenceH srs = m2n_grid_is_angular(g) ? NULL : m2n_crs_import(g->crs, NULL);
    char *unit = "degrees";

    if (srs != NULL)
        OSRGetLinearUnits(srs, &unit);
    g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT,
                "--bounds %g,%g,%g,%g: narrower than a pixel of %g x %g %s; the forecast reaches from %.10g,%.10g to "
                "%.10g,%.10g (west,south to east,north)",
                bounds[0], bounds[1], bounds[2], bounds[3], dx, dy, unit, g->geo[0], g->geo[3] + g->geo[5] * g->height,
                g->geo[0] + g->geo[1] * g->width, g->geo[3]);
    if (srs != NULL)
        OSRDestroySpatialReference(srs);
    return FALSE;
}

/* The model's grid, or one in the wanted CRS, cut and spaced as wanted. */
static gboolean
choose_grid(M2nOpenJob *job, const M2nBatchOptions *o, GError **error)
{
    M2nGrid *own = m2n_forecast_domain(job->forecast)->grid;
    const gboolean as_is = o->bounds == NULL && o->resolution[0] <= 0;

    if (job->spec->crs == NULL && as_is) {
        job->grid = m2n_grid_ref(own);
        return TRUE;
    }
    g_autoptr(M2nGrid) full = job->spec->crs != NULL
                                  ? m2n_output_grid_new(own, job->spec->crs, error)
                                  : m2n_grid_ref(own);
    if (full == NULL)
        return FALSE;
    const double *g = full->geo;
    const double dx = o->resolution[0] > 0 ? o->resolution[0] : g[1];
    const double dy = o->resolution[0] > 0 ? o->resolution[1] : -g[5];
    const double west = o->bounds ? o->bounds[0] : g[0], north = o->bounds ? o->bounds[3] : g[3];
    const double east = o->bounds ? o->bounds[2] : g[0] + g[1] * full->width;
    const double south = o->bounds ? o->bounds[1] : g[3] + g[5] * full->height;
    const double w = ceil((east - west) / dx - 1e-6), h = ceil((north - south) / dy - 1e-6);
    if (o->bounds && east > west && north > south && (east - west < dx * (1 - 1e-6) || north - south < dy * (1 - 1e-6)))
        return refuse_narrow_bounds(full, o->bounds, dx, dy, error);
    if (!(w >= 1 && h >= 1 && w * h <= MAX_PIXELS)) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT,
                    "output of %.0f x %.0f pixels: look at bounds %g %g %g %g and resolution %g %g",
                    w, h, west, south, east, north, dx, dy);
        return FALSE;
    }
    const double geo[6] = {west, dx, 0, north, 0, -dy};
    job->grid =
        as_is ? m2n_grid_ref(full) : m2n_grid_new_affine(full->crs, (guint)w, (guint)h, geo);
    return TRUE;
}

static void
add_item(GPtrArray *items, const char *key, char *value) /* (transfer full) */
{
    g_ptr_array_add(items, g_strdup_printf("MET2NET_%s=%s", key, value));
    g_free(value);
}

static gboolean
make_provenance(M2nOpenJob *job, GError **error)
{
    GPtrArray *items = g_ptr_array_new();
    g_autoptr(GString) inputs = g_string_new(NULL);
    char *hash = m2n_forecast_model_hash(job->forecast, error);
    guint members;
    const long member = m2n_forecast_member(job->forecast, &members);

    for (guint i = 0; job->spec->inputs[i] != NULL; i++) {
        g_autofree char *base = g_path_get_basename(job->spec->inputs[i]);
        g_string_append_printf(inputs, "%s%s", i > 0 ? ", " : "", base);
    }
    if (hash != NULL)
        add_item(items, "MODEL_SHA256", hash);
    add_item(items, "MODEL", g_path_get_basename(m2n_forecast_model(job->forecast)));
    add_item(items, "INPUT", g_strdup(inputs->str));
    add_item(items, "INIT_TIME", m2n_time_format(m2n_forecast_init_time(job->forecast)));
    if (member >= 0)
        add_item(items, "MEMBER", g_strdup_printf("%ld", member));
    add_item(items, "CRS", g_strdup(job->grid->crs)); /* formats keep theirs in words of their own */
    add_item(items, "PRECISION", g_strdup(m2n_precision_name(job->spec->precision)));
    add_item(items, "VERSION", g_strdup(MET2NET_VERSION));
    add_item(items, "KEY", g_strdup(m2n_forecast_key(job->forecast)));
    g_ptr_array_add(items, NULL);
    job->provenance = (char **)g_ptr_array_free(items, FALSE);
    return hash != NULL;
}

static void
make_files(M2nOpenJob *job, const M2nBatchOptions *o, const M2nTemplateSplit *split)
{
    const M2nDomain *d = m2n_forecast_domain(job->forecast);
    guint members;
    const long member = m2n_forecast_member(job->forecast, &members);
    const guint by_variable = split->per_variable ? job->n_variables : 1;
    const guint by_step = split->per_step ? job->n_steps : 1;
    const char *input = job->spec->file != NULL ? job->spec->file : job->spec->inputs[0];

    job->files = g_ptr_array_new_with_free_func(file_free);
    for (guint v = 0; v < by_variable; v++)
        for (guint s = 0; s < by_step; s++) {
            const M2nTemplateValues values = {
                .input = input,
                .model = m2n_forecast_model(job->forecast),
                .variable = split->per_variable ? d->variables[job->variables[v]].name : NULL,
                .suffix = m2n_format_suffix(o->format),
                .init_time = m2n_forecast_init_time(job->forecast),
                .member = member,
                .lead = split->per_step ? job->leads[s] : -1,
            };
            M2nBatchFile *f = g_new(M2nBatchFile, 1);
            f->path = m2n_template_fill(o->output, &values);
            f->first_variable = v;
            f->n_variables = split->per_variable ? 1 : job->n_variables;
            f->first_step = s;
            f->n_steps = split->per_step ? 1 : job->n_steps;
            g_ptr_array_add(job->files, f);
        }
}

M2nOpenJob *
m2n_job_open(const M2nBatchOptions *o, const M2nTemplateSplit *split, const M2nBatchJob *job,
             GError **error)
{
    g_autoptr(M2nOpenJob) open = g_new0(M2nOpenJob, 1);
    g_autofree float *room = NULL;

    open->spec = make_spec(o, job, error);
    open->forecast = open->spec != NULL ? m2n_forecast_open(open->spec, error) : NULL;
    if (open->forecast == NULL || !choose_variables(open, error) || !choose_steps(open, o, error) ||
        !choose_grid(open, o, error) || !make_provenance(open, error))
        return NULL;
    open->turn_winds = o->format != M2N_FORMAT_GRIB2;
    make_files(open, o, split);
    for (guint i = 0; o->format == M2N_FORMAT_GRIB2 && i < open->files->len; i++) {
        const M2nProduct p = m2n_job_product(open, open->files->pdata[i], NULL, &room);
        if (!m2n_product_check_grib(&p, &o->product, error))
            return NULL;
    }
    return g_steal_pointer(&open);
}

/* ---- products ------------------------------------------------------------------------------------ */

M2nProduct
m2n_job_product(const M2nOpenJob *job, const M2nBatchFile *file, const float *values, float **room)
{
    const gsize points = job->grid->n_points;
    M2nProduct p = {
        .domain = m2n_forecast_domain(job->forecast),
        .n_variables = file->n_variables,
        .n_steps = file->n_steps,
        .variables = job->variables + file->first_variable,
        .leads = job->leads + file->first_step,
        .init_time = m2n_forecast_init_time(job->forecast),
        .centre = m2n_forecast_centre(job->forecast),
        .grid = job->grid,
        .provenance = (const char *const *)job->provenance,
    };

    *room = NULL;
    p.member = m2n_forecast_member(job->forecast, &p.n_members);
    if (values == NULL)
        return p;
    p.values = values + (gsize)file->first_step * job->n_variables * points;
    if (file->n_variables == job->n_variables)
        return p;
    float *copy = *room = g_new(float, file->n_steps * file->n_variables * points);
    for (guint s = 0; s < file->n_steps; s++)
        memcpy(copy + (gsize)s * file->n_variables * points,
               p.values + ((gsize)s * job->n_variables + file->first_variable) * points,
               file->n_variables * points * sizeof *copy);
    p.values = copy;
    return p;
}

/* As make(1) does: an output older than what it comes from is old. */
static gboolean
is_younger(const M2nOpenJob *job, const char *path)
{
    GStatBuf out, in;

    if (g_stat(path, &out) != 0)
        return FALSE;
    if (g_stat(m2n_forecast_model(job->forecast), &in) == 0 && in.st_mtime > out.st_mtime)
        return FALSE;
    for (guint i = 0; job->spec->inputs[i] != NULL; i++)
        if (g_stat(job->spec->inputs[i], &in) == 0 && in.st_mtime > out.st_mtime)
            return FALSE;
    return TRUE;
}

gboolean
m2n_job_file_is_done(const M2nOpenJob *job, const M2nBatchFile *file, M2nFormat format, char **why)
{
    g_autofree float *room = NULL;
    const M2nProduct p = m2n_job_product(job, file, NULL, &room);

    if (!m2n_product_is_complete(&p, file->path, format, why))
        return FALSE;
    if (format != M2N_FORMAT_GRIB2 || is_younger(job, file->path))
        return TRUE;
    *why = g_strdup("older than its input or model");
    return FALSE;
}

/* ---- computing ----------------------------------------------------------------------------------- */

float *
m2n_job_compute(const M2nOpenJob *job, char ***doubts, M2nProgressFunc progress, gpointer user_data, GError **error)
{
    const M2nDomain *d = m2n_forecast_domain(job->forecast);
    const gsize own = d->grid->n_points, points = job->grid->n_points;
    const gsize n = (gsize)job->n_steps * job->n_variables * points;
    const guint64 most = job->spec->max_memory, fields = n * sizeof(float);
    const gboolean allowed = fields < most;
    g_autofree float *all =
        allowed ? g_try_new(float, m2n_forecast_n_values(job->forecast)) : NULL;
    g_autofree float *out = allowed ? g_try_new(float, n) : NULL;
    g_autoptr(M2nOutput) output = NULL;

    if (all == NULL || out == NULL) {
        g_autofree char *needed = m2n_size_format(fields), *bound = m2n_size_format(most);
        g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY,
                    "%s: fields of %ux%u for %u times take %s%s%s", job->spec->inputs[0],
                    job->grid->width, job->grid->height, job->n_steps, needed,
                    allowed ? ", more memory than there is" : ", allowed are ", allowed ? "" : bound);
        return NULL;
    }
    if (!m2n_grid_equal(d->grid, job->grid)) {
        output = m2n_output_new(d, job->grid, job->spec->resampling, job->turn_winds, most - fields,
                                error);
        if (output == NULL) {
            g_prefix_error(error, "%s: ", job->spec->inputs[0]);
            return NULL;
        }
    }
    const guint64 beside = fields + (output != NULL ? m2n_output_memory(output) : 0);
    if (!m2n_forecast_compute(job->forecast, beside, all, progress, user_data, error))
        return NULL;
    g_auto(GStrv) lines = m2n_forecast_doubts(job->forecast, all);
    for (guint s = 0; s < job->n_steps; s++)
        for (guint i = 0; i < job->n_variables; i++) {
            const gsize step = (gsize)(job->leads[s] / d->time_step);
            const float *from = all + step * d->n_variables * own;
            float *to = out + ((gsize)s * job->n_variables + i) * points;
            if (output == NULL)
                memcpy(to, from + job->variables[i] * own, points * sizeof *to);
            else if (!m2n_output_place(output, from, job->variables[i], to, error))
                return NULL;
        }
    *doubts = g_steal_pointer(&lines);
    return g_steal_pointer(&out);
}
