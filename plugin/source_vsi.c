/* Bytes from VSI*L: one open file and a lock, because a VSILFILE has one position. */
#define _GNU_SOURCE /* cpl_vsi.h names struct stat64 */
#include "plugin/source_vsi.h"

#include <cpl_error.h>
#include <cpl_string.h>
#include <cpl_vsi.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/folder.h"
#include "plugin/gdal_reason.h"

#define HASHED_WHOLE (G_GUINT64_CONSTANT(16) << 20)
#define HASHED_END (64u << 10)
#define CHUNK (64u << 10)

/* Octets of the file as they were read: a step back in a compressed file begins at its start again. */
typedef struct {
    guint64 start;
    gsize n;
    guint8 octets[CHUNK];
} Block;

typedef struct {
    VSILFILE *file;
    guint64 size;
    GMutex lock;
    char *name;
    Block block[2]; /* the one read last, and the one before */
    guint last;
} Virtual;

static gboolean
read_at(Virtual *v, guint64 offset, gpointer buffer, gsize n)
{
    return VSIFSeekL(v->file, offset, SEEK_SET) == 0 && VSIFReadL(buffer, 1, n, v->file) == n;
}

/* The block with that octet, which is in the file; NULL: it could not be read. */
static const Block *
block_at(Virtual *v, guint64 offset)
{
    const guint64 start = offset - offset % CHUNK;

    for (guint i = 0; i < 2; i++)
        if (v->block[i].n > 0 && v->block[i].start == start)
            return &v->block[i];
    v->last = 1 - v->last;
    Block *b = &v->block[v->last];
    b->start = start;
    b->n = (gsize)MIN(v->size - start, CHUNK);
    if (read_at(v, start, b->octets, b->n))
        return b;
    b->n = 0;
    return NULL;
}

static gboolean
read_by_blocks(Virtual *v, guint64 offset, guint8 *out, gsize n)
{
    while (n > 0 && offset < v->size) {
        const Block *b = block_at(v, offset);
        if (b == NULL)
            return FALSE;
        const gsize from = (gsize)(offset - b->start), part = MIN(n, b->n - from);
        memcpy(out, b->octets + from, part);
        offset += part, out += part, n -= part;
    }
    return n == 0;
}

static gboolean
virtual_read(gpointer data, guint64 offset, gpointer buffer, gsize n, GError **error)
{
    Virtual *v = data;

    g_mutex_lock(&v->lock);
    m2n_gdal_try();
    const gboolean ok = n < CHUNK ? read_by_blocks(v, offset, buffer, n) : read_at(v, offset, buffer, n);
    CPLPopErrorHandler();
    g_mutex_unlock(&v->lock);
    if (!ok) {
        const char *why = CPLGetLastErrorMsg();
        const gboolean whole = strstr(why, "ange downloading not supported") != NULL;

        g_set_error(error, M2N_ERROR, M2N_ERROR_IO,
                    "%s: cannot read %" G_GSIZE_FORMAT " bytes at offset %" G_GUINT64_FORMAT "%s%s", v->name, n, offset,
                    *why == '\0' ? "" : ": ",
                    whole ? "the server gives whole files only, not ranges of bytes: download the file first" : why);
    }
    return ok;
}

static void
virtual_free(gpointer data)
{
    Virtual *v = data;

    VSIFCloseL(v->file);
    g_mutex_clear(&v->lock);
    g_free(v->name);
    g_free(v);
}

static gboolean
hash_range(Virtual *v, GChecksum *sum, guint64 begin, guint64 end, GError **error)
{
    g_autofree guint8 *chunk = g_malloc(CHUNK);

    while (begin < end) {
        const gsize n = (gsize)MIN(end - begin, CHUNK);
        if (!virtual_read(v, begin, chunk, n, error))
            return FALSE;
        g_checksum_update(sum, chunk, (gssize)n);
        begin += n;
    }
    return TRUE;
}

/* (transfer full) NULL: the file could not be read. */
static char *
make_stamp(Virtual *v, const VSIStatBufL *st, GError **error)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA1);
    const guint64 size = (guint64)st->st_size;
    const guint64 head = size <= HASHED_WHOLE ? size : HASHED_END;
    const guint64 tail = size <= HASHED_WHOLE ? size : size - HASHED_END;

    if (!hash_range(v, sum, 0, head, error) || !hash_range(v, sum, tail, size, error))
        return NULL;
    return g_strdup_printf("%" G_GUINT64_FORMAT "-%" G_GINT64_FORMAT "-%s", size,
                           (gint64)st->st_mtime, g_checksum_get_string(sum));
}

static VSILFILE *
open_quietly(const char *name, VSIStatBufL *st)
{
    VSILFILE *file = NULL;

    CPLPushErrorHandler(CPLQuietErrorHandler);
    if (VSIStatL(name, st) == 0 && VSI_ISREG(st->st_mode))
        file = VSIFOpenL(name, "rb");
    CPLPopErrorHandler();
    CPLErrorReset(); /* a failure is told through GError alone */
    return file;
}

M2nSource *
m2n_source_open_vsi(const char *name, GError **error)
{
    VSIStatBufL st;

    if (!g_str_has_prefix(name, "/vsi"))
        return m2n_source_open_file(name, error);
    VSILFILE *file = open_quietly(name, &st);
    if (file == NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_IO, "%s: no such file", name);
        return NULL;
    }
    Virtual *v = g_new0(Virtual, 1);
    v->file = file;
    v->size = (guint64)st.st_size;
    v->name = g_strdup(name);
    g_mutex_init(&v->lock);
    g_autofree char *stamp = make_stamp(v, &st, error);
    if (stamp == NULL) {
        virtual_free(v);
        return NULL;
    }
    static const M2nSourceFuncs funcs = {virtual_read, virtual_free, NULL};
    return m2n_source_new(name, (guint64)st.st_size, stamp, &funcs, v);
}

gboolean
m2n_vsi_text(const char *name, guint64 most, char **text, gsize *n, GError **error)
{
    g_autoptr(M2nSource) source = m2n_source_open_vsi(name, error);

    *text = NULL;
    *n = 0;
    if (source == NULL || m2n_source_size(source) > most)
        return source != NULL;
    *n = (gsize)m2n_source_size(source);
    *text = g_malloc0(*n + 1);
    if (m2n_source_read(source, 0, *text, *n, error))
        return TRUE;
    g_clear_pointer(text, g_free);
    return FALSE;
}

static int
by_text(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

GStrv
m2n_vsi_names(const char *folder, GError **error)
{
    if (!g_str_has_prefix(folder, "/vsi")) /* of a plain folder VSIReadDir() hides a failure after the first name */
        return m2n_folder_names(folder, error);
    errno = 0;
    char **entries = VSIReadDir(folder);
    if (entries == NULL && m2n_gdal_file_missed()) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_IO, "%s: %s", folder, g_strerror(errno));
        return NULL;
    }
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    for (char **e = entries; e != NULL && *e != NULL; e++)
        if (!g_str_equal(*e, ".") && !g_str_equal(*e, ".."))
            g_ptr_array_add(names, g_strdup(*e));
    CSLDestroy(entries);
    g_ptr_array_sort(names, by_text);
    g_ptr_array_add(names, NULL);
    return (GStrv)g_ptr_array_steal(names, NULL);
}
