/* Values out of one message, every packing, unpacked here: each length is checked against what is there, so that a
 * message which contradicts itself ends in an error.  Private to the reader. */
#pragma once
#include <glib.h>

G_BEGIN_DECLS

/* out[n] in stored order, NaN where the bitmap or the packing has no point.  Straight to float: no field of doubles in
 * between.  FALSE: M2N_ERROR_FORMAT, _MEMORY, one line without file and message. */
gboolean m2n_grib_unpack(int edition, const guint8 *message, gsize length, float *out, gsize n,
                         GError **error);

/* eccodes' packingType of a message, which may lack its values; "template 5.N" where it has no name. */
void m2n_grib_packing(int edition, const guint8 *message, gsize length, char *name, gsize size);

G_END_DECLS
