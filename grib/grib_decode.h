/* One message's names and times, as eccodes decodes them.  Private to the reader.  Errors are one line
 * without file and message. */
#pragma once
#include "grib/grib_reader.h"

G_BEGIN_DECLS

/* Fills names, level and times of `header`, whose edition must be set, from a message as m2n_grib_bare() leaves it.
 * FALSE: M2N_ERROR_FORMAT. */
gboolean m2n_eccodes_header(const guint8 *bare, gsize length, M2nGribHeader *header,
                            GError **error);

/* Seconds since 1970 of a Gregorian date; climatologies have year 0. */
gint64 m2n_grib_time(long year, long month, long day, long seconds);

long m2n_eccodes_version(void);

G_END_DECLS
