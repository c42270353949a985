#define _GNU_SOURCE /* cpl_vsi.h names struct stat64 */
#include "plugin/gridded_zarr.h"

#include <cpl_string.h>
#include <cpl_vsi.h>

#include "engine/base/error.h"
#include "engine/base/json.h"
#include "plugin/source_vsi.h"

#define LARGEST_ATTRIBUTES (1u << 20) /* beyond it GDAL is believed */

gboolean
m2n_zarr_is(const char *name)
{
    static const char *const marks[] = {".zgroup", ".zmetadata", "zarr.json"};
    VSIStatBufL st;

    for (guint i = 0; i < G_N_ELEMENTS(marks); i++) {
        g_autofree char *mark = g_build_filename(name, marks[i], NULL);
        if (VSIStatL(mark, &st) == 0)
            return TRUE;
    }
    return FALSE;
}

gboolean
m2n_zarr_all_listed(const char *folder, GDALGroupH group, char **arrays, GError **error)
{
    static const char *const marks[] = {".zarray", ".zgroup", "zarr.json"};
    g_auto(GStrv) entries = m2n_vsi_names(folder, error);
    char **groups = entries != NULL ? GDALGroupGetGroupNames(group, NULL) : NULL;
    gboolean ok = entries != NULL;

    for (guint i = 0; ok && entries[i] != NULL; i++) {
        if (CSLFindStringCaseSensitive(arrays, entries[i]) >= 0 || CSLFindStringCaseSensitive(groups, entries[i]) >= 0)
            continue;
        for (guint k = 0; ok && k < G_N_ELEMENTS(marks); k++) {
            g_autofree char *mark = g_build_filename(folder, entries[i], marks[k], NULL);
            VSIStatBufL st;
            ok = VSIStatL(mark, &st) != 0;
        }
        if (!ok)
            g_set_error(error, M2N_ERROR, M2N_ERROR_IO, "%s: %s: GDAL did not find it in the folder", folder, entries[i]);
    }
    CSLDestroy(groups);
    return ok;
}

/* (transfer full) in *root; NULL there: no JSON, and of no use to GDAL either. */
static gboolean
read_json(const char *file, JsonNode **root, GError **error)
{
    g_autofree char *text = NULL;
    gsize n;

    *root = NULL;
    if (!m2n_vsi_text(file, LARGEST_ATTRIBUTES, &text, &n, error))
        return FALSE;
    if (text != NULL)
        *root = m2n_json_parse_object(text, n, file, NULL);
    return TRUE;
}

/* Whether those of a scalar are there. */
static gboolean
is_described(GDALMDArrayH array)
{
    size_t n = 0;
    GDALAttributeH *attributes = GDALMDArrayGetAttributes(array, &n, NULL);
    const char *unit = GDALMDArrayGetUnit(array);

    GDALReleaseAttributes(attributes, n);
    return n > 0 || (unit != NULL && *unit != 0);
}

gboolean
m2n_zarr_has_attributes(const char *folder, const char *name, GDALMDArrayH array, GError **error)
{
    g_autofree char *file = g_build_filename(folder, name, ".zattrs", NULL);
    g_autoptr(JsonNode) root = NULL;
    VSIStatBufL st;
    size_t n = 0;
    gboolean ok = TRUE;

    if (VSIStatL(file, &st) != 0)
        return TRUE;
    if (!read_json(file, &root, error))
        return FALSE;
    if (root == NULL)
        return TRUE;
    JsonNode *names = json_object_get_member(json_node_get_object(root), "_ARRAY_DIMENSIONS");
    GDALDimensionH *dims = GDALMDArrayGetDimensions(array, &n);
    if (n > 0 && names != NULL && JSON_NODE_HOLDS_ARRAY(names) && json_array_get_length(json_node_get_array(names)) == n) {
        JsonNode *first = json_array_get_element(json_node_get_array(names), 0);
        ok = !JSON_NODE_HOLDS_VALUE(first) || json_node_get_value_type(first) != G_TYPE_STRING ||
             g_str_equal(json_node_get_string(first), GDALDimensionGetName(dims[0]));
    } else if (n == 0 && json_object_has_member(json_node_get_object(root), "units")) {
        ok = is_described(array);
    }
    GDALReleaseDimensions(dims, n);
    if (!ok)
        g_set_error(error, M2N_ERROR, M2N_ERROR_IO, "%s: GDAL could not read it", file);
    return ok;
}
