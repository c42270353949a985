/* The parts a model is made of: encoder and decoder of a variable, first and last product, a third of a block.
 * They are independent of each other, so that several threads can make a model; inside engine/nn only. */
#pragma once
#include "engine/nn/network.h"

G_BEGIN_DECLS

/* Where values come from. */
typedef struct {
    const M2nParameters *p;
    const float *weights;         /* all of them, or NULL: from the file */
    const M2nSafetensors *st;     /* with */
    const M2nTensorInfo **tensor; /* [p->n] */
    M2nPrecision precision;       /* of the large matrices */
} M2nModelValues;

gsize m2n_model_parts(const M2nConfig *config); /* how many */

/* What the part takes of an arena; of `values` p and precision alone are used. */
void m2n_model_measure_part(M2nModel *m, gsize part, const M2nModelValues *values,
                            M2nArena *measuring);

/* Reads, folds and packs into an arena of its own.  FALSE: M2N_ERROR_IO, _FORMAT, _MEMORY. */
gboolean m2n_model_build_part(M2nModel *m, gsize part, const M2nModelValues *values,
                              M2nArena *arena, GError **error);

G_END_DECLS
