/* What one step does to the weights once their gradients are there, in this order:
 *
 *   key translator = m key + (1 - m) query      over parameters, not running statistics; m = momentum_ema
 *   query          = Adam(query, gradient)      encoders, decoders, translator
 *
 * (Published code moves the average before it computes gradients; see engine/train/README.md.) */
#pragma once
#include "engine/nn/learner.h"
#include "engine/train/adam.h"

G_BEGIN_DECLS

/* mean, square: Adam's moments, [parameters->total], zero before step 1.  a->decay touches convolution
 * weights alone, never biases, norms or layer scales. */
void m2n_optimizer_step(M2nLearner *l, double momentum_ema, const M2nAdam *a, float *mean,
                        float *square);

G_END_DECLS
