/* Which tensor of a model file is which parameter of the network.  Headers alone are read. */
#pragma once
#include "engine/base/safetensors.h"
#include "engine/nn/parameters.h"

G_BEGIN_DECLS

/* tensor [p->n], zeroed: the tensor of each parameter.  FALSE: M2N_ERROR_FORMAT (a tensor missing, unknown
 * or there twice: its name), M2N_ERROR_SHAPE (tensor, expected, found). */
gboolean m2n_model_match(const M2nSafetensors *st, const M2nParameters *p,
                         const M2nTensorInfo **tensor, GError **error);

G_END_DECLS
