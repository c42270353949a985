/* Gradient of the attention across variables. */
#include "engine/ops/attention_backward.h"

#include <math.h>

#include "engine/ops/pointwise.h"

static void
add_scaled(float *y, float scale, const float *x, gsize n)
{
    m2n_add_scaled(y, y, x, n, scale);
}

void
m2n_attention_backward(const M2nAttention *s, gsize head, float *dq, float *dk, float *dv,
                       const float *dy, const float *weight, const float *q, const float *k,
                       const float *v)
{
    const gsize row = s->channels * s->hw, n = row / M2N_ATTENTION_HEADS, vars = s->variables;
    const gsize at = head * n;
    const double scale = 1.0 / sqrt((double)n);

    for (gsize i = 0; i < vars; i++) {
        const float *w = weight + (head * vars + i) * vars;
        double dweight[M2N_ATTENTION_MAX_VARIABLES], mean = 0.0;

        for (gsize j = 0; j < vars; j++) {
            dweight[j] = m2n_attention_dot(dy + i * row + at, v + j * row + at, n);
            mean += (double)w[j] * dweight[j];
            add_scaled(dv + j * row + at, w[j], dy + i * row + at, n);
        }
        for (gsize j = 0; j < vars; j++) {
            const float dscore = (float)(scale * (double)w[j] * (dweight[j] - mean));

            add_scaled(dq + i * row + at, dscore, k + j * row + at, n);
            add_scaled(dk + j * row + at, dscore, q + i * row + at, n);
        }
    }
}
