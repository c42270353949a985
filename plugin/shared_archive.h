/* One index of an input per process: the headers of a year of hourly GRIB take seconds to read, and a GIS
 * opens a handle per thread.
 *
 * Two opens of files with the same stamps get the same index while either is in use.  Thread-safe. */
#pragma once
#include "grib/archive.h"

G_BEGIN_DECLS

typedef struct M2nSharedArchive M2nSharedArchive;

/* (transfer full) NULL: as m2n_archive_open(). */
M2nSharedArchive *m2n_shared_archive_open(M2nSource *const *sources, guint n_sources,
                                          GError **error);
void m2n_shared_archive_unref(M2nSharedArchive *s);

/* (transfer none) For what is const on an archive. */
const M2nArchive *m2n_shared_archive_get(const M2nSharedArchive *s);

/* As m2n_archive_read_window(), one thread at a time. */
gboolean m2n_shared_archive_read_window(M2nSharedArchive *s, const M2nDomain *d, guint steps,
                                        gint64 init_time, M2nRegridMethod method, float *out,
                                        M2nProgressFunc progress, gpointer user_data,
                                        GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(M2nSharedArchive, m2n_shared_archive_unref)

G_END_DECLS
