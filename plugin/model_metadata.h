/* Adding to the metadata of a model file, such as a published checkpoint that has none. */
#pragma once
#include <glib.h>

G_BEGIN_DECLS

/* Rewrites `path` with the given metadata added or replaced; settings: NULL-terminated "KEY=VALUE", or
 * "KEY=@FILE" for a value out of a file.  Tensors are copied byte for byte, and the old file stays until the new
 * one is complete.  Once variables, grid and time_step are all there they must be readable.  FALSE:
 * M2N_ERROR_ARGUMENT (a setting), _FORMAT (the file, or what it would become), _IO, _MEMORY. */
gboolean m2n_model_metadata_set(const char *path, const char *const *settings, GError **error);

G_END_DECLS
