/* M2nSource: reference counting, bounds and the plain file. */
#include "engine/base/source.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/error.h"

struct M2nSource {
    gatomicrefcount refs;
    char *name, *stamp;
    guint64 size;
    M2nSourceFuncs funcs;
    gpointer data;
};

M2nSource *
m2n_source_new(const char *name, guint64 size, const char *stamp, const M2nSourceFuncs *funcs,
               gpointer data)
{
    M2nSource *s = g_new0(M2nSource, 1);

    g_atomic_ref_count_init(&s->refs);
    s->name = g_strdup(name);
    s->stamp = g_strdup(stamp);
    s->size = size;
    s->funcs = *funcs;
    s->data = data;
    return s;
}

M2nSource *
m2n_source_ref(M2nSource *s)
{
    g_atomic_ref_count_inc(&s->refs);
    return s;
}

void
m2n_source_unref(M2nSource *s)
{
    if (!g_atomic_ref_count_dec(&s->refs))
        return;
    if (s->funcs.free != NULL)
        s->funcs.free(s->data);
    g_free(s->name);
    g_free(s->stamp);
    g_free(s);
}

const char *
m2n_source_name(const M2nSource *s)
{
    return s->name;
}

const char *
m2n_source_stamp(const M2nSource *s)
{
    return s->stamp;
}

guint64
m2n_source_size(const M2nSource *s)
{
    return s->size;
}

gboolean
m2n_source_read(M2nSource *s, guint64 offset, gpointer buffer, gsize n, GError **error)
{
    if (offset > s->size || n > s->size - offset) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_IO,
                    "%s: %" G_GSIZE_FORMAT " bytes at offset %" G_GUINT64_FORMAT
                    " go past its end, %" G_GUINT64_FORMAT,
                    s->name, n, offset, s->size);
        return FALSE;
    }
    return n == 0 || s->funcs.read(s->data, offset, buffer, n, error);
}

gboolean
m2n_source_unchanged(M2nSource *s, GError **error)
{
    return s->funcs.unchanged == NULL || s->funcs.unchanged(s->data, error);
}

/* ---- the plain file ------------------------------------------------------------------ */

/* pread and not a mapping: a file that another program shortens is then an error, where a mapping
 * would be a SIGBUS in the middle of the host. */
typedef struct {
    int fd;
    char *path;
    off_t size;
    struct timespec written;
} File;

static gboolean
file_read(gpointer data, guint64 offset, gpointer buffer, gsize n, GError **error)
{
    const File *f = data;

    for (gsize done = 0; done < n;) {
        const gssize got = pread(f->fd, (guint8 *)buffer + done, MIN(n - done, (gsize)1 << 30),
                                 (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            g_set_error(error, M2N_ERROR, M2N_ERROR_IO, "%s: %s at offset %" G_GUINT64_FORMAT,
                        f->path, got < 0 ? g_strerror(errno) : "file became shorter",
                        offset + done);
            return FALSE;
        }
        done += (gsize)got;
    }
    return TRUE;
}

static gboolean
file_unchanged(gpointer data, GError **error)
{
    const File *f = data;
    struct stat st;

    if (fstat(f->fd, &st) == 0 && st.st_size == f->size && st.st_mtim.tv_sec == f->written.tv_sec &&
        st.st_mtim.tv_nsec == f->written.tv_nsec)
        return TRUE;
    g_set_error(error, M2N_ERROR, M2N_ERROR_IO, "%s: the file has changed since it was opened", f->path);
    return FALSE;
}

static void
file_free(gpointer data)
{
    File *f = data;

    close(f->fd);
    g_free(f->path);
    g_free(f);
}

static const M2nSourceFuncs file_funcs = {file_read, file_free, file_unchanged};

M2nSource *
m2n_source_open_file(const char *path, GError **error)
{
    struct stat st;
    /* not blocking: opening a pipe without a writer would wait for ever */
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0 || fstat(fd, &st) != 0) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_IO, "%s: %s", path, g_strerror(errno));
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    if (!S_ISREG(st.st_mode)) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_IO, "%s: not a regular file", path);
        close(fd);
        return NULL;
    }
    File *f = g_new0(File, 1);
    f->fd = fd;
    f->path = g_strdup(path);
    f->size = st.st_size;
    f->written = st.st_mtim;
    /* the time of the last change too, which nobody can set: cp -p and rsync -t put the other one back */
    g_autofree char *stamp =
        g_strdup_printf("%" G_GINT64_FORMAT "-%" G_GINT64_FORMAT ".%09ld-%" G_GINT64_FORMAT
                        ".%09ld-%" G_GUINT64_FORMAT "-%" G_GUINT64_FORMAT,
                        (gint64)st.st_size, (gint64)st.st_mtim.tv_sec, (long)st.st_mtim.tv_nsec,
                        (gint64)st.st_ctim.tv_sec, (long)st.st_ctim.tv_nsec, (guint64)st.st_dev,
                        (guint64)st.st_ino);
    return m2n_source_new(path, (guint64)st.st_size, stamp, &file_funcs, f);
}
