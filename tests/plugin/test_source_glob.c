/* Patterns in "input": files in order, nothing hidden, nothing from other folders. */
#include <glib/gstdio.h>

#include "engine/base/error.h"
#include "plugin/source_glob.h"

static void
test_patterns(void)
{
    static const char *const files[] = {"b_2.grib2", "b_1.grib2", "a.grib2", ".b_0.grib2",
                                        "b_x[1].grib2"};
    g_autofree char *folder = g_dir_make_tmp("m2n-glob-XXXXXX", NULL);
    g_autofree char *json = g_build_filename(folder, "forecast.json", NULL);
    g_autofree char *absolute = g_build_filename(folder, "b_?.grib2", NULL);
    g_autofree char *first = g_build_filename(folder, "b_1.grib2", NULL);
    g_autoptr(GError) error = NULL;

    for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *path = g_build_filename(folder, files[i], NULL);
        g_assert_true(g_file_set_contents(path, "x", 1, NULL));
    }
    g_auto(GStrv) some = m2n_source_glob(json, "b_*.grib2", 10, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(g_strv_length(some), ==, 3);
    g_assert_cmpstr(some[0], ==, "b_1.grib2");
    g_assert_cmpstr(some[1], ==, "b_2.grib2");
    g_auto(GStrv) full = m2n_source_glob("/elsewhere/forecast.json", absolute, 10, &error);
    g_assert_cmpuint(g_strv_length(full), ==, 2);
    g_assert_cmpstr(full[0], ==, first);
    g_auto(GStrv) plain = m2n_source_glob(json, "not-there.grib2", 10, &error);
    g_assert_cmpstr(plain[0], ==, "not-there.grib2"); /* whoever opens it will say so */
    g_auto(GStrv) network = m2n_source_glob(json, "https://x/*.grib2", 10, &error);
    g_assert_cmpstr(network[0], ==, "https://x/*.grib2");
    g_assert_null(m2n_source_glob(json, "c_*.grib2", 10, &error));
    g_assert_error(error, M2N_ERROR, M2N_ERROR_IO);
    g_clear_error(&error);
    g_assert_null(m2n_source_glob(json, "*", 2, &error));
    g_assert_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT);
    for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *path = g_build_filename(folder, files[i], NULL);
        g_unlink(path);
    }
    g_rmdir(folder);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/plugin/source-glob/patterns", test_patterns);
    return g_test_run();
}
