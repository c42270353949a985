#include <stdlib.h>
#include <string.h>

#include "engine/ops/depthwise.h"
#include "engine/ops/image_gemm.h"
#include "engine/ops/panel.h"
#include "engine/ops/panel_chain.h"
#include "engine/ops/panel_gemm.h"
#include "tests/lib/m2n_test.h"
#include "tests/lib/m2n_variants.h"

typedef float Aligned;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Aligned, free)

/* Exactly channels * 32 floats, 64-byte aligned, filled at random. */
static Aligned *
new_panel(gsize channels)
{
    Aligned *x = aligned_alloc(64, channels * M2N_PANEL * sizeof(float));

    m2n_fill_random(x, channels * M2N_PANEL);
    return x;
}

/* y[o][p] = bias[o] + sum w[o][i] x[i][p] in double */
static void
formula(gsize out, gsize in, const float *w, const float *bias, const float *x, float *y)
{
    for (gsize i = 0; i < out * M2N_PANEL; i++) {
        const gsize o = i / M2N_PANEL, p = i % M2N_PANEL;
        double sum = bias != NULL ? (double)bias[o] : 0.0;

        for (gsize k = 0; k < in; k++)
            sum += (double)w[o * in + k] * (double)x[k * M2N_PANEL + p];
        y[i] = (float)sum;
    }
}

/* A matrix packed a few rows of both halves at a time is what it is packed at once. */
static void
check_pieces(gsize out, gsize in, const float *w, const float *packed)
{
    const gsize floats = m2n_panel_packed_floats(out, in), step = m2n_panel_pack_step(), m = out / 2;
    g_autofree float *pieces = g_new0(float, floats), *rows = g_new(float, 2 * step * in);

    for (gsize o = 0; o < m; o += step) {
        const gsize n = MIN(step, m - o);

        memcpy(rows, w + o * in, n * in * sizeof(float));
        memcpy(rows + n * in, w + (m + o) * in, n * in * sizeof(float));
        m2n_panel_pack_piece(out, in, o, n, rows, pieces);
    }
    g_assert_true(memcmp(pieces, packed, floats * sizeof(float)) == 0);
}

/* Halves around tiles of 6 and 8 rows; slices of 256 input channels and what is left. */
static void
test_gemm(void)
{
    static const gsize shapes[][2] = {{2, 2},    {10, 6},   {12, 16},   {14, 18},
                                      {16, 256}, {18, 258}, {48, 1024}, {98, 514}};

    for (gsize s = 0; s < G_N_ELEMENTS(shapes); s++) {
        const gsize out = shapes[s][0], in = shapes[s][1];
        const double allowed = 2e-6 * 9 * sqrt((double)in);
        g_autofree float *w = g_new(float, out *in), *bias = g_new(float, out);
        g_autofree float *packed = g_new(float, m2n_panel_packed_floats(out, in));
        g_autofree float *more = g_new(float, m2n_panel_expanded_floats(out, in));
        g_autoptr(Aligned) x0 = new_panel(in), x1 = new_panel(in), want = new_panel(out);
        g_autoptr(Aligned) y0 = new_panel(out), y1 = new_panel(out);
        g_autoptr(Aligned) scratch = aligned_alloc(64, m2n_panel_scratch(out, in) * sizeof(float));

        m2n_fill_random(w, out * in);
        m2n_fill_random(bias, out);
        m2n_panel_pack(out, in, w, packed);
        check_pieces(out, in, w, packed);
        for (gsize part = 0; part < 3; part++)
            m2n_panel_expand(out, in, part, 3, packed, more);
        for (int with = 0; with < 2; with++) {
            formula(out, in, w, with ? bias : NULL, x0, want);
            m2n_panel_gemm(out, in, packed, with ? bias : NULL, x0, y0, scratch);
            m2n_assert_close(y0, want, out * M2N_PANEL, 2 * allowed, 0);
            memset(y0, 0, out * M2N_PANEL * sizeof(float));
            m2n_panel_gemm_pair(out, in, packed, more, with ? bias : NULL,
                                (const float *[]){x0, x1}, (float *[]){y0, y1}, scratch);
            m2n_assert_close(y0, want, out * M2N_PANEL, 4 * allowed, 0);
            formula(out, in, w, with ? bias : NULL, x1, want);
            m2n_assert_close(y1, want, out * M2N_PANEL, 4 * allowed, 0);
        }
    }
}

/* Images of a pair and more, a single panel, and what is left, of rows that lie apart; written, added to, in two
 * pieces: the same bits.  Weights as they are and the other way round. */
