/* What GDAL leaves out of a Zarr folder. */
#include <json-glib/json-glib.h>
#include <string.h>

#include "engine/base/error.h"
#include "plugin/batch_product.h"

#define KEY "_ARRAY_DIMENSIONS"

static gboolean
load(JsonParser *parser, const char *path, GError **error)
{
    g_autoptr(GError) problem = NULL;

    if (json_parser_load_from_file(parser, path, &problem) &&
        json_parser_get_root(parser) != NULL &&
        JSON_NODE_HOLDS_OBJECT(json_parser_get_root(parser)))
        return TRUE;
    g_set_error(error, M2N_ERROR, M2N_ERROR_IO, "%s: was not written whole: %s", path,
                problem != NULL ? problem->message : "not a JSON object");
    return FALSE;
}

/* GDAL does not look whether these files reach the disk, but repeats them all in one. */
static gboolean
is_on_disk(const char *folder, const char *name, JsonNode *content, GError **error)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    g_autoptr(JsonParser) parser = json_parser_new();

    if (!load(parser, path, error))
        return FALSE;
    if (json_node_equal(json_parser_get_root(parser), content))
        return TRUE;
    g_set_error(error, M2N_ERROR, M2N_ERROR_IO, "%s: was not written whole", path);
    return FALSE;
}

static gboolean
save(JsonNode *root, const char *path, GError **error)
{
    g_autoptr(JsonGenerator) generator = json_generator_new();
    g_autoptr(GError) problem = NULL;

    json_generator_set_root(generator, root);
    json_generator_set_pretty(generator, TRUE);
    g_autofree char *text = json_generator_to_data(generator, NULL);
    if (g_file_set_contents(path, text, -1, &problem))
        return TRUE;
    g_set_error(error, M2N_ERROR, M2N_ERROR_IO, "%s: %s", path, problem->message);
    return FALSE;
}

static gboolean
is_scalar(JsonObject *array)
{
    return json_object_has_member(array, "shape") &&
           JSON_NODE_HOLDS_ARRAY(json_object_get_member(array, "shape")) &&
           json_array_get_length(json_object_get_array_member(array, "shape")) == 0;
}

/* The attributes of one array on disk. */
static gboolean
name_file(const char *folder, const char *attributes, GError **error)
{
    g_autofree char *path = g_build_filename(folder, attributes, NULL);
    g_autoptr(JsonParser) parser = json_parser_new();

    if (!load(parser, path, error))
        return FALSE;
    JsonNode *root = json_parser_get_root(parser);
    json_object_set_array_member(json_node_get_object(root), KEY, json_array_new());
    return save(root, path, error);
}

gboolean
m2n_zarr_name_scalars(const char *folder, GError **error)
{
    g_autofree char *path = g_build_filename(folder, ".zmetadata", NULL);
    g_autoptr(JsonParser) parser = json_parser_new();

    if (!load(parser, path, error))
        return FALSE;
    JsonNode *root = json_parser_get_root(parser);
    JsonObject *all = json_object_get_object_member(json_node_get_object(root), "metadata");
    g_autoptr(GList) names = all != NULL ? json_object_get_members(all) : NULL;
    for (GList *l = names; l != NULL; l = l->next) {
        const char *name = l->data;
        if (!is_on_disk(folder, name, json_object_get_member(all, name), error))
            return FALSE;
        if (!g_str_has_suffix(name, "/.zarray") ||
            !is_scalar(json_object_get_object_member(all, name)))
            continue;
        g_autofree char *stem = g_strndup(name, strlen(name) - strlen(".zarray"));
        g_autofree char *attributes = g_strconcat(stem, ".zattrs", NULL);
        if (!json_object_has_member(all, attributes))
            continue;
        json_object_set_array_member(json_object_get_object_member(all, attributes), KEY,
                                     json_array_new());
        if (!name_file(folder, attributes, error))
            return FALSE;
    }
    return save(root, path, error);
}
