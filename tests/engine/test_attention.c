#include "engine/ops/attention.h"
#include "engine/ops/pixel_shuffle.h"
#include "tests/lib/m2n_test.h"
#include "tests/lib/m2n_variants.h"

/* Straight from the formula, in double. */
static void
plain_attention(const M2nAttention *s, double *y, const float *q, const float *k, const float *v)
{
    const gsize row = s->channels * s->hw, n = row / M2N_ATTENTION_HEADS;

    for (gsize h = 0; h < M2N_ATTENTION_HEADS; h++)
        for (gsize i = 0; i < s->variables; i++) {
            double weight[M2N_ATTENTION_MAX_VARIABLES], sum = 0;

            for (gsize j = 0; j < s->variables; j++) {
                double score = 0;
                for (gsize p = h * n; p < (h + 1) * n; p++)
                    score += (double)q[i * row + p] * (double)k[j * row + p];
                sum += weight[j] = exp(score / sqrt((double)n));
            }
            for (gsize p = h * n; p < (h + 1) * n; p++) {
                y[i * row + p] = 0;
                for (gsize j = 0; j < s->variables; j++)
                    y[i * row + p] += weight[j] / sum * (double)v[j * row + p];
            }
        }
}

static void
run_head(const M2nAttention *s, gsize head, float *y, float *weight, const M2nAttentionInput *q,
         const M2nAttentionInput *k, const M2nAttentionInput *v, float *scratch)
{
    m2n_attention_weights(s, head, weight, q, k, scratch);
    m2n_attention_mix(s, head, y, weight, v);
}

static void
test_formula(void)
{
    static const M2nAttention shapes[] = {
        {1, 8, 1}, {2, 8, 5}, {5, 16, 9}, {7, 24, 33}, {3, 64, 40}};

    for (gsize s = 0; s < G_N_ELEMENTS(shapes); s++) {
        const M2nAttention *shape = &shapes[s];
        const gsize n = shape->variables * shape->channels * shape->hw;
        g_autofree float *q = g_new(float, n), *k = g_new(float, n), *v = g_new(float, n);
        g_autofree float *y = g_new(float, n), *want = g_new(float, n);
        g_autofree double *exact = g_new(double, n);
        g_autofree float *scratch = g_new(float, m2n_attention_scratch(shape));
        const gsize vectors = shape->variables * shape->channels;
        g_autofree float *scale = g_new(float, 3 * vectors), *shift = g_new(float, 3 * vectors);
        const M2nAttentionInput in[3] = {{q, scale, shift},
                                         {k, scale + vectors, shift + vectors},
                                         {v, scale + 2 * vectors, shift + 2 * vectors}};
        float weight[8 * 7 * 7];

        m2n_fill_random(scale, 3 * vectors);
        m2n_fill_random(shift, 3 * vectors);
        m2n_fill_random(q, n);
        m2n_fill_random(k, n);
        m2n_fill_random(v, n);
        for (gsize h = 0; h < M2N_ATTENTION_HEADS; h++)
            run_head(shape, h, y, weight, &in[0], &in[1], &in[2], scratch);
        for (gsize r = 0; r < vectors; r++)
            for (gsize p = r * shape->hw; p < (r + 1) * shape->hw; p++) {
                q[p] = q[p] * scale[r] + shift[r];
                k[p] = k[p] * scale[vectors + r] + shift[vectors + r];
                v[p] = v[p] * scale[2 * vectors + r] + shift[2 * vectors + r];
            }
        plain_attention(shape, exact, q, k, v);
        for (gsize i = 0; i < n; i++)
            want[i] = (float)exact[i];
        m2n_assert_close(y, want, n, 1e-5, 1e-5);
        for (gsize i = 0; i < 8 * shape->variables; i++) { /* rows of weights add to one */
            double sum = 0;
            for (gsize j = 0; j < shape->variables; j++)
                sum += (double)weight[i * shape->variables + j];
            g_assert_cmpfloat_with_epsilon(sum, 1.0, 1e-6);
        }
    }
}

