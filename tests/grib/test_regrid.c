/* Regridding: a linear function of x, y, z on the sphere survives on every kind of grid; seams, poles, missing
 * points, areas. */
#include <string.h>

#include "engine/base/error.h"
#include "grib/grib_spec.h"
#include "grib/projection.h"
#include "grib/regrid.h"
#include "tests/lib/m2n_test.h"

#define RADIANS (G_PI / 180)

/* ---- grids -------------------------------------------------------------------------------------- */

/* As if a message with `n` rows of a Gaussian grid, or a reduced one, had been read. */
static M2nGrid *
gaussian(guint n, gboolean reduced)
{
    M2nGridSpec s = {.kind = M2N_SPEC_GAUSSIAN,
                     .type = "regular_gg",
                     .ni = 4 * n,
                     .nj = 2 * n,
                     .lat1 = 90 - 45.0 / n,
                     .lat2 = -90 + 45.0 / n,
                     .lon2 = 360 - 90.0 / n,
                     .di = NAN,
                     .dj = NAN,
                     .n_gaussian = n};
    g_autofree double *lat = m2n_gaussian_latitudes(n);

    s.lat1 = lat[0];
    s.lat2 = -lat[0];
    if (reduced) {
        s.ni = 0;
        s.row_points = g_new(guint, 2 * n);
        for (guint r = 0; r < 2 * n; r++)
            s.row_points[r] = 20 + 4 * MIN(r, 2 * n - 1 - r); /* octahedral */
        s.lon2 = 360 - 360.0 / (20 + 4 * (n - 1));
    }
    M2nGrid *g = m2n_grid_spec_place(&s);
    m2n_grid_spec_clear(&s);
    g_assert_true(m2n_grid_has_place(g));
    return g;
}

typedef struct {
    const char *name, *crs;
    guint width, height;
    double geo[6];
    double box[4]; /* west, south, east, north: inside */
} Case;

static const Case cases[] = {
    {"lonlat", "EPSG:4326", 360, 181, {-0.5, 1, 0, 90.5, 0, -1}, {-180, -90, 180, 90}},
    {"lonlat-no-pole-rows", "EPSG:4326", 180, 90, {-180, 2, 0, 90, 0, -2}, {-180, -90, 180, 90}},
    {"lonlat-greenwich", "EPSG:4326", 60, 40, {-30, 1, 0, 60, 0, -1}, {-29, 21, 29, 59}},
    {"gaussian", NULL, 0, 96, {0}, {-180, -90, 180, 90}},
    {"reduced", NULL, 1, 96, {0}, {-180, -90, 180, 90}},
    {"rotated",
     "+proj=ob_tran +o_proj=longlat +o_lon_p=0 +o_lat_p=39.25 +lon_0=18 +R=6371229",
     60,
     60,
     {-15, 0.5, 0, 15, 0, -0.5},
     {0, 40, 30, 60}},
    {"lambert",
     "+proj=lcc +lat_0=25 +lon_0=265 +lat_1=25 +lat_2=25 +R=6371200",
     93,
     65,
     {-4266000, 81271, 0, 4400000, 0, -81271},
     {-120, 20, -80, 50}},
    {"azimuthal",
     "+proj=laea +lat_0=54.9 +lon_0=-2.5 +R=6371229",
     60,
     60,
     {-1500000, 50000, 0, 1500000, 0, -50000},
     {-10, 48, 8, 60}},
    {"polar",
     "+proj=stere +lat_0=90 +lat_ts=60 +lon_0=249 +R=6371229",
     101,
     101,
     {-5050000, 100000, 0, 5050000, 0, -100000},
     {-180, 60, 180, 90}},
    {"polar-south",
     "+proj=stere +lat_0=-90 +lat_ts=-60 +lon_0=10 +R=6371229",
     101,
     101,
     {-5050000, 100000, 0, 5050000, 0, -100000},
     {-180, -90, 180, -60}},
    {"mercator",
     "+proj=merc +lat_ts=20 +lon_0=185 +R=6371200",
     100,
     80,
     {0, 50000, 0, 4000000, 0, -50000},
     {-170, 5, -145, 30}},
    {"transverse",
     "+proj=tmerc +lat_0=49 +lon_0=-2 +k=0.9996 +x_0=400000 +y_0=-100000 +R=6371229",
     70,
     120,
     {0, 10000, 0, 1200000, 0, -10000},
     {-6, 50, 1, 58}},
    {"albers",
     "+proj=aea +lat_0=40 +lon_0=-96 +lat_1=20 +lat_2=60 +R=6371200",
     60,
     60,
     {-2400000, 80000, 0, 2400000, 0, -80000},
     {-115, 25, -80, 55}},
    {"space-view",
     "+proj=geos +h=35785831 +lon_0=0 +a=6378169 +b=6356583.8",
     120,
     120,
     {-4800000, 80000, 0, 4800000, 0, -80000},
     {-40, -40, 40, 40}},
};

