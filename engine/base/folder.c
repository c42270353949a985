#include "engine/base/folder.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "engine/base/error.h"

static int
by_text(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* FALSE: errno. */
static gboolean
read_all(DIR *dir, GPtrArray *names)
{
    const struct dirent *entry;

    for (errno = 0; (entry = readdir(dir)) != NULL; errno = 0)
        if (!g_str_equal(entry->d_name, ".") && !g_str_equal(entry->d_name, ".."))
            g_ptr_array_add(names, g_strdup(entry->d_name));
    return errno == 0;
}

GStrv
m2n_folder_names(const char *folder, GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    DIR *dir = opendir(folder);
    const gboolean ok = dir != NULL && read_all(dir, names);
    const int why = ok ? 0 : errno;

    if (dir != NULL)
        closedir(dir);
    if (!ok) {
        g_set_error(error, M2N_ERROR, why == ENOENT || why == ENOTDIR ? M2N_ERROR_MISSING : M2N_ERROR_IO, "%s: %s", folder,
                    g_strerror(why));
        return NULL;
    }
    g_ptr_array_sort(names, by_text);
    g_ptr_array_add(names, NULL);
    return (GStrv)g_ptr_array_steal(names, NULL);
}
