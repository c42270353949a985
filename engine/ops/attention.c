/* Attention across variables. */
#include "engine/ops/attention.h"

#include <math.h>

#include "engine/ops/dispatch.h"
#include "engine/ops/lanes.h"
#include "engine/ops/pointwise.h"

/* ---- the dot product of the scores --------------------------------------------------------- */

static double
dot_ref(const float *a, const float *b, gsize n)
{
    double sum = 0.0;

    for (gsize i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

#if M2N_HAVE_X86
/* Floats multiplied before their sums move into doubles: 32 in each of 64 lanes. */
#define BLOCK 2048u

M2N_BODY double
dot_body(const float *a, const float *b, gsize n)
{
    const gsize whole = n / (4 * M2N_LANES) * (4 * M2N_LANES);
    double sum = dot_ref(a + whole, b + whole, n - whole);

    for (gsize i = 0; i < whole;) {
        const gsize end = MIN(whole, i + BLOCK);
        M2nLanes s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0};

        for (; i < end; i += 4 * M2N_LANES) {
            s0 += M2N_LOAD(a + i) * M2N_LOAD(b + i);
            s1 += M2N_LOAD(a + i + M2N_LANES) * M2N_LOAD(b + i + M2N_LANES);
            s2 += M2N_LOAD(a + i + 2 * M2N_LANES) * M2N_LOAD(b + i + 2 * M2N_LANES);
            s3 += M2N_LOAD(a + i + 3 * M2N_LANES) * M2N_LOAD(b + i + 3 * M2N_LANES);
        }
        s0 = (s0 + s1) + (s2 + s3);
        sum += m2n_lanes_sum(&s0);
    }
    return sum;
}

M2N_AVX2 static double
dot_avx2(const float *a, const float *b, gsize n)
{
    return dot_body(a, b, n);
}

M2N_AVX512 static double
dot_avx512(const float *a, const float *b, gsize n)
{
    return dot_body(a, b, n);
}
#endif

const M2nAttentionVariant m2n_attention_variants[M2N_N_ISA] = {
    {M2N_ISA_SCALAR, dot_ref},
#if M2N_HAVE_X86
    {M2N_ISA_AVX2, dot_avx2},
    {M2N_ISA_AVX512, dot_avx512},
#endif
};

double
m2n_attention_dot(const float *a, const float *b, gsize n)
{
    return M2N_DISPATCH(m2n_attention_variants, dot)(a, b, n);
}

/* ---- the rest: plain loops, 0.1 % of a forecast ----------------------------------------------- */

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
    m2n_scale_shift(y, v, n, weight[0], 0.0f);
    for (gsize j = 1; j < variables; j++)
        m2n_add_scaled(y, y, v + j * stride, n, weight[j]);
}

void
m2n_attention(const M2nAttention *s, gsize head, float *y, float *weight, const float *q,
              const float *k, const float *v)
{
    const gsize row = s->channels * s->hw, n = row / M2N_ATTENTION_HEADS, vars = s->variables;
    const gsize at = head * n;
    const double scale = 1.0 / sqrt((double)n);

    for (gsize i = 0; i < vars; i++) {
        float *w = weight + (head * vars + i) * vars;
        double score[M2N_ATTENTION_MAX_VARIABLES];

        for (gsize j = 0; j < vars; j++)
            score[j] = scale * m2n_attention_dot(q + i * row + at, k + j * row + at, n);
        m2n_softmax(score, vars);
        for (gsize j = 0; j < vars; j++)
            w[j] = (float)score[j];
        mix(y + i * row + at, w, v + at, vars, row, n);
    }
}
