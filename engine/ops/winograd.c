/* Transforms around the products. */
#include "engine/ops/winograd.h"

#include "engine/ops/activation_simd.h"
#include "engine/ops/lanes.h"

/* ---- weights --------------------------------------------------------------------------- */

#define MAX_ROWS M2N_CHAIN_MAX_ROWS

/* u = G4 w G2^T of up to MAX_ROWS filters side by side, w[9][MAX_ROWS]; the 24 of u lie `pitch` floats apart. */
static void
transform_weights(gsize rows, double w[9][MAX_ROWS], float *u, gsize pitch)
{
    static const double G2[4][3] = {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};
    static const double G4[6][3] = {{1 / 4.0, 0, 0},
                                    {-1 / 6.0, -1 / 6.0, -1 / 6.0},
                                    {-1 / 6.0, 1 / 6.0, -1 / 6.0},
                                    {1 / 24.0, 1 / 12.0, 1 / 6.0},
                                    {1 / 24.0, -1 / 12.0, 1 / 6.0},
                                    {0, 0, 1}};

    for (gsize b = 0; b < 4; b++) {
        double line[3][MAX_ROWS];

        for (gsize a = 0; a < 3; a++)
            for (gsize r = 0; r < MAX_ROWS; r++)
                line[a][r] = G2[b][0] * w[3 * a][r] + G2[b][1] * w[3 * a + 1][r] + G2[b][2] * w[3 * a + 2][r];
        for (gsize a = 0; a < 6; a++)
            for (gsize r = 0; r < rows; r++)
                u[(4 * a + b) * pitch + r] =
                    (float)(G4[a][0] * line[0][r] + G4[a][1] * line[1][r] + G4[a][2] * line[2][r]);
    }
}

void
m2n_winograd_pack(gsize rows, gsize out, gsize in, const float *w, float *packed)
{
    for (gsize o = 0; o < out; o += rows, packed += M2N_WINOGRAD * in * rows)
        for (gsize i = 0; i < in; i++) {
            double filters[9][MAX_ROWS] = {{0}};

            for (gsize r = 0; r < MIN(rows, out - o); r++)
                for (gsize k = 0; k < 9; k++)
                    filters[k][r] = (double)w[((o + r) * in + i) * 9 + k];
            transform_weights(rows, filters, packed + i * rows, in * rows);
        }
}

/* ---- bodies ---------------------------------------------------------------------------- */

/* Column b of d B2 of one line. */
M2N_BODY void
across(const float *line, gsize odd, gsize b, M2nLanes *h)
{
    *h = b == 0   ? M2N_LOAD(line + odd) - M2N_LOAD(line + odd + 1)
         : b == 1 ? M2N_LOAD(line) + M2N_LOAD(line + odd + 1)
         : b == 2 ? M2N_LOAD(line + odd + 1) - M2N_LOAD(line)
                  : M2N_LOAD(line) - M2N_LOAD(line + 1);
}

/* Column by column: AVX2's registers hold one of them and not the whole block. */
M2N_BODY void
input_body(gsize in, const float *x, gsize channel, gsize line, gsize odd, float *v)
{
    const gsize pitch = m2n_winograd_pitch(in);

    for (gsize c = 0; c < in; c++) {
#pragma GCC unroll 4
        for (gsize b = 0; b < 4; b++) {
            float *to = v + b * pitch + c * M2N_PANEL;
            M2nLanes h[6], even, odd_rows;

#pragma GCC unroll 6
            for (gsize a = 0; a < 6; a++)
                across(x + c * channel + a * line, odd, b, &h[a]);
            M2N_STORE(to, 4.0f * h[0] - 5.0f * h[2] + h[4]);
            even = h[4] - 4.0f * h[2];
            odd_rows = h[3] - 4.0f * h[1];
            M2N_STORE(to + 4 * pitch, even + odd_rows);
            M2N_STORE(to + 8 * pitch, even - odd_rows);
            even = h[4] - h[2];
            odd_rows = h[3] - h[1];
            M2N_STORE(to + 12 * pitch, even + 2.0f * odd_rows);
            M2N_STORE(to + 16 * pitch, even - 2.0f * odd_rows);
            M2N_STORE(to + 20 * pitch, 4.0f * h[1] - 5.0f * h[3] + h[5]);
        }
    }
}

/* Even or odd columns of the four rows. */
M2N_BODY void
output_lanes(const float *m, gsize pitch, float bias, gboolean odd, M2nLanes y[M2N_WINOGRAD_ROWS])
{
    M2nLanes t[6];

#pragma GCC unroll 6
    for (gsize a = 0; a < 6; a++, m += 4 * pitch)
        t[a] = odd ? M2N_LOAD(m + pitch) - M2N_LOAD(m + 2 * pitch) - M2N_LOAD(m + 3 * pitch)
                   : M2N_LOAD(m) + M2N_LOAD(m + pitch) + M2N_LOAD(m + 2 * pitch);
    const M2nLanes sum1 = t[1] + t[2] + bias, sum2 = t[3] + t[4];
    const M2nLanes step1 = t[1] - t[2] + bias, step2 = t[3] - t[4];

    y[0] = t[0] + sum1 + sum2;
    y[1] = step1 + 2.0f * step2;
    y[2] = sum1 + 4.0f * sum2;
    y[3] = step1 + 8.0f * step2 + t[5];
}

