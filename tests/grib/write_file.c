/* write_file OUT GRID [hourly|ccsds|variable-major|per-variable|per-level|hole]...: a made-up forecast of two steps through
 * the writer, for the tests that read it with other people's tools.  The value of variable v, step s, row r, column c
 * is base_v + s + 0.25 r + 0.01 c c, base as below; init time 2024-01-28T00:30Z, step 90 min or an hour. */
#include <math.h>
#include <stdio.h>

#include "grib/grib_writer.h"
#include "grib/variable.h"

#define INIT (1706400000 + 1800)
#define STEPS 2

static const struct {
    const char *name, *crs;
    guint width, height;
    double geo[6];
} grids[] = {
    {"regular", "EPSG:4326", 32, 16, {47.125, 0.25, 0, 28.375, 0, -0.25}},
    {"rotated",
     "+proj=ob_tran +o_proj=longlat +o_lon_p=0 +o_lat_p=39.25 +lon_0=18 +R=6371229",
     20,
     10,
     {-5.05, 0.1, 0, 2.05, 0, -0.1}},
    {"lambert",
     "+proj=lcc +lat_0=25 +lon_0=265 +lat_1=25 +lat_2=25 +R=6371229",
     31,
     17,
     {-40000, 12191, 0, 900000, 0, -12191}},
    {"polar",
     "+proj=stere +lat_0=90 +lat_ts=60 +lon_0=10 +R=6371229",
     21,
     14,
     {-900000, 50000, 0, -1000000, 0, -50000}},
    {"mercator",
     "+proj=merc +lat_ts=20 +lon_0=0 +R=6371229",
     21,
     14,
     {1000000, 20000, 0, 3000000, 0, -20000}},
};

static const struct {
    const char *name;
    float base;
} variables[] = {{"t2m", 280},    {"u10", -5},   {"v10", 3},
                 {"msl", 101000}, {"t850", 270}, {"r1000", 40}};

static M2nDomain *
domain_new(const char *grid)
{
    M2nDomain *d = g_new0(M2nDomain, 1);

    d->n_variables = G_N_ELEMENTS(variables);
    d->variables = g_new0(M2nVariable, d->n_variables);
    for (guint i = 0; i < d->n_variables; i++)
        if (!m2n_variable_from_name(variables[i].name, &d->variables[i], NULL))
            g_assert_not_reached();
    for (gsize i = 0; i < G_N_ELEMENTS(grids); i++)
        if (g_str_equal(grids[i].name, grid))
            d->grid =
                m2n_grid_new_affine(grids[i].crs, grids[i].width, grids[i].height, grids[i].geo);
    g_assert_nonnull(d->grid);
    return d;
}

static float *
forecast_new(const M2nDomain *d, gboolean hole)
{
    const gsize n = d->grid->n_points;
    float *x = g_new(float, STEPS * d->n_variables * n);

    for (gsize k = 0; k < STEPS * d->n_variables; k++)
        for (gsize i = 0; i < n; i++) {
            const guint row = (guint)(i / d->grid->width), column = (guint)(i % d->grid->width);
            x[k * n + i] = variables[k % d->n_variables].base + (float)(k / d->n_variables) +
                           0.25f * (float)row + 0.01f * (float)(column * column);
            if (hole && row == 1 && column == 2)
                x[k * n + i] = NAN;
        }
    return x;
}

int
main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    M2nGribWriterOptions o = M2N_GRIB_WRITER_OPTIONS_DEFAULT;
    gboolean hole = FALSE, hourly = FALSE;

    if (argc < 3)
        return 2;
    for (int i = 3; i < argc; i++) {
        if (g_str_equal(argv[i], "ccsds"))
            o.packing = M2N_PACKING_CCSDS;
        else if (g_str_equal(argv[i], "variable-major"))
            o.variable_major = TRUE;
        else if (g_str_equal(argv[i], "per-variable"))
            o.files = M2N_FILES_PER_VARIABLE;
        else if (g_str_equal(argv[i], "per-level"))
            o.files = M2N_FILES_PER_LEVEL;
        else if (g_str_equal(argv[i], "hole"))
            hole = TRUE;
        else if (g_str_equal(argv[i], "hourly"))
            hourly = TRUE;
    }
    o.centre = 98;
    g_autoptr(M2nDomain) d = domain_new(argv[2]);
    d->time_step = hourly ? 3600 : 5400;
    g_autofree float *x = forecast_new(d, hole);
    g_autoptr(M2nGribWriter) w = m2n_grib_writer_new(d, &o, &error);
    if (w == NULL || !m2n_grib_writer_save(w, argv[1], INIT, STEPS, x, NULL, NULL, &error)) {
        fprintf(stderr, "%s\n", error->message);
        return 1;
    }
    return 0;
}
