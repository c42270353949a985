/* One message's names and times, as eccodes decodes them.  Private to the reader.  Errors are one line
 * without file and message. */
#pragma once
#include "grib/grib_reader.h"

G_BEGIN_DECLS

/* Fills all of `header` but number, edition (which must be set) and the grid.  FALSE: M2N_ERROR_FORMAT. */
gboolean m2n_eccodes_header(const guint8 *message, gsize length, M2nGribHeader *header,
                            GError **error);

long m2n_eccodes_version(void);

G_END_DECLS
