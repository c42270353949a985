#include "engine/train/adam.h"

#include <math.h>

void
m2n_adam_step(const M2nAdam *a, float *w, float *m, float *v, const float *g, gsize n)
{
    const double t = (double)a->step;
    const float b1 = (float)a->beta1, b2 = (float)a->beta2;
    const float c1 = (float)(1.0 - a->beta1), c2 = (float)(1.0 - a->beta2);
    const float size = (float)(a->rate / (1.0 - pow(a->beta1, t)));
    const float root = (float)sqrt(1.0 - pow(a->beta2, t));
    const float keep = (float)(1.0 - a->rate * a->decay), epsilon = (float)a->epsilon;

    g_assert(a->step > 0);
#pragma omp simd
    for (gsize i = 0; i < n; i++) {
        m[i] = b1 * m[i] + c1 * g[i];
        v[i] = b2 * v[i] + c2 * g[i] * g[i];
        w[i] = keep * w[i] - size * m[i] / (sqrtf(v[i]) / root + epsilon);
    }
}
