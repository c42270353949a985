/* out[k][pitch] = in[width][k]^T, rows of `in` `stride` floats apart, by registers; for the bodies of variants
 * alone.  width and k: multiples of the square. */
#pragma once
#include "engine/ops/activation_simd.h"
#include "engine/ops/lanes.h"

#if M2N_HAVE_X86
typedef void (*M2nTranspose)(const float *in, gsize stride, gsize k, gsize width, float *out,
                             gsize pitch);

/* 4 x 4 at a time. */
static inline void
m2n_transpose_4(const float *in, gsize stride, gsize k, gsize width, float *out, gsize pitch)
{
    for (gsize i = 0; i < width; i += 4)
        for (gsize l = 0; l < k; l += 4) {
            const float *row = in + i * stride + l;
            __m128 a = _mm_loadu_ps(row), b = _mm_loadu_ps(row + stride);
            __m128 c = _mm_loadu_ps(row + 2 * stride), d = _mm_loadu_ps(row + 3 * stride);

            _MM_TRANSPOSE4_PS(a, b, c, d);
            _mm_storeu_ps(out + l * pitch + i, a);
            _mm_storeu_ps(out + (l + 1) * pitch + i, b);
            _mm_storeu_ps(out + (l + 2) * pitch + i, c);
            _mm_storeu_ps(out + (l + 3) * pitch + i, d);
        }
}

/* The same, 16 x 16 at a time: three rounds that interleave pairs of rows 1, 2 and 4 apart, then quarters. */
M2N_AVX512 static inline void
m2n_transpose_16(const float *in, gsize stride, gsize k, gsize width, float *out, gsize pitch)
{
    for (gsize i = 0; i < width; i += 16)
        for (gsize l = 0; l < k; l += 16) {
            __m512 a[16], b[16];

#pragma GCC unroll 16
            for (gsize r = 0; r < 16; r++)
                a[r] = _mm512_loadu_ps(in + (i + r) * stride + l);
#pragma GCC unroll 8
            for (gsize r = 0; r < 16; r += 2) {
                b[r] = _mm512_unpacklo_ps(a[r], a[r + 1]);
                b[r + 1] = _mm512_unpackhi_ps(a[r], a[r + 1]);
            }
#pragma GCC unroll 4
            for (gsize r = 0; r < 16;
                 r += 4) /* a[r + c]: column c of each quarter of rows r .. r + 3 */
#pragma GCC unroll 2
                for (gsize h = 0; h < 2; h++) {
                    const __m512d x = _mm512_castps_pd(b[r + h]),
                                  y = _mm512_castps_pd(b[r + 2 + h]);

                    a[r + 2 * h] = _mm512_castpd_ps(_mm512_unpacklo_pd(x, y));
                    a[r + 2 * h + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(x, y));
                }
#pragma GCC unroll 4
            for (gsize c = 0; c < 4; c++) {
                const __m512 even_low = _mm512_shuffle_f32x4(a[c], a[c + 4], 0x88);
                const __m512 odd_low = _mm512_shuffle_f32x4(a[c], a[c + 4], 0xdd);
                const __m512 even_high = _mm512_shuffle_f32x4(a[c + 8], a[c + 12], 0x88);
                const __m512 odd_high = _mm512_shuffle_f32x4(a[c + 8], a[c + 12], 0xdd);
                float *to = out + (l + c) * pitch + i;

                _mm512_storeu_ps(to, _mm512_shuffle_f32x4(even_low, even_high, 0x88));
                _mm512_storeu_ps(to + 4 * pitch, _mm512_shuffle_f32x4(odd_low, odd_high, 0x88));
                _mm512_storeu_ps(to + 8 * pitch, _mm512_shuffle_f32x4(even_low, even_high, 0xdd));
                _mm512_storeu_ps(to + 12 * pitch, _mm512_shuffle_f32x4(odd_low, odd_high, 0xdd));
            }
        }
}
#endif
