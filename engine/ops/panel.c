/* Passes over one panel: 32 KiB at 256 channels, so that they run from L1. */
#include "engine/ops/panel.h"

#include <math.h>
#include <string.h>

#include "engine/ops/activation_simd.h"
#include "engine/ops/dispatch.h"
#include "engine/ops/group_norm.h"

/* ---- reference ----------------------------------------------------------------------- */

static void
combine_ref(gsize channels, gsize n, const float *const *x, const float *const *scale,
            const float *shift, float *y)
{
    for (gsize i = 0; i < channels * M2N_PANEL; i++) {
        const gsize c = i / M2N_PANEL;
        double sum = shift != NULL ? (double)shift[c] : 0.0;

        for (gsize k = 0; k < n; k++)
            sum += (scale[k] != NULL ? (double)scale[k][c] : 1.0) * (double)x[k][i];
        y[i] = (float)sum;
    }
}

static void
silu_add_ref(gsize channels, const float *x, const float *scale_x, const float *shift_x, float *y,
             const float *scale_y, const float *shift_y)
{
    for (gsize i = 0; i < channels * M2N_PANEL; i++) {
        const gsize c = i / M2N_PANEL;
        const double v = (double)scale_y[c] * (double)y[i] + (double)shift_y[c];

        y[i] = (float)((double)scale_x[c] * (double)x[i] + (double)shift_x[c] +
                       (v < -1000.0 ? 0.0 : v / (1.0 + exp(-v))));
    }
}

static void
multiply_ref(gsize channels, const float *x, float *y)
{
    for (gsize i = 0; i < channels * M2N_PANEL; i++)
        y[i] *= x[i];
}

static void
moments_ref(gsize channels, const float *x, float pivot, double *sum, double *square)
{
    *sum = *square = 0.0;
    for (gsize i = 0; i < channels * M2N_PANEL; i++) {
        const double d = (double)x[i] - (double)pivot;
        *sum += d;
        *square += d * d;
    }
}

#if M2N_HAVE_X86
/* ---- AVX2 ---------------------------------------------------------------------------- */

#define BLOCK 32u /* channels whose sums stay in float lanes */

M2N_AVX2 static void
combine_avx2(gsize channels, gsize n, const float *const *x, const float *const *scale,
             const float *shift, float *y)
{
    for (gsize c = 0; c < channels; c++) {
        const __m256 start = _mm256_set1_ps(shift != NULL ? shift[c] : 0.0f);

        for (gsize i = c * M2N_PANEL; i < (c + 1) * M2N_PANEL; i += 8) {
            __m256 sum = start;

            for (gsize k = 0; k < n; k++) {
                const __m256 v = _mm256_loadu_ps(x[k] + i);
                sum = scale[k] != NULL ? _mm256_fmadd_ps(_mm256_set1_ps(scale[k][c]), v, sum)
                                       : _mm256_add_ps(v, sum);
            }
            _mm256_storeu_ps(y + i, sum);
        }
    }
}

M2N_AVX2 static void
silu_add_avx2(gsize channels, const float *x, const float *scale_x, const float *shift_x, float *y,
              const float *scale_y, const float *shift_y)
{
    for (gsize c = 0; c < channels; c++) {
        const __m256 ax = _mm256_set1_ps(scale_x[c]), bx = _mm256_set1_ps(shift_x[c]);
        const __m256 ay = _mm256_set1_ps(scale_y[c]), by = _mm256_set1_ps(shift_y[c]);

        for (gsize i = c * M2N_PANEL; i < (c + 1) * M2N_PANEL; i += 8) {
            const __m256 base = _mm256_fmadd_ps(ax, _mm256_loadu_ps(x + i), bx);
            const __m256 v = _mm256_fmadd_ps(ay, _mm256_loadu_ps(y + i), by);
            _mm256_storeu_ps(y + i, _mm256_add_ps(base, m2n_silu_avx2(v)));
        }
    }
}

M2N_AVX2 static void
multiply_avx2(gsize channels, const float *x, float *y)
{
    for (gsize i = 0; i < channels * M2N_PANEL; i += 8)
        _mm256_storeu_ps(y + i, _mm256_mul_ps(_mm256_loadu_ps(y + i), _mm256_loadu_ps(x + i)));
}

