/* Weights before the first step.
 *
 *   3x3 convolutions of encoder and decoder   normal, deviation 0.02; bias 0
 *   convolutions of the temporal unit         normal, deviation sqrt(2 / (k k out / groups)); bias 0
 *   other convolutions                        uniform within 1 / sqrt(fan in), bias too
 *   norms                                     1 and 0; running mean 0, variance 1
 *   layer scales                              0.01
 *
 * source  the published training code's behaviour (arXiv:2507.17189; no code taken) */
#pragma once
#include "engine/nn/parameters.h"

G_BEGIN_DECLS

/* weights [p->total] */
void m2n_initial_weights(const M2nParameters *p, guint64 seed, float *weights);

G_END_DECLS
