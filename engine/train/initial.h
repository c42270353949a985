/* Weights before the first step.
 *
 *   3x3 convolutions of encoder and decoder   normal, deviation 0.02; bias 0
 *   convolutions of the temporal unit         normal, deviation sqrt(2 / (k k out / groups)); bias 0
 *   other convolutions                        uniform within 1 / sqrt(fan in), bias too
 *   norms                                     1 and 0; running mean 0, variance 1
 *   layer scales                              0.01
 *
 * source  the published training code's behaviour (arXiv:2507.17189; no code taken)
 *
 * Or those of a finished model, to go on learning from there. */
#pragma once
#include "engine/nn/parameters.h"

G_BEGIN_DECLS

/* weights [p->total] */
void m2n_initial_weights(const M2nParameters *p, guint64 seed, float *weights);
/* The tensors that m2n_model_load() reads, running statistics included, as they stand.  FALSE: M2N_ERROR_FORMAT,
 * _SHAPE (the model is another network), _IO. */
gboolean m2n_initial_from_model(const M2nParameters *p, const M2nSafetensors *model, float *weights,
                                GError **error);

G_END_DECLS