static M2nGrid *
grid_of(const Case *c)
{
    if (c->crs == NULL)
        return gaussian(c->height / 2, c->width == 1);
    return m2n_grid_new_affine(c->crs, c->width, c->height, c->geo);
}

/* ---- fields ------------------------------------------------------------------------------------- */

static double
linear(double lon, double lat)
{
    return 2 * cos(lat * RADIANS) * cos(lon * RADIANS) -
           3 * cos(lat * RADIANS) * sin(lon * RADIANS) + sin(lat * RADIANS);
}

/* The function at all points of a grid. NaN off the projection. */
static float *
sample(const M2nGrid *g)
{
    float *x = g_new(float, g->n_points);
    g_autoptr(M2nProjection) p = m2n_projection_new(g->crs, NULL);
    gsize k = 0;

    for (guint r = 0; r < g->height; r++)
        for (guint c = 0; c < m2n_grid_row_length(g, r); c++) {
            double lon = m2n_grid_row_x(g, r, c), lat = m2n_grid_row_y(g, r);
            m2n_projection_inverse(p, &lon, &lat, 1);
            x[k++] = isnan(lon) ? NAN : (float)linear(lon, lat);
        }
    return x;
}

/* Largest error, and the number of points without a value. */
static double
worst(const float *got, const float *want, gsize n, gsize *lacking)
{
    double far = 0;

    *lacking = 0;
    for (gsize i = 0; i < n; i++) {
        *lacking += (gsize)(isnan(got[i]) != 0);
        if (!isnan(got[i]))
            far = fmax(far, fabs((double)got[i] - (double)want[i]));
    }
    return far;
}

static M2nGrid *
target_of(const Case *c)
{
    const guint n = 37;
    const double geo[6] = {c->box[0], (c->box[2] - c->box[0]) / n, 0, c->box[3],
                           0,         -(c->box[3] - c->box[1]) / n};
    return m2n_grid_new_affine("EPSG:4326", n, n, geo);
}

/* With steps of at most 2.5 degrees the error of linear interpolation is h^2/8 times 14 times the second
 * derivative, 3.8 at most, in two directions: 1.8e-3. Half a cell of the nearest point is 0.02 radians times a slope of 3.7. Areas of
 * the target differ from points by h^2/24. */
static void
test_linear(gconstpointer data)
{
    static const struct {
        M2nRegridMethod method;
        double tolerance;
    } methods[] = {
        {M2N_REGRID_BILINEAR, 2.5e-3}, {M2N_REGRID_NEAREST, 0.12}, {M2N_REGRID_CONSERVATIVE, 0.06}};
    const Case *c = data;
    g_autoptr(M2nGrid) from = grid_of(c), to = target_of(c);
    g_autofree float *in = sample(from), *want = sample(to), *out = g_new(float, to->n_points);

    for (gsize m = 0; m < G_N_ELEMENTS(methods); m++) {
        g_autoptr(GError) error = NULL;
        gsize lacking;
        g_autoptr(M2nRegrid) r = m2n_regrid_new(from, to, methods[m].method, 0, &error);
        g_assert_no_error(error);
        m2n_regrid_apply(r, in, out);
        const double far = worst(out, want, to->n_points, &lacking);
        g_test_message("method %d: %.2e, %" G_GSIZE_FORMAT " lacking", methods[m].method, far,
                       lacking);
        g_assert_cmpfloat(far, <=, methods[m].tolerance);
        g_assert_cmpuint(lacking, ==, 0);
    }
}

