/* A solid-body rotation, encoded relative to the grid with the textbook angle of each projection, comes out as the
 * analytic earth-relative wind. */
#include <string.h>

#include "grib/projection.h"
#include "grib/regrid.h"
#include "grib/variable.h"
#include "grib/wind.h"
#include "tests/lib/m2n_test.h"

#define RADIANS (G_PI / 180)

/* Rotation about an axis that is no symmetry of any grid here; m/s at the equator of that axis. */
static const double axis[3] = {12, -20, 31};

/* velocity = axis x position, as east and north parts. */
static void
solid_body(double lon, double lat, double *u, double *v)
{
    const double l = lon * RADIANS, p = lat * RADIANS;
    const double r[3] = {cos(p) * cos(l), cos(p) * sin(l), sin(p)};
    const double w[3] = {axis[1] * r[2] - axis[2] * r[1], axis[2] * r[0] - axis[0] * r[2],
                         axis[0] * r[1] - axis[1] * r[0]};

    *u = -sin(l) * w[0] + cos(l) * w[1];
    *v = -sin(p) * cos(l) * w[0] - sin(p) * sin(l) * w[1] + cos(p) * w[2];
}

/* Angle from east to the grid's x axis, anticlockwise, radians. */
typedef double (*Angle)(double lon, double lat);

static double
lambert_angle(double lon, double lat) /* tangent at 25 N, central meridian 95 W */
{
    (void)lat;
    return -sin(25 * RADIANS) * remainder(lon + 95, 360) * RADIANS;
}

static double
polar_angle(double lon, double lat)
{
    (void)lat;
    return -remainder(lon - 249, 360) * RADIANS;
}

static double
polar_south_angle(double lon, double lat)
{
    (void)lat;
    return remainder(lon - 10, 360) * RADIANS;
}

/* Rotated pole at 39.25 N, 162 W: the east of the rotated sphere against ours. */
static double
rotated_angle(double lon, double lat)
{
    const double pole_lon = -162 * RADIANS, pole_lat = 39.25 * RADIANS;
    const double l = lon * RADIANS, p = lat * RADIANS;
    const double pole[3] = {cos(pole_lat) * cos(pole_lon), cos(pole_lat) * sin(pole_lon),
                            sin(pole_lat)};
    const double r[3] = {cos(p) * cos(l), cos(p) * sin(l), sin(p)};
    const double e[3] = {pole[1] * r[2] - pole[2] * r[1], pole[2] * r[0] - pole[0] * r[2],
                         pole[0] * r[1] - pole[1] * r[0]};

    return atan2(-sin(p) * cos(l) * e[0] - sin(p) * sin(l) * e[1] + cos(p) * e[2],
                 -sin(l) * e[0] + cos(l) * e[1]);
}

static double
no_angle(double lon, double lat)
{
    (void)lon;
    (void)lat;
    return 0;
}

typedef struct {
    const char *name, *crs;
    guint width, height;
    double geo[6];
    Angle angle;
} Case;

static const Case cases[] = {
    {"lambert",
     "+proj=lcc +lat_0=25 +lon_0=265 +lat_1=25 +lat_2=25 +R=6371200",
     93,
     65,
     {-4266000, 81271, 0, 4400000, 0, -81271},
     lambert_angle},
    {"lambert-ellipsoid",
     "+proj=lcc +lat_0=25 +lon_0=265 +lat_1=25 +lat_2=25 +a=6378137 +b=6356752.3",
     93,
     65,
     {-4266000, 81271, 0, 4400000, 0, -81271},
     lambert_angle},
    {"polar",
     "+proj=stere +lat_0=90 +lat_ts=60 +lon_0=249 +R=6371229",
     100,
     101,
     {-5030000, 100000, 0, 5050000, 0, -100000},
     polar_angle},
    {"polar-south",
     "+proj=stere +lat_0=-90 +lat_ts=-60 +lon_0=10 +R=6371229",
     100,
     101,
     {-5030000, 100000, 0, 5050000, 0, -100000},
     polar_south_angle},
    {"rotated",
     "+proj=ob_tran +o_proj=longlat +o_lon_p=0 +o_lat_p=39.25 +lon_0=18 +R=6371229",
     60,
     50,
     {-15, 0.5, 0, 12, 0, -0.5},
     rotated_angle},
    {"lonlat", "EPSG:4326", 36, 18, {0, 10, 0, 90, 0, -10}, no_angle},
    {"mercator",
     "+proj=merc +lat_ts=20 +lon_0=0 +R=6371200",
     30,
     30,
     {0, 100000, 0, 4000000, 0, -100000},
     no_angle},
};

