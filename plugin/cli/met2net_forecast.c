/* met2net-forecast: forecasts of a model from one input or ten thousand, as files.
 *
 * Exit status: 0 done, 1 a forecast failed, 2 wrong usage, 130 stopped by the user. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/train/group_join.h"
#include "plugin/batch.h"
#include "plugin/batch_inputs.h"
#include "plugin/cli/precision_option.h"
#include "plugin/cli/screen.h"
#include "plugin/cli/tool.h"
#include "plugin/forecast_file.h"
#include "plugin/quantity.h"

#define MAX_TIMES 100000u

/* What the command line says, before it is understood. */
typedef struct {
    char *model, *output, *folder, *format, *lead_time, *variables, *steps, *crs, *bounds,
        *resolution, *resampling, *precision, *max_memory, *grib_order, **init_times,
        **creation_options, **names;
    gint jobs, threads;
    gboolean together, initial_state, ccsds, sidecar, overwrite, dry_run, quiet;
} Arguments;

static void
arguments_clear(Arguments *a)
{
    char **const texts[] = {&a->model,     &a->output,     &a->folder,     &a->format,
                            &a->lead_time, &a->variables,  &a->steps,      &a->crs,
                            &a->bounds,    &a->resolution, &a->resampling, &a->max_memory,
                            &a->grib_order, &a->precision};

    for (guint i = 0; i < G_N_ELEMENTS(texts); i++)
        g_clear_pointer(texts[i], g_free);
    g_strfreev(a->init_times);
    g_strfreev(a->creation_options);
    g_strfreev(a->names);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Arguments, arguments_clear)

/* ---- telling ------------------------------------------------------------------------------------- */

typedef struct {
    M2nScreen screen;
    gboolean progress;
} Teller;

static void
on_event(M2nBatchEvent event, const char *text, gpointer user_data)
{
    M2nScreen *s = &((Teller *)user_data)->screen;

    m2n_screen_clear(s);
    if (event == M2N_BATCH_WROTE || event == M2N_BATCH_PLAN) {
        g_print("%s\n", text);
        fflush(stdout);
    } else if (event == M2N_BATCH_FAILED) {
        g_printerr("met2net-forecast: %s\n", text);
    } else if (event == M2N_BATCH_REDO && !s->quiet) {
        g_printerr("%s\n", text);
    }
}

static gboolean
on_progress(double done, const char *message, gpointer user_data)
{
    Teller *t = user_data;

    if (t->progress)
        m2n_screen_progress(&t->screen, done, message);
    return !m2n_tool_interrupted();
}

/* ---- understanding ------------------------------------------------------------------------------- */

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

static int
compare_int64(gconstpointer a, gconstpointer b)
{
    const gint64 x = *(const gint64 *)a, y = *(const gint64 *)b;
    return x < y ? -1 : x > y;
}

