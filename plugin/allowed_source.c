/* The rule for untrusted forecast files; see the header. */
#include "plugin/allowed_source.h"

#include <cpl_conv.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/folder.h"

#define MOST_ENTRIES 200000u /* of a folder of inputs, and those below: links may go round */

static gboolean
is_virtual(const char *name)
{
    return g_str_has_prefix(name, "/vsi");
}

/* Anywhere in the name, because file systems nest: /vsizip//vsicurl/https://... */
gboolean
m2n_is_network(const char *name)
{
    static const char *const systems[] = {"/vsicurl",    "/vsis3",  "/vsigs",    "/vsiaz",
                                          "/vsiadls",    "/vsioss", "/vsiswift", "/vsihdfs",
                                          "/vsiwebhdfs", "://"};

    for (gsize i = 0; i < G_N_ELEMENTS(systems); i++)
        if (strstr(name, systems[i]) != NULL)
            return TRUE;
    return FALSE;
}

static gboolean
climbs(const char *name)
{
    g_auto(GStrv) parts = g_strsplit(name, "/", -1);
    return g_strv_contains((const char *const *)parts, "..");
}

/* (transfer full) The name with links resolved; a virtual one, which has none, as it is.  NULL:
 * errno. */
static char *
resolve(const char *name)
{
    if (is_virtual(name))
        return g_strdup(name);
    char *real = realpath(name, NULL);
    char *copy = g_strdup(real);
    free(real);
    return copy;
}

/* Both resolved. */
static gboolean
lies_in(const char *name, const char *folder)
{
    gsize n = strlen(folder);

    while (n > 0 && folder[n - 1] == '/')
        n--;
    return strncmp(name, folder, n) == 0 && name[n] == '/' && !(is_virtual(name) && climbs(name));
}

static gboolean
lies_in_list(const char *name, const char *list)
{
    g_auto(GStrv) folders = g_strsplit(list, ";", -1);

    for (gsize i = 0; folders[i] != NULL; i++) {
        g_autofree char *folder = *folders[i] == '/' ? resolve(folders[i]) : NULL;
        if (folder != NULL && lies_in(name, folder))
            return TRUE;
    }
    return FALSE;
}

static gboolean
allowed(const char *name, const char *folder)
{
    const char *rule = CPLGetConfigOption("MET2NET_ALLOWED_SOURCE", "SIBLING_OR_CHILD");

    if (g_ascii_strcasecmp(rule, "ANY") == 0)
        return TRUE;
    if (g_ascii_strcasecmp(rule, "SIBLING_OR_CHILD") != 0)
        return lies_in_list(name, rule);
    /* a virtual name is compared as text, so it must not lead on into another file system */
    return !m2n_is_network(name) && lies_in(name, folder) &&
           (!is_virtual(name) || strstr(name + strlen(folder), "/vsi") == NULL);
}

/* Every symbolic link in a folder of inputs leads to an allowed place as well.  FALSE without an error: it does not. */
static gboolean
links_allowed(const char *name, const char *folder, guint *budget, GError **error)
{
    g_autoptr(GError) problem = NULL;
    g_auto(GStrv) entries = m2n_folder_names(name, &problem);

    if (entries == NULL && !g_file_test(name, G_FILE_TEST_IS_DIR)) /* a file */
        return TRUE;
    if (entries == NULL) { /* may show its links later */
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    for (char **entry = entries; *entry != NULL; entry++) {
        g_autofree char *path = g_build_filename(name, *entry, NULL);
        if (*budget == 0)
            return FALSE;
        --*budget;
        if (g_file_test(path, G_FILE_TEST_IS_SYMLINK)) {
            g_autofree char *target = resolve(path);
            if (target == NULL || !allowed(target, folder))
                return FALSE;
        }
        if (g_file_test(path, G_FILE_TEST_IS_DIR) && !links_allowed(path, folder, budget, error))
            return FALSE;
    }
    return TRUE;
}

char *
m2n_forecast_folder(const char *file)
{
    g_autofree char *real = resolve(file);
    g_autofree char *beside = g_path_get_dirname(real != NULL ? real : file);
    char *folder = resolve(beside);

    return folder != NULL ? folder : g_steal_pointer(&beside);
}

char *
m2n_allowed_source(const char *file, const char *source, GError **error)
{
    guint budget = MOST_ENTRIES;
    g_autofree char *folder = m2n_forecast_folder(file);
    g_autofree char *joined = *source == '/' || strstr(source, "://") != NULL
                                  ? g_strdup(source)
                                  : g_build_filename(folder, source, NULL);
    g_autofree char *name = resolve(joined);

    if (name == NULL && !m2n_is_network(joined)) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_IO, "%s: %s: %s", file, source, g_strerror(errno));
        return NULL;
    }
    g_autoptr(GError) problem = NULL;
    if (name != NULL && allowed(name, folder) &&
        (is_virtual(name) || links_allowed(name, folder, &budget, &problem)))
        return g_steal_pointer(&name);
    if (problem != NULL)
        g_set_error(error, M2N_ERROR, M2N_ERROR_IO, "%s: %s: %s", file, source, problem->message);
    else
        g_set_error(error, M2N_ERROR, M2N_ERROR_DENIED,
                    "%s: %s: not in the folder of the forecast file; allow it with "
                    "MET2NET_ALLOWED_SOURCE=folder or ANY",
                    file, source);
    return NULL;
}
