#define _GNU_SOURCE /* renameat2() */
#include "engine/base/durable.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/error.h"
#include "engine/base/folder.h"

static gboolean
io_error(const char *path, GError **error)
{
    g_set_error(error, M2N_ERROR, M2N_ERROR_IO, "%s: %s", path, g_strerror(errno));
    return FALSE;
}

static gboolean
sync_one(const char *path, GError **error)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return io_error(path, error);
    const gboolean ok = fsync(fd) == 0 || errno == EINVAL;
    if (!ok)
        io_error(path, error);
    close(fd);
    return ok;
}

gboolean
m2n_durable_sync(const char *path, GError **error)
{
    if (g_file_test(path, G_FILE_TEST_IS_DIR)) {
        g_auto(GStrv) names = m2n_folder_names(path, error);
        if (names == NULL)
            return FALSE;
        for (char **name = names; *name != NULL; name++) {
            g_autofree char *child = g_build_filename(path, *name, NULL);
            if (!m2n_durable_sync(child, error))
                return FALSE;
        }
    }
    return sync_one(path, error);
}

gboolean
m2n_durable_may_replace(const char *path, GError **error)
{
    g_autofree char *link = g_file_read_link(path, NULL);
    const gboolean open_file = link != NULL && g_str_has_prefix(link, "/proc/"); /* what this process has open */
    struct stat st;
    const gboolean there = stat(path, &st) == 0;

    if (!open_file && (!there || S_ISREG(st.st_mode)))
        return TRUE;
    g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT, "%s: is %s and is not replaced; choose another name", path,
                there && S_ISDIR(st.st_mode) ? "a folder" : "no regular file");
    return FALSE;
}

gboolean
m2n_durable_is_same(const char *a, const char *b)
{
    struct stat x, y;

    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

gboolean
m2n_durable_is_no_input(const char *path, const char *const *names, GError **error)
{
    for (; *names != NULL; names++)
        if (m2n_durable_is_same(path, *names)) {
            g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT, "%s: is an input and is not replaced; choose another name", path);
            return FALSE;
        }
    return TRUE;
}

gboolean
m2n_durable_write(const char *path, const GString *text, GError **error)
{
    g_autoptr(GError) why = NULL;

    if (!m2n_durable_may_replace(path, error))
        return FALSE;
    if (g_file_set_contents_full(path, text->str, (gssize)text->len,
                                 G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE,
                                 0666, &why))
        return TRUE;
    g_set_error(error, M2N_ERROR, M2N_ERROR_IO, "%s: %s", path, why->message);
    return FALSE;
}

gboolean
m2n_durable_exchange(const char *a, const char *b, gboolean *done, GError **error)
{
    g_autofree char *folder = g_path_get_dirname(b);

#ifdef RENAME_EXCHANGE
    *done = renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) == 0;
#else
    (void)a;
    *done = FALSE;
#endif
    if (!*done || sync_one(folder, error))
        return TRUE;
    g_prefix_error(error, "%s: its folder ", b);
    return FALSE;
}

gboolean
m2n_durable_rename(const char *from, const char *to, GError **error)
{
    g_autofree char *folder = g_path_get_dirname(to);

    if (!g_file_test(from, G_FILE_TEST_IS_DIR) && !m2n_durable_may_replace(to, error))
        return FALSE;
    if (rename(from, to) != 0)
        return io_error(to, error);
    if (sync_one(folder, error))
        return TRUE;
    g_prefix_error(error, "%s: its folder ", to);
    return FALSE;
}

guint64
m2n_durable_limit(void)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ? G_MAXUINT64 : limit.rlim_cur;
}
