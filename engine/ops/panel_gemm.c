/* Matrix product with packed weights on one panel or two.
 *
 * A pair of panels is a product of 2 x 2 blocks, [C11 C12; C21 C22] = [A11 A12; A21 A22] [B11 B12; B21 B22],
 * where A are the weights, halved in output and input channels, and the columns of B and C are the panels.
 * Winograd's variant of Strassen's algorithm takes seven products for eight:
 *
 *   S1 = A21 + A22                                                         when weights are packed, A21's place
 *                    S2 = S1 - A11    S3 = A22 - S2     S4 = A12 - S2      for each pass: m2n_panel_expand()
 *   T1 = B12 - B11   T2 = B22 - T1    T3 = B22 - B12    T4 = B21 - T2      for each pair
 *   U  = A11 B11 + S2 T2              V  = U + S3 T3
 *   C11 = A11 B11 + A12 B21           C12 = U + S1 T1 + S4 B22
 *   C21 = V + A22 T4                  C22 = V + S1 T1
 *
 * Source: V. Strassen, "Gaussian elimination is not optimal", 1969, in the form of S. Winograd, 1971; one
 * level, as the additions of a second one cost what it saves here.
 *
 * Slices of 256 input channels: the operands of two of these products, 32 KiB, stay in L1 while weights stream
 * past from L2, 4 bytes a cycle.  Sums of two products with a common beginning stay in registers ("chain").
 *
 * A single panel, [C1; C2] = [A11 A12; A21 A22] [B1; B2], needs no A21 either: C2 = S1 B1 + A22 (B2 - B1). */
#include "engine/ops/panel_gemm.h"

#include <string.h>

#include "engine/ops/panel_chain.h"
#include "engine/ops/transpose.h"

#define SLICE 256u
#define COLUMNS 16u /* of weights that are packed together */
#define PIECE (COLUMNS * M2N_CHAIN_MAX_ROWS)

/* The blocks of a slice that are packed, and those made of them.  A single panel needs the former alone. */
enum { A11, A12, S1, A22, N_BLOCKS };
enum { S2, S3, S4, N_MORE };

/* ---- packing --------------------------------------------------------------------------- */

void
m2n_panel_pack_rows(gsize rows, gsize out, gsize in, const float *w, float *packed)
{
    for (gsize o = 0; o < out; o += rows)
        for (gsize i = 0; i < in; i++)
            for (gsize r = 0; r < rows; r++)
                *packed++ = o + r < out ? w[(o + r) * in + i] : 0.0f;
}

static gsize
padded(const M2nChainVariant *v, gsize rows)
{
    return (rows + v->rows - 1) / v->rows * v->rows;
}

/* The weights as [out][in], whichever of the two lies together. */
typedef struct {
    const float *at;
    gsize row, column; /* distance of neighbours */
} Weights;

/* out[columns][rows] of `count` rows, zero below them. */
static void
turn(gsize rows, gsize count, gsize columns, Weights w, float *out)
{
#if M2N_HAVE_X86
    if (w.column == 1 && count == rows && rows >= 4 && columns % 4 == 0) {
        for (gsize r = 0; r < rows; r += 4) { /* the last four may overlap those before */
            const gsize first = MIN(r, rows - 4);

            m2n_transpose_4(w.at + first * w.row, w.row, columns, 4, out + first, rows);
        }
        return;
    }
#endif
    for (gsize i = 0; i < columns; i++)
        for (gsize r = 0; r < rows; r++)
            out[i * rows + r] = r < count ? w.at[r * w.row + i * w.column] : 0.0f;
}