/* ---- reference ----------------------------------------------------------------------- */

static void
input_ref(gsize in, const float *x, gsize channel, gsize line, gsize odd, float *v)
{
    input_body(in, x, channel, line, odd, v);
}

M2N_BODY void
output_body(gsize rows, const float *m, const float *bias, float *y, gsize line, gsize channel)
{
    for (gsize r = 0; r < rows; r++) {
        M2nLanes e[M2N_WINOGRAD_ROWS], o[M2N_WINOGRAD_ROWS];

        output_lanes(m + r * M2N_PANEL, rows * M2N_PANEL, bias[r], FALSE, e);
        output_lanes(m + r * M2N_PANEL, rows * M2N_PANEL, bias[r], TRUE, o);
        for (gsize a = 0; a < M2N_WINOGRAD_ROWS; a++)
            for (gsize k = 0; k < M2N_LANES; k++) {
                float *to = y + a * line + r * channel + 2 * k;

                to[0] = e[a][k];
                to[1] = o[a][k];
            }
    }
}

static void
output_ref(gsize rows, const float *m, const float *bias, float *y, gsize line, gsize channel)
{
    output_body(rows, m, bias, y, line, channel);
}

#if M2N_HAVE_X86
/* ---- AVX2 ---------------------------------------------------------------------------- */

M2N_AVX2 static void
input_avx2(gsize in, const float *x, gsize channel, gsize line, gsize odd, float *v)
{
    input_body(in, x, channel, line, odd, v);
}

M2N_AVX2 static void
output_avx2(gsize rows, const float *m, const float *bias, float *y, gsize line, gsize channel)
{
    for (gsize r = 0; r < rows; r++) {
        M2nLanes lanes[2][M2N_WINOGRAD_ROWS];

        output_lanes(m + r * M2N_PANEL, rows * M2N_PANEL, bias[r], FALSE, lanes[0]);
        output_lanes(m + r * M2N_PANEL, rows * M2N_PANEL, bias[r], TRUE, lanes[1]);
        for (gsize a = 0; a < M2N_WINOGRAD_ROWS; a++)
            for (gsize half = 0; half < M2N_LANES; half += 8) {
                float *to = y + a * line + r * channel + 2 * half;
                const __m256 even = _mm256_loadu_ps((const float *)&lanes[0][a] + half);
                const __m256 odd = _mm256_loadu_ps((const float *)&lanes[1][a] + half);
                const __m256 low = _mm256_unpacklo_ps(even, odd);
                const __m256 high = _mm256_unpackhi_ps(even, odd);

                _mm256_storeu_ps(to, _mm256_permute2f128_ps(low, high, 0x20));
                _mm256_storeu_ps(to + 8, _mm256_permute2f128_ps(low, high, 0x31));
            }
    }
}

/* ---- AVX-512 ------------------------------------------------------------------------- */

M2N_AVX512 static void
input_avx512(gsize in, const float *x, gsize channel, gsize line, gsize odd, float *v)
{
    input_body(in, x, channel, line, odd, v);
}

M2N_AVX512 static void
output_avx512(gsize rows, const float *m, const float *bias, float *y, gsize line, gsize channel)
{
    const __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const __m512i high = _mm512_add_epi32(low, _mm512_set1_epi32(8));

    for (gsize r = 0; r < rows; r++) {
        M2nLanes e[M2N_WINOGRAD_ROWS], o[M2N_WINOGRAD_ROWS];

        output_lanes(m + r * M2N_PANEL, rows * M2N_PANEL, bias[r], FALSE, e);
        output_lanes(m + r * M2N_PANEL, rows * M2N_PANEL, bias[r], TRUE, o);
#pragma GCC unroll 4
        for (gsize a = 0; a < M2N_WINOGRAD_ROWS; a++) {
            float *to = y + a * line + r * channel;

            _mm512_storeu_ps(to, _mm512_permutex2var_ps((__m512)e[a], low, (__m512)o[a]));
            _mm512_storeu_ps(to + 16, _mm512_permutex2var_ps((__m512)e[a], high, (__m512)o[a]));
        }
    }
}
#endif

/* ---- table ----------------------------------------------------------------------------- */

const M2nWinogradVariant m2n_winograd_variants[M2N_N_ISA] = {
    {M2N_ISA_SCALAR, input_ref, output_ref},
#if M2N_HAVE_X86
    {M2N_ISA_AVX2, input_avx2, output_avx2},
    {M2N_ISA_AVX512, input_avx512, output_avx512},
#endif
};
