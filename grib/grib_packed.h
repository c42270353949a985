/* M2nPacked: where in a message the things are that unpacking needs, and the unpackers, one per packing.
 * Source: WMO Manual on Codes, FM 92 GRIB 1 (sections 2 to 4) and GRIB 2 (sections 3, 5 to 7, templates 5.x, 7.x).
 * Private to the unpackers. */
#pragma once
#include "grib/grib_bits.h"
#include "grib/grib_octets.h"
#include "grib/grib_spec.h"

G_BEGIN_DECLS

typedef struct {
    int edition;
    guint template;       /* GRIB2: of section 5 */
    guint flags;          /* GRIB1: octet 4 of section 4 */
    const guint8 *grid;   /* section 2 or 3; NULL: none */
    const guint8 *head;   /* section 5; GRIB1: section 4 */
    const guint8 *data;   /* what follows the head of section 7; GRIB1: NULL, head goes on */
    const guint8 *bitmap; /* NULL: all points are there */
    gsize grid_size, head_size, data_size, bitmap_size; /* octets */
    double reference;                                   /* R as it stands */
    double offset, step;      /* value = offset + X step: (R + X 2^E) 10^-D */
    guint bits;               /* octet 20, GRIB1 octet 11 */
    gsize n_points;           /* of the field */
    gboolean boustrophedonic; /* set by an unpacker: every other row runs backwards */
} M2nPacked;

/* FALSE: M2N_ERROR_FORMAT.  `data` may be missing (a message without values). */
gboolean m2n_packed_locate(M2nPacked *p, int edition, const guint8 *message, gsize length,
                           GError **error);

/* Each writes out[n], the coded values in stored order, NaN where a packing marks a value as missing.
 * They read no octet outside of the message whatever it says.  FALSE: M2N_ERROR_FORMAT, _MEMORY, and `out` holds
 * anything.  Numerics: integers exactly, offset + X step in double, rounded once to float. */
typedef gboolean (*M2nUnpacker)(M2nPacked *p, float *out, gsize n, GError **error);

gboolean m2n_unpack_simple(M2nPacked *p, float *out, gsize n, GError **error);
gboolean m2n_unpack_logarithm(M2nPacked *p, float *out, gsize n, GError **error);
gboolean m2n_unpack_ieee(M2nPacked *p, float *out, gsize n, GError **error);
gboolean m2n_unpack_complex(M2nPacked *p, float *out, gsize n, GError **error);
gboolean m2n_unpack_second_order_1(M2nPacked *p, float *out, gsize n, GError **error);
gboolean m2n_unpack_second_order_2(M2nPacked *p, float *out, gsize n, GError **error);
gboolean m2n_unpack_run_length(M2nPacked *p, float *out, gsize n, GError **error);
gboolean m2n_unpack_ccsds(M2nPacked *p, float *out, gsize n, GError **error);
gboolean m2n_unpack_jpeg(M2nPacked *p, float *out, gsize n, GError **error);
gboolean m2n_unpack_png(M2nPacked *p, float *out, gsize n, GError **error);
gboolean m2n_unpack_spectral(M2nPacked *p, float *out, gsize n, GError **error);

/* ---- what they share ---------------------------------------------------------------------------- */

/* The rows in which values are stored: columns where those run together. */
typedef struct {
    M2nGridSpec grid; /* to be cleared, also after FALSE */
    guint count, columns;
} M2nPackedRows;

/* FALSE: M2N_ERROR_FORMAT, as without a grid section. */
gboolean m2n_packed_rows(const M2nPacked *p, M2nPackedRows *rows, GError **error);
/* Points of a row whose first is point `at` of the field.  FALSE: M2N_ERROR_FORMAT, more than there are left. */
gboolean m2n_packed_row(const M2nPacked *p, const M2nPackedRows *rows, guint row, gsize at,
                        gsize *length, GError **error);

/* Sets M2N_ERROR_FORMAT and returns FALSE. */
gboolean m2n_unpack_fail(const char *what, GError **error);

/* All n values are the reference value, as eccodes and GDAL have it: not scaled. */
gboolean m2n_unpack_constant(const M2nPacked *p, float *out, gsize n);

G_END_DECLS
