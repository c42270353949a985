/* Gradients of 3x3 weights by Winograd: bands of rows with their channels side by side, transformed block by
 * block, multiplied. */
#include "engine/ops/winograd_backward.h"

#include <string.h>

#include "engine/ops/dispatch.h"
#include "engine/ops/panel_chain.h"
#include "engine/ops/transpose.h"

#define PRODUCTS 16u
#define INS M2N_PANEL /* input channels at a time */
#define BLOCKS 64u    /* of a band, where a row of blocks is not longer: the products' inner length */

/* ---- transforms ------------------------------------------------------------------------ */

M2N_BODY void
outputs_body(gsize rows, gsize outs, const float *dy, gsize line, float *u, gsize pitch,
             gsize group)
{
    for (gsize o = 0; o < outs; o += rows, u += group)
#pragma omp simd
        for (gsize r = 0; r < rows; r++) {
            const float *at = dy + o + r;
            const float top[2] = {at[0], at[outs]}, bottom[2] = {at[line], at[line + outs]};
            float e[4][2];

#pragma GCC unroll 2
            for (gsize b = 0; b < 2; b++) {
                e[0][b] = top[b];
                e[1][b] = top[b] + bottom[b];
                e[2][b] = top[b] - bottom[b];
                e[3][b] = -bottom[b];
            }
#pragma GCC unroll 4
            for (gsize a = 0; a < 4; a++) {
                u[(4 * a) * pitch + r] = e[a][0];
                u[(4 * a + 1) * pitch + r] = e[a][0] + e[a][1];
                u[(4 * a + 2) * pitch + r] = e[a][0] - e[a][1];
                u[(4 * a + 3) * pitch + r] = -e[a][1];
            }
        }
}

M2N_BODY void
inputs_body(const float *x, gsize line, float *v, gsize pitch)
{
    for (gsize h = 0; h < INS; h += M2N_LANES) {
        M2nLanes e[4][4];

#pragma GCC unroll 4
        for (gsize b = 0; b < 4; b++) {
            const float *at = x + b * INS + h;
            const M2nLanes d0 = M2N_LOAD(at), d1 = M2N_LOAD(at + line);
            const M2nLanes d2 = M2N_LOAD(at + 2 * line), d3 = M2N_LOAD(at + 3 * line);

            e[0][b] = d0 - d2;
            e[1][b] = d1 + d2;
            e[2][b] = d2 - d1;
            e[3][b] = d1 - d3;
        }
#pragma GCC unroll 4
        for (gsize a = 0; a < 4; a++) {
            float *to = v + 4 * a * pitch + h;

            M2N_STORE(to, e[a][0] - e[a][2]);
            M2N_STORE(to + pitch, e[a][1] + e[a][2]);
            M2N_STORE(to + 2 * pitch, e[a][2] - e[a][1]);
            M2N_STORE(to + 3 * pitch, e[a][1] - e[a][3]);
        }
    }
}

static void
turn_ref(gsize channels, gsize k, const float *in, gsize stride, float *out, gsize pitch)
{
    for (gsize l = 0; l < k; l++)
        for (gsize c = 0; c < channels; c++)
            out[l * pitch + c] = in[c * stride + l];
}

static void
outputs_ref(gsize rows, gsize outs, const float *dy, gsize line, float *u, gsize pitch, gsize group)
{
    outputs_body(rows, outs, dy, line, u, pitch, group);
}

static void
inputs_ref(const float *x, gsize line, float *v, gsize pitch)
{
    inputs_body(x, line, v, pitch);
}

#if M2N_HAVE_X86
M2N_BODY void
turn_body(M2nTranspose transpose, gsize square, gsize channels, gsize k, const float *in,
          gsize stride, float *out, gsize pitch)
{
    const gsize whole = k / square * square, some = channels / square * square;

    transpose(in, stride, whole, some, out, pitch);
    turn_ref(channels - some, whole, in + some * stride, stride, out + some, pitch);
    turn_ref(channels, k - whole, in + whole, stride, out + whole * pitch, pitch);
}

/* ---- AVX2 and AVX-512 ------------------------------------------------------------------ */

M2N_AVX2 static void
turn_avx2(gsize channels, gsize k, const float *in, gsize stride, float *out, gsize pitch)
{
    turn_body(m2n_transpose_4, 4, channels, k, in, stride, out, pitch);
}

M2N_AVX2 static void
outputs_avx2(gsize rows, gsize outs, const float *dy, gsize line, float *u, gsize pitch,
             gsize group)
{
    outputs_body(rows, outs, dy, line, u, pitch, group);
}