/* Analytic wind at all points: earth-relative, and relative to the grid by the textbook angle. */
static void
fill(const M2nGrid *g, Angle angle, float *eu, float *ev, float *gu, float *gv)
{
    g_autoptr(M2nProjection) p = m2n_projection_new(g->crs, NULL);
    gsize k = 0;

    for (guint r = 0; r < g->height; r++)
        for (guint c = 0; c < g->width; c++, k++) {
            double lon = m2n_grid_row_x(g, r, c), lat = m2n_grid_row_y(g, r), u, v;
            m2n_projection_inverse(p, &lon, &lat, 1);
            solid_body(lon, lat, &u, &v);
            const double a = angle(lon, lat);
            eu[k] = (float)u;
            ev[k] = (float)v;
            gu[k] = (float)(u * cos(a) + v * sin(a));
            gv[k] = (float)(v * cos(a) - u * sin(a));
        }
}

static void
test_solid_body(gconstpointer data)
{
    const Case *c = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(M2nGrid) g = m2n_grid_new_affine(c->crs, c->width, c->height, c->geo);
    const gsize n = g->n_points;
    g_autofree float *eu = g_new(float, n), *ev = g_new(float, n);
    g_autofree float *gu = g_new(float, n), *gv = g_new(float, n);
    g_autofree float *u = g_new(float, n), *v = g_new(float, n);
    g_autoptr(M2nWind) w = m2n_wind_new(g, &error);

    g_assert_no_error(error);
    fill(g, c->angle, eu, ev, gu, gv);
    memcpy(u, gu, n * sizeof *u);
    memcpy(v, gv, n * sizeof *v);
    m2n_wind_to_earth(w, u, v);
    m2n_assert_close(u, eu, n, 2e-3, 0); /* of 39 m/s */
    m2n_assert_close(v, ev, n, 2e-3, 0);
    m2n_wind_to_grid(w, u, v);
    m2n_assert_close(u, gu, n, 1e-4, 0);
    m2n_assert_close(v, gv, n, 1e-4, 0);
}

/* From a global grid with rows near the poles to one about the pole: the components change sign across it, so a
 * component-wise mean would be far off. */
static void
test_across_the_pole(void)
{
    const double geo[6] = {0, 2, 0, 90, 0, -2}, polar[6] = {-1e6, 1e5, 0, 1e6, 0, -1e5};
    g_autoptr(M2nGrid) from = m2n_grid_new_affine("EPSG:4326", 180, 90, geo);
    g_autoptr(M2nGrid) to =
        m2n_grid_new_affine("+proj=stere +lat_0=90 +lat_ts=60 +lon_0=0 +R=6371229", 20, 20, polar);
    g_autofree float *u = g_new(float, 16200), *v = g_new(float, 16200);
    g_autofree float *spare = g_new(float, 16200), *spare2 = g_new(float, 16200);
    float want_u[400], want_v[400], x[400], y[400], got_u[400], got_v[400];
    g_autoptr(GError) error = NULL;

    fill(from, no_angle, u, v, spare, spare2);
    fill(to, no_angle, want_u, want_v, x, y);
    for (int method = 0; method < 3; method += 2) {
        g_autoptr(M2nRegrid) r = m2n_regrid_new(from, to, (M2nRegridMethod)method, 0, &error);
        g_assert_true(m2n_regrid_prepare_wind(r, &error));
        m2n_regrid_apply_wind(r, u, v, got_u, got_v);
        m2n_assert_close(got_u, want_u, 400, method == 0 ? 0.05 : 0.6, 0);
        m2n_assert_close(got_v, want_v, 400, method == 0 ? 0.05 : 0.6, 0);
    }
}

static void
test_partners(void)
{
    M2nVariable u, v;
    gboolean is_u;

    g_assert_true(m2n_variable_from_name("u10", &u, NULL));
    g_assert_true(m2n_wind_partner(&u, &v, &is_u));
    g_assert_true(is_u);
    g_assert_cmpstr(v.name, ==, "v10");
    g_assert_true(m2n_variable_from_name("v850", &u, NULL));
    g_assert_true(m2n_wind_partner(&u, &v, &is_u));
    g_assert_false(is_u);
    g_assert_cmpint(v.param_id, ==, 131);
    g_assert_cmpfloat(v.level, ==, 850);
    g_assert_true(m2n_variable_from_name("t2m", &u, NULL));
    g_assert_false(m2n_wind_partner(&u, &v, &is_u));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strdup_printf("/grib/wind/solid-body/%s", cases[i].name);
        g_test_add_data_func(path, &cases[i], test_solid_body);
    }
    g_test_add_func("/grib/wind/across-the-pole", test_across_the_pole);
    g_test_add_func("/grib/wind/partners", test_partners);
    return g_test_run();
}
