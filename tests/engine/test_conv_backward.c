#include <stdlib.h>

#include "engine/ops/activation.h"
#include "engine/ops/attention_backward.h"
#include "engine/ops/depthwise_backward.h"
#include "engine/ops/fused_conv_backward.h"
#include "engine/ops/pointwise.h"
#include "tests/lib/m2n_gradient.h"
#include "tests/lib/plain_conv3x3.h"

static float *
random_floats(gsize n)
{
    float *x = g_new(float, n);

    m2n_fill_random(x, n);
    return x;
}

/* ---- depthwise ------------------------------------------------------------------------- */

static const M2nDepthwise depthwise_shapes[] = {
    {2, 4, 8, 5, 1},   {2, 4, 8, 7, 3},  {3, 4, 8, 3, 1},   {1, 1, 1, 3, 1},    {1, 5, 15, 7, 3},
    {2, 6, 16, 5, 1},  {1, 3, 17, 3, 1}, {1, 16, 32, 7, 3}, {1, 130, 16, 3, 1}, {1, 32, 64, 5, 1},
    {1, 40, 33, 7, 3}, {1, 2, 31, 5, 2}, {2, 3, 5, 1, 1},
};

static void
test_depthwise_variants(void)
{
    const M2nDepthwiseBackwardVariant *ref = &m2n_depthwise_backward_variants[0];

    for (int isa = 1; isa < M2N_N_ISA; isa++)
        for (gsize i = 0; i < G_N_ELEMENTS(depthwise_shapes); i++) {
            const M2nDepthwiseBackwardVariant *v = &m2n_depthwise_backward_variants[isa];
            const M2nDepthwise *s = &depthwise_shapes[i];
            const gsize n = s->channels * s->height * s->width, k2 = s->k * s->k;
            g_autofree float *x = random_floats(n), *dy = random_floats(n);
            g_autofree float *w = random_floats(s->channels * k2);
            g_autofree float *scratch = g_new(float, m2n_depthwise_backward_scratch(s));
            g_autofree float *want = random_floats(n), *got = random_floats(n);
            g_autofree float *dw = random_floats(k2), *dw2 = g_memdup2(dw, k2 * sizeof *dw);

            if (v->input == NULL || !m2n_isa_runs(v->isa))
                continue;
            ref->input(s, want, dy, w, NULL);
            v->input(s, got, dy, w, scratch);
            m2n_assert_close(got, want, n, 5e-5, 1e-6);
            ref->weight(s, dw, dy, x, NULL);
            v->weight(s, dw2, dy, x, scratch);
            m2n_assert_close(dw2, dw, k2, 2e-4, 1e-6);
        }
}

typedef struct {
    const M2nDepthwise *shape;
    gsize n;
    float *x, *y, *w, *bias, *g;
} Depthwise;

static double
depthwise_loss(gpointer p)
{
    Depthwise *d = p;

    m2n_depthwise_variants[0].forward(d->shape, d->y, d->x, d->w, d->bias, NULL);
    return m2n_dot(d->y, d->g, d->n);
}

static void
test_depthwise_gradient(void)
{
    for (gsize i = 0; i < 6; i++) {
        const M2nDepthwise *s = &depthwise_shapes[i];
        const gsize n = s->channels * s->height * s->width, nw = s->channels * s->k * s->k;
        g_autofree float *x = random_floats(n), *y = random_floats(n), *g = random_floats(n);
        g_autofree float *w = random_floats(nw), *bias = random_floats(s->channels);
        g_autofree float *dx = g_new0(float, n), *dw = g_new0(float, nw);
        g_autofree float *dbias = g_new0(float, s->channels);
        g_autofree float *scratch = g_new(float, m2n_depthwise_backward_scratch(s));
        Depthwise d = {s, n, x, y, w, bias, g};

        m2n_depthwise_backward_input(s, dx, g, w, scratch);
        m2n_depthwise_backward_weight(s, dw, dbias, g, x, scratch);
        m2n_check_gradient(depthwise_loss, &d, x, dx, n, 1e-3, 1e-4);
        m2n_check_gradient(depthwise_loss, &d, w, dw, nw, 1e-3, 1e-4);
        m2n_check_gradient(depthwise_loss, &d, bias, dbias, s->channels, 1e-3, 1e-4);
        /* once more: weights' added, the input's written */
        m2n_depthwise_backward_input(s, dx, g, w, scratch);
        m2n_check_gradient(depthwise_loss, &d, x, dx, n, 1e-3, 1e-4);
        m2n_depthwise_backward_weight(s, dw, dbias, g, x, scratch);
        for (gsize j = 0; j < nw; j++)
            dw[j] *= 0.5f;
        m2n_check_gradient(depthwise_loss, &d, w, dw, nw, 1e-3, 1e-4);
    }
}

/* ---- 3x3 ------------------------------------------------------------------------------- */

typedef float Aligned;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Aligned, free)

