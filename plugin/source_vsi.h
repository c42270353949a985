/* M2nSource over GDAL's virtual file systems, so that every reader below works on /vsimem/,
 * /vsizip/ and the like without knowing GDAL. */
#pragma once
#include "engine/base/source.h"

G_BEGIN_DECLS

/* (transfer full) A virtual file ("/vsi..."), or a plain one as m2n_source_open_file().  NULL:
 * M2N_ERROR_IO. The stamp of a virtual file holds size, time and a hash of the content (of a file
 * beyond 16 MiB: of both ends), for their times are too coarse to tell one version from the next.
 */
M2nSource *m2n_source_open_vsi(const char *name, GError **error);

/* FALSE: M2N_ERROR_IO, there is none or it cannot be read.  *text (transfer full): all n octets and a NUL behind them, or NULL of
 * a file with more than `most`. */
gboolean m2n_vsi_text(const char *name, guint64 most, char **text, gsize *n, GError **error);

/* (transfer full) The entries of a folder, a virtual or a plain one, sorted by text.  Of a virtual one that cannot be listed
 * (some networks, what is no folder) none.  NULL: M2N_ERROR_MISSING, M2N_ERROR_IO as m2n_folder_names(). */
GStrv m2n_vsi_names(const char *folder, GError **error);

G_END_DECLS
