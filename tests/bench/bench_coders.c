/* bench_coders [CONFIG...]: milliseconds of processor time to encode and decode one image, one thread, beside the
 * same stages put together from im2col, m2n_gemm(), group norm, SiLU and pixel shuffle; the best of many. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/nn/coder.h"
#include "engine/ops/activation.h"
#include "engine/ops/gemm.h"
#include "engine/ops/group_norm.h"
#include "engine/ops/pixel_shuffle.h"
#include "tests/lib/made_up.h"

#define S 32u
#define RUNS 15

static const struct {
    const char *name;
    M2nConfig c;
} configs[] = {
    {"wb_mv4", {12, 4, 32, 64, S, 256, 2, 1, 0.9, 0.1}},
    {"wb_mv5_hires", {12, 5, 64, 128, S, 256, 4, 1, 0.9, 0.1}},
    {"era5_128", {12, 4, 128, 128, S, 256, 4, 1, 0.9, 0.1}},
};

typedef struct {
    float *x, *y, *columns, *w, *scratch;
} Space;

static float *
floats(gsize n)
{
    float *p = aligned_alloc(64, (n * sizeof(float) + 63) / 64 * 64);

    for (gsize i = 0; i < n; i++)
        p[i] = (float)(i % 13) * 0.1f - 0.6f;
    return p;
}

/* columns[in * 9][oh * ow] */
static void
im2col(gsize in, gsize height, gsize width, gsize stride, const float *x, float *columns)
{
    const gsize oh = height / stride, ow = width / stride;

    for (gsize k = 0; k < in * 9; k++)
        for (gsize i = 0; i < oh; i++) {
            const gsize row = i * stride + k / 3 % 3, b = k % 3; /* + 1 */
            const float *from = x + (k / 9 * height + row - 1) * width;
            float *to = columns + (k * oh + i) * ow;

            if (row < 1 || row > height)
                memset(to, 0, ow * sizeof(float));
            else if (stride == 1) {
                const gsize first = b == 0, n = ow - (b != 1);

                to[0] = to[ow - 1] = 0.0f;
                memcpy(to + first, from + first + b - 1, n * sizeof(float));
            } else
                for (gsize j = 0; j < ow; j++)
                    to[j] = j == 0 && b == 0 ? 0.0f : from[2 * j + b - 1];
        }
}

static void
stage(const Space *s, gsize in, gsize out, gsize height, gsize width, gsize stride,
      gboolean shuffle)
{
    const gsize hw = height * width / stride / stride;
    const M2nGroupNorm norm = {S, shuffle ? 4 * hw : hw, 2};
    const float *result = s->y;
    float mean[2], rstd[2];

    im2col(in, height, width, stride, s->x, s->columns);
    for (gsize o = 0; o < out; o++)
        for (gsize p = 0; p < hw; p++)
            s->y[o * hw + p] = s->w[o];
    m2n_gemm(FALSE, FALSE, out, hw, in * 9, s->w, in * 9, s->columns, hw, TRUE, s->y, hw,
             s->scratch);
    if (shuffle) {
        m2n_pixel_shuffle(S, height, width, s->x, s->y);
        result = s->x;
    }
    m2n_group_norm(&norm, s->x, result, s->w, s->w + S, mean, rstd);
    m2n_silu(s->x, s->x, S * norm.hw);
}

static void
by_columns(const M2nConfig *c, const Space *s)
{
    gsize height = c->height, width = c->width;

    for (guint i = 0; i < c->N_S; i++) {
        stage(s, i == 0 ? 1 : S, S, height, width, m2n_config_stride(i), FALSE);
        height /= m2n_config_stride(i);
        width /= m2n_config_stride(i);
    }
    for (guint i = 0; i < c->N_S; i++) {
        const gboolean up = m2n_config_stride(c->N_S - 1 - i) == 2;

        stage(s, S, up ? 4 * S : S, height, width, 1, up);
        height *= up ? 2 : 1;
        width *= up ? 2 : 1;
    }
    for (gsize p = 0; p < height * width; p++)
        s->y[p] = s->w[0];
    m2n_gemm(FALSE, FALSE, 1, height * width, S, s->w, S, s->x, height * width, TRUE, s->y,
             height * width, s->scratch);
}

static double
milliseconds(clock_t from)
{
    return 1e3 * (double)(clock() - from) / CLOCKS_PER_SEC;
}

static void
bench(const char *name, const M2nConfig *c)
{
    const gsize hw = (gsize)c->height * c->width;
    g_autofree float *weights = m2n_made_up_weights(c, 0);
    g_autoptr(M2nModel) m = m2n_model_new(c, weights, M2N_FLOAT32, 1, NULL);
    g_autoptr(M2nArena) arena = m2n_arena_new((gsize)64 << 20, NULL);
    const Space s = {floats(S * hw), floats(4 * S * hw), floats(S * 9 * hw), floats(4 * S * S * 9),
                     floats(m2n_gemm_scratch())};
    double ours = 1e9, plain = 1e9;
    float *x = floats(hw), *latent = floats(2 * S * hw);
    M2nCoderScratch scratch;

    m2n_coder_lay_out(&scratch, m, arena);
    for (int r = 0; r < RUNS; r++) {
        clock_t start = clock();
        m2n_encode_image(m, &scratch, 0, x, latent, S, 0);
        m2n_decode_image(m, &scratch, 0, latent, S, 0, s.y);
        ours = MIN(ours, milliseconds(start));
        start = clock();
        by_columns(c, &s);
        plain = MIN(plain, milliseconds(start));
    }
    printf("%s ms %.3f im2col %.3f ratio %.2f\n", name, ours, plain, plain / ours);
    free(s.x), free(s.y), free(s.columns), free(s.w), free(s.scratch), free(x), free(latent);
}

int
main(int argc, char **argv)
{
    for (gsize i = 0; i < G_N_ELEMENTS(configs); i++)
        if (argc == 1 || g_strv_contains((const char *const *)argv + 1, configs[i].name))
            bench(configs[i].name, &configs[i].c);
    return 0;
}
