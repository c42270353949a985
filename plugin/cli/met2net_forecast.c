/* met2net-forecast: forecasts of a model from one input or ten thousand, as files.
 *
 * Exit status: 0 done, 1 a forecast failed, 2 wrong usage, 130 stopped by the user. */
#include <unistd.h>

#include <stdio.h>

#include "engine/train/group_join.h"
#include "plugin/batch_inputs.h"
#include "plugin/cli/forecast_options.h"
#include "plugin/cli/screen.h"
#include "plugin/cli/tool.h"

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
    } else if (event == M2N_BATCH_FAILED || event == M2N_BATCH_DOUBT) {
        g_printerr("met2net-forecast: %s\n", text);
    } else if (event == M2N_BATCH_NOTE) {
        g_printerr("met2net-forecast: %s (--member takes another)\n", text);
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

/* ---- main ---------------------------------------------------------------------------------------- */

static gboolean
run(const M2nForecastOptions *a, M2nBatchResult *result, GError **error)
{
    const M2nBatchOptions *o = &a->batch;
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
forecast(M2nForecastOptions *a)
{
    M2nBatchOptions *o = &a->batch;
    M2nBatchResult result = {0};
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) inputs = NULL;
    gboolean ok = m2n_forecast_options_read(a, &error) && m2n_group_join(&o->group, &error);
    const gboolean first = m2n_group_rank(o->group) == 0;

    if (ok && first && m2n_batch_check(o, &error))
        inputs = m2n_inputs_expand((const char *const *)a->inputs, &error);
    ok = m2n_group_agree(o->group, ok && (inputs != NULL || !first), &error);
    if (ok)
        m2n_inputs_share(o->group, &inputs);
    o->inputs = (const char *const *)inputs;
    ok = ok && run(a, &result, &error);
    m2n_group_leave(o->group);
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
    "{variable} {member} {ext};\n"
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
    g_auto(M2nForecastOptions) a = M2N_FORECAST_OPTIONS_DEFAULT;
    g_autofree GOptionEntry *entries = m2n_forecast_option_entries(&a);
    const M2nTool tool = {"met2net-forecast", summary, description, entries};

    if (!m2n_tool_parse(&tool, &argc, &argv))
        return 2;
    if (a.inputs == NULL)
        return m2n_tool_help(&tool);
    m2n_tool_begin();
    m2n_tool_hush_gdal();
    const int status = forecast(&a);
    if (status != 0 && a.batch.format == M2N_FORMAT_NETCDF) {
        fflush(NULL);
        _exit(status); /* after a write that failed HDF5 1.10 crashes when it tidies up */
    }
    return status;
}
