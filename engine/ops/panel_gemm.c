/* Matrix product with packed weights on one panel.
 *
 * 256 channels of the panel, 32 KiB, stay in L1 while their weights stream past once from L2: 4 bytes a
 * cycle, an eighth of what L2 gives. */
#include "engine/ops/panel_gemm.h"

#include <string.h>

#if M2N_HAVE_X86
#include <immintrin.h>
#endif

/* ---- packing --------------------------------------------------------------------------- */

void
m2n_panel_pack_rows(gsize rows, gsize out, gsize in, const float *w, float *packed)
{
    for (gsize o = 0; o < out; o += rows)
        for (gsize i = 0; i < in; i++)
            for (gsize r = 0; r < rows; r++)
                *packed++ = o + r < out ? w[(o + r) * in + i] : 0.0f;
}

/* ---- reference ----------------------------------------------------------------------- */

static void
forward_ref(gsize out, gsize in, const float *packed, const float *bias, const float *x, float *y,
            const float *next, gsize next_floats)
{
    (void)next, (void)next_floats;
    for (gsize o = 0; o < out; o++) {
        double sum[M2N_PANEL];

        for (gsize p = 0; p < M2N_PANEL; p++)
            sum[p] = bias != NULL ? (double)bias[o] : 0.0;
        for (gsize i = 0; i < in; i++)
            for (gsize p = 0; p < M2N_PANEL; p++)
                sum[p] += (double)packed[o * in + i] * (double)x[i * M2N_PANEL + p];
        for (gsize p = 0; p < M2N_PANEL; p++)
            y[o * M2N_PANEL + p] = (float)sum[p];
    }
}

#if M2N_HAVE_X86
/* ---- AVX2: 6 x 16 in registers, two of them a tile ------------------------------------- */

#define ROWS_AVX2 6

M2N_AVX2 static void
tile_avx2(gsize in, const float *w, const float *bias, const float *x, float *y)
{
    for (gsize half = 0; half < M2N_PANEL; half += 16) {
        __m256 acc[ROWS_AVX2][2];

#pragma GCC unroll 6
        for (int i = 0; i < ROWS_AVX2; i++) {
            const float *row = y + (gsize)i * M2N_PANEL + half;
            acc[i][0] = bias != NULL ? _mm256_set1_ps(bias[i]) : _mm256_loadu_ps(row);
            acc[i][1] = bias != NULL ? acc[i][0] : _mm256_loadu_ps(row + 8);
        }
        for (gsize k = 0; k < in; k++) {
            const __m256 x0 = _mm256_loadu_ps(x + k * M2N_PANEL + half);
            const __m256 x1 = _mm256_loadu_ps(x + k * M2N_PANEL + half + 8);

#pragma GCC unroll 6
            for (int i = 0; i < ROWS_AVX2; i++) {
                const __m256 v = _mm256_set1_ps(w[k * ROWS_AVX2 + (gsize)i]);
                acc[i][0] = _mm256_fmadd_ps(v, x0, acc[i][0]);
                acc[i][1] = _mm256_fmadd_ps(v, x1, acc[i][1]);
            }
        }
#pragma GCC unroll 6
        for (int i = 0; i < ROWS_AVX2; i++) {
            _mm256_storeu_ps(y + (gsize)i * M2N_PANEL + half, acc[i][0]);
            _mm256_storeu_ps(y + (gsize)i * M2N_PANEL + half + 8, acc[i][1]);
        }
    }
}

/* ---- AVX-512: 8 x 32 in registers ------------------------------------------------------ */

#define ROWS_AVX512 8

