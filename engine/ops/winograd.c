/* Transforms around the products: additions alone. */
#include "engine/ops/winograd.h"

#include "engine/ops/activation_simd.h"
#include "engine/ops/lanes.h"

/* ---- weights --------------------------------------------------------------------------- */

static void
transform_weights(const float *w, double u[M2N_WINOGRAD])
{
    static const double G[4][3] = {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};

    for (gsize i = 0; i < M2N_WINOGRAD; i++) {
        u[i] = 0.0;
        for (gsize k = 0; k < 9; k++)
            u[i] += G[i / 4][k / 3] * G[i % 4][k % 3] * (double)w[k];
    }
}

void
m2n_winograd_pack(gsize rows, gsize out, gsize in, const float *w, float *packed)
{
    for (gsize o = 0; o < out; o += rows, packed += M2N_WINOGRAD * in * rows)
        for (gsize i = 0; i < in; i++)
            for (gsize r = 0; r < rows; r++) {
                double u[M2N_WINOGRAD] = {0};

                if (o + r < out)
                    transform_weights(w + ((o + r) * in + i) * 9, u);
                for (gsize p = 0; p < M2N_WINOGRAD; p++)
                    packed[(p * in + i) * rows + r] = (float)u[p];
            }
}

/* ---- bodies ---------------------------------------------------------------------------- */

M2N_BODY void
input_body(gsize in, const float *x, gsize channel, gsize line, gsize odd, float *v)
{
    const gsize pitch = m2n_winograd_pitch(in);

    for (gsize c = 0; c < in; c++) {
        M2nLanes h[4][4];

#pragma GCC unroll 4
        for (gsize a = 0; a < 4; a++) {
            const float *at = x + c * channel + a * line;
            const M2nLanes d0 = M2N_LOAD(at + odd), d1 = M2N_LOAD(at);
            const M2nLanes d2 = M2N_LOAD(at + odd + 1), d3 = M2N_LOAD(at + 1);

            h[a][0] = d0 - d2;
            h[a][1] = d1 + d2;
            h[a][2] = d2 - d1;
            h[a][3] = d1 - d3;
        }
#pragma GCC unroll 4
        for (gsize b = 0; b < 4; b++) {
            float *to = v + b * pitch + c * M2N_PANEL;

            M2N_STORE(to, h[0][b] - h[2][b]);
            M2N_STORE(to + 4 * pitch, h[1][b] + h[2][b]);
            M2N_STORE(to + 8 * pitch, h[2][b] - h[1][b]);
            M2N_STORE(to + 12 * pitch, h[1][b] - h[3][b]);
        }
    }
}

/* even and odd columns of rows 0 and 1: e[2], o[2] */
M2N_BODY void
output_lanes(const float *m, gsize pitch, float bias, M2nLanes e[2], M2nLanes o[2])
{
    M2nLanes t[2][4];

#pragma GCC unroll 4
    for (gsize b = 0; b < 4; b++) {
        const M2nLanes m1 = M2N_LOAD(m + (4 + b) * pitch), m2 = M2N_LOAD(m + (8 + b) * pitch);

        t[0][b] = M2N_LOAD(m + b * pitch) + m1 + m2;
        t[1][b] = m1 - m2 - M2N_LOAD(m + (12 + b) * pitch);
    }
#pragma GCC unroll 2
    for (gsize a = 0; a < 2; a++) {
        e[a] = t[a][0] + t[a][1] + t[a][2] + bias;
        o[a] = t[a][1] - t[a][2] - t[a][3] + bias;
    }
}

/* ---- reference ----------------------------------------------------------------------- */

static void
input_ref(gsize in, const float *x, gsize channel, gsize line, gsize odd, float *v)
{
    input_body(in, x, channel, line, odd, v);
}

M2N_BODY void
output_body(gsize rows, const float *m, const float *bias, float *y)
{
    for (gsize r = 0; r < rows; r++) {
        M2nLanes e[2], o[2];

        output_lanes(m + r * M2N_PANEL, rows * M2N_PANEL, bias[r], e, o);
        for (gsize a = 0; a < 2; a++)
            for (gsize k = 0; k < M2N_LANES; k++) {
                float *to = y + (a * rows + r) * M2N_WINOGRAD_COLUMNS + 2 * k;

                to[0] = e[a][k];
                to[1] = o[a][k];
            }
    }
}

static void
output_ref(gsize rows, const float *m, const float *bias, float *y)
{
    output_body(rows, m, bias, y);
}

#if M2N_HAVE_X86
/* ---- AVX-512 ------------------------------------------------------------------------- */

M2N_AVX512 static void
input_avx512(gsize in, const float *x, gsize channel, gsize line, gsize odd, float *v)
{
    input_body(in, x, channel, line, odd, v);
}

M2N_AVX512 static void
output_avx512(gsize rows, const float *m, const float *bias, float *y)
{
    const __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const __m512i high = _mm512_add_epi32(low, _mm512_set1_epi32(8));

    for (gsize r = 0; r < rows; r++) {
        M2nLanes e[2], o[2];

        output_lanes(m + r * M2N_PANEL, rows * M2N_PANEL, bias[r], e, o);
        for (gsize a = 0; a < 2; a++) {
            float *to = y + (a * rows + r) * M2N_WINOGRAD_COLUMNS;

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
    {M2N_ISA_AVX2, NULL, NULL}, /* not tried; fused_conv.c does not ask for it */
    {M2N_ISA_AVX512, input_avx512, output_avx512},
#endif
};