/* The four blocks from rows 0 .. and half ..: one tile of each, `stride` floats apart. */
static void
pack_tile(gsize rows, gsize count, gsize k, Weights w, gsize half, float *packed, gsize stride)
{
    float a21[PIECE];

    for (gsize i = 0; i < k; i += COLUMNS) {
        const gsize columns = MIN(COLUMNS, k - i);
        const float *upper = w.at + i * w.column, *lower = upper + half * w.row;
        float *to = packed + i * rows, *s1 = to + S1 * stride, *a22 = to + A22 * stride;

        turn(rows, count, columns, (Weights){upper, w.row, w.column}, to + A11 * stride);
        turn(rows, count, columns, (Weights){upper + k * w.column, w.row, w.column},
             to + A12 * stride);
        turn(rows, count, columns, (Weights){lower, w.row, w.column}, a21);
        turn(rows, count, columns, (Weights){lower + k * w.column, w.row, w.column}, a22);
#pragma omp simd
        for (gsize n = 0; n < columns * rows; n++)
            s1[n] = a21[n] + a22[n];
    }
}

/* Rows begin .. begin + n of both halves, the lower ones n rows after the upper ones in `w`. */
static void
pack_blocks(const M2nChainVariant *v, gsize out, gsize in, gsize begin, gsize n, Weights w,
            float *packed)
{
    for (gsize first = 0; first < in; first += SLICE) {
        const gsize k = MIN(SLICE, in - first) / 2, block = padded(v, out / 2) * k;

        for (gsize o = 0; o < n; o += v->rows)
            pack_tile(v->rows, MIN(v->rows, n - o), k,
                      (Weights){w.at + o * w.row + first * w.column, w.row, w.column}, n,
                      packed + (begin + o) * k, block);
        packed += N_BLOCKS * block;
    }
}

/* ---- all tiles of half of the output channels --------------------------------------------- */

static void
move_end(M2nChainEnd *e, gsize rows)
{
    e->to = e->to != NULL ? e->to + rows * m2n_chain_pitch(e) : NULL;
    e->from = e->from != NULL ? e->from + rows * m2n_chain_pitch(e) : NULL;
    e->plus = e->plus != NULL ? e->plus + rows * M2N_PANEL : NULL;
    e->bias = e->bias != NULL ? e->bias + rows : NULL;
}

/* `count` rows of e in memory of its own, for a whole tile would go past its arrays. */
typedef struct {
    float to[M2N_CHAIN_MAX_ROWS * M2N_PANEL], from[M2N_CHAIN_MAX_ROWS * M2N_PANEL],
        bias[M2N_CHAIN_MAX_ROWS];
} Edge;

static M2nChainEnd
edge_of(const M2nChainEnd *e, gsize count, Edge *edge)
{
    for (gsize r = 0; e->from != NULL && r < count; r++)
        memcpy(edge->from + r * M2N_PANEL, e->from + r * m2n_chain_pitch(e),
               M2N_PANEL * sizeof(float));
    if (e->bias != NULL)
        memcpy(edge->bias, e->bias, count * sizeof(float));
    return (M2nChainEnd){.to = e->to != NULL ? edge->to : NULL,
                         .from = e->from != NULL ? edge->from : NULL,
                         .plus = e->plus,
                         .bias = e->bias != NULL ? edge->bias : NULL};
}

static void
keep_edge(const Edge *edge, gsize count, const M2nChainEnd *e)
{
    for (gsize r = 0; e->to != NULL && r < count; r++)
        memcpy(e->to + r * m2n_chain_pitch(e), edge->to + r * M2N_PANEL, M2N_PANEL * sizeof(float));
}

static void
last_tile(const M2nChainVariant *v, gsize count, gsize in, const M2nChain *c)
{
    Edge middle = {0}, end = {0};
    M2nChain edge = *c;

    edge.middle = edge_of(&c->middle, count, &middle);
    edge.end = edge_of(&c->end, count, &end);
    v->chain(in, &edge);
    keep_edge(&middle, count, &c->middle);
    keep_edge(&end, count, &c->end);
}

/* The differences of two panels that a run makes along its way, a few after each tile: they wait for L2 while
 * the multipliers are busy. */
typedef struct {
    gsize n;
    const float *panel[2];
    float *t;
} Aside;

static void
next_differences(const M2nChainVariant *v, gsize tiles, gsize tile, const Aside *a)
{
    const gsize share = (a->n / M2N_PANEL + tiles - 1) / tiles * M2N_PANEL, at = tile * share;

    if (at < a->n)
        v->differences(MIN(share, a->n - at), a->n, a->panel[0] + at, a->panel[1] + at, a->t + at);
}