M2N_AVX2 static void
inputs_avx2(const float *x, gsize line, float *v, gsize pitch)
{
    inputs_body(x, line, v, pitch);
}

M2N_AVX512 static void
turn_avx512(gsize channels, gsize k, const float *in, gsize stride, float *out, gsize pitch)
{
    turn_body(m2n_transpose_16, 16, channels, k, in, stride, out, pitch);
}

M2N_AVX512 static void
outputs_avx512(gsize rows, gsize outs, const float *dy, gsize line, float *u, gsize pitch,
               gsize group)
{
    g_assert(rows == 8); /* a constant, for the compiler: half a register */
    outputs_body(8, outs, dy, line, u, pitch, group);
}

M2N_AVX512 static void
inputs_avx512(const float *x, gsize line, float *v, gsize pitch)
{
    inputs_body(x, line, v, pitch);
}
#endif

const M2nWinogradBackwardVariant m2n_winograd_backward_variants[M2N_N_ISA] = {
    {M2N_ISA_SCALAR, turn_ref, outputs_ref, inputs_ref},
#if M2N_HAVE_X86
    {M2N_ISA_AVX2, turn_avx2, outputs_avx2, inputs_avx2},
    {M2N_ISA_AVX512, turn_avx512, outputs_avx512, inputs_avx512},
#endif
};

/* ---- sizes ----------------------------------------------------------------------------- */

typedef struct {
    const M2nFusedConv *s;
    const M2nWinogradBackwardVariant *variant;
    const M2nChainVariant *chain;
    gsize across, down;     /* blocks of a row, rows of blocks of a band */
    gsize outs;             /* output channels in whole tiles */
    gsize x_line, dy_line;  /* floats of a row with its channels */
    gsize u_pitch, v_pitch; /* floats of one product's operands, and a cache line, so that they do not share sets */
    float *row;             /* [32][width] */
    float *x, *dy;          /* [2 down + 2][2 across + 2][32], [2 down][2 across][outs] */
    float *u, *v;           /* [16][outs/rows][blocks][rows], [16][blocks][32] */
    float *sum;             /* [16][outs][32] */
} Job;

/* With scratch NULL: sizes alone.  The floats of all buffers. */
static gsize
begin(Job *j, const M2nFusedConv *s, float *scratch)
{
    gsize n = 0;
    float **buffer[] = {&j->row, &j->x, &j->dy, &j->u, &j->v, &j->sum};

    j->s = s;
    j->variant = &m2n_winograd_backward_variants[m2n_isa()];
    j->chain = &m2n_chain_variants[m2n_isa()];
    j->across = (s->width + 1) / 2;
    j->down = CLAMP(BLOCKS / j->across, 1, (s->height + 1) / 2);
    j->outs = (s->out + j->chain->rows - 1) / j->chain->rows * j->chain->rows;
    j->x_line = (2 * j->across + 2) * INS;
    j->dy_line = 2 * j->across * j->outs;
    j->u_pitch = j->down * j->across * j->outs + 16;
    j->v_pitch = j->down * j->across * INS + 16;
    const gsize sizes[] = {INS * s->width,
                           (2 * j->down + 2) * j->x_line,
                           2 * j->down * j->dy_line,
                           PRODUCTS * j->u_pitch,
                           PRODUCTS * j->v_pitch,
                           PRODUCTS * j->outs * INS};
    for (gsize i = 0; i < G_N_ELEMENTS(sizes); i++) {
        *buffer[i] = scratch != NULL ? scratch + n : NULL;
        n += (sizes[i] + 15) / 16 * 16;
    }
    return n;
}

gsize
m2n_winograd_backward_scratch(const M2nFusedConv *s)
{
    Job j;

    return begin(&j, s, NULL);
}

/* ---- one band ---------------------------------------------------------------------------- */

/* Row `row` of input channels c0 .. c0 + n, normed and activated, channels side by side with the zeros around it. */
static void
fill_x_line(const Job *j, const float *x, const float *scale, const float *shift, gsize c0, gsize n,
            gsize row, float *out)
{
    const gsize width = j->s->width, hw = j->s->height * width;
    const float *in = x + c0 * hw + row * width;
    gsize stride = hw;

    if (n < INS || width % 2 == 1)
        memset(out, 0, j->x_line * sizeof *out);
    memset(out, 0, INS * sizeof *out);
    memset(out + (width + 1) * INS, 0, INS * sizeof *out);
    if (scale != NULL) {
        for (gsize c = 0; c < n; c++)
            m2n_norm_silu(width, in + c * hw, scale[c0 + c], shift[c0 + c], j->row + c * width);
        in = j->row;
        stride = width;
    }
    j->variant->turn(n, width, in, stride, out + INS, INS);
}

