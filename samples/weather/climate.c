/* Heating and mountains as spherical harmonics. */
#include "samples/weather/climate.h"

#include <math.h>

#include "samples/weather/flow.h"

struct M2nClimate {
    guint n;
    M2nComplex *mean, *season; /* heating is mean + season * season's part */
    M2nComplex *orography;
};

/* Adds the streamfunction whose zonal wind is u(row).  -(1 - mu^2) dpsi/dmu = a u cos(latitude) is projected
 * on the derivatives, which are orthogonal under the weight 1 / (1 - mu^2) with squared mean n (n + 1). */
static void
add_zonal_flow(const M2nSphere *s, const double *u, M2nComplex *psi)
{
    for (guint n = 1; n <= s->truncation; n++) {
        double sum = 0;
        for (guint j = 0; j < s->rows; j++)
            sum -= 0.5 * s->weight[j] * s->derivative[(gsize)j * s->n_coefficients + n] * u[j] *
                   M2N_EARTH_RADIUS / sqrt(1 - s->mu[j] * s->mu[j]);
        psi[n] += sum / (n * (n + 1.0));
    }
}

/* Adds a field, its small scales damped to 1/e at degree about sqrt(smoothness). */
static void
add_smooth(const M2nSphere *s, const double *grid, double smoothness, M2nComplex *out)
{
    g_autofree M2nComplex *c = g_new(M2nComplex, s->n_coefficients);

    m2n_sphere_analysis(s, grid, c);
    for (guint k = 0; k < s->n_coefficients; k++) {
        const double n = s->degree[k];
        out[k] += c[k] * exp(-n * (n + 1) / smoothness);
    }
}

/* Land is warmer than water in summer and colder in winter, most so in middle latitudes. */
static void
add_land_heating(const M2nSphere *s, const double *land, M2nComplex *out)
{
    g_autofree double *contrast = g_new(double, (gsize)s->rows * s->columns);

    for (guint j = 0; j < s->rows; j++) {
        const double *row = land + (gsize)j * s->columns;
        double mean = 0;

        for (guint i = 0; i < s->columns; i++)
            mean += row[i] / s->columns;
        for (guint i = 0; i < s->columns; i++)
            contrast[(gsize)j * s->columns + i] =
                1.6e7 * pow(sin(2 * s->latitude[j]), 2) * (row[i] - mean);
    }
    add_smooth(s, contrast, 110, out);
}

M2nClimate *
m2n_climate_new(const M2nSphere *s, const double *land, const double *height)
{
    M2nClimate *c = g_new0(M2nClimate, 1);
    g_autofree double *mean = g_new(double, s->rows), *season = g_new(double, s->rows);
    g_autofree double *slope = g_new(double, (gsize)s->rows * s->columns);

    c->n = s->n_coefficients;
    c->mean = g_new0(M2nComplex, c->n);
    c->season = g_new0(M2nComplex, c->n);
    c->orography = g_new0(M2nComplex, c->n);
    for (guint j = 0; j < s->rows; j++) {
        const double hemisphere = s->mu[j] > 0 ? 1 : -0.6; /* the southern jet changes less */

        mean[j] = 42 * pow(sin(2 * s->latitude[j]), 2) * (1.25 - 0.75 * s->mu[j] * s->mu[j]);
        season[j] = -0.25 * mean[j] * hemisphere;
        for (guint i = 0; i < s->columns; i++)
            slope[(gsize)j * s->columns + i] = 2 * M2N_EARTH_ROTATION * s->mu[j] *
                                               height[(gsize)j * s->columns + i] /
                                               (2 * M2N_LAYER_DEPTH);
    }
    add_zonal_flow(s, mean, c->mean);
    add_zonal_flow(s, season, c->season);
    add_land_heating(s, land, c->season);
    add_smooth(s, slope, 300, c->orography);
    return c;
}

void
m2n_climate_free(M2nClimate *c)
{
    if (c == NULL)
        return;
    g_free(c->mean);
    g_free(c->season);
    g_free(c->orography);
    g_free(c);
}

void
m2n_climate_heating(const M2nClimate *c, double season, M2nComplex *out)
{
    for (guint k = 0; k < c->n; k++)
        out[k] = c->mean[k] + season * c->season[k];
}

const M2nComplex *
m2n_climate_orography(const M2nClimate *c)
{
    return c->orography;
}
