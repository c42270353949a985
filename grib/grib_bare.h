/* A message without its grid and its data: what names, levels and times hang on, and nothing that a decoder could
 * run over.  Private to the reader. */
#pragma once
#include <glib.h>

G_BEGIN_DECLS

/* (transfer full) `message` with its own product (and local) sections, another grid of one point and one constant value;
 * *bare_length octets.  The grid of numbered unstructured points stays, for names hang on its number.  NULL:
 * M2N_ERROR_FORMAT, sections do not fit the message. */
guint8 *m2n_grib_bare(int edition, const guint8 *message, gsize length, gsize *bare_length,
                      GError **error);

/* The number of values of a GRIB1 message as its bitmap or data say, where those are simple; 0: they do not. */
gsize m2n_grib_count_1(const guint8 *message, gsize length);

G_END_DECLS