static void
test_softmax(void)
{
    double large[3] = {1000, 1000, -1000}, nan[2] = {NAN, 1};

    m2n_softmax(large, 3); /* no overflow */
    g_assert_true(large[0] == 0.5 && large[1] == 0.5 && large[2] == 0.0);
    m2n_softmax(nan, 2);
    g_assert_true(isnan(nan[0]) && isnan(nan[1]));
}

/* 2 channels of 2 x 3: the definition, and the way back. */
static void
test_pixel_shuffle(void)
{
    float x[8 * 6], y[8 * 6], back[8 * 6];

    for (gsize i = 0; i < 48; i++) {
        x[i] = (float)i;
        back[i] = 1000.0f;
    }
    m2n_pixel_shuffle(2, 2, 3, y, x);
    for (gsize c = 0; c < 2; c++)
        for (gsize i = 0; i < 4; i++)
            for (gsize j = 0; j < 6; j++)
                g_assert_true(y[(c * 4 + i) * 6 + j] ==
                              x[((4 * c + 2 * (i % 2) + j % 2) * 2 + i / 2) * 3 + j / 2]);
    m2n_pixel_unshuffle(2, 2, 3, back, y);
    for (gsize i = 0; i < 48; i++)
        g_assert_true(back[i] == x[i]);
}

/* Tails around a block of lanes, and sums far from zero over several emptied blocks. */
static void
test_dot_matches_reference(gconstpointer data)
{
    static const gsize lengths[] = {1, 63, 64, 65, 127, 2048, 2049, 5000};
    const M2nAttentionVariant *v = data;

    m2n_skip_unless_it_runs(v);
    for (gsize i = 0; i < G_N_ELEMENTS(lengths); i++) {
        const gsize n = lengths[i];
        g_autofree float *a = g_new(float, n), *b = g_new(float, n);

        m2n_fill_random(a, n);
        for (gsize k = 0; k < n; k++)
            b[k] = a[k] + 3.0f;
        const double want = m2n_attention_variants[0].dot(a, b, n);
        g_assert_cmpfloat_with_epsilon(v->dot(a, b, n), want, 1e-6 * (double)n * 10.0);
    }
}

/* Around four vectors; rows further apart than they are long. */
static void
test_mix_matches_reference(gconstpointer data)
{
    enum { VARIABLES = 5, STRIDE = 300 };
    static const gsize lengths[] = {1, 63, 64, 65, 130, 256};
    const M2nAttentionVariant *v = data;

    m2n_skip_unless_it_runs(v);
    for (gsize i = 0; i < G_N_ELEMENTS(lengths); i++) {
        const gsize n = (VARIABLES - 1) * STRIDE + lengths[i];
        g_autofree float *x = g_new(float, n), *want = g_new0(float, n), *got = g_new0(float, n);
        float weight[VARIABLES * VARIABLES], shift[VARIABLES];

        m2n_fill_random(x, n);
        m2n_fill_random(weight, VARIABLES * VARIABLES);
        m2n_fill_random(shift, VARIABLES);
        m2n_attention_variants[0].mix(VARIABLES, lengths[i], STRIDE, want, weight, shift, x);
        v->mix(VARIABLES, lengths[i], STRIDE, got, weight, shift, x);
        m2n_assert_close(got, want, n, 1e-5, 1e-6);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/engine/attention/formula", test_formula);
    g_test_add_func("/engine/attention/softmax", test_softmax);
    m2n_test_add_variants("attention", "dot-matches-reference", m2n_attention_variants, dot,
                          test_dot_matches_reference);
    m2n_test_add_variants("attention", "mix-matches-reference", m2n_attention_variants, mix,
                          test_mix_matches_reference);
    g_test_add_func("/engine/pixel_shuffle/definition", test_pixel_shuffle);
    return g_test_run();
}