typedef struct {
    const M2nFusedConv *shape;
    gsize n;
    float *v, *y, *w, *bias, *g;
} Conv;

static double
conv_loss(gpointer p)
{
    Conv *d = p;

    plain_conv3x3(d->shape, d->y, d->v, d->w, d->bias);
    return m2n_dot(d->y, d->g, d->n);
}

static void
check_conv(const M2nFusedConv *s, gboolean normed)
{
    const gsize hw = s->height * s->width, nx = s->in * hw, nw = s->out * s->in * 9;
    const gsize n = s->out * hw / (s->stride * s->stride);
    g_autofree float *x = random_floats(nx), *y = random_floats(n), *g = random_floats(n);
    g_autofree float *w = random_floats(nw), *bias = random_floats(s->out);
    g_autofree float *scale = random_floats(s->in), *shift = random_floats(s->in);
    g_autofree float *v = g_memdup2(x, nx * sizeof *x), *dv = g_new(float, nx);
    g_autofree float *dw = g_new0(float, nw), *dbias = g_new0(float, s->out);
    g_autofree float *packed = g_new(float, m2n_fused_conv_backward_packed_floats(s));
    g_autoptr(Aligned) scratch =
        aligned_alloc(64, (m2n_fused_conv_backward_scratch(s) * sizeof(float) + 63) / 64 * 64);
    Conv d = {s, n, v, y, w, bias, g};

    for (gsize c = 0; normed && c < s->in; c++) {
        m2n_scale_shift(v + c * hw, x + c * hw, hw, scale[c], shift[c]);
        m2n_activation_variants[0].silu(v + c * hw, v + c * hw, hw);
    }
    for (guint round = 0; round < 2; round++) { /* two halves: accumulation */
        g_autofree float *half = g_memdup2(g, n * sizeof *g);

        for (gsize j = 0; j < n; j++)
            half[j] *= 0.5f;
        m2n_fused_conv_backward_weight(s, dw, dbias, half, x, normed ? scale : NULL,
                                       normed ? shift : NULL, scratch);
    }
    for (gsize j = 0; j < nx; j++)
        dv[j] = NAN; /* written, not added to */
    m2n_fused_conv_backward_pack(s, w, packed, scratch);
    m2n_fused_conv_backward_input(s, dv, g, packed, scratch);
    /* y rounds at 1e-5, a step is 1/64: its differences are worth 1e-3 */
    m2n_check_gradient(conv_loss, &d, v, dv, nx, 5e-3, 1e-4);
    m2n_check_gradient(conv_loss, &d, w, dw, nw, 5e-3, 1e-4);
    m2n_check_gradient(conv_loss, &d, bias, dbias, s->out, 5e-3, 1e-4);
}

static void
test_conv3x3_gradient(void)
{
    static const M2nFusedConv shapes[] = {
        {1, 2, 4, 6, 1, 1, FALSE},
        {2, 3, 4, 6, 2, 1, FALSE},
        {3, 2, 1, 1, 1, 1, FALSE},
        {1, 1, 2, 2, 2, 1, FALSE},
        {2, 1, 3, 1, 1, 1, FALSE},
        {1, 1, 40, 20, 1, 1, FALSE}, /* more than one band */
        {3, 17, 5, 7, 1, 1, FALSE},  /* wide enough for Winograd one way, */
        {16, 4, 3, 5, 1, 1, TRUE},   /* and the other */
    };

    for (gsize i = 0; i < G_N_ELEMENTS(shapes); i++) {
        check_conv(&shapes[i], FALSE);
        check_conv(&shapes[i], TRUE);
    }
}

/* dw and dv by their formulas, sums in double. */
static void
plain_gradients(const M2nFusedConv *s, const float *w, const float *dy, const float *v, double *dw,
                double *dv)
{
    for (gsize o = 0; o < s->out; o++)
        for (gsize c = 0; c < s->in; c++)
            for (gsize tap = 0; tap < 9; tap++)
                for (gsize i = 0; i < s->height; i++)
                    for (gsize j = 0; j < s->width; j++) {
                        const gsize row = i + tap / 3, column = j + tap % 3, k = (o * s->in + c) * 9 + tap;
                        const gsize at = (c * s->height + row - 1) * s->width + column - 1;
                        const double g = (double)dy[(o * s->height + i) * s->width + j];

                        if (row < 1 || row > s->height || column < 1 || column > s->width)
                            continue;
                        dw[k] += g * (double)v[at];
                        dv[at] += g * (double)w[k];
                    }
}

static void
assert_close_to_double(const float *got, const double *want, gsize n, double allowed)
{
    for (gsize i = 0; i < n; i++)
        g_assert_cmpfloat_with_epsilon((double)got[i], want[i], allowed);
}

