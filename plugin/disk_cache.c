/* The cache on disk; see the header for what it promises. */
#include "plugin/disk_cache.h"

#include <cpl_conv.h>
#include <cpl_error.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/durable.h"
#include "engine/base/safetensors.h"
#include "plugin/quantity.h"

#define SUFFIX ".safetensors"
#define FORMAT "met2net-cache"
#define HEADER 4096 /* bytes of a file before its values, at most */
#define STALE 3600 /* seconds after which another process' unfinished file is given up */

/* TRUE: exists, is of the wanted kind, is ours, and no one else may touch it. */
static gboolean
is_private(const char *path, mode_t kind, mode_t forbidden, struct stat *st)
{
    return lstat(path, st) == 0 && (st->st_mode & S_IFMT) == kind && st->st_uid == geteuid() &&
           (st->st_mode & forbidden) == 0;
}

/* (transfer full) NULL: there is no folder that we may trust. */
static char *
cache_folder(gboolean create)
{
    /* read anew each time: GLib's g_get_user_cache_dir() remembers what the host said first */
    const char *xdg = g_getenv("XDG_CACHE_HOME");
    g_autofree char *base = xdg != NULL && g_path_is_absolute(xdg)
                                ? g_strdup(xdg)
                                : g_build_filename(g_get_home_dir(), ".cache", NULL);
    g_autofree char *folder = g_build_filename(base, "met2net", NULL);
    struct stat st;

    if (create)
        g_mkdir_with_parents(folder, 0700);
    return is_private(folder, S_IFDIR, 0077, &st) ? g_steal_pointer(&folder) : NULL;
}

/* (transfer full) or NULL */
static char *
file_of(const char *key, gboolean create)
{
    g_autofree char *folder = cache_folder(create);
    g_autofree char *name = g_strconcat(key, SUFFIX, NULL);

    return folder != NULL ? g_build_filename(folder, name, NULL) : NULL;
}

static char *
sum_of(const float *values, gsize n)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);

    for (gsize at = 0; at < n;) {
        const gsize part = MIN(n - at, (gsize)1 << 20);
        g_checksum_update(sum, (const guchar *)(values + at), (gssize)(part * sizeof *values));
        at += part;
    }
    return g_strdup(g_checksum_get_string(sum));
}

guint64
m2n_cache_limit(const char *option, guint64 usual, gint *told)
{
    const char *text = CPLGetConfigOption(option, NULL);
    g_autoptr(GError) error = NULL;
    guint64 limit = usual;

    if (text == NULL || m2n_size_parse(text, &limit, &error))
        return limit;
    if (g_atomic_int_compare_and_exchange(told, 0, 1)) {
        g_autofree char *bytes = m2n_size_format(usual);
        CPLError(CE_Warning, CPLE_AppDefined, "%s: %s; the bound is %s", option, error->message, bytes);
    }
    return usual;
}

/* ---- reading --------------------------------------------------------------------------------- */

gboolean
m2n_disk_cache_has(const char *key)
{
    g_autofree char *path = file_of(key, FALSE);
    struct stat st;

    return path != NULL && is_private(path, S_IFREG, 0022, &st);
}

static gboolean
load_checked(const char *path, const char *key, float *out, gsize n)
{
    g_autoptr(M2nSource) source = m2n_source_open_file(path, NULL);
    g_autoptr(M2nSafetensors) st = source != NULL ? m2n_safetensors_open(source, NULL) : NULL;
    const M2nTensorInfo *fields = st != NULL ? m2n_safetensors_find(st, "fields") : NULL;

    if (fields == NULL || fields->elements != n || strcmp(fields->dtype, "F32") != 0 ||
        g_strcmp0(m2n_safetensors_metadata(st, "format"), FORMAT) != 0 ||
        g_strcmp0(m2n_safetensors_metadata(st, "key"), key) != 0 ||
        !m2n_safetensors_read_f32(st, fields, 0, n, out, NULL))
        return FALSE;
    g_autofree char *sum = sum_of(out, n);
    return g_strcmp0(m2n_safetensors_metadata(st, "sha256"), sum) == 0;
}

