/* What GDAL missed of a Zarr folder: what it cannot read there is, to it, not there, without a word. */
#pragma once
#include <gdal.h>
#include <glib.h>

G_BEGIN_DECLS

/* Whether it is a folder with a file that only Zarr puts there. */
gboolean m2n_zarr_is(const char *name);

/* Whether every array and group in the folder is in `group`, whose arrays are named.  FALSE: M2N_ERROR_IO, also when the folder
 * cannot be listed. */
gboolean m2n_zarr_all_listed(const char *folder, GDALGroupH group, char **arrays, GError **error);

/* Whether GDAL has read the attributes of that array, as far as they say what we need: names of dimensions, a scalar's unit.
 * TRUE: also of what is no Zarr folder.  FALSE: M2N_ERROR_IO. */
gboolean m2n_zarr_has_attributes(const char *folder, const char *name, GDALMDArrayH array, GError **error);

G_END_DECLS
