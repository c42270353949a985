/* met2net-verify: how good forecasts are: a model over a span of data, or files already written.
 *
 * Exit status: 0 done, 1 failed, 2 wrong usage, 130 stopped by the user. */
#include <errno.h>
#include <glib/gstdio.h>
#include <unistd.h>

#include "engine/base/durable.h"
#include "engine/base/error.h"
#include "plugin/batch_inputs.h"
#include "plugin/cli/precision_option.h"
#include "plugin/cli/screen.h"
#include "plugin/cli/span_option.h"
#include "plugin/cli/tool.h"
#include "plugin/quantity.h"
#include "plugin/verify.h"

typedef struct {
    char *model, *span, *every, *lead_time, *climatology, *variables, *max_memory, *precision, *csv,
        *json, *chart, *maps, **forecasts, **names;
    gint jobs, threads, rows;
    gboolean plain, protocol, quiet;
} Arguments;

static const char *const map_suffix[] = {"-rmse.svg", "-bias.svg"};

static void
arguments_clear(Arguments *a)
{
    char **const texts[] = {&a->model,       &a->span,      &a->every,      &a->lead_time,
                            &a->climatology, &a->variables, &a->max_memory, &a->csv,
                            &a->json,        &a->chart,     &a->maps,       &a->precision};

    for (guint i = 0; i < G_N_ELEMENTS(texts); i++)
        g_clear_pointer(texts[i], g_free);
    g_strfreev(a->forecasts);
    g_strfreev(a->names);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Arguments, arguments_clear)

/* Known before the work, not after it. */
static gboolean
can_save(const char *path, GError **error)
{
    g_autofree char *folder = path != NULL ? g_path_get_dirname(path) : NULL;

    if (folder == NULL)
        return TRUE;
    if (g_access(folder, W_OK | X_OK) == 0)
        return m2n_durable_may_replace(path, error);
    g_set_error(error, M2N_ERROR, M2N_ERROR_IO, "%s: cannot be written: %s: %s", path, folder,
                g_strerror(errno));
    return FALSE;
}

/* What is written takes no input's place. */
static gboolean
are_no_inputs(const Arguments *a, const char *const *data, const char *const *forecasts, GError **error)
{
    g_autofree char *first = a->maps != NULL ? g_strconcat(a->maps, map_suffix[0], NULL) : NULL;
    g_autofree char *second = a->maps != NULL ? g_strconcat(a->maps, map_suffix[1], NULL) : NULL;
    const char *const outputs[] = {a->csv, a->json, a->chart, first, second}, *const model[] = {a->model, NULL};

    for (gsize i = 0; i < G_N_ELEMENTS(outputs); i++)
        if (outputs[i] != NULL && !(m2n_durable_is_no_input(outputs[i], data, error) &&
                                    (forecasts == NULL || m2n_durable_is_no_input(outputs[i], forecasts, error)) &&
                                    m2n_durable_is_no_input(outputs[i], model, error)))
            return FALSE;
    return TRUE;
}

static gboolean
duration(const char *option, const char *text, gint64 *out, GError **error)
{
    if (text == NULL || m2n_duration_parse(text, out, error))
        return TRUE;
    g_prefix_error(error, "--%s: ", option);
    return FALSE;
}

static gboolean
understand(const Arguments *a, M2nVerifyOptions *o, GError **error)
{
    g_autofree char *map = a->maps != NULL ? g_strconcat(a->maps, map_suffix[0], NULL) : NULL;

    if ((a->model == NULL) == (a->forecasts == NULL)) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT,
                    "say what is to be judged: --model FILE, or --forecast FILE (once or more)");
        return FALSE;
    }
    if (a->threads < 1 || a->threads > 1024) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT, "--threads %d: expected 1 to 1024",
                    a->threads);
        return FALSE;
    }
    if (a->chart != NULL && !g_str_has_suffix(a->chart, ".svg")) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT,
                    "--chart %s: expected a name that ends in .svg", a->chart);
        return FALSE;
    }
    if (!can_save(a->csv, error) || !can_save(a->json, error) || !can_save(a->chart, error) ||
        !can_save(map, error))
        return FALSE;
    if (a->variables != NULL && *a->variables == '\0') {
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT, "--variables: expected names such as t2m,u10");
        return FALSE;
    }
    if (a->rows < 0) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT, "--rows %d: expected 0 or more", a->rows);
        return FALSE;
    }
    o->model = a->model;
    o->jobs = (guint)a->jobs;
    o->threads = (guint)a->threads;
    o->maps = a->maps != NULL;
    o->has_span = a->span != NULL;
    o->has_climatology = a->climatology != NULL;
    return (a->span == NULL || m2n_span_parse("span", a->span, &o->first, &o->last, error)) &&
           (a->climatology == NULL ||
            m2n_span_parse("climatology", a->climatology, &o->climatology_first,
                           &o->climatology_last, error)) &&
           duration("every", a->every, &o->every, error) && duration("lead-time", a->lead_time, &o->lead_time, error) &&
           (a->max_memory == NULL || m2n_size_parse(a->max_memory, &o->max_memory, error)) &&
           m2n_precision_option(a->precision, a->quiet, &o->precision, error);
}

