/* Fields handed out on another grid: winds along its axes, or an error when that cannot be. */
#include <string.h>

#include "engine/base/error.h"
#include "grib/output.h"
#include "tests/lib/m2n_domain.h"
#include "tests/lib/m2n_test.h"

#define RADIANS (G_PI / 180)
#define POLAR "+proj=stere +lat_0=90 +lat_ts=60 +lon_0=10 +R=6371229"

static const double lonlat[6] = {-20, 1, 0, 80, 0, -1};
static const double metres[6] = {-500000, 50000, 0, -1500000, 0, -50000};

/* A westerly of 10 m/s everywhere, on a polar stereographic grid: x points off east by lon - 10. */
static void
test_turned(void)
{
    g_autoptr(M2nDomain) d = m2n_test_domain("t2m v10 u10", "EPSG:4326", 60, 30, lonlat, 3600);
    g_autoptr(M2nGrid) to = m2n_grid_new_affine(POLAR, 20, 20, metres);
    g_autoptr(GError) error = NULL;
    g_autofree float *fields = g_new0(float, 3 * 1800);
    float t[400], u[400], v[400];

    for (guint i = 0; i < 1800; i++) {
        fields[i] = 280;
        fields[2 * 1800 + i] = 10;
    }
    g_autoptr(M2nOutput) o = m2n_output_new(d, to, M2N_REGRID_BILINEAR, TRUE, 0, &error);
    g_assert_no_error(error);
    g_assert_true(m2n_output_place(o, fields, 0, t, &error));
    g_assert_true(m2n_output_place(o, fields, 1, v, &error));
    g_assert_true(m2n_output_place(o, fields, 2, u, &error));
    for (guint i = 0; i < 400; i++) {
        const double x = m2n_grid_row_x(to, i / 20, i % 20), y = m2n_grid_row_y(to, i / 20);
        const double turn = atan2(x, -y); /* lon - 10 */
        if (isnan(t[i]))
            continue;
        g_assert_cmpfloat_with_epsilon(t[i], 280, 1e-3f);
        g_assert_cmpfloat_with_epsilon((double)u[i], 10 * cos(turn), 5e-3);
        g_assert_cmpfloat_with_epsilon((double)v[i], 10 * sin(turn), 5e-3);
    }
    g_assert_false(isnan(t[210]));

    g_autoptr(M2nOutput) as_is = m2n_output_new(d, to, M2N_REGRID_BILINEAR, FALSE, 0, &error);
    g_assert_true(m2n_output_place(as_is, fields, 2, u, &error));
    g_assert_cmpfloat_with_epsilon(u[210], 10, 5e-3f); /* east still */
}

static void
test_one_component(void)
{
    g_autoptr(M2nDomain) d = m2n_test_domain("t2m u10", "EPSG:4326", 60, 30, lonlat, 3600);
    g_autoptr(M2nGrid) polar = m2n_grid_new_affine(POLAR, 20, 20, metres);
    const double web[6] = {-1000000, 100000, 0, 9000000, 0, -100000};
    g_autoptr(M2nGrid) mercator = m2n_grid_new_affine("EPSG:3857", 20, 20, web);
    g_autoptr(GError) error = NULL;
    g_autofree float *fields = g_new0(float, 2 * 1800);
    float x[400];

    g_autoptr(M2nOutput) o = m2n_output_new(d, polar, M2N_REGRID_BILINEAR, TRUE, 0, &error);
    g_assert_no_error(error);
    g_assert_true(m2n_output_place(o, fields, 0, x, &error)); /* temperature needs nobody */
    g_assert_false(m2n_output_place(o, fields, 1, x, &error));
    g_assert_error(error, M2N_ERROR, M2N_ERROR_MISSING);
    g_assert_nonnull(strstr(error->message, "without v10"));
    g_clear_error(&error);
    g_autoptr(M2nOutput) m = m2n_output_new(d, mercator, M2N_REGRID_BILINEAR, TRUE, 0, &error);
    g_assert_true(m2n_output_place(m, fields, 1, x, &error)); /* whose axes are east and north */
    g_assert_no_error(error);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/grib/output/winds-along-the-axes", test_turned);
    g_test_add_func("/grib/output/one-component", test_one_component);
    return g_test_run();
}
