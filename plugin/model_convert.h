/* A model file with its weights stored in another type.  Computing in fewer bits is another matter and needs no
 * file of its own: engine/nn/precision.h. */
#pragma once
#include <glib.h>

G_BEGIN_DECLS

typedef enum { M2N_STORE_FLOAT32, M2N_STORE_F16, M2N_STORE_BF16 } M2nStore;

/* "float32", "f16", "bf16" in any case of letters.  FALSE: M2N_ERROR_ARGUMENT, which names the three. */
gboolean m2n_store_parse(const char *text, M2nStore *store, GError **error);

typedef struct {
    guint64 before, after; /* bytes of the files */
} M2nConversion;

/* Writes `out`: matrices and filters (two dimensions and more) of MODEL in `store`, rounded to nearest; vectors
 * (biases, norms, running statistics), which weigh nothing, and what is no float stay as they are, metadata too.
 * FALSE: M2N_ERROR_IO; _FORMAT: not safetensors, or a weight is too large for F16 (which, and its value);
 * _ARGUMENT: `out` is `model`. */
gboolean m2n_model_convert(const char *model, const char *out, M2nStore store,
                           M2nConversion *conversion, GError **error);

G_END_DECLS