/* `text` is freed. */
static gboolean
save(const char *path, char *text, GError **error)
{
    g_autofree char *owned = text;
    g_autoptr(GError) problem = NULL;

    if (owned == NULL || !m2n_durable_may_replace(path, error))
        return FALSE;
    if (g_file_set_contents_full(path, owned, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0666, &problem))
        return TRUE;
    g_set_error(error, M2N_ERROR, M2N_ERROR_IO, "%s: %s", path, problem->message);
    return FALSE;
}

static gboolean
save_maps(const char *prefix, const M2nVerification *v, GError **error)
{
    gboolean ok = TRUE;

    for (M2nMapKind kind = M2N_MAP_RMSE; ok && kind <= M2N_MAP_BIAS; kind++) {
        g_autofree char *path = g_strconcat(prefix, map_suffix[kind], NULL);
        ok = save(path, m2n_error_maps_draw(v->maps, v->report, v->grid, kind, error), error);
    }
    return ok;
}

static gboolean
deliver(const Arguments *a, const M2nVerification *v, GError **error)
{
    const M2nReport *r = v->report;
    const M2nWeighting weighting = a->plain ? M2N_PLAIN : M2N_WEIGHTED;
    g_autofree char *table = m2n_report_table(r, weighting, (guint)MAX(a->rows, 0));
    g_autofree char *protocol = a->protocol ? m2n_report_protocol(r) : NULL;

    g_print("%s", table);
    if (protocol != NULL)
        g_print("\n%s", protocol);
    return (a->csv == NULL || save(a->csv, m2n_report_csv(r), error)) &&
           (a->json == NULL || save(a->json, m2n_report_json(r), error)) &&
           (a->chart == NULL || save(a->chart, m2n_report_chart(r, weighting), error)) &&
           (a->maps == NULL || save_maps(a->maps, v, error));
}

static int
verify(const Arguments *a)
{
    M2nVerifyOptions o = M2N_VERIFY_OPTIONS_DEFAULT;
    M2nScreen screen;
    g_autoptr(GError) error = NULL;
    g_autoptr(M2nVerification) v = NULL;
    g_auto(GStrv) data = NULL, forecasts = NULL;
    g_auto(GStrv) variables = a->variables != NULL ? g_strsplit(a->variables, ",", -1) : NULL;
    gboolean ok = understand(a, &o, &error);

    m2n_screen_init(&screen, a->quiet);
    if (ok)
        ok = (data = m2n_inputs_expand((const char *const *)a->names, &error)) != NULL;
    if (ok && a->forecasts != NULL)
        ok = (forecasts = m2n_inputs_expand((const char *const *)a->forecasts, &error)) != NULL;
    o.data = (const char *const *)data;
    o.forecasts = (const char *const *)forecasts;
    o.variables = (const char *const *)variables;
    ok = ok && are_no_inputs(a, o.data, o.forecasts, &error);
    if (ok) {
        v = m2n_verify(&o, m2n_tool_progress, &screen, &error);
        m2n_screen_clear(&screen);
        ok = v != NULL && deliver(a, v, &error);
    }
    if (ok)
        return 0;
    return m2n_tool_failed("met2net-verify", error);
}

static const char summary[] =
    "Scores of a model over a span of data, or of forecast files already written: RMSE, MAE, bias, "
    "ACC by "
    "variable and lead time, beside persistence, the same hour yesterday and climatology.\n"
    "DATA is what happened: GRIB, NetCDF or Zarr (ERA5 and WeatherBench as published), a folder, a "
    "pattern in "
    "quotes, @LIST or -.";
