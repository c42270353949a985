/* "analysis_*.grib2" as the names it stands for. */
#pragma once
#include <glib.h>

G_BEGIN_DECLS

/* (transfer full) The names `source` stands for, relative to the folder of `file` as `source` is: itself when it
 * has no * or ? in its last part or names a file; else the matching files of that folder, sorted by name.  Names
 * are not yet checked with m2n_allowed_source().  NULL: M2N_ERROR_IO (nothing matches, the folder cannot be listed), _ARGUMENT (more than
 * `most`). */
GStrv m2n_source_glob(const char *file, const char *source, guint most, GError **error);

G_END_DECLS
