/* Pixel shuffle by 2 of one image: four channels become one of twice the height and width.
 *
 *   y[c][2i + a][2j + b] = x[4c + 2a + b][i][j],   a, b in {0, 1}
 *
 * x [4 channels][height][width], y [channels][2 height][2 width], not overlapping.  The backward
 * pass is the inverse, m2n_pixel_unshuffle.
 * source  Shi et al. 2016, arXiv:1609.05158 */
#pragma once
#include <glib.h>

G_BEGIN_DECLS

void m2n_pixel_shuffle(gsize channels, gsize height, gsize width, float *y, const float *x);
void m2n_pixel_unshuffle(gsize channels, gsize height, gsize width, float *dx, const float *dy);

G_END_DECLS
