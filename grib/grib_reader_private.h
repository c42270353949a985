/* What the reader's files share. */
#pragma once
#include "grib/grib_reader.h"

G_BEGIN_DECLS

/* What writing or reading the index of a field takes while it goes on, beside M2N_GRIB_FIELD_BYTES. */
#define M2N_GRIB_INDEX_BYTES 2048u

struct M2nGribReader {
    M2nSource *source;
    GArray *entries;      /* of M2nGribEntry */
    M2nGribHeader *known; /* [entries->len] out of an index, or NULL; number 0: not in there */
    guint64 memory;       /* bytes that all of this may take */
    GMutex lock;
    guint64 grid_bytes, name_bytes; /* of these tables; under `lock` */
    GHashTable
        *grids; /* grid section bytes -> M2nGribHeader with the grid part alone; under `lock` */
    GHashTable *names; /* bare messages without times -> M2nGribHeader without grid; under `lock` */
};

void m2n_grib_entry_clear(gpointer entry);

/* Names file and message in front of the error; FALSE. */
gboolean m2n_grib_reader_about(const M2nGribReader *r, const M2nGribEntry *e, GError **error);

/* FALSE: the entry's problem as M2N_ERROR_FORMAT. */
gboolean m2n_grib_reader_usable(const M2nGribReader *r, const M2nGribEntry *e, GError **error);

/* The grid part of a header from the octets of a grid section, made once per distinct section. values: their
 * number, where the section does not say (GRIB1).  FALSE: M2N_ERROR_FORMAT. */
gboolean m2n_grib_reader_layout(M2nGribReader *r, int edition, GBytes *section, gsize values,
                                M2nGribHeader *h, GError **error);

/* (transfer full) The octets of an entry's grid section.  NULL: M2N_ERROR_IO, _FORMAT. */
GBytes *m2n_grib_reader_section(M2nGribReader *r, guint i, GError **error);

/* Entries and headers to bytes and back.  _read: FALSE when the bytes are no index of this source; the reader is
 * then as before. */
GBytes *m2n_grib_index_write(M2nGribReader *r, const M2nGribHeader *const *headers);
gboolean m2n_grib_index_read(M2nGribReader *r, GBytes *bytes);

G_END_DECLS