/* ---- seams, poles, holes -------------------------------------------------------------------------- */

static void
test_identity(void)
{
    const double geo[6] = {-180, 5.625, 0, 90, 0, -5.625},
                 shifted[6] = {180, 5.625, 0, 90, 0, -5.625};
    g_autoptr(M2nGrid) a = m2n_grid_new_affine("EPSG:4326", 64, 32, geo);
    g_autoptr(M2nGrid) b = m2n_grid_new_affine("EPSG:4326", 64, 32, shifted);
    g_autofree float *in = sample(a), *out = g_new(float, a->n_points);
    g_autoptr(M2nRegrid) r = m2n_regrid_new(a, b, M2N_REGRID_BILINEAR, 0, NULL);

    in[5] = NAN;
    m2n_regrid_apply(r, in, out);
    g_assert_cmpint(memcmp(in, out, a->n_points * sizeof *in), ==, 0);
}

/* A part of the same points in another window of longitudes: exact, to the bit. */
static void
test_window_of_points(void)
{
    const double geo[6] = {-0.5, 1, 0, 90.5, 0, -1}, part[6] = {-20.5, 1, 0, 40.5, 0, -1};
    g_autoptr(M2nGrid) a = m2n_grid_new_affine("EPSG:4326", 360, 181, geo);
    g_autoptr(M2nGrid) b = m2n_grid_new_affine("EPSG:4326", 40, 10, part);
    g_autofree float *in = sample(a), *out = g_new(float, b->n_points);
    g_autoptr(M2nRegrid) r = m2n_regrid_new(a, b, M2N_REGRID_BILINEAR, 0, NULL);

    m2n_regrid_apply(r, in, out);
    for (guint row = 0; row < 10; row++)
        for (guint c = 0; c < 40; c++)
            g_assert_cmpfloat(out[row * 40 + c], ==, in[(50 + row) * 360 + (c + 340) % 360]);
}

/* One missing point: its neighbours within half a cell are missing, nobody else changes. */
static void
test_missing_never_bleeds(void)
{
    const double geo[6] = {0, 1, 0, 10, 0, -1}, fine[6] = {2, 0.25, 0, 8, 0, -0.25};
    g_autoptr(M2nGrid) a = m2n_grid_new_affine("EPSG:4326", 10, 10, geo);
    g_autoptr(M2nGrid) b = m2n_grid_new_affine("EPSG:4326", 24, 24, fine);
    float in[100], out[576];

    for (int method = 0; method < 3; method++) {
        g_autoptr(M2nRegrid) r = m2n_regrid_new(a, b, (M2nRegridMethod)method, 0, NULL);
        guint holes = 0;

        for (guint i = 0; i < 100; i++)
            in[i] = i == 44 ? NAN : 7;
        m2n_regrid_apply(r, in, out);
        for (guint i = 0; i < 576; i++) {
            const double x = 2 + (i % 24 + 0.5) * 0.25, y = 8 - (i / 24 + 0.5) * 0.25;
            const gboolean near = fabs(x - 4.5) < 0.5 && fabs(y - 5.5) < 0.5;
            if (isnan(out[i])) {
                holes++;
                g_assert_true(near);
            } else {
                g_assert_cmpfloat_with_epsilon(out[i], 7, 1e-5);
            }
        }
        g_assert_cmpuint(holes, >=, 4);
        g_assert_cmpuint(holes, <=, 16);
    }
}

/* The integral over the globe is the same before and after. */
static void
test_conservation(void)
{
    g_autoptr(M2nGrid) a = gaussian(24, TRUE);
    const double geo[6] = {-180, 10, 0, 90, 0, -10};
    g_autoptr(M2nGrid) b = m2n_grid_new_affine("EPSG:4326", 36, 18, geo);
    g_autoptr(M2nRegrid) there = m2n_regrid_new(a, b, M2N_REGRID_CONSERVATIVE, 0, NULL);
    g_autofree float *in = g_new0(float, a->n_points), *out = g_new(float, b->n_points);
    gsize start = 0;
    double before = 0, after = 0;

    for (guint r = 0; r < a->height; r++) { /* a rough field */
        const double top = r == 0 ? 90 : 0.5 * (a->row_y[r - 1] + a->row_y[r]);
        const double bottom = r == a->height - 1 ? -90 : 0.5 * (a->row_y[r] + a->row_y[r + 1]);
        for (guint c = 0; c < a->row_points[r]; c++) {
            in[start + c] = (float)((c * 7 + r * 13) % 10);
            before += (double)in[start + c] * (sin(top * RADIANS) - sin(bottom * RADIANS)) /
                      a->row_points[r];
        }
        start += a->row_points[r];
    }
    m2n_regrid_apply(there, in, out);
    for (guint i = 0; i < b->n_points; i++) {
        const double top = 90 - 10.0 * (i / 36), bottom = top - 10;
        after += (double)out[i] * (sin(top * RADIANS) - sin(bottom * RADIANS)) / 36;
    }
    g_assert_cmpfloat_with_epsilon(before, after, 1e-5 * before);
}

