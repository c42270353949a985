/* One index of an input per process: the headers of a year of hourly GRIB take seconds to read, and a GIS
 * opens a handle per thread.
 *
 * Two opens of files with the same stamps get the same index while either is in use.  Thread-safe. */
#pragma once
#include "plugin/input.h"

G_BEGIN_DECLS

typedef struct M2nSharedArchive M2nSharedArchive;

/* (transfer full) `stamp` as m2n_input_stamp() gives it.  NULL: as m2n_input_open_with(), also when an
 * index is there already and takes more than max_memory. */
M2nSharedArchive *m2n_shared_archive_open(const char *const *names, const char *stamp, long member,
                                          guint64 max_memory, GError **error);
void m2n_shared_archive_unref(M2nSharedArchive *s);

/* As m2n_input_member() and _note(). */
long m2n_shared_archive_member(const M2nSharedArchive *s, guint *members);
const char *m2n_shared_archive_note(const M2nSharedArchive *s);
long m2n_shared_archive_centre(const M2nSharedArchive *s);

/* As m2n_input_latest(), _has_window() and _read_window(), one thread at a time; max_memory as
 * m2n_input_set_memory(). */
gboolean m2n_shared_archive_latest(M2nSharedArchive *s, const M2nDomain *d, guint steps,
                                   gint64 *init_time, GError **error);
gboolean m2n_shared_archive_has_window(M2nSharedArchive *s, const M2nDomain *d, guint steps,
                                       gint64 init_time, GError **error);
gboolean m2n_shared_archive_read_window(M2nSharedArchive *s, const M2nDomain *d, guint steps,
                                        gint64 init_time, M2nRegridMethod method,
                                        guint64 max_memory, float *out, M2nProgressFunc progress,
                                        gpointer user_data, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(M2nSharedArchive, m2n_shared_archive_unref)

G_END_DECLS
