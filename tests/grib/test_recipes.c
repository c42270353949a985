/* Fields a file holds only in another form: relative humidity, geopotential, rain per step, grid-relative wind. */
#include <eccodes.h>
#include <string.h>

#include "engine/base/error.h"
#include "grib/archive.h"
#include "grib/grib_writer.h"
#include "tests/lib/m2n_domain.h"
#include "tests/lib/m2n_test.h"

#define START 1706400000 /* 2024-01-28T00:00Z */
#define RADIANS (G_PI / 180)

static const double lonlat[6] = {-100, 1, 0, 40, 0, -1};

/* Appends one uniform message; relative: marked as relative to the grid. */
static void
append(GByteArray *file, const M2nDomain *d, guint variable, gint64 valid, float value,
       gboolean relative)
{
    const M2nGribWriterOptions o = M2N_GRIB_WRITER_OPTIONS_DEFAULT;
    g_autoptr(M2nGribWriter) w = m2n_grib_writer_new(d, &o, NULL);
    g_autofree float *x = g_new(float, d->grid->n_points);
    g_autoptr(GError) error = NULL;

    for (gsize i = 0; i < d->grid->n_points; i++)
        x[i] = value;
    g_autoptr(GBytes) m = m2n_grib_writer_message(w, variable, START, valid, x, &error);
    g_assert_no_error(error);
    codes_handle *h =
        codes_handle_new_from_message_copy(NULL, g_bytes_get_data(m, NULL), g_bytes_get_size(m));
    const void *bytes;
    gsize n;
    if (relative)
        g_assert_cmpint(codes_set_long(h, "uvRelativeToGrid", 1), ==, 0);
    g_assert_cmpint(codes_get_message(h, &bytes, &n), ==, 0);
    g_byte_array_append(file, bytes, (guint)n);
    codes_handle_delete(h);
}

static gboolean
memory_read(gpointer data, guint64 offset, gpointer buffer, gsize n, GError **error)
{
    (void)error;
    memcpy(buffer, ((GByteArray *)data)->data + offset, n);
    return TRUE;
}

static void
memory_free(gpointer data)
{
    g_byte_array_unref(data);
}

static M2nArchive *
archive_of(GByteArray *file)
{
    static const M2nSourceFuncs funcs = {memory_read, memory_free, NULL};
    g_autoptr(M2nSource) s =
        m2n_source_new("x.grib2", file->len, "stamp", &funcs, g_byte_array_ref(file));
    g_autoptr(GError) error = NULL;
    M2nArchive *a = m2n_archive_open(&s, 1, &error);

    g_assert_no_error(error);
    return a;
}

/* One step of one model variable, out of two messages with these values: the first point. */
static float
derive(const char *model, const char *file, const float *values)
{
    g_autoptr(M2nDomain) from = m2n_test_domain(file, "EPSG:4326", 20, 20, lonlat, 3600);
    g_autoptr(M2nDomain) to = m2n_test_domain(model, "EPSG:4326", 20, 20, lonlat, 3600);
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autoptr(GError) error = NULL;
    float x[400];

    for (guint v = 0; v < from->n_variables; v++)
        append(bytes, from, v, START + 3600, values[v], FALSE);
    g_autoptr(M2nArchive) a = archive_of(bytes);
    g_assert_true(m2n_archive_has_window(a, to, 1, START + 3600, &error));
    m2n_archive_read_window(a, to, 1, START + 3600, M2N_REGRID_BILINEAR, x, NULL, NULL, &error);
    g_assert_no_error(error);
    return x[0];
}

/* Expected values from the formulas in humidity.h, computed in Python. */
static void
test_humidity(void)
{
    const float warm[] = {280, 0.005f}, cold[] = {260, 0.001f}, damp[] = {285, 275};

    g_assert_cmpfloat_with_epsilon(derive("r850", "t850 q850", warm), 68.7546f, 0.05f);
    g_assert_cmpfloat_with_epsilon(derive("r850", "t850 q850", cold), 68.1616f, 0.05f);
    g_assert_cmpfloat_with_epsilon(derive("r2", "t2m d2m", damp), 50.3057f, 0.05f);
}

static void
test_geopotential(void)
{
    const float height[] = {5500}, z[] = {9.80665f * 5500};

    g_assert_cmpfloat_with_epsilon(derive("z500", "gh500", height), z[0], 0.5f);
    g_assert_cmpfloat_with_epsilon(derive("gh500", "z500", z), 5500, 0.1f);
}

