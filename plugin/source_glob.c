/* Patterns in the last part of a name, on plain file systems. */
#include "plugin/source_glob.h"

#include <string.h>

#include "engine/base/error.h"
#include "engine/base/folder.h"
#include "plugin/allowed_source.h"

/* The entries of `folder` that match, as `prefix` + name, one more than `most` at most. (transfer full) */
static GPtrArray *
matches(const char *folder, const char *prefix, const char *pattern, guint most, GError **error)
{
    g_auto(GStrv) entries = m2n_folder_names(folder, error);
    g_autoptr(GPatternSpec) spec = g_pattern_spec_new(pattern);

    if (entries == NULL)
        return NULL;
    GPtrArray *found = g_ptr_array_new_with_free_func(g_free);
    for (char **entry = entries; *entry != NULL && found->len <= most; entry++) {
        g_autofree char *path = g_build_filename(folder, *entry, NULL);
        if ((**entry != '.' || pattern[0] == '.') && g_pattern_spec_match_string(spec, *entry) &&
            !g_file_test(path, G_FILE_TEST_IS_DIR))
            g_ptr_array_add(found, g_strconcat(prefix, *entry, NULL));
    }
    return found;
}

GStrv
m2n_source_glob(const char *file, const char *source, guint most, GError **error)
{
    const char *slash = strrchr(source, '/'), *last = slash != NULL ? slash + 1 : source;
    g_autofree char *beside = m2n_forecast_folder(file);
    g_autofree char *prefix = g_strndup(source, (gsize)(last - source));
    g_autofree char *folder =
        *source == '/' ? g_strdup(prefix) : g_build_filename(beside, prefix, NULL);
    g_autofree char *literal = g_build_filename(folder, last, NULL);

    if (strpbrk(last, "*?") == NULL || strstr(source, "://") != NULL ||
        g_file_test(literal, G_FILE_TEST_EXISTS)) {
        const char *const itself[] = {source, NULL};
        return g_strdupv((GStrv)itself);
    }
    g_autoptr(GError) problem = NULL;
    g_autoptr(GPtrArray) found = matches(folder, prefix, last, most, &problem);
    if (found == NULL && !g_error_matches(problem, M2N_ERROR, M2N_ERROR_MISSING)) {
        g_propagate_prefixed_error(error, g_steal_pointer(&problem), "%s: ", source);
        return NULL;
    }
    if (found == NULL || found->len == 0) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_IO, "%s: no file matches", source);
        return NULL;
    }
    if (found->len > most) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT, "%s: more than %u files match", source,
                    most);
        return NULL;
    }
    g_ptr_array_set_free_func(found, NULL);
    g_ptr_array_add(found, NULL);
    return (GStrv)g_ptr_array_free(g_steal_pointer(&found), FALSE);
}
