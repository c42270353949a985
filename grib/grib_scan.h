/* Where the messages and fields of a GRIB file begin and end, without decoding anything.
 *
 * Only the first bytes of each section are read.  A GRIB2 message that holds several fields (sections 2-7,
 * 3-7 or 4-7 repeated) yields one entry per field.  What stands between messages is skipped. */
#pragma once
#include "engine/base/source.h"

G_BEGIN_DECLS

typedef struct {
    guint64 offset, length; /* of the message in the source */
    guint number;           /* of the field, 1-based, counted through the file: for error texts */
    guint8 edition;         /* 1 or 2 */
    gboolean shared;        /* the message holds several fields */
    /* GRIB2: section s of this field is at offset + at[s], size[s] bytes; size 0: absent */
    guint64 at[8];
    guint32 size[8];
    char *problem; /* NULL, or why this message cannot be used: one line without file name */
} M2nGribEntry;

/* (transfer full) array of M2nGribEntry.  Damaged messages are entries with `problem` set.  NULL:
 * M2N_ERROR_IO, or _FORMAT when the source holds no GRIB message at all. */
GArray *m2n_grib_scan(M2nSource *source, GError **error);

/* (transfer full) One field as a message of its own.  With `values` FALSE the data section of a GRIB2
 * message is left out, so that headers cost no reading of data.  NULL: M2N_ERROR_IO, _MEMORY. */
guint8 *m2n_grib_message(M2nSource *source, const M2nGribEntry *entry, gboolean values,
                         gsize *length, GError **error);

G_END_DECLS
