/* M2nSource: bytes that can be read at any offset, with a name for error messages.
 *
 * Readers take a source, never a path, so that the plugin can hand them GDAL's virtual file
 * systems (/vsimem, /vsizip) without the layers below knowing GDAL.
 *
 * Immutable and shared: any number of threads may read one source at once. */
#pragma once
#include <glib.h>

G_BEGIN_DECLS

typedef struct M2nSource M2nSource;

/* How one kind of source reads.  read() delivers exactly n bytes or fails with M2N_ERROR_IO, and is
 * called from several threads at once.  unchanged() as m2n_source_unchanged(); NULL where nobody can tell. */
typedef struct {
    gboolean (*read)(gpointer data, guint64 offset, gpointer buffer, gsize n, GError **error);
    void (*free)(gpointer data);
    gboolean (*unchanged)(gpointer data, GError **error);
} M2nSourceFuncs;

/* (transfer full) `stamp` changes when the content does (size, modification time, inode ...): part
 * of every cache key.  `data` is freed with funcs->free. */
M2nSource *m2n_source_new(const char *name, guint64 size, const char *stamp,
                          const M2nSourceFuncs *funcs, gpointer data);

/* (transfer full) A regular file, read with pread (never mapped: see source.c).  NULL: M2N_ERROR_IO
 * (missing, a folder, a pipe, a device). */
M2nSource *m2n_source_open_file(const char *path, GError **error);

M2nSource *m2n_source_ref(M2nSource *s);
void m2n_source_unref(M2nSource *s);

const char *m2n_source_name(const M2nSource *s);
const char *m2n_source_stamp(const M2nSource *s);
guint64 m2n_source_size(const M2nSource *s);

/* FALSE: M2N_ERROR_IO, also when [offset, offset + n) is not inside the source. */
gboolean m2n_source_read(M2nSource *s, guint64 offset, gpointer buffer, gsize n, GError **error);

/* For who reads one source over hours.  FALSE: M2N_ERROR_IO: the file was written to since it was opened, so what was
 * read may be of both.  A file that took its name does not count: the one that was opened is still read. */
gboolean m2n_source_unchanged(M2nSource *s, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(M2nSource, m2n_source_unref)

G_END_DECLS
