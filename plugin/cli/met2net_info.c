/* met2net-info: what a GRIB, model, dataset or forecast file holds; metadata for a model file.
 *
 * Exit status: 0 done, 1 a file cannot be read, 2 wrong usage. */

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

static void
print_json(JsonArray *files)
{
    g_autoptr(JsonGenerator) g = json_generator_new();
    g_autoptr(JsonNode) root = json_node_new(JSON_NODE_OBJECT);
    JsonObject *o = json_object_new();

    json_object_set_array_member(o, "files", json_array_ref(files));
    json_node_take_object(root, o);
    json_generator_set_root(g, root);
    json_generator_set_pretty(g, TRUE);
    g_autofree char *text = json_generator_to_data(g, NULL);
    g_print("%s\n", text);
}

/* One file; FALSE after saying why not. */
static gboolean
show(const char *file, const Arguments *a, JsonArray *files)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(JsonNode) node = NULL;

    if (a->settings == NULL ||
        m2n_model_metadata_set(file, (const char *const *)a->settings, &error))
        node = m2n_describe(file, !a->headers, &error);
    if (node == NULL) {
        g_printerr("met2net-info: %s\n", error->message);
        if (a->json) {
            JsonObject *o = json_object_new();
            json_object_set_string_member(o, "file", file);
            json_object_set_string_member(o, "error", error->message);
            json_array_add_object_element(files, o);
        }
        return FALSE;
    }
    if (a->json)
        json_array_add_element(files, g_steal_pointer(&node));
    else
        info_text_print(json_node_get_object(node));
    return TRUE;
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
    gboolean ok = TRUE;

    if (!m2n_tool_parse(&tool, &argc, &argv))
        return 2;
    if (a.files == NULL)
        return m2n_tool_help(&tool);
    m2n_tool_begin();
    g_autoptr(JsonArray) files = json_array_new();
    for (char **f = a.files; *f != NULL && !m2n_tool_interrupted(); f++)
        ok = show(*f, &a, files) && ok;
    if (a.json)
        print_json(files);
    g_strfreev(a.files);
    g_strfreev(a.settings);
    return m2n_tool_interrupted() ? 130 : ok ? 0 : 1;
}
