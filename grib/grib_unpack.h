/* The two packings nearly every file has, unpacked here: simple (GRIB 1 and GRIB 2 template 5.0) and IEEE (5.4).
 * Faster than eccodes, straight to float, and every length is checked.  The rest is eccodes'.  Private to the
 * reader. */
#pragma once
#include "grib/grib_scan.h"

G_BEGIN_DECLS

typedef enum { M2N_UNPACKED, M2N_UNPACK_NOT_OURS, M2N_UNPACK_FAILED } M2nUnpackResult;

/* out[n] in stored order, NaN where the bitmap has no point.  FAILED: M2N_ERROR_FORMAT, one line without file
 * and message. Numerics: (R + X 2^E) 10^-D in double, rounded once. */
M2nUnpackResult m2n_grib_unpack(int edition, const guint8 *message, gsize length, float *out,
                                gsize n, GError **error);

G_END_DECLS
