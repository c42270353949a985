/* met2net-info: what a GRIB, model, dataset or forecast file holds; metadata for a model file.
 *
 * Exit status: 0 done, 1 a file cannot be read, 2 wrong usage. */

#include "plugin/cli/info_grib.h"
#include "plugin/cli/info_json.h"
#include "plugin/cli/info_text.h"
#include "plugin/cli/tool.h"
#include "plugin/describe.h"
#include "plugin/model_metadata.h"

typedef struct {
    gboolean json, headers;
    char **settings, **files;
} Arguments;

static const char summary[] =
    "What GRIB, NetCDF, Zarr, models, prepared datasets and forecast files hold.\n"
    "\n"
    "  met2net-info analysis.grib2\n"
    "  met2net-info --json model.safetensors\n"
    "  met2net-info --set time_step=3600 --set variables=@variables.json checkpoint.safetensors";

/* One file; FALSE after saying why not. */
static gboolean
show(const char *file, const Arguments *a, InfoJson *json)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(JsonNode) node = NULL;
    g_autoptr(InfoGrib) grib = info_grib_new();

    if (a->settings == NULL || m2n_model_metadata_set(file, (const char *const *)a->settings, &error))
        node = a->json ? m2n_describe(file, !a->headers, info_json_message, json, &error)
                       : m2n_describe(file, !a->headers, info_grib_message, grib, &error);
    if (node == NULL)
        g_printerr("met2net-info: %s\n", error->message);
    if (a->json)
        info_json_file(json, file, node, node == NULL ? error->message : NULL);
    else if (node != NULL && info_grib_count(grib) > 0)
        info_grib_summary(grib);
    else if (node != NULL)
        info_text_print(json_node_get_object(node));
    return node != NULL;
}

int
main(int argc, char **argv)
{
    Arguments a = {0};
    const GOptionEntry entries[] = {
        {"json", 'j', 0, G_OPTION_ARG_NONE, &a.json, "JSON instead of text", NULL},
        {"headers", 'q', 0, G_OPTION_ARG_NONE, &a.headers, "Of GRIB the headers alone: no values",
         NULL},
        {"set", 's', 0, G_OPTION_ARG_STRING_ARRAY, &a.settings,
         "Add metadata to a model file first; may be given several times", "KEY=VALUE|KEY=@FILE"},
        {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &a.files, NULL, "FILE..."},
        G_OPTION_ENTRY_NULL,
    };
    const M2nTool tool = {"met2net-info", summary, NULL, entries};
    InfoJson json;
    gboolean ok = TRUE;

    if (!m2n_tool_parse(&tool, &argc, &argv))
        return 2;
    if (a.files == NULL)
        return m2n_tool_help(&tool);
    m2n_tool_begin();
    if (a.json)
        info_json_begin(&json);
    for (char **f = a.files; *f != NULL && !m2n_tool_interrupted(); f++)
        ok = show(*f, &a, &json) && ok;
    if (a.json)
        info_json_end();
    g_strfreev(a.files);
    g_strfreev(a.settings);
    return m2n_tool_interrupted() ? 130 : ok ? 0 : 1;
}
