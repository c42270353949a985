/* The share of the earth's surface each cell of a grid stands for, as weights of mean 1.
 *
 *   longitude-latitude (also rotated: a rotation keeps areas)
 *                   sin(upper edge) - sin(lower edge) of the row; edges lie half way between
 * centres, half a cell beyond the outermost ones, and at the poles where the grid goes round the
 *                   globe and ends within a cell of them (WeatherBench 2, with regional edges kept)
 *   projected       area of the cell's four corners on the sphere */
#pragma once
#include "grib/grid.h"

G_BEGIN_DECLS

/* (transfer full) [height][width].  NULL: M2N_ERROR_FORMAT, a CRS that PROJ cannot take to
 * longitude and latitude, or a reduced grid, which has no cells of its own. */
double *m2n_cell_weights(const M2nGrid *grid, GError **error);

G_END_DECLS
