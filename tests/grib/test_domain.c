/* The metadata of models from anywhere. */
#include "grib/domain.h"

#include <glib/gstdio.h>

#include "engine/base/error.h"

#define GRID                                                                                       \
    "{\"crs\": \"EPSG:4326\", \"width\": 8, \"height\": 4, \"geotransform\": [0, 1, 0, 4, 0, -1]}"
#define VARIABLES(name, level)                                                                     \
    "[{\"name\": \"" name "\", \"paramId\": 167, \"typeOfLevel\": \"" level "\", \"level\": 2, "   \
    "\"units\": \"K\", \"mean\": 280, \"std\": 20}]"

/* What m2n_domain_read() makes of a file with these metadata. (transfer full) */
static M2nDomain *
read_domain(const char *variables, const char *grid, GError **error)
{
    g_autofree char *folder = g_dir_make_tmp("met2net-domain-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "m.safetensors", NULL);
    g_autoptr(M2nSafetensorsWriter) w = m2n_safetensors_writer_new(path, NULL);

    m2n_safetensors_writer_metadata(w, "time_step", "3600");
    m2n_safetensors_writer_metadata(w, "variables", variables);
    m2n_safetensors_writer_metadata(w, "grid", grid);
    g_assert_true(m2n_safetensors_writer_finish(w, NULL));
    g_autoptr(M2nSource) source = m2n_source_open_file(path, NULL);
    g_autoptr(M2nSafetensors) st = m2n_safetensors_open(source, NULL);
    g_assert_nonnull(st);
    M2nDomain *d = m2n_domain_read(st, error);
    g_remove(path);
    g_rmdir(folder);
    return d;
}

static void
test_good(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(M2nDomain) d = read_domain(VARIABLES("t2m", "heightAboveGround"), GRID, &error);

    g_assert_no_error(error);
    g_assert_cmpstr(d->variables[0].name, ==, "t2m");
    g_assert_cmpuint(d->grid->width, ==, 8);
}

/* json-glib alone would recurse until the stack of the host is used up. */
static void
test_deep_nesting(void)
{
    g_autofree char *deep = g_strnfill(2000000, '[');
    const char *const both[2][2] = {{deep, GRID}, {VARIABLES("t2m", "surface"), deep}};

    for (guint i = 0; i < 2; i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(M2nDomain) d = read_domain(both[i][0], both[i][1], &error);
        g_assert_null(d);
        g_assert_error(error, M2N_ERROR, M2N_ERROR_FORMAT);
    }
}

/* Names become parts of file names ("{variable}", arrays of Zarr) and are printed. */
static void
test_names_that_lead_elsewhere(void)
{
    static const char *const bad[] = {
        VARIABLES("../t2m", "surface"),     VARIABLES("/etc/t2m", "surface"),
        VARIABLES("..", "surface"),         VARIABLES("a\\\\b", "surface"),
        VARIABLES(".hidden", "surface"),    VARIABLES("", "surface"),
        VARIABLES("\\u001b[2J", "surface"), VARIABLES("t2m\\n", "surface"),
        VARIABLES("t2m", "../../surface"),  VARIABLES("t2m", "sur\\u0007face"),
    };

    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(M2nDomain) d = read_domain(bad[i], GRID, &error);
        g_assert_null(d);
        g_assert_error(error, M2N_ERROR, M2N_ERROR_FORMAT);
    }
}

/* Each was once taken for some other number. */
static void
test_numbers_that_are_none(void)
{
    static const char variable[] = "[{\"name\": \"t2m\", \"paramId\": %s, \"typeOfLevel\": \"surface\", \"level\": 2, "
                                   "\"units\": \"K\", \"mean\": %s, \"std\": 20}]";
    static const char grid[] = "{\"crs\": \"EPSG:4326\", \"width\": 8, \"height\": 4, "
                               "\"geotransform\": [%s, 1, %s, 4, 0, -1], \"shape_of_earth\": %s, \"earth_major\": %s}";
    static const char *const bad[][6] = {
        {"167.5", "280", "0", "0", "6", "0"},
        {"167", "18446744073709551615", "0", "0", "6", "0"},
        {"167", "280", "\"-180\"", "0", "6", "0"},
        {"167", "280", "true", "0", "6", "0"},
        {"167", "280", "0", "false", "6", "0"},
        {"167", "280", "0", "\"\"", "6", "0"},
        {"167", "280", "0", "0", "300", "0"},
        {"167", "280", "0", "0", "1.5", "0"},
        {"167", "280", "0", "0", "-1", "0"},
        {"167", "280", "0", "0", "1", "-6371229"},
        {"167", "280", "0", "0", "1", "1e300"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        const char *const *b = bad[i];
        g_autoptr(GError) error = NULL;
        g_autofree char *variables = g_strdup_printf(variable, b[0], b[1]);
        g_autofree char *place = g_strdup_printf(grid, b[2], b[3], b[4], b[5]);
        g_autoptr(M2nDomain) d = read_domain(variables, place, &error);
        g_assert_null(d);
        g_assert_error(error, M2N_ERROR, M2N_ERROR_FORMAT);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/grib/domain/good", test_good);
    g_test_add_func("/grib/domain/deep-nesting", test_deep_nesting);
    g_test_add_func("/grib/domain/names-that-lead-elsewhere", test_names_that_lead_elsewhere);
    g_test_add_func("/grib/domain/numbers-that-are-none", test_numbers_that_are_none);
    return g_test_run();
}