static void
test_image(void)
{
    static const gsize shapes[][3] = {{2, 4, 1},     {6, 10, 31},   {16, 12, 32},  {18, 6, 63},
                                      {14, 36, 64},  {34, 20, 97},  {20, 2, 160},  {12, 258, 130}};

    for (gsize s = 0; s < G_N_ELEMENTS(shapes); s++) {
        const gsize out = shapes[s][0], in = shapes[s][1], n = shapes[s][2], pitch = n + 3;
        const gsize cut = n / M2N_IMAGE_COLUMNS * M2N_IMAGE_COLUMNS;
        g_autofree float *w = g_new(float, out *in), *turned = g_new(float, out *in);
        g_autofree float *bias = g_new(float, out), *x = g_new(float, in *pitch);
        g_autofree float *scale = g_new(float, in), *shift = g_new(float, in);
        g_autofree float *packed = g_new(float, m2n_image_gemm_packed_floats(out, in));
        g_autofree float *y = g_new(float, out *pitch), *z = g_new(float, out *pitch);
        g_autofree float *want = g_new(float, out *pitch);
        g_autoptr(Aligned) scratch = aligned_alloc(
            64, (m2n_image_gemm_scratch(out, in) * sizeof(float) + 63) / 64 * 64);

        m2n_fill_random(w, out * in);
        m2n_fill_random(bias, out);
        for (gsize i = 0; i < in; i++) { /* together no larger than x alone */
            scale[i] = (float)g_test_rand_double_range(-0.5, 0.5);
            shift[i] = (float)g_test_rand_double_range(-1.5, 1.5);
        }
        m2n_fill_random(x, in * pitch);
        m2n_fill_random(y, out * pitch);
        memcpy(want, y, out * pitch * sizeof *y); /* between the rows nothing is written */
        memcpy(z, y, out * pitch * sizeof *y);
        for (gsize o = 0; o < out; o++)
            for (gsize i = 0; i < in; i++)
                turned[i * out + o] = w[o * in + i];
        for (gsize o = 0; o < out; o++)
            for (gsize p = 0; p < n; p++) {
                double sum = (double)bias[o];

                for (gsize i = 0; i < in; i++)
                    sum += (double)w[o * in + i] * ((double)scale[i] * (double)x[i * pitch + p] +
                                                    (double)shift[i]);
                want[o * pitch + p] = (float)sum;
            }
        m2n_image_gemm_pack(out, in, w, packed);
        m2n_image_gemm(out, in, n, pitch, packed, bias, x, scale, shift, FALSE, y, scratch);
        m2n_assert_close(y, want, out * pitch, 8e-6 * 9 * sqrt((double)in), 0);
        m2n_image_gemm_pack_transposed(out, in, turned, packed);
        m2n_image_gemm(out, in, cut, pitch, packed, bias, x, scale, shift, FALSE, z, scratch);
        m2n_image_gemm(out, in, n - cut, pitch, packed, bias, x + cut, scale, shift, FALSE, z + cut,
                       scratch);
        g_assert_true(memcmp(z, y, out * pitch * sizeof *y) == 0);
        for (gsize i = 0; i < in * pitch; i++)
            x[i] = x[i] * scale[i / pitch] + shift[i / pitch];
        m2n_image_gemm(out, in, n, pitch, packed, NULL, x, NULL, NULL, TRUE, z, scratch);
        for (gsize i = 0; i < out * pitch; i++)
            want[i] += i % pitch < n ? want[i] - bias[i / pitch] : 0.0f;
        m2n_assert_close(z, want, out * pitch, 3e-5 * 9 * sqrt((double)in), 0);
    }
}

/* The first `rows` rows of a tile by `run`, with the terms that the bits of `terms` name. */
static void
check_chain(const M2nChainVariant *v, void (*run)(gsize in, const M2nChain *c), gsize rows,
            guint terms)
{
    enum { IN = 37 };
    const M2nChainVariant *ref = &m2n_chain_variants[0];
    const gsize n = v->rows * M2N_PANEL;
    g_autoptr(Aligned) x = new_panel(IN), z = new_panel(IN), start = new_panel(v->rows);
    g_autoptr(Aligned) plus = new_panel(v->rows), from = new_panel(v->rows);
    g_autoptr(Aligned) got = new_panel(2 * v->rows), want = new_panel(2 * v->rows);
    float w[2][IN * M2N_CHAIN_MAX_ROWS], row[2][IN], bias[M2N_CHAIN_MAX_ROWS];

    m2n_fill_random(w[0], G_N_ELEMENTS(w) * G_N_ELEMENTS(w[0]));
    m2n_fill_random(bias, v->rows);
    const M2nChain chain = {
        .start = terms & 1 ? start : NULL,
        .w = {w[0], terms & 2 ? w[1] : NULL},
        .x = {x, z},
        .middle = {terms & 4 ? got : NULL, from, terms & 8 ? plus : NULL, bias, 0},
        .end = {got + n, terms & 16 ? from : NULL, plus, terms & 32 ? bias : NULL, 0}};
    memcpy(want, got, 2 * n * sizeof(float));
    run(IN, &chain);
    for (gsize r = 0; r < rows; r++) { /* the reference, row by row */
        const gsize at = r * M2N_PANEL;
        M2nChain one = chain;

        for (gsize k = 0; k < IN; k++) {
            row[0][k] = w[0][k * v->rows + r];
            row[1][k] = w[1][k * v->rows + r];
        }
        one.start = chain.start != NULL ? start + at : NULL;
        one.w[0] = row[0];
        one.w[1] = chain.w[1] != NULL ? row[1] : NULL;
        one.middle = (M2nChainEnd){terms & 4 ? want + at : NULL, from + at,
                                   terms & 8 ? plus + at : NULL, bias + r, 0};
        one.end = (M2nChainEnd){want + n + at, terms & 16 ? from + at : NULL, plus + at,
                                terms & 32 ? bias + r : NULL, 0};
        ref->chain(IN, &one);
    }
    m2n_assert_close(got, want, 2 * n, 2e-6 * 9 * sqrt(2.0 * (double)IN), 0);
}

