/* Does an HDF5 file, which NetCDF-4 is, keep its data to itself?  The library opens any file that an external link, an
 * array stored externally or a virtual dataset names, wherever it lies; neither GDAL 3.6 nor netCDF 4.9 can be told
 * not to.  So all groups and arrays are looked at first, by their headers alone, without that library: not every build
 * of it is safe in threads, and it reads no /vsi names.
 *
 * Source: HDF5 File Format Specification 3.0, sections II to IV.  What is not understood is refused. */
#pragma once
#include "engine/base/source.h"

G_BEGIN_DECLS

/* FALSE: M2N_ERROR_DENIED (names another file), _FORMAT (damaged, or not HDF5 from its first byte on), _IO. */
gboolean m2n_hdf5_alone(M2nSource *s, GError **error);

G_END_DECLS