static const char description[] =
    "  met2net-verify -m model.safetensors --span 2024-01-27/2024-01-31 era5.grib2\n"
    "  met2net-verify -m model.safetensors -l 5d --every 6h --chart rmse.svg --json scores.json "
    "5.625deg/\n"
    "  met2net-verify --forecast forecast.nc --forecast 'older/*.grib2' analyses.grib2\n\n"
    "Skill is 1 - MSE / MSE of what is compared with. Means are weighted by cell area unless "
    "--plain; CSV and JSON "
    "hold both. Definitions: plugin/verify_scores.h.\n"
    "Exit status: 0 done, 1 failed, 2 wrong usage, 130 stopped.";

int
main(int argc, char **argv)
{
    g_auto(Arguments) a = {.jobs = (gint)MIN(g_get_num_processors(), 64), .threads = 1, .rows = 24};
    const GOptionEntry entries[] = {
        {"model", 'm', 0, G_OPTION_ARG_FILENAME, &a.model, "Model to run over the data", "FILE"},
        {"forecast", 'f', 0, G_OPTION_ARG_FILENAME_ARRAY, &a.forecasts,
         "Forecast file to judge instead; may be given again", "FILE"},
        {"span", 's', 0, G_OPTION_ARG_STRING, &a.span,
         "Only forecasts all of whose input and truth lie in here", "FIRST/LAST"},
        {"every", 'e', 0, G_OPTION_ARG_STRING, &a.every,
         "Time between forecasts [the model's time step]", "TIME"},
        {"lead-time", 'l', 0, G_OPTION_ARG_STRING, &a.lead_time,
         "How far: 24h, 5d [the model's window]", "TIME"},
        {"variables", 'v', 0, G_OPTION_ARG_STRING, &a.variables, "Only these: t2m,u10 [all]",
         "NAMES"},
        {"climatology", 'c', 0, G_OPTION_ARG_STRING, &a.climatology,
         "Span of the data to make it from [what lies before the forecasts]", "FIRST/LAST"},
        {"plain", 0, 0, G_OPTION_ARG_NONE, &a.plain,
         "Table and chart: every point the same, not by area", NULL},
        {"protocol", 0, 0, G_OPTION_ARG_NONE, &a.protocol,
         "Print the published protocol's MSE, MAE, RMSE too", NULL},
        {"rows", 0, 0, G_OPTION_ARG_INT, &a.rows,
         "At most this many lead times in the table; 0 all [24]", "N"},
        {"csv", 0, 0, G_OPTION_ARG_FILENAME, &a.csv, "Write all scores as CSV", "FILE"},
        {"json", 0, 0, G_OPTION_ARG_FILENAME, &a.json, "Write all scores as JSON", "FILE"},
        {"chart", 0, 0, G_OPTION_ARG_FILENAME, &a.chart, "Draw RMSE by lead time", "FILE.svg"},
        {"maps", 0, 0, G_OPTION_ARG_FILENAME, &a.maps,
         "Draw where the errors lie: PREFIX-rmse.svg, PREFIX-bias.svg", "PREFIX"},
        {"jobs", 'j', 0, G_OPTION_ARG_INT, &a.jobs, "Forecasts at once [one per CPU]", "N"},
        {"threads", 0, 0, G_OPTION_ARG_INT, &a.threads, "Threads of each forecast [1]", "N"},
        {"max-memory", 0, 0, G_OPTION_ARG_STRING, &a.max_memory,
         "For all jobs together: 2GB [3/4 of the machine's]", "SIZE"},
        {"precision", 'p', 0, G_OPTION_ARG_STRING, &a.precision, "float32, bf16 or int8 [float32]",
         "NAME"},
        {"quiet", 'q', 0, G_OPTION_ARG_NONE, &a.quiet, "No progress", NULL},
        {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &a.names, NULL, "DATA..."},
        G_OPTION_ENTRY_NULL,
    };

    const M2nTool tool = {"met2net-verify", summary, description, entries};

    if (!m2n_tool_parse(&tool, &argc, &argv))
        return 2;
    if (a.names == NULL)
        return m2n_tool_help(&tool);
    m2n_tool_begin();
    m2n_tool_hush_gdal();
    return verify(&a);
}