M2N_AVX2 static void
moments_avx2(gsize channels, const float *x, float pivot, double *sum, double *square)
{
    const __m256 p = _mm256_set1_ps(pivot);

    *sum = *square = 0.0;
    for (gsize c = 0; c < channels; c += BLOCK) {
        const gsize end = MIN(c + BLOCK, channels) * M2N_PANEL;
        __m256 s[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()}, q[2] = {s[0], s[0]};
        float lane[2][8];

        for (gsize i = c * M2N_PANEL; i < end; i += 16)
            for (int h = 0; h < 2; h++) {
                const __m256 d = _mm256_sub_ps(_mm256_loadu_ps(x + i + 8 * h), p);
                s[h] = _mm256_add_ps(s[h], d);
                q[h] = _mm256_fmadd_ps(d, d, q[h]);
            }
        _mm256_storeu_ps(lane[0], _mm256_add_ps(s[0], s[1]));
        _mm256_storeu_ps(lane[1], _mm256_add_ps(q[0], q[1]));
        for (int l = 0; l < 8; l++) {
            *sum += (double)lane[0][l];
            *square += (double)lane[1][l];
        }
    }
}

/* ---- AVX-512 ------------------------------------------------------------------------- */

M2N_AVX512 static void
combine_avx512(gsize channels, gsize n, const float *const *x, const float *const *scale,
               const float *shift, float *y)
{
    for (gsize c = 0; c < channels; c++) {
        const gsize i = c * M2N_PANEL;
        __m512 s0 = _mm512_set1_ps(shift != NULL ? shift[c] : 0.0f), s1 = s0;

        for (gsize k = 0; k < n; k++) {
            const __m512 a = _mm512_set1_ps(scale[k] != NULL ? scale[k][c] : 1.0f);
            s0 = _mm512_fmadd_ps(a, _mm512_loadu_ps(x[k] + i), s0);
            s1 = _mm512_fmadd_ps(a, _mm512_loadu_ps(x[k] + i + 16), s1);
        }
        _mm512_storeu_ps(y + i, s0);
        _mm512_storeu_ps(y + i + 16, s1);
    }
}

M2N_AVX512 static void
silu_add_avx512(gsize channels, const float *x, const float *scale_x, const float *shift_x,
                float *y, const float *scale_y, const float *shift_y)
{
    for (gsize c = 0; c < channels; c++) {
        const __m512 ax = _mm512_set1_ps(scale_x[c]), bx = _mm512_set1_ps(shift_x[c]);
        const __m512 ay = _mm512_set1_ps(scale_y[c]), by = _mm512_set1_ps(shift_y[c]);

        for (gsize i = c * M2N_PANEL; i < (c + 1) * M2N_PANEL; i += 16) {
            const __m512 base = _mm512_fmadd_ps(ax, _mm512_loadu_ps(x + i), bx);
            const __m512 v = _mm512_fmadd_ps(ay, _mm512_loadu_ps(y + i), by);
            _mm512_storeu_ps(y + i, _mm512_add_ps(base, m2n_silu_avx512(v)));
        }
    }
}

M2N_AVX512 static void
multiply_avx512(gsize channels, const float *x, float *y)
{
    for (gsize i = 0; i < channels * M2N_PANEL; i += 16)
        _mm512_storeu_ps(y + i, _mm512_mul_ps(_mm512_loadu_ps(y + i), _mm512_loadu_ps(x + i)));
}

M2N_AVX512 static void
moments_avx512(gsize channels, const float *x, float pivot, double *sum, double *square)
{
    const __m512 p = _mm512_set1_ps(pivot);

    *sum = *square = 0.0;
    for (gsize c = 0; c < channels; c += BLOCK) {
        const gsize end = MIN(c + BLOCK, channels) * M2N_PANEL;
        __m512 s0 = _mm512_setzero_ps(), s1 = s0, q0 = s0, q1 = s0;

        for (gsize i = c * M2N_PANEL; i < end; i += 32) {
            const __m512 d0 = _mm512_sub_ps(_mm512_loadu_ps(x + i), p);
            const __m512 d1 = _mm512_sub_ps(_mm512_loadu_ps(x + i + 16), p);
            s0 = _mm512_add_ps(s0, d0);
            s1 = _mm512_add_ps(s1, d1);
            q0 = _mm512_fmadd_ps(d0, d0, q0);
            q1 = _mm512_fmadd_ps(d1, d1, q1);
        }
        *sum += (double)_mm512_reduce_add_ps(_mm512_add_ps(s0, s1));
        *square += (double)_mm512_reduce_add_ps(_mm512_add_ps(q0, q1));
    }
}
#endif