/* Chains of one and two products with each of their terms, and without. */
static void
test_chain_matches_reference(gconstpointer data)
{
    enum { N_TERMS = 64 };
    const M2nChainVariant *v = data;

    m2n_skip_unless_it_runs(v);
    for (guint terms = 0; terms < N_TERMS; terms++) {
        check_chain(v, v->chain, v->rows, terms);
        if (v->two != NULL)
            check_chain(v, v->two, 2, terms);
    }
}

static void
test_passes_match_reference(gconstpointer data)
{
    const M2nPanelVariant *v = data, *ref = &m2n_panel_variants[0];

    m2n_skip_unless_it_runs(v);
    for (gsize channels = 1; channels < 80; channels += 13) {
        const gsize n = channels * M2N_PANEL;
        g_autoptr(Aligned) a = new_panel(channels), b = new_panel(channels);
        g_autoptr(Aligned) c = new_panel(channels), got = new_panel(channels);
        g_autoptr(Aligned) want = new_panel(channels);
        g_autofree float *s = g_new(float, channels), *t = g_new(float, channels);
        const float *const x[] = {a, b, c}, *const scale[] = {s, NULL, t};
        double sum[2], square[2];

        m2n_fill_random(s, channels);
        m2n_fill_random(t, channels);
        for (int shifted = 0; shifted < 2; shifted++) {
            ref->combine(channels, 3, x, scale, shifted ? t : NULL, want);
            v->combine(channels, 3, x, scale, shifted ? t : NULL, got);
            m2n_assert_close(got, want, n, 1e-5, 1e-6);
        }
        memcpy(got, want, n * sizeof(float));
        ref->silu_add(channels, a, s, t, want, t, s);
        v->silu_add(channels, a, s, t, got, t, s);
        m2n_assert_close(got, want, n, 3e-5, 1e-6);
        memcpy(got, want, n * sizeof(float));
        ref->multiply(channels, b, want);
        v->multiply(channels, b, got);
        m2n_assert_close(got, want, n, 0, 0);
        ref->moments(channels, a, 2.5f, &sum[0], &square[0]);
        v->moments(channels, a, 2.5f, &sum[1], &square[1]);
        g_assert_cmpfloat_with_epsilon(sum[0], sum[1], 1e-5 * (double)n);
        g_assert_cmpfloat_with_epsilon(square[0], square[1], 1e-6 * square[0]);
    }
}

/* Formulas of the references, on one channel. */
static void
test_passes_reference(void)
{
    const M2nPanelVariant *ref = &m2n_panel_variants[0];
    const float two = 2, three = 3, one = 1, zero = 0;
    float a[M2N_PANEL], b[M2N_PANEL], y[M2N_PANEL];
    const float *const x[] = {a, b}, *const scale[] = {&two, NULL};

    for (gsize p = 0; p < M2N_PANEL; p++) {
        a[p] = (float)p;
        b[p] = y[p] = 1;
    }
    ref->silu_add(1, a, &two, &three, y, &one, &zero);
    for (gsize p = 0; p < M2N_PANEL; p++)
        g_assert_cmpfloat_with_epsilon(y[p], 2 * (float)p + 3.731058579f, 1e-5f);
    ref->combine(1, 2, x, scale, &three, y);
    ref->multiply(1, a, y);
    for (gsize p = 0; p < M2N_PANEL; p++)
        g_assert_true(y[p] == (2 * (float)p + 4) * (float)p);
}

/* Moments of panels with different pivots make the mean and deviation of all values together, also far
 * from zero and with a last panel of 5 lanes. */
