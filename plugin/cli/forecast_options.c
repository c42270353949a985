/* The command line of met2net-forecast. */
#include "plugin/cli/forecast_options.h"

#include <string.h>

#include "engine/base/error.h"
#include "plugin/cli/precision_option.h"
#include "plugin/forecast_file.h"
#include "plugin/forecast_spec.h"
#include "plugin/quantity.h"

#define MAX_TIMES 100000u

GOptionEntry *
m2n_forecast_option_entries(M2nForecastOptions *a)
{
    const GOptionEntry entries[] = {
        {"model", 'm', 0, G_OPTION_ARG_FILENAME, &a->model,
         "Model (not needed with forecast files)", "FILE"},
        {"output", 'o', 0, G_OPTION_ARG_FILENAME, &a->output,
         "Names of the output files [{input}_{init}.{ext}]", "TEMPLATE"},
        {"directory", 'd', 0, G_OPTION_ARG_FILENAME, &a->folder,
         "Folder before the output names [.]", "FOLDER"},
        {"format", 'f', 0, G_OPTION_ARG_STRING, &a->format,
         "GRIB2, GTiff, COG, netCDF or Zarr [by suffix, else GRIB2]", "NAME"},
        {"lead-time", 'l', 0, G_OPTION_ARG_STRING, &a->lead_time,
         "How far: 24h, 5d [the model's window]", "TIME"},
        {"init-time", 'i', 0, G_OPTION_ARG_STRING_ARRAY, &a->init_times,
         "latest, a time, or FIRST/LAST/EVERY; may be given again [latest]", "TIME"},
        {"member", 0, 0, G_OPTION_ARG_STRING, &a->member,
         "Of an ensemble: 3, 0,3,7 or 0-49, a forecast of each [the lowest]", "NUMBERS"},
        {"variables", 'v', 0, G_OPTION_ARG_STRING, &a->variables, "Only these: t2m,u10 [all]",
         "NAMES"},
        {"steps", 's', 0, G_OPTION_ARG_STRING, &a->steps,
         "Only these lead times: 6h,12h or 6h-48h/6h [all]", "TIMES"},
        {"initial-state", 0, 0, G_OPTION_ARG_NONE, &a->initial_state,
         "Write the last input field too, as step 0", NULL},
        {"together", 0, 0, G_OPTION_ARG_NONE, &a->together, "All inputs are one archive", NULL},
        {"crs", 't', 0, G_OPTION_ARG_STRING, &a->crs,
         "Output CRS: EPSG:3857, WKT or PROJ [the model's]", "CRS"},
        {"bounds", 'b', 0, G_OPTION_ARG_STRING, &a->bounds, "Output area in that CRS", "W,S,E,N"},
        {"resolution", 'r', 0, G_OPTION_ARG_STRING, &a->resolution, "Output pixel size in that CRS",
         "X[,Y]"},
        {"resampling", 0, 0, G_OPTION_ARG_STRING, &a->resampling,
         "bilinear, nearest or conservative [bilinear]", "NAME"},
        {"precision", 'p', 0, G_OPTION_ARG_STRING, &a->precision,
         "float32, bf16 (half the memory of weights) or int8 (half the time) [float32]", "NAME"},
        {"jobs", 'j', 0, G_OPTION_ARG_INT, &a->jobs, "Forecasts at once [1]", "N"},
        {"threads", 0, 0, G_OPTION_ARG_INT, &a->threads, "Threads of each forecast [1]", "N"},
        {"max-memory", 0, 0, G_OPTION_ARG_STRING, &a->max_memory,
         "For all jobs together: 2GB [3/4 of the machine's]", "SIZE"},
        {"ccsds", 0, 0, G_OPTION_ARG_NONE, &a->ccsds,
         "GRIB2: smaller packing that GDAL 3.6 cannot read", NULL},
        {"grib-order", 0, 0, G_OPTION_ARG_STRING, &a->grib_order,
         "GRIB2: step or variable first [step]", "ORDER"},
        {"sidecar", 0, 0, G_OPTION_ARG_NONE, &a->sidecar,
         "GRIB2: model hash, input and version in FILE.json", NULL},
        {"creation-option", 0, 0, G_OPTION_ARG_STRING_ARRAY, &a->creation_options,
         "GDAL's, for GTiff and COG", "KEY=VALUE"},
        {"overwrite", 0, 0, G_OPTION_ARG_NONE, &a->overwrite, "Make everything again", NULL},
        {"dry-run", 'n', 0, G_OPTION_ARG_NONE, &a->dry_run,
         "Say what would be read, computed and written", NULL},
        {"quiet", 'q', 0, G_OPTION_ARG_NONE, &a->quiet, "No progress", NULL},
        {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &a->inputs, NULL, "INPUT..."},
        G_OPTION_ENTRY_NULL,
    };

    return g_memdup2(entries, sizeof entries);
}

static gboolean
fail(GError **error, const char *option, const char *value, const char *expected)
{
    g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT, "--%s %s: expected %s", option, value,
                expected);
    return FALSE;
}

