/* M2nGribReader: the fields of one GRIB 1/2 source, headers and values apart.
 *
 * Never holds the whole file: a header costs the header bytes, a field its own message.  All grids and
 * packings that eccodes decodes are read; a grid without rows and columns (spherical harmonics,
 * unstructured) comes with M2nGrid.crs NULL.  Values come north-up and west to east, missing ones NaN, grid-
 * relative winds still grid-relative (see grib/wind.h).
 *
 * Threads: after _open() any number of threads may use one reader at once. */
#pragma once
#include "engine/base/source.h"
#include "grib/field.h"
#include "grib/grib_scan.h"

G_BEGIN_DECLS

typedef struct M2nGribReader M2nGribReader;

/* What a message says of itself. */
typedef struct {
    guint number; /* 1-based place in the file */
    int edition;
    long centre; /* code table C-11 */
    char centre_name[16], name[32], units[32];
    long param_id;
    char type_of_level[64];
    double level;
    gint64 reference_time, valid_time, span; /* as in M2nField */
    char step_range[32];
    char statistics[16]; /* eccodes stepType: "instant", "accum", "avg", "max", ... */
    long member;         /* of an ensemble, 0 its control; -1 without one */
    char packing[64];
    M2nGrid *grid; /* owned reference */
    gboolean uv_relative;
    gboolean i_negative, j_positive, j_consecutive, alternating; /* how the values are stored */
} M2nGribHeader;

/* (transfer full) Keeps a reference to the source.  NULL: M2N_ERROR_IO, or _FORMAT when there is no GRIB
 * message in it.  Damaged messages do not fail here: _entry() tells.  What is known of its fields, M2N_GRIB_FIELD_BYTES for
 * each and their grids, stays within `memory` bytes [m2n_memory_default()], else M2N_ERROR_MEMORY: here, or from _header(). */
M2nGribReader *m2n_grib_reader_open_within(M2nSource *source, guint64 memory, GError **error);
M2nGribReader *m2n_grib_reader_open(M2nSource *source, GError **error);
void m2n_grib_reader_close(M2nGribReader *r);

/* Keeps what a scan of a large file found for the next _open() of the same content, in grib/index_cache.h; headers
 * [count], NULL where there is none.  Errors are of no consequence. */
#define M2N_GRIB_INDEX_FROM (1u << 20) /* bytes of file */
void m2n_grib_reader_keep_index(M2nGribReader *r, const M2nGribHeader *const *headers);

guint m2n_grib_reader_count(const M2nGribReader *r);
const M2nGribEntry *m2n_grib_reader_entry(const M2nGribReader *r, guint i);
const char *m2n_grib_reader_name(const M2nGribReader *r);
guint64 m2n_grib_reader_memory(M2nGribReader *r); /* bytes counted for what is known of its fields, as in _open_within() */

/* Fills *h; release with m2n_grib_header_clear().  FALSE: M2N_ERROR_IO, _MEMORY, or _FORMAT naming file,
 * message and key; nothing is left to release. */
gboolean m2n_grib_reader_header(M2nGribReader *r, guint i, M2nGribHeader *h, GError **error);
void m2n_grib_header_clear(M2nGribHeader *h);

/* out[h->grid->n_points] of field i, whose header is `h`.  Errors as above. */
gboolean m2n_grib_reader_values(M2nGribReader *r, guint i, const M2nGribHeader *h, float *out,
                                GError **error);

/* (transfer full) Header and values at once. */
M2nField *m2n_grib_reader_field(M2nGribReader *r, guint i, GError **error);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(M2nGribHeader, m2n_grib_header_clear)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(M2nGribReader, m2n_grib_reader_close)

G_END_DECLS
