/* What is in a folder, to the last name: readdir() that fails looks like the end of the folder, but for errno.
 *
 * Thread-safe. */
#pragma once
#include <glib.h>

G_BEGIN_DECLS

/* (transfer full) Its entries sorted by text, without "." and "..".  NULL: M2N_ERROR_MISSING, no such folder; M2N_ERROR_IO;
 * naming the folder. */
GStrv m2n_folder_names(const char *folder, GError **error);

G_END_DECLS
