/* Gradient of the attention across variables. */
#include "engine/ops/attention_backward.h"

#include <math.h>

/* Of the scores, scaled: dscore [variables][variables] of one head. */
static void
score_gradient(const M2nAttention *s, gsize head, float *dscore, const float *dy,
               const float *weight, const M2nAttentionInput *v, float *scratch)
{
    const gsize vars = s->variables, channels = s->channels / M2N_ATTENTION_HEADS;
    const double scale = 1.0 / sqrt((double)(channels * s->hw));
    double dweight[M2N_ATTENTION_MAX_VARIABLES * M2N_ATTENTION_MAX_VARIABLES] = {0};

    for (gsize c = head * channels; c < (head + 1) * channels; c++) {
        m2n_attention_channel(s, c, scratch, v);
        for (gsize i = 0; i < vars; i++)
            for (gsize j = 0; j < vars; j++)
                dweight[i * vars + j] += m2n_attention_dot(dy + (i * s->channels + c) * s->hw,
                                                           scratch + j * s->hw, s->hw);
    }
    for (gsize i = 0; i < vars; i++) {
        const double *d = dweight + i * vars;
        const float *w = weight + i * vars;
        double mean = 0.0;

        for (gsize j = 0; j < vars; j++)
            mean += (double)w[j] * d[j];
        for (gsize j = 0; j < vars; j++)
            dscore[i * vars + j] = (float)(scale * (double)w[j] * (d[j] - mean));
    }
}

void
m2n_attention_backward(const M2nAttention *s, gsize head, float *dq, float *dk, float *dv,
                       const float *dy, const float *weight, const M2nAttentionInput *q,
                       const M2nAttentionInput *k, const M2nAttentionInput *v, float *scratch)
{
    const gsize vars = s->variables, channels = s->channels / M2N_ATTENTION_HEADS;
    const M2nAttentionInput plain = {.x = dy};
    float dscore[M2N_ATTENTION_MAX_VARIABLES * M2N_ATTENTION_MAX_VARIABLES];

    weight += head * vars * vars;
    score_gradient(s, head, dscore, dy, weight, v, scratch);
    for (gsize c = head * channels; c < (head + 1) * channels; c++) {
        m2n_attention_mix_channel(s, c, dv, weight, TRUE, &plain);
        m2n_attention_mix_channel(s, c, dq, dscore, FALSE, k);
        m2n_attention_mix_channel(s, c, dk, dscore, TRUE, q);
    }
}
