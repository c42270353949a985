/* The training part of check_vectors: losses, first gradients and the state after all steps. */
#pragma once
#include "engine/nn/config.h"

/* TRUE: compared; *ok becomes FALSE beyond tolerance.  Files without `losses` have nothing to compare.
 * recompute: in the least memory, every block computed twice. */
gboolean check_steps(const M2nSafetensors *st, const M2nConfig *c, guint64 seed, guint threads,
                     gboolean recompute, gboolean *ok, GError **error);