/* ---- table and dispatch -------------------------------------------------------------- */

const M2nPanelVariant m2n_panel_variants[M2N_N_ISA] = {
    {M2N_ISA_SCALAR, combine_ref, silu_add_ref, multiply_ref, moments_ref},
#if M2N_HAVE_X86
    {M2N_ISA_AVX2, combine_avx2, silu_add_avx2, multiply_avx2, moments_avx2},
    {M2N_ISA_AVX512, combine_avx512, silu_add_avx512, multiply_avx512, moments_avx512},
#endif
};

void
m2n_panel_combine(gsize channels, gsize n, const float *const *x, const float *const *scale,
                  const float *shift, float *y)
{
    g_assert(n <= M2N_MAX_COMBINE);
    M2N_DISPATCH(m2n_panel_variants, combine)(channels, n, x, scale, shift, y);
}

void
m2n_panel_silu_add(gsize channels, const float *x, const float *scale_x, const float *shift_x,
                   float *y, const float *scale_y, const float *shift_y)
{
    M2N_DISPATCH(m2n_panel_variants, silu_add)(channels, x, scale_x, shift_x, y, scale_y, shift_y);
}

void
m2n_panel_multiply(gsize channels, const float *x, float *y)
{
    M2N_DISPATCH(m2n_panel_variants, multiply)(channels, x, y);
}

void
m2n_panel_moments(gsize channels, gsize lanes, const float *x, M2nMoments *m)
{
    m->n = (double)channels * (double)lanes;
    m->pivot = (double)x[0];
    if (lanes == M2N_PANEL) {
        M2N_DISPATCH(m2n_panel_variants, moments)(channels, x, x[0], &m->sum, &m->square);
        return;
    }
    m->sum = m->square = 0.0; /* the last panel of an image */
    for (gsize c = 0; c < channels; c++)
        for (gsize p = 0; p < lanes; p++) {
            const double d = (double)x[c * M2N_PANEL + p] - m->pivot;
            m->sum += d;
            m->square += d * d;
        }
}

void
m2n_moments_add(M2nMoments *m, const float *x, gsize n, gboolean first)
{
    double sum, square;

    if (first)
        *m = (M2nMoments){.pivot = (double)x[0]};
    m->n += (double)n;
    M2N_DISPATCH(m2n_panel_variants, moments)
    (n / M2N_PANEL, x, (float)m->pivot, &sum, &square);
    m->sum += sum;
    m->square += square;
    for (gsize i = n / M2N_PANEL * M2N_PANEL; i < n; i++) {
        const double d = (double)x[i] - m->pivot;
        m->sum += d;
        m->square += d * d;
    }
}

void
m2n_moments_finish(const M2nMoments *m, gsize n, double *mean, double *rstd)
{
    double count = 0.0, sum = 0.0, square = 0.0;

    for (gsize i = 0; i < n; i++) {
        count += m[i].n;
        sum += m[i].n * m[i].pivot + m[i].sum;
    }
    *mean = sum / count;
    for (gsize i = 0; i < n; i++) { /* sum of (x - pivot + pivot - mean)^2 */
        const double d = m[i].pivot - *mean;
        square += m[i].square + 2.0 * d * m[i].sum + m[i].n * d * d;
    }
    *rstd = 1.0 / sqrt(fmax(square, 0.0) / count + M2N_NORM_EPSILON);
    if (isnan(square)) /* fmax would hide it */
        *rstd = square;
}

void
m2n_panel_fetch(const float *panels, gsize channels, gsize channel, gsize first, gsize n,
                float *out)
{
    while (n > 0) {
        const gsize lane = first % M2N_PANEL, now = MIN(n, M2N_PANEL - lane);

        memcpy(out, panels + (first / M2N_PANEL * channels + channel) * M2N_PANEL + lane,
               now * sizeof(float));
        out += now;
        first += now;
        n -= now;
    }
}

void
m2n_panel_put(float *panels, gsize channels, gsize channel, gsize first, gsize n, const float *in)
{
    while (n > 0) {
        const gsize lane = first % M2N_PANEL, now = MIN(n, M2N_PANEL - lane);

        memcpy(panels + (first / M2N_PANEL * channels + channel) * M2N_PANEL + lane, in,
               now * sizeof(float));
        in += now;
        first += now;
        n -= now;
    }
}
