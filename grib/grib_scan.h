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

/* What an index takes for each field, all told: its entry, its header, its place in an archive. */
#define M2N_GRIB_FIELD_BYTES 640u

/* (transfer full) array of M2nGribEntry, as many as `memory` bytes allow.  Damaged messages are entries with
 * `problem` set.  NULL: M2N_ERROR_IO, _MEMORY (more messages), or _FORMAT when the source holds no GRIB message at all. */
GArray *m2n_grib_scan(M2nSource *source, guint64 memory, GError **error);

/* (transfer full) One field as a message of its own.  NULL: M2N_ERROR_IO, _MEMORY. */
guint8 *m2n_grib_message(M2nSource *source, const M2nGribEntry *entry, gsize *length, GError **error);

/* (transfer full) What a header is made of, in at most `most` bytes.  GRIB2: a message without bitmap and values.  GRIB1:
 * *length is the message's, there is all of its sections 1 to 3 and the first M2N_GRIB_HEAD_1 octets of section 4.
 * NULL: as above; _MEMORY tells what is needed, too. */
#define M2N_GRIB_HEAD_1 32u
guint8 *m2n_grib_head(M2nSource *source, const M2nGribEntry *entry, guint64 most, gsize *length, GError **error);

G_END_DECLS