static void
test_refusals(void)
{
    const double geo[6] = {0, 1, 0, 10, 0, -1}, away[6] = {100, 1, 0, -50, 0, -1};
    g_autoptr(M2nGrid) a = m2n_grid_new_affine("EPSG:4326", 10, 10, geo);
    g_autoptr(M2nGrid) b = m2n_grid_new_affine("EPSG:4326", 10, 10, away);
    g_autoptr(M2nGrid) bad = m2n_grid_new_affine("EPSG:99999999", 10, 10, geo);
    const M2nGridSpec waves = {.kind = M2N_SPEC_NO_PLACE, .type = "sh", .n_points = 10};
    g_autoptr(M2nGrid) spectral = m2n_grid_spec_place(&waves);
    g_autoptr(GError) error = NULL;

    for (int method = 0; method < 3; method++) {
        g_assert_null(m2n_regrid_new(a, b, (M2nRegridMethod)method, 0, &error));
        g_assert_error(error, M2N_ERROR, M2N_ERROR_SHAPE);
        g_clear_error(&error);
        g_assert_null(m2n_regrid_new(a, bad, (M2nRegridMethod)method, 0, &error));
        g_assert_error(error, M2N_ERROR, M2N_ERROR_FORMAT);
        g_assert_nonnull(strstr(error->message, "EPSG:99999999"));
        g_clear_error(&error);
    }
    g_assert_null(m2n_regrid_new(spectral, a, M2N_REGRID_BILINEAR, 0, &error));
    g_assert_error(error, M2N_ERROR, M2N_ERROR_FORMAT);
    g_assert_nonnull(strstr(error->message, "sh"));
}

static void
test_refused_by_name(void)
{
    static const struct {
        const char *type, *told;
    } refused[] = {{"sh", "grid sh cannot be regridded: its values are spherical harmonics"},
                   {"unstructured_grid", "unstructured mesh"},
                   {"healpix", "HEALPix"},
                   {"unknown", "rows and columns"}};
    g_autoptr(M2nGrid) to = gaussian(16, FALSE);

    for (gsize i = 0; i < G_N_ELEMENTS(refused); i++) {
        M2nGridSpec s = {.kind = M2N_SPEC_NO_PLACE, .n_points = 12};
        g_autoptr(GError) error = NULL;
        g_strlcpy(s.type, refused[i].type, sizeof s.type);
        g_autoptr(M2nGrid) from = m2n_grid_spec_place(&s);
        g_assert_null(m2n_regrid_new(from, to, M2N_REGRID_BILINEAR, 0, &error));
        g_assert_error(error, M2N_ERROR, M2N_ERROR_FORMAT);
        g_assert_nonnull(strstr(error->message, refused[i].told));
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strdup_printf("/grib/regrid/linear-survives/%s", cases[i].name);
        g_test_add_data_func(path, &cases[i], test_linear);
    }
    g_test_add_func("/grib/regrid/equal-grids-copy", test_identity);
    g_test_add_func("/grib/regrid/window-of-points-is-exact", test_window_of_points);
    g_test_add_func("/grib/regrid/missing-never-bleeds", test_missing_never_bleeds);
    g_test_add_func("/grib/regrid/conservation", test_conservation);
    g_test_add_func("/grib/regrid/refusals", test_refusals);
    g_test_add_func("/grib/regrid/refused-by-name", test_refused_by_name);
    return g_test_run();
}
