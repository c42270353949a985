/* A moving average of the weights over the steps of a run.
 *
 *   average = average + s (w - average)       s = (1 - decay) / (1 - decay^t)
 *
 * which is the mean of the weights after steps 1 .. t, that of i counting decay^(t - i): the first weights, which
 * are random, have no part in it.  Where data are few the weights wander about a minimum rather than settle in it;
 * their mean is nearer to it than any of them.
 *
 * average, w  n contiguous float32; average is zero before step 1 and updated; running statistics of norms are averaged as weights are
 * decay       0 .. 1, 1 excluded; 0: average = w
 * step        t, counted from 1
 * numerics    no element depends on another, so any cut into ranges gives the same bits
 * source      Polyak and Juditsky 1992, doi:10.1137/0330046; with a decay and its correction as in Adam,
 *             arXiv:1412.6980 */
#pragma once
#include "engine/base/parallel.h"

G_BEGIN_DECLS

void m2n_weight_average_step(M2nPool *pool, double decay, guint64 step, float *average, const float *w, gsize n);

G_END_DECLS