/* "6h,12h,24h" or "6h-48h/6h" */
static gboolean
parse_steps(const char *text, GArray *steps, GError **error)
{
    g_auto(GStrv) items = g_strsplit(text, ",", -1);

    for (guint i = 0; items[i] != NULL; i++) {
        g_auto(GStrv) range = g_strsplit_set(items[i], "-/", 3);
        gint64 first, last, every;
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
    g_array_sort(steps, compare_int64);
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

static gboolean
set_grid(const Arguments *a, M2nBatchOptions *o, double *bounds, GError **error)
{
    o->crs = a->crs;
    if (a->bounds != NULL) {
        if (!parse_numbers("bounds", a->bounds, 4, bounds, 4, error))
            return FALSE;
        if (!(bounds[2] > bounds[0] && bounds[3] > bounds[1]))
            return fail(error, "bounds", a->bounds, "WEST,SOUTH,EAST,NORTH, ascending");
        o->bounds = bounds;
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
set_output(const Arguments *a, M2nBatchOptions *o, char **template, GError **error)
{
    const char *name = a->output != NULL ? a->output : o->output;

    *template = a->folder != NULL ? g_build_filename(a->folder, name, NULL) : g_strdup(name);
    o->output = *template;
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
set_sizes(const Arguments *a, M2nBatchOptions *o, GError **error)
{
    if (a->jobs < 1 || a->jobs > 1024 || a->threads < 1 || a->threads > 1024) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT,
                    "--jobs %d --threads %d: expected 1 to 1024", a->jobs, a->threads);
        return FALSE;
    }
    o->jobs = (guint)a->jobs;
    o->threads = (guint)a->threads;
    o->precision = a->precision;
    o->model = a->model;
    o->together = a->together;
    o->initial_state = a->initial_state;
    o->overwrite = a->overwrite;
    if (a->lead_time != NULL && !m2n_duration_parse(a->lead_time, &o->lead_time, error))
        return FALSE;
    if (!m2n_precision_option(a->precision, a->quiet, &(M2nPrecision){0}, error))
        return FALSE;
    return a->max_memory == NULL || m2n_size_parse(a->max_memory, &o->max_memory, error);
}

/* ---- main ---------------------------------------------------------------------------------------- */

static gboolean
run(const Arguments *a, const M2nBatchOptions *o, M2nBatchResult *result, GError **error)
{
    const gboolean first = m2n_group_rank(o->group) == 0; /* tells of all */
    Teller teller = {.progress = first};
    M2nScreen *screen = &teller.screen;
    const M2nBatchListener listener = {on_event, on_progress, &teller};

    if (a->dry_run && !first)
        return TRUE;
    m2n_screen_init(screen, a->quiet);
    const gboolean ok = a->dry_run ? m2n_batch_plan(o, &listener, result, error)
                                   : m2n_batch_run(o, &listener, result, error);
    m2n_screen_clear(screen);
    if (ok && !a->quiet && !a->dry_run && first)
        g_printerr("%u forecast%s made (%u file%s), %u already complete, %u failed, %.1f s%s\n",
                   result->done, result->done == 1 ? "" : "s", result->files,
                   result->files == 1 ? "" : "s", result->skipped, result->failed,
                   (double)(g_get_monotonic_time() - screen->start) / G_USEC_PER_SEC,
                   result->cancelled ? ", stopped" : "");
    return ok;
}

/* 0, 1, 2 or 130 */
static int
forecast(const Arguments *a)
{
    M2nBatchOptions o = M2N_BATCH_OPTIONS_DEFAULT;
    M2nBatchResult result = {0};
    double bounds[4];
    g_autofree char *template = NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) times = g_array_new(FALSE, FALSE, sizeof(gint64));
    g_autoptr(GArray) steps = g_array_new(FALSE, FALSE, sizeof(gint64));
    g_auto(GStrv) variables = a->variables != NULL ? g_strsplit(a->variables, ",", -1) : NULL;
    g_auto(GStrv) inputs = NULL;
    gboolean ok = set_output(a, &o, &template, &error) && set_grid(a, &o, bounds, &error) &&
                  set_sizes(a, &o, &error) &&
                  (a->steps == NULL || parse_steps(a->steps, steps, &error));

    for (guint i = 0; ok && a->init_times != NULL && a->init_times[i] != NULL; i++)
        ok =
            g_str_equal(a->init_times[i], "latest") || parse_times(a->init_times[i], times, &error);
    M2nGroup *group = NULL;
    ok = ok && m2n_group_join(&group, &error);
    const gboolean first = m2n_group_rank(group) == 0;
    if (ok && first)
        inputs = m2n_inputs_expand((const char *const *)a->names, &error);
    ok = m2n_group_agree(group, ok && (inputs != NULL || !first), &error);
    if (ok)
        m2n_inputs_share(group, &inputs);
    o.group = group;
    o.inputs = (const char *const *)inputs;
    o.variables = (const char *const *)variables;
    o.init_times = (const gint64 *)(const void *)times->data;
    o.n_init_times = times->len;
    o.steps = (const gint64 *)(const void *)steps->data;
    o.n_steps = steps->len;
    ok = ok && run(a, &o, &result, &error);
    m2n_group_leave(group);
    if (!first)
        return 0; /* rank 0 tells what came of it all */
    if (!ok)
        return m2n_tool_failed("met2net-forecast", error);
    return result.cancelled ? 130 : result.failed > 0;
}

static const char summary[] = "Forecasts from GRIB, NetCDF, Zarr, a prepared dataset or forecast "
                              "files, as GRIB2, GeoTIFF, COG, NetCDF or "
                              "Zarr.\n"
                              "INPUT is a file, a folder, a pattern in quotes "
                              "(\"archive/**/*.grib2\"), @LIST (a file with a name per line) "
                              "or - (names from standard input).";
static const char description[] =
    "Output names may hold {input} {folder} {model} {init} {init:%Y-%m-%d} {valid} {step} "
    "{variable} {ext};\n"
    "{variable} makes a file per variable, {step} or {valid} one per lead time.\n"
    "What is already there and complete is not made again.\n\n"
    "  met2net-forecast -m model.safetensors analysis.grib2\n"
    "  met2net-forecast -m model.safetensors -l 5d -o '{input}_{variable}.nc' -j 2 "
    "'archive/*.grib2'\n"
    "  met2net-forecast -m model.safetensors --together -i 2024-01-27/2024-01-31/6h -f COG "
    "era5/*.nc\n\n"
    "Exit status: 0 done, 1 a forecast failed (the others were made), 2 wrong usage, 130 stopped.\n"
    "Manual: plugin/README.md";

int
main(int argc, char **argv)
{
    g_auto(Arguments) a = {.jobs = 1, .threads = 1};
    const GOptionEntry entries[] = {
        {"model", 'm', 0, G_OPTION_ARG_FILENAME, &a.model, "Model (not needed with forecast files)",
         "FILE"},
        {"output", 'o', 0, G_OPTION_ARG_FILENAME, &a.output,
         "Names of the output files [{input}_{init}.{ext}]", "TEMPLATE"},
        {"directory", 'd', 0, G_OPTION_ARG_FILENAME, &a.folder,
         "Folder before the output names [.]", "FOLDER"},
        {"format", 'f', 0, G_OPTION_ARG_STRING, &a.format,
         "GRIB2, GTiff, COG, netCDF or Zarr [by suffix, else GRIB2]", "NAME"},
        {"lead-time", 'l', 0, G_OPTION_ARG_STRING, &a.lead_time,
         "How far: 24h, 5d [the model's window]", "TIME"},
        {"init-time", 'i', 0, G_OPTION_ARG_STRING_ARRAY, &a.init_times,
         "latest, a time, or FIRST/LAST/EVERY; may be given again [latest]", "TIME"},
        {"variables", 'v', 0, G_OPTION_ARG_STRING, &a.variables, "Only these: t2m,u10 [all]",
         "NAMES"},
        {"steps", 's', 0, G_OPTION_ARG_STRING, &a.steps,
         "Only these lead times: 6h,12h or 6h-48h/6h [all]", "TIMES"},
        {"initial-state", 0, 0, G_OPTION_ARG_NONE, &a.initial_state,
         "Write the last input field too, as step 0", NULL},
        {"together", 0, 0, G_OPTION_ARG_NONE, &a.together, "All inputs are one archive", NULL},
        {"crs", 't', 0, G_OPTION_ARG_STRING, &a.crs,
         "Output CRS: EPSG:3857, WKT or PROJ [the model's]", "CRS"},
        {"bounds", 'b', 0, G_OPTION_ARG_STRING, &a.bounds, "Output area in that CRS", "W,S,E,N"},
        {"resolution", 'r', 0, G_OPTION_ARG_STRING, &a.resolution, "Output pixel size in that CRS",
         "X[,Y]"},
        {"resampling", 0, 0, G_OPTION_ARG_STRING, &a.resampling,
         "bilinear, nearest or conservative [bilinear]", "NAME"},
        {"precision", 'p', 0, G_OPTION_ARG_STRING, &a.precision,
         "float32, bf16 (half the memory of weights) or int8 (half the time) [float32]", "NAME"},
        {"jobs", 'j', 0, G_OPTION_ARG_INT, &a.jobs, "Forecasts at once [1]", "N"},
        {"threads", 0, 0, G_OPTION_ARG_INT, &a.threads, "Threads of each forecast [1]", "N"},
        {"max-memory", 0, 0, G_OPTION_ARG_STRING, &a.max_memory,
         "For all jobs together: 2GB [3/4 of the machine's]", "SIZE"},
        {"ccsds", 0, 0, G_OPTION_ARG_NONE, &a.ccsds,
         "GRIB2: smaller packing that GDAL 3.6 cannot read", NULL},
        {"grib-order", 0, 0, G_OPTION_ARG_STRING, &a.grib_order,
         "GRIB2: step or variable first [step]", "ORDER"},
        {"sidecar", 0, 0, G_OPTION_ARG_NONE, &a.sidecar,
         "GRIB2: model hash, input and version in FILE.json", NULL},
        {"creation-option", 0, 0, G_OPTION_ARG_STRING_ARRAY, &a.creation_options,
         "GDAL's, for GTiff and COG", "KEY=VALUE"},
        {"overwrite", 0, 0, G_OPTION_ARG_NONE, &a.overwrite, "Make everything again", NULL},
        {"dry-run", 'n', 0, G_OPTION_ARG_NONE, &a.dry_run,
         "Say what would be read, computed and written", NULL},
        {"quiet", 'q', 0, G_OPTION_ARG_NONE, &a.quiet, "No progress", NULL},
        {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &a.names, NULL, "INPUT..."},
        G_OPTION_ENTRY_NULL,
    };

    const M2nTool tool = {"met2net-forecast", summary, description, entries};

    if (!m2n_tool_parse(&tool, &argc, &argv))
        return 2;
    if (a.names == NULL)
        return m2n_tool_help(&tool);
    m2n_tool_begin();
    m2n_tool_hush_gdal();
    return forecast(&a);
}
