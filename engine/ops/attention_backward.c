/* Gradient of the attention across variables. */
#include "engine/ops/attention_backward.h"

#include <math.h>

#include "engine/ops/norm_backward.h"

/* sum of a[i] b[i], through the kernel that normalisations use */
static double
dot(const float *a, const float *b, gsize n)
{
    double sum, product;

    m2n_norm_backward_variants[m2n_isa()].sums(a, b, n, 0.0f, &sum, &product);
    return product;
}

static void
add_scaled(float *y, float scale, const float *x, gsize n)
{
#pragma omp simd
    for (gsize i = 0; i < n; i++)
        y[i] += scale * x[i];
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
            dweight[j] = dot(dy + i * row + at, v + j * row + at, n);
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
