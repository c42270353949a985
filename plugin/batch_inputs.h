/* The inputs of a batch as people name them. */
#pragma once
#include "engine/base/group.h"

G_BEGIN_DECLS

/* Expands names: "@file" is a list, a name per line (empty lines and "# ..." are passed over, relative
 * names are relative to the list); "-" the same from standard input; a name with *, ? or [ that is no file
 * is a pattern, its matches sorted, ** for any number of folders; anything else is taken as it stands, so
 * that a missing file is reported as such.  A name given twice counts once.  (transfer full)
 * NULL-terminated.  NULL: M2N_ERROR_IO (the list, a folder that cannot be listed; one that
 * only others may list is passed over), M2N_ERROR_MISSING (a pattern without matches). */
char **m2n_inputs_expand(const char *const *names, GError **error);

/* Collective: *inputs of the other processes (NULL there) become those of rank 0. */
void m2n_inputs_share(M2nGroup *group, char ***inputs);

G_END_DECLS