/* "2024-01-27T00/2024-01-31T00/6h" or a time, or "latest" alone */
static gboolean
parse_times(const char *text, GArray *times, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(text, "/", -1);
    const guint n = g_strv_length(parts);
    gint64 first, last, step;

    if (n != 1 && n != 3)
        return fail(error, "init-time", text, "latest, a time, or FIRST/LAST/EVERY");
    if (!m2n_time_parse(parts[0], &first, error))
        return FALSE;
    if (n == 1) {
        g_array_append_val(times, first);
        return TRUE;
    }
    if (!m2n_time_parse(parts[1], &last, error) || !m2n_duration_parse(parts[2], &step, error))
        return FALSE;
    if (last < first || (last - first) / step >= MAX_TIMES)
        return fail(error, "init-time", text,
                    "a last time after the first, and no more than 100000 times");
    for (gint64 t = first; t <= last; t += step)
        g_array_append_val(times, t);
    return TRUE;
}

/* "6h,12h,24h" or "6h-48h/6h" */
static gboolean
parse_steps(const char *text, GArray *steps, GError **error)
{
    g_auto(GStrv) items = g_strsplit(text, ",", -1);

    if (items[0] == NULL)
        return fail(error, "steps", text, "lead times such as 6h,12h");
    for (guint i = 0; items[i] != NULL; i++) {
        g_auto(GStrv) range = g_strsplit_set(items[i], "-/", 3);
        gint64 first, last, every;
        if (range[0] == NULL) /* nothing between two commas */
            return fail(error, "steps", text, "lead times such as 6h,12h");
        if (!m2n_duration_parse(range[0], &first, error))
            return FALSE;
        last = first;
        every = first;
        if (range[1] != NULL && !m2n_duration_parse(range[1], &last, error))
            return FALSE;
        if (range[1] != NULL && (range[2] == NULL || !m2n_duration_parse(range[2], &every, error)))
            return error == NULL || *error != NULL ||
                   fail(error, "steps", items[i], "FIRST-LAST/EVERY");
        if (last < first || (last - first) / every >= MAX_TIMES)
            return fail(error, "steps", items[i], "a last step after the first");
        for (gint64 t = first; t <= last; t += every)
            g_array_append_val(steps, t);
    }
    g_array_sort(steps, m2n_time_compare);
    for (guint i = 1; i < steps->len;)
        if (g_array_index(steps, gint64, i) == g_array_index(steps, gint64, i - 1))
            g_array_remove_index(steps, i);
        else
            i++;
    return TRUE;
}

static gboolean
parse_numbers(const char *option, const char *text, guint least, double *out, guint n,
              GError **error)
{
    g_auto(GStrv) parts = g_strsplit_set(text, ", ", -1);
    guint have = 0;

    for (guint i = 0; parts[i] != NULL; i++) {
        char *end;
        if (*parts[i] == 0)
            continue;
        const double v = g_ascii_strtod(parts[i], &end);
        if (*end != 0 || have == n)
            return fail(error, option, text, n == 4 ? "WEST,SOUTH,EAST,NORTH" : "X or X,Y");
        out[have++] = v;
    }
    if (have < least)
        return fail(error, option, text, n == 4 ? "WEST,SOUTH,EAST,NORTH" : "X or X,Y");
    for (guint i = have; i < n; i++)
        out[i] = out[0];
    return TRUE;
}

/* "3", "0,3,7" or "0-49" */
static gboolean
parse_members(const char *text, GArray *members, GError **error)
{
    const char *const expected = "numbers such as 3, 0,3,7 or 0-49";
    g_auto(GStrv) items = g_strsplit(text, ",", -1);

    for (guint i = 0; items[i] != NULL; i++) {
        g_auto(GStrv) range = g_strsplit(g_strstrip(items[i]), "-", 2);
        guint64 first, last;
        if (range[0] == NULL ||
            !g_ascii_string_to_unsigned(range[0], 10, 0, M2N_MAX_MEMBER, &first, NULL))
            return fail(error, "member", text, expected);
        last = first;
        if (range[1] != NULL &&
            !g_ascii_string_to_unsigned(range[1], 10, first, M2N_MAX_MEMBER, &last, NULL))
            return fail(error, "member", text, expected);
        for (long m = (long)first; m <= (long)last; m++)
            g_array_append_val(members, m);
    }
    return members->len > 0 || fail(error, "member", text, expected);
}

static gboolean
set_grid(M2nForecastOptions *a, GError **error)
{
    M2nBatchOptions *o = &a->batch;

    o->crs = a->crs;
    if (a->bounds != NULL) {
        if (!parse_numbers("bounds", a->bounds, 4, a->edges, 4, error))
            return FALSE;
        if (!(a->edges[2] > a->edges[0] && a->edges[3] > a->edges[1]))
            return fail(error, "bounds", a->bounds, "WEST,SOUTH,EAST,NORTH, ascending");
        o->bounds = a->edges;
    }
    if (a->resolution != NULL) {
        if (!parse_numbers("resolution", a->resolution, 1, o->resolution, 2, error))
            return FALSE;
        if (!(o->resolution[0] > 0 && o->resolution[1] > 0))
            return fail(error, "resolution", a->resolution, "X or X,Y, above 0");
    }
    return a->resampling == NULL || m2n_resampling_parse(a->resampling, &o->resampling, error);
}