M2N_AVX512 static void
tile_avx512(gsize in, const float *w, const float *bias, const float *x, float *y)
{
    __m512 acc[ROWS_AVX512][2];

#pragma GCC unroll 8
    for (int i = 0; i < ROWS_AVX512; i++) {
        const float *row = y + (gsize)i * M2N_PANEL;
        acc[i][0] = bias != NULL ? _mm512_set1_ps(bias[i]) : _mm512_loadu_ps(row);
        acc[i][1] = bias != NULL ? acc[i][0] : _mm512_loadu_ps(row + 16);
    }
    for (gsize k = 0; k < in; k++) {
        const __m512 x0 = _mm512_loadu_ps(x + k * M2N_PANEL);
        const __m512 x1 = _mm512_loadu_ps(x + k * M2N_PANEL + 16);

#pragma GCC unroll 8
        for (int i = 0; i < ROWS_AVX512; i++) {
            const __m512 v = _mm512_set1_ps(w[k * ROWS_AVX512 + (gsize)i]);
            acc[i][0] = _mm512_fmadd_ps(v, x0, acc[i][0]);
            acc[i][1] = _mm512_fmadd_ps(v, x1, acc[i][1]);
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < ROWS_AVX512; i++) {
        _mm512_storeu_ps(y + (gsize)i * M2N_PANEL, acc[i][0]);
        _mm512_storeu_ps(y + (gsize)i * M2N_PANEL + 16, acc[i][1]);
    }
}

/* ---- all tiles of a panel -------------------------------------------------------------- */

#define MAX_ROWS 8u
#define BLOCK 256u /* input channels at a time: 32 KiB of x, which stays in L1 */
#define LINE 16u   /* floats of a cache line */

/* bias NULL: y += w x */
typedef void (*Tile)(gsize in, const float *w, const float *bias, const float *x, float *y);

/* `count` output channels of one block of input channels. */
static void
edge(Tile tile, gsize count, gsize in, const float *w, const float *bias, const float *x, float *y)
{
    float last[MAX_ROWS * M2N_PANEL] = {0}; /* a whole tile would write past y */

    memcpy(last, y, count * M2N_PANEL * sizeof(float));
    tile(in, w, bias, x, last);
    memcpy(y, last, count * M2N_PANEL * sizeof(float));
}

static void
tiled(Tile tile, gsize rows, gsize out, gsize in, const float *packed, const float *bias,
      const float *x, float *y, const float *next, gsize next_floats)
{
    const gsize tiles = (out + rows - 1) / rows * ((in + BLOCK - 1) / BLOCK);
    const gsize share = (next_floats / LINE + tiles - 1) / tiles * LINE;
    const float *const next_end = next != NULL ? next + next_floats : NULL;

    for (gsize k = 0; k < in; k += BLOCK)
        for (gsize o = 0; o < out; o += rows) {
            const gsize count = MIN(rows, out - o), block = MIN(BLOCK, in - k);
            const float *w = packed + (o * in + k * rows);
            float start[MAX_ROWS] = {0};

            for (gsize f = 0; f < share && next < next_end; f += LINE, next += LINE)
                __builtin_prefetch(next, 0, 2);
            if (bias != NULL)
                memcpy(start, bias + o, count * sizeof(float));
            if (count == rows)
                tile(block, w, k == 0 ? start : NULL, x + k * M2N_PANEL, y + o * M2N_PANEL);
            else
                edge(tile, count, block, w, k == 0 ? start : NULL, x + k * M2N_PANEL,
                     y + o * M2N_PANEL);
        }
}

static void
forward_avx2(gsize out, gsize in, const float *packed, const float *bias, const float *x, float *y,
             const float *next, gsize next_floats)
{
    tiled(tile_avx2, ROWS_AVX2, out, in, packed, bias, x, y, next, next_floats);
}

static void
forward_avx512(gsize out, gsize in, const float *packed, const float *bias, const float *x,
               float *y, const float *next, gsize next_floats)
{
    tiled(tile_avx512, ROWS_AVX512, out, in, packed, bias, x, y, next, next_floats);
}
#endif

/* ---- table and dispatch -------------------------------------------------------------- */

const M2nPanelGemmVariant m2n_panel_gemm_variants[M2N_N_ISA] = {
    {M2N_ISA_SCALAR, 1, forward_ref},
#if M2N_HAVE_X86
    {M2N_ISA_AVX2, ROWS_AVX2, forward_avx2},
    {M2N_ISA_AVX512, ROWS_AVX512, forward_avx512},
#endif
};

gsize
m2n_panel_packed_floats(gsize out, gsize in)
{
    const gsize rows = m2n_panel_gemm_variants[m2n_isa()].rows;

    return (out + rows - 1) / rows * rows * in;
}

void
m2n_panel_pack(gsize out, gsize in, const float *w, float *packed)
{
    m2n_panel_pack_rows(m2n_panel_gemm_variants[m2n_isa()].rows, out, in, w, packed);
}

void
m2n_panel_gemm(gsize out, gsize in, const float *packed, const float *bias, const float *x,
               float *y, const float *next, gsize next_floats)
{
    m2n_panel_gemm_variants[m2n_isa()].forward(out, in, packed, bias, x, y, next, next_floats);
}
