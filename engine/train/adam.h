/* Adam with bias correction and, on request, decoupled weight decay.
 *
 *   m = beta1 m + (1 - beta1) g              v = beta2 v + (1 - beta2) g^2
 *   w = w (1 - rate decay) - rate/(1 - beta1^t) m / (sqrt(v / (1 - beta2^t)) + epsilon)
 *
 * w, m, v, g  n contiguous float32; w, m and v are updated
 * step        t, counted from 1
 * numerics    float32, as PyTorch; no element depends on another, so any cut into ranges gives the
 * same bits source      Kingma and Ba 2015, arXiv:1412.6980; Loshchilov and Hutter 2019,
 * arXiv:1711.05101 */
#pragma once
#include <glib.h>

G_BEGIN_DECLS

typedef struct {
    double rate, beta1, beta2, epsilon, decay;
    guint64 step;
} M2nAdam;

void m2n_adam_step(const M2nAdam *a, float *w, float *m, float *v, const float *g, gsize n);

G_END_DECLS
