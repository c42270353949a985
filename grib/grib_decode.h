/* One message's names, times and values, as eccodes decodes them.  Private to the reader.  Errors are one line
 * without file and message. */
#pragma once
#include "grib/grib_reader.h"

G_BEGIN_DECLS

#define M2N_ECCODES_MISSING 9.999e20 /* not a value any quantity takes */

/* Fills all of `header` but number, edition (which must be set) and the grid.  *n: the number of values where only
 * the data section says it (GRIB1).  FALSE: M2N_ERROR_FORMAT. */
gboolean m2n_eccodes_header(const guint8 *message, gsize length, M2nGribHeader *header, gsize *n,
                            GError **error);

/* values[n] in stored order, M2N_ECCODES_MISSING where there is none.  FALSE: M2N_ERROR_FORMAT. */
gboolean m2n_eccodes_values(const guint8 *message, gsize length, double *values, gsize n,
                            GError **error);

long m2n_eccodes_version(void);

G_END_DECLS
