/* met2net-prepare: archives of fields to a data set for training.
 *
 * Exit status: 0 done, 1 failed, 2 wrong usage, 130 stopped by the user. */
#include <stdio.h>

#include "plugin/cli/data_options.h"
#include "plugin/cli/screen.h"
#include "plugin/cli/tool.h"

static gboolean
show(double done, const char *message, gpointer user_data)
{
    g_autofree char *bar = m2n_screen_bar(done, 30);
    g_autofree char *line = g_strdup_printf("%s %3.0f%% %s", bar, 100 * done, message);

    m2n_screen_state(user_data, line);
    return !m2n_tool_interrupted();
}

static int
run(const M2nDataOptions *data, const char *const *inputs, const char *output, gboolean quiet)
{
    M2nPrepareOptions options;
    M2nPrepareResult result = {0};
    M2nScreen screen;
    g_autoptr(GError) error = NULL;

    m2n_screen_init(&screen, quiet);
    if (!m2n_data_options_read(data, inputs, &options, &error)) {
        g_printerr("met2net-prepare: %s\n", error->message);
        return 2;
    }
    const gboolean ok = m2n_prepare(&options, output, &result, show, &screen, &error);
    m2n_screen_end(&screen);
    if (!ok)
        return m2n_tool_failed("met2net-prepare", error);
    printf("%s: %zu times on %s", output, result.times, result.grid);
    if (result.skipped > 0)
        printf("; %zu times with missing values left out", result.skipped);
    printf("\n");
    if (result.cut != NULL)
        g_printerr("met2net-prepare: %s\n", result.cut);
    if (result.note != NULL)
        g_printerr("met2net-prepare: %s\n", result.note);
    g_free(result.grid);
    g_free(result.cut);
    g_free(result.note);
    return 0;
}

int
main(int argc, char **argv)
{
    M2nDataOptions data = {0};
    gboolean quiet = FALSE;
    g_autofree char *output = NULL;
    guint n;
    g_autofree GOptionEntry *shared = m2n_data_option_entries(&data, &n);
    GOptionGroup *group = g_option_group_new("data", "", "", NULL, NULL);
    const GOptionEntry own[] = {
        {"output", 'o', 0, G_OPTION_ARG_FILENAME, &output, "Data set to write", "FILE"},
        {"quiet", 'q', 0, G_OPTION_ARG_NONE, &quiet, "No progress", NULL},
        G_OPTION_ENTRY_NULL,
    };

    for (guint i = 0; i < n; i++) {
        const GOptionEntry one[] = {shared[i], G_OPTION_ENTRY_NULL};

        g_option_group_add_entries(group, one);
    }
    g_option_group_add_entries(group, own);
    g_autoptr(GOptionContext) context = g_option_context_new("INPUT...");
    g_option_context_set_main_group(context, group);
    g_option_context_set_summary(
        context,
        "Turn GRIB files, NetCDF files, Zarr or WeatherBench folders into one data set for\n"
        "met2net-train: one grid, SI units, statistics of the training span.");
    if (!m2n_tool_parse_context("met2net-prepare", context, &argc, &argv))
        return 2;
    if (argc < 2 || output == NULL) {
        g_printerr("met2net-prepare: %s; see --help\n",
                   argc < 2 ? "no input named" : "--output is missing");
        return 2;
    }
    m2n_tool_begin();
    const int status = run(&data, (const char *const *)argv + 1, output, quiet);
    m2n_data_options_clear(&data);
    return status;
}
