#include "engine/train/schedule.h"

#include <math.h>

double
m2n_schedule_rate(const M2nSettings *s, guint epoch)
{
    const double peak = s->learning_rate, last = s->final_learning_rate;
    const guint w = s->warmup_epochs;

    if (epoch < w)
        return peak * (epoch + 1.0) / (w + 1.0);
    return last + 0.5 * (peak - last) * (1.0 + cos(G_PI * (epoch - w) / (double)(s->epochs - w)));
}