/* 3 mm in the first hour, 8 mm since the start after two: 5 mm in the second, as metres. */
static void
test_rain_per_step(void)
{
    g_autoptr(M2nDomain) hour = m2n_test_domain("tp", "EPSG:4326", 20, 20, lonlat, 3600);
    g_autoptr(M2nDomain) two = m2n_test_domain("tp", "EPSG:4326", 20, 20, lonlat, 7200);
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autoptr(GError) error = NULL;
    float x[800];

    append(bytes, hour, 0, START + 3600, 3e-3f, FALSE);
    append(bytes, two, 0, START + 7200, 8e-3f, FALSE);
    g_autoptr(M2nArchive) a = archive_of(bytes);
    m2n_archive_read_window(a, hour, 2, START + 7200, M2N_REGRID_BILINEAR, x, NULL, NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpfloat_with_epsilon(x[0], 3e-3f, 1e-6f);
    g_assert_cmpfloat_with_epsilon(x[400], 5e-3f, 1e-6f);
}

static const double conic[6] = {-2000000, 50000, 0, 2500000, 0, -50000};
#define CONIC "+proj=lcc +lat_0=25 +lon_0=265 +lat_1=25 +lat_2=25 +R=6371229"

/* 10 m/s along the rows of a Lambert grid: on the earth it turns by sin(25) (lon + 95). */
static void
test_relative_wind(void)
{
    static const char *const orders[] = {"u10 v10", "v10 u10", "u10", "v10"};
    g_autoptr(M2nDomain) from = m2n_test_domain("u10 v10", CONIC, 80, 50, conic, 3600);
    g_autoptr(GByteArray) bytes = g_byte_array_new();

    append(bytes, from, 0, START, 10, TRUE);
    append(bytes, from, 1, START, 0, TRUE);
    g_autoptr(M2nArchive) a = archive_of(bytes);
    for (gsize k = 0; k < G_N_ELEMENTS(orders); k++) {
        const double geo[6] = {-105, 1, 0, 40, 0, -1};
        g_autoptr(M2nDomain) to = m2n_test_domain(orders[k], "EPSG:4326", 20, 10, geo, 3600);
        g_autoptr(GError) error = NULL;
        float x[400];
        m2n_archive_read_window(a, to, 1, START, M2N_REGRID_BILINEAR, x, NULL, NULL, &error);
        g_assert_no_error(error);
        for (guint i = 0; i < 200 * to->n_variables; i++) {
            const double lon = -104.5 + i % 20, turn = -sin(25 * RADIANS) * (lon + 95) * RADIANS;
            const gboolean is_u = to->variables[i / 200].name[0] == 'u';
            g_assert_cmpfloat_with_epsilon((double)x[i], 10 * (is_u ? cos(turn) : sin(turn)), 2e-3);
        }
    }
}

static void
test_u_without_v(void)
{
    g_autoptr(M2nDomain) from = m2n_test_domain("u10 v10", CONIC, 80, 50, conic, 3600);
    const double geo[6] = {-105, 1, 0, 40, 0, -1};
    g_autoptr(M2nDomain) to = m2n_test_domain("u10", "EPSG:4326", 20, 10, geo, 3600);
    g_autoptr(GByteArray) relative = g_byte_array_new(), absolute = g_byte_array_new();
    g_autoptr(GError) error = NULL;
    float x[200];

    append(relative, from, 0, START, 10, TRUE);
    append(absolute, from, 0, START, 10, FALSE);
    g_autoptr(M2nArchive) a = archive_of(relative), b = archive_of(absolute);
    g_assert_false(m2n_archive_has_window(a, to, 1, START, &error));
    g_assert_error(error, M2N_ERROR, M2N_ERROR_MISSING);
    g_assert_nonnull(strstr(error->message, "needs v10"));
    g_clear_error(&error);
    m2n_archive_read_window(b, to, 1, START, M2N_REGRID_BILINEAR, x, NULL, NULL, &error);
    g_assert_no_error(error); /* nothing to turn */
    g_assert_cmpfloat_with_epsilon(x[0], 10, 1e-4f);
}

/* The analysis outranks a forecast made earlier for the same time. */
static void
test_newest_run_first(void)
{
    g_autoptr(M2nDomain) d = m2n_test_domain("t2m", "EPSG:4326", 20, 20, lonlat, 3600);
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autoptr(GError) error = NULL;
    float x[400];

    append(bytes, d, 0, START + 3600, 280, FALSE); /* a forecast of START */
    codes_handle *h = codes_handle_new_from_message_copy(NULL, bytes->data, bytes->len);
    const void *later;
    gsize n;
    double values[400];
    for (int i = 0; i < 400; i++)
        values[i] = 290;
    g_assert_cmpint(codes_set_long(h, "hour", 1), ==, 0); /* 01Z, step 0 */
    g_assert_cmpint(codes_set_long(h, "forecastTime", 0), ==, 0);
    g_assert_cmpint(codes_set_double_array(h, "values", values, 400), ==, 0);
    g_assert_cmpint(codes_get_message(h, &later, &n), ==, 0);
    g_byte_array_append(bytes, later, (guint)n);
    codes_handle_delete(h);
    g_autoptr(M2nArchive) a = archive_of(bytes);
    m2n_archive_read_window(a, d, 1, START + 3600, M2N_REGRID_BILINEAR, x, NULL, NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpfloat(x[0], ==, 290);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/grib/recipes/humidity", test_humidity);
    g_test_add_func("/grib/recipes/geopotential", test_geopotential);
    g_test_add_func("/grib/recipes/rain-per-step", test_rain_per_step);
    g_test_add_func("/grib/recipes/relative-wind", test_relative_wind);
    g_test_add_func("/grib/recipes/u-without-v", test_u_without_v);
    g_test_add_func("/grib/recipes/newest-run-first", test_newest_run_first);
    return g_test_run();
}