static void
test_moments(void)
{
    enum { C = 10, PANELS = 3, LAST = 5 };
    M2nMoments m[PANELS];
    double sum = 0, square = 0, mean, rstd, n = 0;
    g_autoptr(Aligned) x = new_panel(C * PANELS);

    for (gsize i = 0; i < C * PANELS * M2N_PANEL; i++)
        x[i] = 1000.0f + x[i];
    for (gsize p = 0; p < PANELS; p++) {
        const gsize lanes = p + 1 < PANELS ? M2N_PANEL : LAST;

        m2n_panel_moments(C, lanes, x + p * C * M2N_PANEL, &m[p]);
        for (gsize c = 0; c < C; c++)
            for (gsize l = 0; l < lanes; l++, n++)
                sum += (double)x[(p * C + c) * M2N_PANEL + l];
    }
    for (gsize p = 0; p < PANELS; p++)
        for (gsize c = 0; c < C; c++)
            for (gsize l = 0; l < (p + 1 < PANELS ? M2N_PANEL : LAST); l++) {
                const double d = (double)x[(p * C + c) * M2N_PANEL + l] - sum / n;
                square += d * d;
            }
    m2n_moments_finish(m, PANELS, &mean, &rstd);
    g_assert_cmpfloat_with_epsilon(mean, sum / n, 1e-6);
    g_assert_cmpfloat_with_epsilon(rstd, 1 / sqrt(square / n + 1e-5), 1e-6);
    m[1].sum = NAN;
    m2n_moments_finish(m, PANELS, &mean, &rstd);
    g_assert_true(isnan(mean) && isnan(rstd));
}

static void
test_fetch_and_put(void)
{
    enum { C = 3, HW = 77, PANELS = 3 };
    float panels[PANELS * C * M2N_PANEL] = {0}, in[HW], out[HW];

    m2n_fill_random(in, HW);
    m2n_panel_put(panels, C, 1, 0, 40, in);
    m2n_panel_put(panels, C, 1, 40, 37, in + 40);
    for (gsize p = 0; p < HW; p++)
        g_assert_true(panels[(p / 32 * C + 1) * 32 + p % 32] == in[p]);
    for (gsize first = 0; first < HW; first += 7) {
        m2n_panel_fetch(panels, C, 1, first, HW - first, out);
        m2n_assert_close(out, in + first, HW - first, 0, 0);
    }
    for (gsize p = 0; p < PANELS * 32; p++) /* neighbours untouched */
        g_assert_true(panels[(p / 32 * C) * 32 + p % 32] == 0);
}

/* The padded form of the depthwise convolution against the plain one. */
static void
test_depthwise_plane(gconstpointer data)
{
    static const M2nDepthwise shapes[] = {{1, 5, 7, 3, 1}, {1, 16, 32, 5, 1}, {1, 19, 40, 7, 3}};
    const M2nDepthwiseVariant *v = data;

    m2n_skip_unless_it_runs(v);
    for (gsize s = 0; s < G_N_ELEMENTS(shapes); s++) {
        const M2nDepthwise *shape = &shapes[s];
        const gsize radius = shape->k / 2 * shape->dilation,
                    rounded = (shape->width + 31) / 32 * 32;
        const gsize pitch = rounded + 2 * radius, n = shape->height * shape->width;
        g_autofree float *padded = g_new0(float, shape->height *pitch), *x = g_new(float, n);
        g_autofree float *want = g_new(float, n), *got = g_new(float, shape->height *rounded);
        float w[49], bias = 0.5f;

        m2n_fill_random(x, n);
        m2n_fill_random(w, 49);
        for (gsize i = 0; i < shape->height; i++)
            memcpy(padded + i * pitch + radius, x + i * shape->width,
                   shape->width * sizeof(float));
        m2n_depthwise_variants[0].forward(shape, want, x, w, &bias, NULL);
        v->plane(shape, got, rounded, padded + radius, pitch, w, bias);
        for (gsize i = 0; i < shape->height; i++)
            m2n_assert_close(got + i * rounded, want + i * shape->width, shape->width, 1e-4, 1e-6);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/engine/panel_gemm/formula", test_gemm);
    g_test_add_func("/engine/image_gemm/formula", test_image);
    g_test_add_func("/engine/panel/passes-reference", test_passes_reference);
    g_test_add_func("/engine/panel/moments", test_moments);
    g_test_add_func("/engine/panel/fetch-and-put", test_fetch_and_put);
    m2n_test_add_variants("panel_chain", "matches-reference", m2n_chain_variants, chain,
                          test_chain_matches_reference);
    m2n_test_add_variants("panel", "passes-match-reference", m2n_panel_variants, combine,
                          test_passes_match_reference);
    m2n_test_add_variants("depthwise", "plane", m2n_depthwise_variants, plane,
                          test_depthwise_plane);
    return g_test_run();
}
