/* Which files a forecast file may make us read.
 *
 * A forecast file may come from anywhere, and opening it must not become a way to read other files
 * of the person who opens it.  As GDAL does for raw rasters named by a VRT, sources must lie in the
 * folder of the forecast file or below, unless the configuration option MET2NET_ALLOWED_SOURCE says
 * otherwise: SIBLING_OR_CHILD   the default ANY                no rule /a;/vsimem/b       in one of
 * these folders, or below Symbolic links are resolved first, those in a folder of inputs too.  Sources on the network are refused
 * unless ANY or a folder that is named allows them, even beside a forecast file that lies there
 * itself.  Names that the user typed (the forecast file, MODEL=) are not subject to this. */
#pragma once
#include <glib.h>

G_BEGIN_DECLS

/* (transfer full) The name to open for `source` as written in the forecast file `file`.  NULL:
 * M2N_ERROR_IO (no such file, a folder that cannot be listed), M2N_ERROR_DENIED. */
char *m2n_allowed_source(const char *file, const char *source, GError **error);

/* (transfer full) The folder that names in the forecast file `file` are relative to: the one it lies in itself where
 * `file` is a symbolic link to it, as GDAL has it for a VRT. */
char *m2n_forecast_folder(const char *file);

/* TRUE of GDAL's names for what lies elsewhere, however nested, and of URLs. */
gboolean m2n_is_network(const char *name);

G_END_DECLS
