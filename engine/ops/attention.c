/* Attention across variables: its cost is 0.2 % of a forecast, so plain loops over blocks suffice.
 */
#include "engine/ops/attention.h"

#include <math.h>

/* Floats multiplied before their sum moves into a double: short enough for 1e-6, long enough for
 * the compiler's vectors. */
#define BLOCK 256u
#define LANES 8u

double
m2n_attention_dot(const float *a, const float *b, gsize n)
{
    double sum = 0.0;

    for (gsize i = 0; i < n;) {
        const gsize end = MIN(n, i + BLOCK);
        float lane[LANES] = {0};

        for (; i + LANES <= end; i += LANES)
            for (gsize l = 0; l < LANES; l++)
                lane[l] += a[i + l] * b[i + l];
        for (; i < end; i++)
            lane[0] += a[i] * b[i];
        for (gsize l = 0; l < LANES; l++)
            sum += (double)lane[l];
    }
    return sum;
}

void
m2n_softmax(double *score, gsize n)
{
    double largest = -INFINITY, sum = 0.0;

    for (gsize j = 0; j < n; j++)
        largest = fmax(largest, score[j]);
    for (gsize j = 0; j < n; j++)
        sum += score[j] = exp(score[j] - largest);
    for (gsize j = 0; j < n; j++)
        score[j] /= sum;
}

/* y = sum_j weight[j] v[j] over n floats; rows of v are `stride` apart. */
static void
mix(float *y, const float *weight, const float *v, gsize variables, gsize stride, gsize n)
{
    for (gsize i = 0; i < n; i++)
        y[i] = weight[0] * v[i];
    for (gsize j = 1; j < variables; j++)
        for (gsize i = 0; i < n; i++)
            y[i] += weight[j] * v[j * stride + i];
}

void
m2n_attention(const M2nAttention *s, float *y, float *weight, const float *q, const float *k,
              const float *v)
{
    const gsize row = s->channels * s->hw, n = row / M2N_ATTENTION_HEADS, vars = s->variables;
    const double scale = 1.0 / sqrt((double)n);

    for (gsize h = 0; h < M2N_ATTENTION_HEADS; h++)
        for (gsize i = 0; i < vars; i++) {
            float *w = weight + (h * vars + i) * vars;
            double score[M2N_ATTENTION_MAX_VARIABLES];

            for (gsize j = 0; j < vars; j++)
                score[j] = scale * m2n_attention_dot(q + i * row + h * n, k + j * row + h * n, n);
            m2n_softmax(score, vars);
            for (gsize j = 0; j < vars; j++)
                w[j] = (float)score[j];
            mix(y + i * row + h * n, w, v + h * n, vars, row, n);
        }
}
