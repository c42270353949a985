#include "engine/base/memory_limit.h"

#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* "max" and what is not there: no limit. */
static guint64
limit_in(const char *folder, const char *file)
{
    g_autofree char *path = g_build_filename(folder, file, NULL), *text = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL) || !g_ascii_isdigit(*text))
        return G_MAXUINT64;
    return g_ascii_strtoull(text, NULL, 10);
}

/* The group's folder and those above it, up to `root`; in a container root is all there is to see. */
static guint64
limit_above(const char *root, const char *group, const char *file)
{
    g_autofree char *folder = g_build_filename(root, group, NULL);
    guint64 least = limit_in(root, file);

    while (strlen(folder) > strlen(root)) {
        least = MIN(least, limit_in(folder, file));
        char *parent = g_path_get_dirname(folder);
        g_free(folder);
        folder = parent;
    }
    return least;
}

/* Lines are "0::/group" (version 2) and "4:memory:/group" (version 1). */
guint64
m2n_memory_limit_of_groups(const char *groups, const char *root)
{
    g_auto(GStrv) lines = g_strsplit(groups, "\n", -1);
    g_autofree char *version_1 = g_build_filename(root, "memory", NULL);
    guint64 least = G_MAXUINT64;

    for (char **line = lines; *line != NULL; line++) {
        g_auto(GStrv) parts = g_strsplit(*line, ":", 3);
        if (g_strv_length(parts) < 3)
            continue;
        g_auto(GStrv) controllers = g_strsplit(parts[1], ",", -1);
        if (*parts[1] == '\0')
            least = MIN(least, limit_above(root, parts[2], "memory.max"));
        else if (g_strv_contains((const char *const *)controllers, "memory"))
            least = MIN(least, limit_above(version_1, parts[2], "memory.limit_in_bytes"));
    }
    return least;
}

guint64
m2n_memory_limit(void)
{
    guint64 least = (guint64)sysconf(_SC_PHYS_PAGES) * (guint64)sysconf(_SC_PAGESIZE);
    g_autofree char *groups = NULL;
    struct rlimit space;

    if (g_file_get_contents("/proc/self/cgroup", &groups, NULL, NULL))
        least = MIN(least, m2n_memory_limit_of_groups(groups, "/sys/fs/cgroup"));
    if (getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY)
        least = MIN(least, (guint64)space.rlim_cur);
    return least;
}

guint64
m2n_memory_default(void)
{
    return m2n_memory_limit() / 4 * 3;
}