static gboolean
set_output(M2nForecastOptions *a, GError **error)
{
    M2nBatchOptions *o = &a->batch;
    const char *name = a->output != NULL     ? a->output
                       : a->members->len > 1 ? "{input}_{init}_{member}.{ext}"
                                             : o->output;

    a->template = a->folder != NULL ? g_build_filename(a->folder, name, NULL) : g_strdup(name);
    o->output = a->template;
    o->product.ccsds = a->ccsds;
    o->product.sidecar = a->sidecar;
    o->product.creation_options = (const char *const *)a->creation_options;
    if (a->grib_order != NULL) {
        o->product.variable_major = g_str_equal(a->grib_order, "variable");
        if (!o->product.variable_major && !g_str_equal(a->grib_order, "step"))
            return fail(error, "grib-order", a->grib_order, "step or variable");
    }
    if (a->format != NULL)
        return m2n_format_parse(a->format, &o->format, error);
    if (a->output != NULL && !m2n_format_guess(a->output, &o->format) &&
        strstr(a->output, "{ext}") == NULL)
        return fail(error, "output", a->output,
                    "a suffix that tells the format, {ext}, or --format");
    return TRUE;
}

static gboolean
set_sizes(M2nForecastOptions *a, GError **error)
{
    M2nBatchOptions *o = &a->batch;

    if (a->jobs < 1 || a->jobs > 1024 || a->threads < 1 || a->threads > 1024) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT,
                    "--jobs %d --threads %d: expected 1 to 1024", a->jobs, a->threads);
        return FALSE;
    }
    o->jobs = (guint)a->jobs;
    o->threads = (guint)a->threads;
    if (!m2n_precision_option(a->precision, a->quiet, &(M2nPrecision){0}, error))
        return FALSE;
    return a->max_memory == NULL || m2n_size_parse(a->max_memory, &o->max_memory, error);
}

/* What is to be forecast: when, how far, which members and variables. */
static gboolean
set_forecasts(M2nForecastOptions *a, GError **error)
{
    M2nBatchOptions *o = &a->batch;

    for (guint i = 0; a->init_times != NULL && a->init_times[i] != NULL; i++)
        if (!g_str_equal(a->init_times[i], "latest") &&
            !parse_times(a->init_times[i], a->times, error))
            return FALSE;
    if (a->lead_time != NULL && !m2n_duration_parse(a->lead_time, &o->lead_time, error)) {
        g_prefix_error(error, "--lead-time: ");
        return FALSE;
    }
    if ((a->steps != NULL && !parse_steps(a->steps, a->leads, error)) ||
        (a->member != NULL && !parse_members(a->member, a->members, error)))
        return FALSE;
    a->names = a->variables != NULL ? g_strsplit(a->variables, ",", -1) : NULL;
    o->variables = (const char *const *)a->names;
    o->init_times = (const gint64 *)(const void *)a->times->data;
    o->n_init_times = a->times->len;
    o->steps = (const gint64 *)(const void *)a->leads->data;
    o->n_steps = a->leads->len;
    o->members = (const long *)(const void *)a->members->data;
    o->n_members = a->members->len;
    return TRUE;
}

gboolean
m2n_forecast_options_read(M2nForecastOptions *a, GError **error)
{
    M2nBatchOptions *o = &a->batch;

    a->times = g_array_new(FALSE, FALSE, sizeof(gint64));
    a->leads = g_array_new(FALSE, FALSE, sizeof(gint64));
    a->members = g_array_new(FALSE, FALSE, sizeof(long));
    o->model = a->model;
    o->precision = a->precision;
    o->together = a->together;
    o->initial_state = a->initial_state;
    o->overwrite = a->overwrite;
    return set_forecasts(a, error) && set_output(a, error) && set_grid(a, error) &&
           set_sizes(a, error);
}

void
m2n_forecast_options_clear(M2nForecastOptions *a)
{
    char **const texts[] = {&a->model,      &a->output,     &a->folder,     &a->format,
                            &a->lead_time,  &a->variables,  &a->steps,      &a->member,
                            &a->crs,        &a->bounds,     &a->resolution, &a->resampling,
                            &a->max_memory, &a->grib_order, &a->precision,  &a->template};

    for (guint i = 0; i < G_N_ELEMENTS(texts); i++)
        g_clear_pointer(texts[i], g_free);
    g_strfreev(a->init_times);
    g_strfreev(a->creation_options);
    g_strfreev(a->inputs);
    g_strfreev(a->names);
    g_clear_pointer(&a->times, g_array_unref);
    g_clear_pointer(&a->leads, g_array_unref);
    g_clear_pointer(&a->members, g_array_unref);
}
