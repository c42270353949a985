/* Conversion between spellings and multiples of a unit, and nothing else: a quantity is converted only when
 * the message states a unit other than the one wanted. */
#pragma once
#include <glib.h>

G_BEGIN_DECLS

/* wanted = scale * stated + offset.  Units as eccodes or GDAL spell them.  FALSE: M2N_ERROR_UNITS naming
 * both. */
gboolean m2n_units_conversion(const char *stated, const char *wanted, double *scale, double *offset,
                              GError **error);

G_END_DECLS
