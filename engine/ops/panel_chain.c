/* Tiles of a product in panels. */
#include "engine/ops/panel_chain.h"

#include "engine/ops/activation_simd.h"
#include "engine/ops/lanes.h"

/* ---- reference ----------------------------------------------------------------------- */

#define ROWS_REF 1u

static double
terms_ref(const M2nChainEnd *e, gsize p)
{
    return (e->from != NULL ? (double)e->from[p] : 0.0) +
           (e->plus != NULL ? (double)e->plus[p] : 0.0) +
           (e->bias != NULL ? (double)e->bias[0] : 0.0);
}

static void
chain_ref(gsize in, const M2nChain *c)
{
    double sum[M2N_PANEL];

    for (gsize p = 0; p < M2N_PANEL; p++)
        sum[p] = c->start != NULL ? (double)c->start[p] : 0.0;
    for (gsize k = 0; k < in; k++)
        for (gsize p = 0; p < M2N_PANEL; p++)
            sum[p] += (double)c->w[0][k] * (double)c->x[0][k * M2N_PANEL + p];
    for (gsize p = 0; c->middle.to != NULL && p < M2N_PANEL; p++)
        c->middle.to[p] = (float)(sum[p] + terms_ref(&c->middle, p));
    for (gsize p = 0; p < M2N_PANEL; p++)
        sum[p] += terms_ref(&c->end, p);
    for (gsize k = 0; c->w[1] != NULL && k < in; k++)
        for (gsize p = 0; p < M2N_PANEL; p++)
            sum[p] += (double)c->w[1][k] * (double)c->x[1][k * M2N_PANEL + p];
    for (gsize p = 0; p < M2N_PANEL; p++)
        c->end.to[p] = (float)sum[p];
}

M2N_BODY void
differences_body(gsize count, gsize n, const float *panel0, const float *panel1, float *t)
{
    for (gsize i = 0; i < count; i += M2N_LANES) {
        const M2nLanes x1 = M2N_LOAD(panel1 + i), y1 = M2N_LOAD(panel1 + n + i);
        const M2nLanes t1 = x1 - M2N_LOAD(panel0 + i), t2 = y1 - t1;

        M2N_STORE(t + i, t1);
        M2N_STORE(t + n + i, t2);
        M2N_STORE(t + 2 * n + i, y1 - x1);
        M2N_STORE(t + 3 * n + i, M2N_LOAD(panel0 + n + i) - t2);
    }
}

static void
differences_ref(gsize count, gsize n, const float *panel0, const float *panel1, float *t)
{
    differences_body(count, n, panel0, panel1, t);
}

#if M2N_HAVE_X86
/* ---- AVX2: 6 x 16 in registers, two of them a tile; 2 x 32 of what is left ----------------- */

#define ROWS_AVX2 6
#define UNROLL_ROWS _Pragma("GCC unroll 6")
#define UNROLL_VECTORS _Pragma("GCC unroll 4")

/* [rows][vectors], both constants wherever these functions end up. */
typedef struct {
    __m256 v[12];
} Tile256;

typedef struct {
    int rows, vectors;
} Shape256;

M2N_AVX2 M2N_INLINE Tile256
multiply_avx2(Tile256 a, Shape256 s, gsize in, const float *w, const float *x)
{
    for (gsize k = 0; k < in; k++, w += ROWS_AVX2, x += M2N_PANEL) {
        __m256 column[4];

        if (k % 2 == 0)
            __builtin_prefetch(w + ROWS_AVX2 * in, 0, 2); /* the next tile */
        UNROLL_VECTORS
        for (int h = 0; h < s.vectors; h++)
            column[h] = _mm256_loadu_ps(x + 8 * h);
        UNROLL_ROWS
        for (int i = 0; i < s.rows; i++) {
            const __m256 weight = _mm256_set1_ps(w[i]);
            UNROLL_VECTORS
            for (int h = 0; h < s.vectors; h++)
                a.v[i * s.vectors + h] =
                    _mm256_fmadd_ps(weight, column[h], a.v[i * s.vectors + h]);
        }
    }
    return a;
}

