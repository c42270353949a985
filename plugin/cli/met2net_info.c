/* met2net-info: what a GRIB, model, dataset or forecast file holds; metadata for a model file.
 *
 * Exit status: 0 done, 1 a file cannot be read, 2 wrong usage. */
#include <gdal.h>
#include <locale.h>

#include "plugin/cli/info_text.h"
#include "plugin/describe.h"
#include "plugin/model_metadata.h"

typedef struct {
    gboolean json, headers, version;
    char **settings, **files;
} Arguments;

static const char summary[] =
    "What GRIB files, models, prepared datasets and forecast files hold.\n"
    "\n"
    "  met2net-info analysis.grib2\n"
    "  met2net-info --json model.safetensors\n"
    "  met2net-info --set time_step=3600 --set variables=@variables.json checkpoint.safetensors";

static gboolean
parse(int *argc, char ***argv, Arguments *a, GError **error)
{
    const GOptionEntry entries[] = {
        {"json", 'j', 0, G_OPTION_ARG_NONE, &a->json, "JSON instead of text", NULL},
        {"headers", 'q', 0, G_OPTION_ARG_NONE, &a->headers, "Of GRIB the headers alone: no values",
         NULL},
        {"set", 's', 0, G_OPTION_ARG_STRING_ARRAY, &a->settings,
         "Add metadata to a model file first; may be given several times", "KEY=VALUE|KEY=@FILE"},
        {"version", 0, 0, G_OPTION_ARG_NONE, &a->version, "Show the version and end", NULL},
        {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &a->files, NULL, NULL},
        G_OPTION_ENTRY_NULL,
    };
    g_autoptr(GOptionContext) context = g_option_context_new("FILE...");

    g_option_context_set_summary(context, summary);
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, argc, argv, error))
        return FALSE;
    if (!a->version && (a->files == NULL || a->files[0] == NULL)) {
        g_set_error_literal(error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED, "no FILE");
        return FALSE;
    }
    return TRUE;
}

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
    g_autoptr(GError) error = NULL;
    gboolean ok = TRUE;

    setlocale(LC_CTYPE, ""); /* LC_NUMERIC stays "C" */
    if (!parse(&argc, &argv, &a, &error)) {
        g_printerr("met2net-info: %s\nTry met2net-info --help.\n", error->message);
        return 2;
    }
    if (a.version) {
        g_print("met2net-info %s\n", MET2NET_VERSION);
        return 0;
    }
    GDALAllRegister(); /* for names on GDAL's virtual file systems */
    g_autoptr(JsonArray) files = json_array_new();
    for (char **f = a.files; *f != NULL; f++)
        ok = show(*f, &a, files) && ok;
    if (a.json)
        print_json(files);
    g_strfreev(a.files);
    g_strfreev(a.settings);
    return ok ? 0 : 1;
}
