/* Learning rate of an epoch (from 0): a linear warm-up, then half a cosine.
 *
 *   e <  w   peak (e + 1) / (w + 1)
 *   e >= w   last + (peak - last) (1 + cos(pi (e - w) / (epochs - w))) / 2
 *
 * source  Loshchilov and Hutter 2017, arXiv:1608.03983, without restarts */
#pragma once
#include "engine/train/settings.h"

G_BEGIN_DECLS

double m2n_schedule_rate(const M2nSettings *s, guint epoch);

G_END_DECLS
