/* Windows of model input out of real GRIB files.  Numbers marked ERA5 come from the NetCDF file that the GRIB
 * file was made from, read with netCDF4 in Python. */
#include <string.h>

#include "engine/base/error.h"
#include "grib/archive.h"
#include "grib/variable.h"
#include "tests/lib/m2n_test.h"

#define GULF "data/train/derived_grib2/era5_gulf_2024-01_u10v10t2m.grib2"
#define MODEL "models/gulf_u10v10t2m.safetensors"
#define INIT 1706400000 /* 2024-01-28T00:00Z */

/* NULL, and the test skipped, when the file is not there. */
static M2nSource *
shared(const char *name)
{
    g_autofree char *path = g_build_filename(g_getenv("M2N_SHARED"), name, NULL);
    M2nSource *s = m2n_source_open_file(path, NULL);

    if (s == NULL)
        g_test_skip("no shared files beside the checkout");
    return s;
}

static void
test_gulf_window(void)
{
    static const struct {
        guint t, v, row, column;
        float era5;
    } points[] = {{0, 0, 0, 0, 3.6182709f},   {0, 0, 0, 31, 1.6739349f}, {0, 1, 15, 0, -3.0260925f},
                  {11, 2, 15, 31, 293.9585f}, {11, 2, 0, 0, 285.41748f}, {5, 2, 7, 13, 292.5808f}};
    g_autoptr(GError) error = NULL;
    g_autoptr(M2nSource) grib = shared(GULF), file = shared(MODEL);
    gint64 latest = 0;

    if (grib == NULL || file == NULL)
        return;
    g_autoptr(M2nSafetensors) st = m2n_safetensors_open(file, &error);
    g_assert_no_error(error);
    g_autoptr(M2nDomain) d = m2n_domain_read(st, &error);
    g_assert_no_error(error);
    g_autoptr(M2nArchive) a = m2n_archive_open(&grib, 1, &error);
    g_assert_no_error(error);
    g_assert_true(m2n_archive_latest(a, d, 12, &latest, &error));
    g_assert_cmpint(latest, ==, 1706745600 - 3600); /* 2024-01-31T23:00Z */

    g_autofree float *x = g_new(float, 12 * 3 * 16 * 32);
    g_assert_true(
        m2n_archive_read_window(a, d, 12, INIT, M2N_REGRID_BILINEAR, x, NULL, NULL, &error));
    g_assert_no_error(error);
    for (gsize i = 0; i < G_N_ELEMENTS(points); i++) {
        const float got =
            x[((points[i].t * 3 + points[i].v) * 16 + points[i].row) * 32 + points[i].column];
        m2n_assert_close(&got, &points[i].era5, 1, 1e-3, 0);
    }
    g_assert_cmpint(m2n_archive_centre(a), ==, 98);

    /* the first step of the archive has no eleven hours before it */
    g_assert_false(
        m2n_archive_read_window(a, d, 12, 1704067200, M2N_REGRID_BILINEAR, x, NULL, NULL, &error));
    g_assert_error(error, M2N_ERROR, M2N_ERROR_MISSING);
    g_assert_nonnull(strstr(error->message, "2023-12-31T13:00Z"));
}

static void
test_names(void)
{
    g_autoptr(GError) error = NULL;
    M2nVariable v;

    g_assert_true(m2n_variable_from_name("t850", &v, &error));
    g_assert_cmpint(v.param_id, ==, 130);
    g_assert_cmpfloat(v.level, ==, 850);
    g_assert_true(m2n_variable_matches(&v, 130, "isobaricInhPa", 850, "instant"));
    g_assert_false(m2n_variable_matches(&v, 130, "isobaricInhPa", 500, "instant"));
    g_assert_true(m2n_variable_from_name("2t", &v, &error));
    g_assert_cmpstr(v.name, ==, "t2m");
    g_assert_true(m2n_variable_matches(&v, 167, "surface", 0, "instant")); /* GRIB1 at ECMWF */
    g_assert_true(m2n_variable_matches(&v, 167, "heightAboveGround", 2, "instant"));
    g_assert_true(
        m2n_variable_matches(&v, 130, "heightAboveGround", 2, "instant")); /* plain "t" at 2 m */
    g_assert_false(m2n_variable_matches(&v, 130, "isobaricInhPa", 1000, "instant"));
    g_assert_true(m2n_variable_from_name("mx2t", &v, &error)); /* as eccodes before and since 2.50 */
    g_assert_true(m2n_variable_matches(&v, 201, "heightAboveGround", 2, "max"));
    g_assert_true(m2n_variable_matches(&v, 237167, "heightAboveGround", 2, "max"));
    g_assert_true(m2n_variable_from_name("tcwv", &v, &error)); /* NCEP's precipitable water, not a pressure */
    g_assert_true(m2n_variable_matches(&v, 3054, "atmosphereSingleLayer", 0, "instant"));
    g_assert_false(m2n_variable_matches(&v, 54, "cloudBase", 0, "instant"));
    g_assert_false(m2n_variable_from_name("t9999", &v, &error));
    g_assert_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/grib/archive/gulf-window-ends-at-init-time", test_gulf_window);
    g_test_add_func("/grib/variable/names-and-matching", test_names);
    return g_test_run();
}