M2N_AVX2 M2N_INLINE Tile256
add_avx2(Tile256 a, Shape256 s, const float *x, gsize pitch)
{
    UNROLL_ROWS
    for (int i = 0; i < s.rows; i++)
        UNROLL_VECTORS
        for (int h = 0; h < s.vectors; h++)
            a.v[i * s.vectors + h] = _mm256_add_ps(
                a.v[i * s.vectors + h], _mm256_loadu_ps(x + (gsize)i * pitch + 8 * h));
    return a;
}

M2N_AVX2 M2N_INLINE Tile256
add_bias_avx2(Tile256 a, Shape256 s, const float *bias)
{
    UNROLL_ROWS
    for (int i = 0; i < s.rows; i++)
        UNROLL_VECTORS
        for (int h = 0; h < s.vectors; h++)
            a.v[i * s.vectors + h] =
                _mm256_add_ps(a.v[i * s.vectors + h], _mm256_set1_ps(bias[i]));
    return a;
}

M2N_AVX2 M2N_INLINE Tile256
add_terms_avx2(Tile256 a, Shape256 s, const M2nChainEnd *e, gsize at)
{
    if (e->from != NULL)
        a = add_avx2(a, s, e->from + at, m2n_chain_pitch(e));
    if (e->plus != NULL)
        a = add_avx2(a, s, e->plus + at, M2N_PANEL);
    if (e->bias != NULL)
        a = add_bias_avx2(a, s, e->bias);
    return a;
}

M2N_AVX2 M2N_INLINE void
store_avx2(Tile256 a, Shape256 s, float *y, gsize pitch)
{
    UNROLL_ROWS
    for (int i = 0; i < s.rows; i++)
        UNROLL_VECTORS
        for (int h = 0; h < s.vectors; h++)
            _mm256_storeu_ps(y + (gsize)i * pitch + 8 * h, a.v[i * s.vectors + h]);
}

M2N_AVX2 M2N_INLINE void
part_avx2(Shape256 s, gsize at, gsize in, const M2nChain *c)
{
    Tile256 a = {0};

    if (c->start != NULL)
        a = add_avx2(a, s, c->start + at, M2N_PANEL);
    a = multiply_avx2(a, s, in, c->w[0], c->x[0] + at);
    if (c->middle.to != NULL)
        store_avx2(add_terms_avx2(a, s, &c->middle, at), s, c->middle.to + at,
                   m2n_chain_pitch(&c->middle));
    a = add_terms_avx2(a, s, &c->end, at);
    if (c->w[1] != NULL)
        a = multiply_avx2(a, s, in, c->w[1], c->x[1] + at);
    store_avx2(a, s, c->end.to + at, m2n_chain_pitch(&c->end));
}

M2N_AVX2 static void
chain_avx2(gsize in, const M2nChain *c)
{
    for (gsize half = 0; half < M2N_PANEL; half += 16)
        part_avx2((Shape256){ROWS_AVX2, 2}, half, in, c);
}

M2N_AVX2 static void
two_avx2(gsize in, const M2nChain *c)
{
    part_avx2((Shape256){2, 4}, 0, in, c);
}

/* ---- AVX-512: 8 x 32 in registers ------------------------------------------------------ */

#define ROWS_AVX512 8

typedef struct {
    __m512 v[ROWS_AVX512][2];
} Tile512;

