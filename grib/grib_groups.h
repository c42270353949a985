/* M2nGroups: what complex packing and both editions' second-order packing have in common: values in groups, each
 * with a first-order value and a width of its own, perhaps as differences.  Private to the unpackers.
 *
 * X(i) = reference(group) + second(i), or missing where the bits of second(i) say so (code table 5.5).  Of order k > 0
 * the X are k-th differences of the integers Y less their smallest, `bias`:
 *   k = 1: Y(i) = X(i) + bias + Y(i-1);  2: + 2 Y(i-1) - Y(i-2);  3: + 3 Y(i-1) - 3 Y(i-2) + Y(i-3)
 * over the values that are not missing, and the first k of them are `first`. */
#pragma once
#include "grib/grib_packed.h"

G_BEGIN_DECLS

typedef struct {
    gsize count;
    guint32 *references, *lengths; /* [count], owned */
    guint8 *widths;                /* [count], bits, owned */
    guint
        reference_bits; /* of a first-order value: in a group of width 0 it may stand for "missing" */
    guint missing;      /* code table 5.5: 0, 1 (the highest number), 2 (the two highest) */
    guint order;        /* 0 to 3 */
    gboolean first_apart; /* the first values are none of the groups' (GRIB1) */
    guint32 first[3];
    gint64 bias;
    M2nBits values; /* the second-order numbers */
} M2nGroups;

/* FALSE: M2N_ERROR_FORMAT when there are more groups than values, _MEMORY. */
gboolean m2n_groups_alloc(M2nGroups *g, guint64 count, gsize n, GError **error);
void m2n_groups_clear(M2nGroups *g);

/* out[n], as M2nUnpacker says; the groups must hold exactly n values. */
gboolean m2n_groups_unpack(M2nGroups *g, const M2nPacked *p, float *out, gsize n, GError **error);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(M2nGroups, m2n_groups_clear)

G_END_DECLS
