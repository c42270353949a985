/* File: SHA-256 of the rest (32 bytes), length of the key (4, little-endian), key, content. */
#include "grib/index_cache.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/durable.h"

#define DIGEST 32
#define SUFFIX ".m2nindex"
#define MOST_FILES 200
#define MOST_BYTES ((goffset)256 << 20)
#define STALE 3600 /* seconds after which another process' unfinished file is given up */

static gboolean
is_private(const struct stat *st, mode_t kind)
{
    return (st->st_mode & S_IFMT) == kind && st->st_uid == geteuid() && (st->st_mode & 022) == 0;
}

/* (transfer full) The folder, made if need be; NULL when it is not private to us. */
static char *
folder(void)
{
    g_autofree char *top = g_build_filename(g_get_user_cache_dir(), "met2net", NULL);
    g_autofree char *path = g_build_filename(top, "grib-index", NULL);
    struct stat st;

    g_mkdir_with_parents(top, 0700);
    if (lstat(top, &st) != 0 || !is_private(&st, S_IFDIR)) /* a link, say: nothing is made where it leads */
        return NULL;
    g_mkdir(path, 0700);
    return lstat(path, &st) == 0 && is_private(&st, S_IFDIR) ? g_steal_pointer(&path) : NULL;
}

static char *
path_of(const char *key)
{
    g_autofree char *in = folder();
    g_autofree char *digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, key, -1);
    g_autofree char *name = g_strconcat(digest, SUFFIX, NULL);

    return in != NULL ? g_build_filename(in, name, NULL) : NULL;
}

static void
digest_of(const guint8 *data, gsize n, guint8 digest[DIGEST])
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    gsize length = DIGEST;

    g_checksum_update(sum, data, (gssize)n);
    g_checksum_get_digest(sum, digest, &length);
}

/* (transfer full) All of a private file, or NULL. */
static guint8 *
read_private(const char *path, gsize *n)
{
    const int fd = g_open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0); /* a pipe is not waited for */
    struct stat st;
    guint8 *data = NULL;

    if (fd < 0)
        return NULL;
    if (fstat(fd, &st) == 0 && is_private(&st, S_IFREG) && st.st_size > DIGEST + 4 &&
        st.st_size <= MOST_BYTES)
        data = g_try_malloc((gsize)st.st_size);
    *n = 0;
    while (data != NULL && *n < (gsize)st.st_size) {
        const gssize got = read(fd, data + *n, (gsize)st.st_size - *n);
        if (got <= 0)
            g_clear_pointer(&data, g_free);
        else
            *n += (gsize)got;
    }
    close(fd);
    return data;
}

GBytes *
m2n_index_cache_load(const char *key)
{
    g_autofree char *path = path_of(key);
    gsize n = 0;
    g_autofree guint8 *data = path != NULL ? read_private(path, &n) : NULL;
    guint8 digest[DIGEST];
    guint32 length;

    if (data == NULL)
        return NULL;
    digest_of(data + DIGEST, n - DIGEST, digest);
    memcpy(&length, data + DIGEST, sizeof length);
    length = GUINT32_FROM_LE(length);
    const gsize start = DIGEST + 4 + (gsize)length;
    if (memcmp(digest, data, DIGEST) != 0 || length != strlen(key) || start > n ||
        memcmp(data + DIGEST + 4, key, length) != 0) {
        g_unlink(path);
        return NULL;
    }
    return g_bytes_new(data + start, n - start);
}

/* What g_file_set_contents() had under its temporary name when its process was killed, long ago or before the clock was set back. */
static gboolean
is_given_up(const char *name, const struct stat *st)
{
    const gint64 age = g_get_real_time() / G_USEC_PER_SEC - (gint64)st->st_mtim.tv_sec;

    return strstr(name, SUFFIX ".") != NULL && ABS(age) > STALE;
}

/* The oldest files go. */
static void
prune(const char *path)
{
    g_autofree char *in = g_path_get_dirname(path);

    for (guint round = 0; round < 16; round++) {
        g_autoptr(GDir) dir = g_dir_open(in, 0, NULL);
        g_autofree char *oldest = NULL;
        time_t when = 0;
        guint n = 0;

        if (dir == NULL)
            return;
        for (const char *name; (name = g_dir_read_name(dir)) != NULL;) {
            g_autofree char *file = g_build_filename(in, name, NULL);
            struct stat st;
            if (lstat(file, &st) != 0)
                continue;
            if (is_given_up(name, &st))
                g_unlink(file);
            if (!g_str_has_suffix(name, SUFFIX))
                continue;
            if (n++ == 0 || st.st_mtime < when) {
                when = st.st_mtime;
                g_free(oldest);
                oldest = g_steal_pointer(&file);
            }
        }
        if (n <= MOST_FILES)
            return;
        g_unlink(oldest);
    }
}

void
m2n_index_cache_store(const char *key, GBytes *content)
{
    g_autofree char *path = path_of(key);
    g_autoptr(GByteArray) file = g_byte_array_new();
    guint8 digest[DIGEST] = {0};
    const guint32 length = GUINT32_TO_LE((guint32)strlen(key));
    gsize n;
    const guint8 *bytes = g_bytes_get_data(content, &n);

    if (path == NULL || n > (gsize)MOST_BYTES - DIGEST - 4 - strlen(key))
        return;
    g_byte_array_append(file, digest, DIGEST);
    g_byte_array_append(file, (const guint8 *)&length, 4);
    g_byte_array_append(file, (const guint8 *)key, (guint)strlen(key));
    g_byte_array_append(file, bytes, (guint)n);
    digest_of(file->data + DIGEST, file->len - DIGEST, digest);
    memcpy(file->data, digest, DIGEST);
    /* a temporary name, then a rename */
    if (file->len <= m2n_durable_limit() &&
        g_file_set_contents_full(path, (const char *)file->data, (gssize)file->len,
                                 G_FILE_SET_CONTENTS_CONSISTENT, 0600, NULL))
        prune(path);
}
