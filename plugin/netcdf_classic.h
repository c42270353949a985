/* Does the header of a classic NetCDF file (CDF-1, -2, -5) stay within the file?  The library allocates what a length in
 * it claims before it reads: a file of 8 KB takes 2 GB from the host.
 *
 * Source: NetCDF User's Guide, appendix "File Format Specifications", the grammar of the classic formats. */
#pragma once
#include "engine/base/source.h"

G_BEGIN_DECLS

/* FALSE: M2N_ERROR_FORMAT (claims more than the file or 64 MiB, or damaged), _IO. */
gboolean m2n_netcdf_classic_fits(M2nSource *s, GError **error);

G_END_DECLS