static void
run(const M2nChainVariant *v, gsize out, gsize in, M2nChain c, const Aside *aside)
{
    for (gsize o = 0; o < out; o += v->rows) {
        if (out - o >= v->rows)
            v->chain(in, &c);
        else if (out - o == 2 && v->two != NULL)
            v->two(in, &c);
        else
            last_tile(v, out - o, in, &c);
        if (aside != NULL)
            next_differences(v, (out + v->rows - 1) / v->rows, o / v->rows, aside);
        c.start = c.start != NULL ? c.start + v->rows * M2N_PANEL : NULL;
        c.w[0] += v->rows * in;
        c.w[1] = c.w[1] != NULL ? c.w[1] + v->rows * in : NULL;
        move_end(&c.middle, v->rows);
        move_end(&c.end, v->rows);
    }
}

/* Where a product goes. */
typedef struct {
    float *y[2];
    gsize pitch;
    const float *bias;
    gboolean add;
} Result;

/* One quarter of it: the first slice begins with the bias, or what is there, the others with what is there. */
static M2nChainEnd
quarter(const Result *r, gsize panel, gsize row, gsize first)
{
    float *y = r->y[panel] + row * r->pitch;

    return (M2nChainEnd){.to = y,
                         .from = first > 0 || r->add ? y : NULL,
                         .bias = first == 0 && r->bias != NULL ? r->bias + row : NULL,
                         .pitch = r->pitch};
}

static void
single(const M2nChainVariant *v, gsize out, gsize in, const float *w, const float *x,
       const Result *r, float *difference)
{
    const gsize m = out / 2;

    for (gsize first = 0; first < in; first += SLICE) {
        const gsize k = MIN(SLICE, in - first) / 2, block = padded(v, m) * k;
        const float *b1 = x + first * M2N_PANEL, *b2 = b1 + k * M2N_PANEL;

        for (gsize i = 0; i < k * M2N_PANEL; i++)
            difference[i] = b2[i] - b1[i];
        run(v, m, k,
            (M2nChain){.w = {w + A11 * block, w + A12 * block},
                       .x = {b1, b2},
                       .end = quarter(r, 0, 0, first)},
            NULL);
        run(v, m, k,
            (M2nChain){.w = {w + S1 * block, w + A22 * block},
                       .x = {b1, difference},
                       .end = quarter(r, 0, m, first)},
            NULL);
        w += N_BLOCKS * block;
    }
}

static void
pair(const M2nChainVariant *v, gsize out, gsize in, const float *w, const float *more,
     const float *const x[2], const Result *r, float *scratch)
{
    const gsize m = out / 2;
    float *u = scratch, *p = u + padded(v, m) * M2N_PANEL, *t = p + padded(v, m) * M2N_PANEL;

    for (gsize first = 0; first < in; first += SLICE) {
        const gsize k = MIN(SLICE, in - first) / 2, n = k * M2N_PANEL, block = padded(v, m) * k;
        const float *b11 = x[0] + first * M2N_PANEL, *b12 = x[1] + first * M2N_PANEL;
        const float *t1 = t, *t2 = t1 + n, *t3 = t2 + n, *t4 = t3 + n;
        M2nChainEnd c22_v = quarter(r, 1, m, first), c12_u = quarter(r, 1, 0, first);

        c22_v.plus = p;
        c12_u.plus = u;
        run(v, m, k,
            (M2nChain){.w = {w + A11 * block, w + A12 * block},
                       .x = {b11, b11 + n},
                       .middle = {.to = u},
                       .end = quarter(r, 0, 0, first)},
            &(Aside){n, {b11, b12}, t});
        run(v, m, k,
            (M2nChain){.start = u,
                       .w = {more + S2 * block, more + S3 * block},
                       .x = {t2, t3},
                       .middle = {.to = u},
                       .end = {.to = p}},
            NULL);
        run(v, m, k,
            (M2nChain){.w = {w + S1 * block, more + S4 * block},
                       .x = {t1, b12 + n},
                       .middle = c22_v,
                       .end = c12_u},
            NULL);
        run(v, m, k,
            (M2nChain){.start = p,
                       .w = {w + A22 * block, NULL},
                       .x = {t4, NULL},
                       .end = quarter(r, 0, m, first)},
            NULL);
        w += N_BLOCKS * block;
        more += N_MORE * block;
    }
}

