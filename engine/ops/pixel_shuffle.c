#include "engine/ops/pixel_shuffle.h"

void
m2n_pixel_shuffle(gsize channels, gsize height, gsize width, float *y, const float *x)
{
    for (gsize c = 0; c < channels; c++)
        for (gsize a = 0; a < 2; a++)
            for (gsize i = 0; i < height; i++) {
                const float *left = x + ((4 * c + 2 * a) * height + i) * width;
                const float *right = left + height * width;
                float *out = y + ((2 * c * height) + 2 * i + a) * 2 * width;

                for (gsize j = 0; j < width; j++) {
                    out[2 * j] = left[j];
                    out[2 * j + 1] = right[j];
                }
            }
}

void
m2n_pixel_unshuffle(gsize channels, gsize height, gsize width, float *dx, const float *dy)
{
    for (gsize c = 0; c < channels; c++)
        for (gsize a = 0; a < 2; a++)
            for (gsize i = 0; i < height; i++) {
                float *left = dx + ((4 * c + 2 * a) * height + i) * width;
                float *right = left + height * width;
                const float *in = dy + ((2 * c * height) + 2 * i + a) * 2 * width;

                for (gsize j = 0; j < width; j++) {
                    left[j] = in[2 * j];
                    right[j] = in[2 * j + 1];
                }
            }
}
