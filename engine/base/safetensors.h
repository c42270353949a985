/* M2nSafetensors: named tensors in one file, and the strings of its __metadata__.
 *
 *   8 bytes      little-endian header length N <= 100,000,000
 *   N bytes      UTF-8 JSON object, padded with spaces
 *   the rest     tensors, tiling the data exactly
 *
 * Every rule of the format is checked at open, so that later reads cannot go out of bounds:
 * no duplicate keys, no holes, no tail, shape x dtype = range, capped counts and nesting.
 * Source: the format description of huggingface/safetensors (no code taken). */
#pragma once
#include "engine/base/source.h"

G_BEGIN_DECLS

typedef struct M2nSafetensors M2nSafetensors;

#define M2N_MAX_RANK 8

typedef struct {
    const char *name;
    char dtype[8]; /* "F32", "F16", "BF16", "I64", ... as written */
    guint rank;
    guint64 shape[M2N_MAX_RANK];
    guint64 elements;      /* product of shape; 1 for rank 0 */
    guint64 offset, bytes; /* from the start of the source */
} M2nTensorInfo;

/* (transfer full) NULL: M2N_ERROR_IO, _FORMAT (names what is wrong), _MEMORY */
M2nSafetensors *m2n_safetensors_open(M2nSource *source, GError **error);
void m2n_safetensors_free(M2nSafetensors *st);

M2nSource *m2n_safetensors_source(const M2nSafetensors *st); /* (transfer none) */
guint m2n_safetensors_count(const M2nSafetensors *st);
const M2nTensorInfo *m2n_safetensors_nth(const M2nSafetensors *st, guint i); /* by offset */
const M2nTensorInfo *m2n_safetensors_find(const M2nSafetensors *st, const char *name); /* or NULL */
const char *m2n_safetensors_metadata(const M2nSafetensors *st, const char *key);       /* or NULL */
GStrv m2n_safetensors_metadata_keys(const M2nSafetensors *st); /* (transfer full) sorted */

/* Elements [first, first + n) as float32, converted from F32, F16 or BF16.  FALSE: M2N_ERROR_IO, or
 * _FORMAT for another dtype.  NaN and infinity pass through. */
gboolean m2n_safetensors_read_f32(const M2nSafetensors *st, const M2nTensorInfo *t, guint64 first,
                                  gsize n, float *out, GError **error);
/* Raw elements, dtype as stored ("I64": gint64, host order). */
gboolean m2n_safetensors_read_raw(const M2nSafetensors *st, const M2nTensorInfo *t, guint64 first,
                                  gsize n, gpointer out, GError **error);

/* ---- writing: declare all tensors, then deliver them in that order ------------------------------
 */

typedef struct M2nSafetensorsWriter M2nSafetensorsWriter;

/* (transfer full) The file appears under `path` at _finish() alone: it is written under a temporary
 * name beside it, synced and renamed. */
M2nSafetensorsWriter *m2n_safetensors_writer_new(const char *path, GError **error);
void m2n_safetensors_writer_metadata(M2nSafetensorsWriter *w, const char *key, const char *value);
void m2n_safetensors_writer_declare(M2nSafetensorsWriter *w, const char *name, const char *dtype,
                                    const guint64 *shape, guint rank);
/* The next `bytes` bytes of the data section, tensors in declared order; may be called in pieces.
 */
gboolean m2n_safetensors_writer_append(M2nSafetensorsWriter *w, gconstpointer data, gsize bytes,
                                       GError **error);
/* The next tensor, as it stands in `st`; declared with the same type and shape.  FALSE: M2N_ERROR_IO, of either file. */
gboolean m2n_safetensors_writer_copy(M2nSafetensorsWriter *w, const M2nSafetensors *st,
                                     const M2nTensorInfo *t, GError **error);
/* TRUE: complete and durable.  FALSE: M2N_ERROR_IO and the old file, if any, is untouched; but where the last
 * step failed, the sync of the folder, the new one, whole, has taken its place, and a power cut may undo that. */
gboolean m2n_safetensors_writer_finish(M2nSafetensorsWriter *w, GError **error);
void m2n_safetensors_writer_free(M2nSafetensorsWriter *w); /* removes an unfinished file */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(M2nSafetensors, m2n_safetensors_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(M2nSafetensorsWriter, m2n_safetensors_writer_free)

G_END_DECLS