/* ---- with the instruction set in use ------------------------------------------------------ */

static const M2nChainVariant *
variant(void)
{
    return &m2n_chain_variants[m2n_isa()];
}

gsize
m2n_panel_packed_floats(gsize out, gsize in)
{
    g_assert(out % 2 == 0 && in % 2 == 0);
    return N_BLOCKS * padded(variant(), out / 2) * in / 2;
}

void
m2n_panel_pack(gsize out, gsize in, const float *w, float *packed)
{
    pack_blocks(variant(), out, in, 0, out / 2, (Weights){w, in, 1}, packed);
}

gsize
m2n_panel_pack_step(void)
{
    return variant()->rows;
}

void
m2n_panel_pack_piece(gsize out, gsize in, gsize begin, gsize n, const float *w, float *packed)
{
    g_assert(begin % variant()->rows == 0 && begin + n <= out / 2);
    pack_blocks(variant(), out, in, begin, n, (Weights){w, in, 1}, packed);
}

void
m2n_panel_pack_transposed(gsize out, gsize in, const float *w, float *packed)
{
    pack_blocks(variant(), out, in, 0, out / 2, (Weights){w, 1, out}, packed);
}

gsize
m2n_panel_expanded_floats(gsize out, gsize in)
{
    return m2n_panel_packed_floats(out, in) / N_BLOCKS * N_MORE;
}

void
m2n_panel_expand(gsize out, gsize in, gsize part, gsize parts, const float *packed, float *more)
{
    for (gsize first = 0; first < in; first += SLICE) {
        const gsize block = padded(variant(), out / 2) * (MIN(SLICE, in - first) / 2);
        const float *a11 = packed + A11 * block, *a12 = packed + A12 * block;
        const float *s1 = packed + S1 * block, *a22 = packed + A22 * block;
        float *s2 = more + S2 * block, *s3 = more + S3 * block, *s4 = more + S4 * block;

#pragma omp simd
        for (gsize i = block * part / parts; i < block * (part + 1) / parts; i++) {
            const float sum = s1[i] - a11[i];

            s2[i] = sum;
            s3[i] = a22[i] - sum;
            s4[i] = a12[i] - sum;
        }
        packed += N_BLOCKS * block;
        more += N_MORE * block;
    }
}

gsize
m2n_panel_scratch(gsize out, gsize in)
{
    return 2 * (padded(variant(), out / 2) + MIN(SLICE, in)) * M2N_PANEL;
}

void
m2n_panel_gemm(gsize out, gsize in, const float *packed, const float *bias, const float *x,
               float *y, float *scratch)
{
    single(variant(), out, in, packed, x, &(Result){{y}, M2N_PANEL, bias, FALSE}, scratch);
}

void
m2n_panel_gemm_pair(gsize out, gsize in, const float *packed, const float *more, const float *bias,
                    const float *const x[2], float *const y[2], float *scratch)
{
    pair(variant(), out, in, packed, more, x, &(Result){{y[0], y[1]}, M2N_PANEL, bias, FALSE},
         scratch);
}

void
m2n_panel_gemm_rows(gsize n, gsize out, gsize in, const float *packed, const float *more,
                    const float *bias, const float *const x[2], gsize pitch, gboolean add, float *y,
                    float *scratch)
{
    const Result r = {{y, y + M2N_PANEL}, pitch, bias, add};

    if (n == 2)
        pair(variant(), out, in, packed, more, x, &r, scratch);
    else
        single(variant(), out, in, packed, x[0], &r, scratch);
}