gboolean
m2n_disk_cache_load(const char *key, float *out, gsize n)
{
    g_autofree char *path = file_of(key, FALSE);

    if (path == NULL || !m2n_disk_cache_has(key))
        return FALSE;
    if (!load_checked(path, key, out, n)) {
        g_unlink(path);
        return FALSE;
    }
    utimensat(AT_FDCWD, path, NULL, 0); /* now: its place in the order of use */
    return TRUE;
}

/* ---- writing --------------------------------------------------------------------------------- */

typedef struct {
    char *path;
    guint64 size;
    gint64 used;
} CacheFile;

static void
cache_file_free(gpointer data)
{
    CacheFile *c = data;

    g_free(c->path);
    g_free(c);
}

static gint
least_recent_first(gconstpointer a, gconstpointer b)
{
    const CacheFile *const *p = a, *const *q = b;
    return ((*p)->used > (*q)->used) - ((*p)->used < (*q)->used);
}

static guint64
size_limit(void)
{
    static gint told = 0;

    return m2n_cache_limit("MET2NET_CACHE_SIZE", (guint64)1 << 30, &told);
}

/* The finished files of the folder; unfinished ones of long ago are removed. */
static GPtrArray *
list_files(const char *folder)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    GPtrArray *files = g_ptr_array_new_with_free_func(cache_file_free);
    const gint64 now = g_get_real_time() / G_USEC_PER_SEC;
    const char *name;

    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        struct stat st;
        if (lstat(path, &st) != 0 || !S_ISREG(st.st_mode))
            continue;
        if (g_str_has_suffix(name, SUFFIX)) {
            CacheFile *c = g_new0(CacheFile, 1);
            c->path = g_steal_pointer(&path);
            c->size = (guint64)st.st_size;
            c->used = (gint64)st.st_mtim.tv_sec * G_USEC_PER_SEC + st.st_mtim.tv_nsec / 1000;
            g_ptr_array_add(files, c);
        } else if (ABS(now - (gint64)st.st_mtim.tv_sec) > STALE) { /* of the future: the clock was set back */
            g_unlink(path);
        }
    }
    return files;
}

static void
make_room(guint64 needed)
{
    g_autofree char *folder = cache_folder(FALSE);
    if (folder == NULL)
        return;
    g_autoptr(GPtrArray) files = list_files(folder);
    const guint64 limit = size_limit();
    guint64 sum = needed;

    for (guint i = 0; i < files->len; i++)
        sum += ((CacheFile *)files->pdata[i])->size;
    g_ptr_array_sort(files, least_recent_first);
    for (guint i = 0; i < files->len && sum > limit; i++) {
        const CacheFile *c = files->pdata[i];
        g_unlink(c->path);
        sum -= c->size;
    }
}

void
m2n_disk_cache_store(const char *key, const float *values, gsize n)
{
    const guint64 shape[1] = {n};
    g_autofree char *path = file_of(key, TRUE);
    g_autoptr(GError) error = NULL;

    if (path == NULL || n * sizeof *values > size_limit() || n * sizeof *values + HEADER > m2n_durable_limit())
        return;
    make_room(n * sizeof *values);
    g_autoptr(M2nSafetensorsWriter) w = m2n_safetensors_writer_new(path, &error);
    if (w == NULL)
        return;
    g_autofree char *sum = sum_of(values, n);
    m2n_safetensors_writer_metadata(w, "format", FORMAT);
    m2n_safetensors_writer_metadata(w, "key", key);
    m2n_safetensors_writer_metadata(w, "sha256", sum);
    m2n_safetensors_writer_declare(w, "fields", "F32", shape, 1);
    if (m2n_safetensors_writer_append(w, values, n * sizeof *values, NULL))
        m2n_safetensors_writer_finish(w, NULL);
}
