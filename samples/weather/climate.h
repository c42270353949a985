/* M2nClimate: what drives the flow, season by season: the sun's unequal heating, seen as the difference of
 * streamfunctions the two layers relax to, and the mountains. */
#pragma once
#include "samples/weather/sphere.h"

typedef struct M2nClimate M2nClimate;

/* (transfer full) land: 0..1, height: m, both on the sphere's grid, read now. */
M2nClimate *m2n_climate_new(const M2nSphere *s, const double *land, const double *height);
void m2n_climate_free(M2nClimate *c);

/* psi1 - psi2 [n_coefficients] in a season (m2n_earth_season()). */
void m2n_climate_heating(const M2nClimate *c, double season, M2nComplex *out);
/* (transfer none) f h / H [n_coefficients] for M2nFlow. */
const M2nComplex *m2n_climate_orography(const M2nClimate *c);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(M2nClimate, m2n_climate_free)
