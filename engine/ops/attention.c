/* Attention across variables. */
#include "engine/ops/attention.h"

#include <math.h>

#include "engine/ops/dispatch.h"
#include "engine/ops/lanes.h"
#include "engine/ops/pointwise.h"

#define MAX_VARIABLES M2N_ATTENTION_MAX_VARIABLES

/* ---- reference ----------------------------------------------------------------------- */

static double
dot_ref(const float *a, const float *b, gsize n)
{
    double sum = 0.0;

    for (gsize i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

static void
mix_ref(gsize variables, gsize n, gsize stride, float *y, const float *weight, const float *shift,
        const float *x)
{
    for (gsize i = 0; i < variables; i++)
        for (gsize p = 0; p < n; p++) {
            double sum = (double)shift[i];

            for (gsize j = 0; j < variables; j++)
                sum += (double)weight[i * variables + j] * (double)x[j * stride + p];
            y[i * stride + p] = (float)sum;
        }
}

#if M2N_HAVE_X86
/* ---- bodies for vectors ---------------------------------------------------------------- */

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

/* Four vectors at a time share a weight. */
M2N_BODY void
mix_body(gsize variables, gsize n, gsize stride, float *y, const float *weight, const float *shift,
         const float *x)
{
    const gsize whole = n / (4 * M2N_LANES) * (4 * M2N_LANES);

    for (gsize p = 0; p < whole; p += 4 * M2N_LANES)
        for (gsize i = 0; i < variables; i++) {
            const M2nLanes start = (M2nLanes){0} + shift[i];
            M2nLanes s0 = start, s1 = start, s2 = start, s3 = start;

            for (gsize j = 0; j < variables; j++) {
                const float w = weight[i * variables + j], *from = x + j * stride + p;

                s0 += w * M2N_LOAD(from);
                s1 += w * M2N_LOAD(from + M2N_LANES);
                s2 += w * M2N_LOAD(from + 2 * M2N_LANES);
                s3 += w * M2N_LOAD(from + 3 * M2N_LANES);
            }
            M2N_STORE(y + i * stride + p, s0);
            M2N_STORE(y + i * stride + p + M2N_LANES, s1);
            M2N_STORE(y + i * stride + p + 2 * M2N_LANES, s2);
            M2N_STORE(y + i * stride + p + 3 * M2N_LANES, s3);
        }
    mix_ref(variables, n - whole, stride, y + whole, weight, shift, x + whole);
}

/* ---- AVX2 and AVX-512 ------------------------------------------------------------------ */

M2N_AVX2 static double
dot_avx2(const float *a, const float *b, gsize n)
{
    return dot_body(a, b, n);
}

M2N_AVX2 static void
mix_avx2(gsize variables, gsize n, gsize stride, float *y, const float *weight, const float *shift,
         const float *x)
{
    mix_body(variables, n, stride, y, weight, shift, x);
}

M2N_AVX512 static double
dot_avx512(const float *a, const float *b, gsize n)
{
    return dot_body(a, b, n);
}

M2N_AVX512 static void
mix_avx512(gsize variables, gsize n, gsize stride, float *y, const float *weight, const float *shift,
           const float *x)
{
    mix_body(variables, n, stride, y, weight, shift, x);
}
#endif

/* ---- table and dispatch -------------------------------------------------------------- */

const M2nAttentionVariant m2n_attention_variants[M2N_N_ISA] = {
    {M2N_ISA_SCALAR, dot_ref, mix_ref},
#if M2N_HAVE_X86
    {M2N_ISA_AVX2, dot_avx2, mix_avx2},
    {M2N_ISA_AVX512, dot_avx512, mix_avx512},
#endif
};

double
m2n_attention_dot(const float *a, const float *b, gsize n)
{
    return M2N_DISPATCH(m2n_attention_variants, dot)(a, b, n);
}

/* ---- one head ------------------------------------------------------------------------------- */

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

gsize
m2n_attention_scratch(const M2nAttention *s)
{
    return 2 * s->variables * s->hw;
}

static float
scale_at(const M2nAttentionInput *in, gsize at)
{
    return in->scale != NULL ? in->scale[at] : 1.0f;
}

static float
shift_at(const M2nAttentionInput *in, gsize at)
{
    return in->shift != NULL ? in->shift[at] : 0.0f;
}

void
m2n_attention_channel(const M2nAttention *s, gsize c, float *out, const M2nAttentionInput *in)
{
    for (gsize i = 0; i < s->variables; i++) {
        const gsize at = i * s->channels + c;

        m2n_scale_shift(out + i * s->hw, in->x + at * s->hw, s->hw, scale_at(in, at),
                        shift_at(in, at));
    }
}

void
m2n_attention_mix_channel(const M2nAttention *s, gsize c, float *y, const float *weight,
                          gboolean transposed, const M2nAttentionInput *in)
{
    const gsize vars = s->variables;
    float w[MAX_VARIABLES * MAX_VARIABLES], shift[MAX_VARIABLES];

    for (gsize i = 0; i < vars; i++) {
        double sum = 0.0;

        for (gsize j = 0; j < vars; j++) {
            const float one = weight[transposed ? j * vars + i : i * vars + j];

            w[i * vars + j] = one * scale_at(in, j * s->channels + c);
            sum += (double)one * (double)shift_at(in, j * s->channels + c);
        }
        shift[i] = (float)sum;
    }
    M2N_DISPATCH(m2n_attention_variants, mix)
    (vars, s->hw, s->channels * s->hw, y + c * s->hw, w, shift, in->x + c * s->hw);
}

void
m2n_attention_weights(const M2nAttention *s, gsize head, float *weight, const M2nAttentionInput *q,
                      const M2nAttentionInput *k, float *scratch)
{
    const gsize vars = s->variables, channels = s->channels / M2N_ATTENTION_HEADS;
    const double scale = 1.0 / sqrt((double)(channels * s->hw));
    float *q_channel = scratch, *k_channel = scratch + vars * s->hw;
    double score[MAX_VARIABLES * MAX_VARIABLES] = {0};

    for (gsize c = head * channels; c < (head + 1) * channels; c++) {
        m2n_attention_channel(s, c, q_channel, q);
        m2n_attention_channel(s, c, k_channel, k);
        for (gsize i = 0; i < vars; i++)
            for (gsize j = 0; j < vars; j++)
                score[i * vars + j] +=
                    scale * m2n_attention_dot(q_channel + i * s->hw, k_channel + j * s->hw, s->hw);
    }
    for (gsize i = 0; i < vars; i++) {
        m2n_softmax(score + i * vars, vars);
        for (gsize j = 0; j < vars; j++)
            weight[(head * vars + i) * vars + j] = (float)score[i * vars + j];
    }
}

void
m2n_attention_mix(const M2nAttention *s, gsize head, float *y, const float *weight,
                  const M2nAttentionInput *v)
{
    const gsize channels = s->channels / M2N_ATTENTION_HEADS;

    for (gsize c = head * channels; c < (head + 1) * channels; c++)
        m2n_attention_mix_channel(s, c, y, weight + head * s->variables * s->variables, FALSE, v);
}