/* Lines of rows of blocks t .. t + down.  The first two of x are the last two of the band before. */
static void
fill_band(const Job *j, const float *dy, const float *x, const float *scale, const float *shift,
          gsize c0, gsize n, gsize t)
{
    const M2nFusedConv *s = j->s;
    const gsize had = t > 0 ? 2 : 0;

    memmove(j->x, j->x + 2 * j->down * j->x_line, had * j->x_line * sizeof *j->x);
    for (gsize l = had; l < 2 * j->down + 2; l++) {
        const gsize row = 2 * t + l; /* + 1 */

        if (row >= 1 && row <= s->height)
            fill_x_line(j, x, scale, shift, c0, n, row - 1, j->x + l * j->x_line);
        else
            memset(j->x + l * j->x_line, 0, j->x_line * sizeof *j->x);
    }
    for (gsize l = 0; l < 2 * j->down; l++) {
        float *out = j->dy + l * j->dy_line;

        if (2 * t + l >= s->height || s->width % 2 == 1 || s->out < j->outs)
            memset(out, 0, j->dy_line * sizeof *out);
        if (2 * t + l < s->height)
            j->variant->turn(s->out, s->width, dy + (2 * t + l) * s->width, s->height * s->width,
                             out, j->outs);
    }
}

/* The band's part of the sixteen sums. */
static void
multiply_band(const Job *j)
{
    const gsize rows = j->chain->rows, blocks = j->down * j->across;

    for (gsize k = 0; k < blocks; k++) {
        const gsize i = 2 * (k / j->across), column = 2 * (k % j->across);

        j->variant->outputs(rows, j->outs, j->dy + i * j->dy_line + column * j->outs, j->dy_line,
                            j->u + k * rows, j->u_pitch, blocks * rows);
        j->variant->inputs(j->x + i * j->x_line + column * INS, j->x_line, j->v + k * INS,
                           j->v_pitch);
    }
    for (gsize p = 0; p < PRODUCTS; p++)
        for (gsize o = 0; o < j->outs; o += rows) {
            float *sum = j->sum + (p * j->outs + o) * INS;

            j->chain->chain(blocks, &(M2nChain){.w = {j->u + p * j->u_pitch + o * blocks},
                                                .x = {j->v + p * j->v_pitch},
                                                .end = {.to = sum, .from = sum}});
        }
}

/* ---- the end ------------------------------------------------------------------------------- */

/* G^T m of three rows for four */
static void
reduce(const float m[4], float out[3])
{
    const float even = 0.5f * (m[1] + m[2]), odd = 0.5f * (m[1] - m[2]);

    out[0] = m[0] + even;
    out[1] = odd;
    out[2] = even + m[3];
}

static void
add_gradient(const Job *j, float *dw, gsize o, gsize c0, gsize n)
{
    for (gsize c = 0; c < n; c++) {
        float *to = dw + (o * j->s->in + c0 + c) * 9, half[4][3];

        for (gsize b = 0; b < 4; b++) {
            float m[4];

            for (gsize a = 0; a < 4; a++)
                m[a] = j->sum[((4 * a + b) * j->outs + o) * INS + c];
            reduce(m, half[b]);
        }
        for (gsize a = 0; a < 3; a++) {
            const float m[4] = {half[0][a], half[1][a], half[2][a], half[3][a]};
            float w[3];

            reduce(m, w);
            for (gsize b = 0; b < 3; b++)
                to[3 * a + b] += w[b];
        }
    }
}

void
m2n_winograd_backward_weight(const M2nFusedConv *s, float *dw, const float *dy, const float *x,
                             const float *scale, const float *shift, float *scratch)
{
    Job j;

    begin(&j, s, scratch);
    for (gsize c0 = 0; c0 < s->in; c0 += INS) {
        const gsize n = MIN(INS, s->in - c0);

        memset(j.sum, 0, PRODUCTS * j.outs * INS * sizeof *j.sum);
        for (gsize t = 0; 2 * t < s->height; t += j.down) {
            fill_band(&j, dy, x, scale, shift, c0, n, t);
            multiply_band(&j);
        }
        for (gsize o = 0; o < s->out; o++)
            add_gradient(&j, dw, o, c0, n);
    }
}