M2N_AVX512 M2N_INLINE Tile512
multiply_avx512(Tile512 a, gsize in, const float *w, const float *x)
{
    for (gsize k = 0; k < in; k++, w += ROWS_AVX512, x += M2N_PANEL) {
        const __m512 x0 = _mm512_loadu_ps(x), x1 = _mm512_loadu_ps(x + 16);

        /* the next tile: of 128 channels it is on another page, where the processor stops guessing */
        if (k % 2 == 0)
            __builtin_prefetch(w + ROWS_AVX512 * in, 0, 2);

#pragma GCC unroll 8
        for (int i = 0; i < ROWS_AVX512; i++) {
            const __m512 weight = _mm512_set1_ps(w[i]);
            a.v[i][0] = _mm512_fmadd_ps(weight, x0, a.v[i][0]);
            a.v[i][1] = _mm512_fmadd_ps(weight, x1, a.v[i][1]);
        }
    }
    return a;
}

M2N_AVX512 M2N_INLINE Tile512
add_avx512(Tile512 a, const float *x, gsize pitch)
{
#pragma GCC unroll 8
    for (int i = 0; i < ROWS_AVX512; i++) {
        a.v[i][0] = _mm512_add_ps(a.v[i][0], _mm512_loadu_ps(x + (gsize)i * pitch));
        a.v[i][1] = _mm512_add_ps(a.v[i][1], _mm512_loadu_ps(x + (gsize)i * pitch + 16));
    }
    return a;
}

M2N_AVX512 M2N_INLINE Tile512
add_bias_avx512(Tile512 a, const float *bias)
{
#pragma GCC unroll 8
    for (int i = 0; i < ROWS_AVX512; i++) {
        a.v[i][0] = _mm512_add_ps(a.v[i][0], _mm512_set1_ps(bias[i]));
        a.v[i][1] = _mm512_add_ps(a.v[i][1], _mm512_set1_ps(bias[i]));
    }
    return a;
}

M2N_AVX512 M2N_INLINE Tile512
add_terms_avx512(Tile512 a, const M2nChainEnd *e)
{
    if (e->from != NULL)
        a = add_avx512(a, e->from, m2n_chain_pitch(e));
    if (e->plus != NULL)
        a = add_avx512(a, e->plus, M2N_PANEL);
    if (e->bias != NULL)
        a = add_bias_avx512(a, e->bias);
    return a;
}

M2N_AVX512 M2N_INLINE void
store_avx512(Tile512 a, float *y, gsize pitch)
{
#pragma GCC unroll 8
    for (int i = 0; i < ROWS_AVX512; i++) {
        _mm512_storeu_ps(y + (gsize)i * pitch, a.v[i][0]);
        _mm512_storeu_ps(y + (gsize)i * pitch + 16, a.v[i][1]);
    }
}

M2N_AVX512 static void
chain_avx512(gsize in, const M2nChain *c)
{
    Tile512 a = {0};

    if (c->start != NULL)
        a = add_avx512(a, c->start, M2N_PANEL);
    a = multiply_avx512(a, in, c->w[0], c->x[0]);
    if (c->middle.to != NULL)
        store_avx512(add_terms_avx512(a, &c->middle), c->middle.to, m2n_chain_pitch(&c->middle));
    a = add_terms_avx512(a, &c->end);
    if (c->w[1] != NULL)
        a = multiply_avx512(a, in, c->w[1], c->x[1]);
    store_avx512(a, c->end.to, m2n_chain_pitch(&c->end));
}

M2N_AVX2 static void
differences_avx2(gsize count, gsize n, const float *panel0, const float *panel1, float *t)
{
    differences_body(count, n, panel0, panel1, t);
}

M2N_AVX512 static void
differences_avx512(gsize count, gsize n, const float *panel0, const float *panel1, float *t)
{
    differences_body(count, n, panel0, panel1, t);
}

#endif

/* ---- table ----------------------------------------------------------------------------- */

const M2nChainVariant m2n_chain_variants[M2N_N_ISA] = {
    {M2N_ISA_SCALAR, ROWS_REF, chain_ref, NULL, differences_ref},
#if M2N_HAVE_X86
    {M2N_ISA_AVX2, ROWS_AVX2, chain_avx2, two_avx2, differences_avx2},
    {M2N_ISA_AVX512, ROWS_AVX512, chain_avx512, NULL, differences_avx512},
#endif
};