/* Where differences of a loss would be too rough: many channels, bands, odd sizes. */
static void
test_conv3x3_formula(void)
{
    static const M2nFusedConv shapes[] = {
        {33, 3, 5, 8, 1, 1, FALSE},    /* more than 32 channels in */
        {16, 18, 12, 37, 1, 1, FALSE}, /* more than a band, channels around a tile */
        {32, 33, 9, 16, 1, 1, FALSE},  {17, 8, 1, 140, 1, 1, FALSE}, {20, 16, 131, 2, 1, 1, FALSE},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(shapes); i++) {
        const M2nFusedConv *s = &shapes[i];
        const gsize hw = s->height * s->width, nv = s->in * hw, nw = s->out * s->in * 9;
        g_autofree float *v = random_floats(nv), *w = random_floats(nw), *dy = random_floats(s->out * hw);
        g_autofree float *dv = random_floats(nv), *dw = random_floats(nw);
        g_autofree float *dbias = g_new0(float, s->out);
        g_autofree float *packed = g_new(float, m2n_fused_conv_backward_packed_floats(s));
        g_autofree double *want_w = g_new(double, nw), *want_v = g_new0(double, nv);
        g_autoptr(Aligned) scratch =
            aligned_alloc(64, (m2n_fused_conv_backward_scratch(s) * sizeof(float) + 63) / 64 * 64);

        for (gsize k = 0; k < nw; k++)
            want_w[k] = (double)dw[k]; /* added to */
        plain_gradients(s, w, dy, v, want_w, want_v);
        m2n_fused_conv_backward_pack(s, w, packed, scratch);
        m2n_fused_conv_backward_weight(s, dw, dbias, dy, v, NULL, NULL, scratch);
        m2n_fused_conv_backward_input(s, dv, dy, packed, scratch);
        assert_close_to_double(dw, want_w, nw, 4e-5 * sqrt((double)hw));
        assert_close_to_double(dv, want_v, nv, 4e-5 * sqrt(9.0 * (double)s->out));
    }
}

/* ---- attention --------------------------------------------------------------------------- */

enum { V = 3, D = 16, HW = 3, ROW = D * HW, N = V * ROW };

typedef struct {
    float q[N], k[N], v[N], y[N], g[N], weight[M2N_ATTENTION_HEADS * V * V];
    float scale[V * D], shift[V * D], scratch[2 * V * HW];
} Attention;

static const M2nAttention attention_shape = {V, D, HW};

static double
attention_loss(gpointer p)
{
    Attention *d = p;
    const M2nAttentionInput q = {d->q, d->scale, d->shift}, k = {d->k, d->scale, d->shift},
                            v = {d->v, d->scale, d->shift};

    for (gsize h = 0; h < M2N_ATTENTION_HEADS; h++) {
        m2n_attention_weights(&attention_shape, h, d->weight, &q, &k, d->scratch);
        m2n_attention_mix(&attention_shape, h, d->y, d->weight, &v);
    }
    return m2n_dot(d->y, d->g, N);
}

static void
test_attention_gradient(void)
{
    Attention d;
    const M2nAttentionInput q = {d.q, d.scale, d.shift}, k = {d.k, d.scale, d.shift},
                            v = {d.v, d.scale, d.shift};
    float dq[N], dk[N], dv[N];

    for (gsize i = 0; i < V * D; i++) { /* small, for the softmax bends */
        d.scale[i] = (float)g_test_rand_double_range(0.2, 0.5) * (i % 2 ? 1.0f : -1.0f);
        d.shift[i] = (float)g_test_rand_double_range(-0.5, 0.5);
    }
    m2n_fill_random(d.q, N);
    m2n_fill_random(d.k, N);
    m2n_fill_random(d.v, N);
    m2n_fill_random(d.g, N);
    attention_loss(&d);
    for (gsize h = 0; h < M2N_ATTENTION_HEADS; h++)
        m2n_attention_backward(&attention_shape, h, dq, dk, dv, d.g, d.weight, &q, &k, &v,
                               d.scratch);
    for (gsize i = 0; i < N; i++) { /* theirs are of what the norms give */
        dq[i] *= d.scale[i / HW];
        dk[i] *= d.scale[i / HW];
        dv[i] *= d.scale[i / HW];
    }
    m2n_check_gradient(attention_loss, &d, d.q, dq, N, 2e-3, 2e-3);
    m2n_check_gradient(attention_loss, &d, d.k, dk, N, 2e-3, 2e-3);
    m2n_check_gradient(attention_loss, &d, d.v, dv, N, 1e-3, 1e-3);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/engine/depthwise_backward/variants-match-reference", test_depthwise_variants);
    g_test_add_func("/engine/depthwise_backward/gradient", test_depthwise_gradient);
    g_test_add_func("/engine/fused_conv_backward/gradient", test_conv3x3_gradient);
    g_test_add_func("/engine/fused_conv_backward/formula", test_conv3x3_formula);
    g_test_add_func("/engine/attention_backward/gradient", test_attention_gradient);
    return g_test_run();
}
