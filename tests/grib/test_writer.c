/* What the writer writes, the reader reads: keys, grids, values, missing points, files. */
#include <glib/gstdio.h>

#include "engine/base/error.h"
#include "grib/grib_reader.h"
#include "grib/grib_writer.h"
#include "grib/variable.h"
#include "tests/lib/m2n_domain.h"
#include "tests/lib/m2n_test.h"

#define REFERENCE 1706400000 /* 2024-01-28T00:00Z */

static M2nGribReader *
reader_of(GBytes *message, GError **error)
{
    g_autofree char *path = NULL;
    const int fd = g_file_open_tmp("m2n-writer-XXXXXX.grib2", &path, NULL);
    gsize n;
    const char *data = g_bytes_get_data(message, &n);

    g_assert_cmpint(fd, >=, 0);
    g_close(fd, NULL);
    g_assert_true(g_file_set_contents(path, data, (gssize)n, NULL));
    g_autoptr(M2nSource) source = m2n_source_open_file(path, error);
    g_assert_no_error(*error);
    M2nGribReader *r = m2n_grib_reader_open(source, error);
    g_unlink(path);
    return r;
}

/* Asymmetric both ways, so that a flip or a transposition shows. */
static void
fill_ramp(float *x, const M2nGrid *g, float base)
{
    for (guint r = 0; r < g->height; r++)
        for (guint c = 0; c < g->width; c++)
            x[(gsize)r * g->width + c] = base + 0.25f * (float)r + 0.01f * (float)(c * c);
}

typedef struct {
    const char *name, *crs;
    guint width, height;
    double geo[6];
    M2nPacking packing;
} Case;

static const Case cases[] = {
    {"regular", "EPSG:4326", 24, 13, {-180, 15, 0, 97.5, 0, -15}, M2N_PACKING_SIMPLE},
    {"regular-ccsds", "EPSG:4326", 24, 13, {-10.125, 0.25, 0, 58.125, 0, -0.25}, M2N_PACKING_CCSDS},
    {"rotated",
     "+proj=ob_tran +o_proj=longlat +o_lon_p=0 +o_lat_p=39.25 +lon_0=18 +R=6371229",
     20,
     10,
     {-5.05, 0.1, 0, 2.05, 0, -0.1},
     M2N_PACKING_SIMPLE},
    {"lambert",
     "+proj=lcc +lat_0=25 +lon_0=265 +lat_1=25 +lat_2=25 +R=6371200",
     31,
     17,
     {-40000, 12191, 0, 900000, 0, -12191},
     M2N_PACKING_SIMPLE},
    {"lambert-ellipsoid",
     "+proj=lcc +lat_0=46.5 +lon_0=3 +lat_1=44 +lat_2=49 +a=6378137 +b=6356700",
     31,
     17,
     {-40000, 12191, 0, 900000, 0, -12191},
     M2N_PACKING_SIMPLE},
    {"polar-north",
     "+proj=stere +lat_0=90 +lat_ts=60 +lon_0=10 +R=6371229",
     21,
     14,
     {-900000, 50000, 0, -1000000, 0, -50000},
     M2N_PACKING_SIMPLE},
    {"polar-south",
     "+proj=stere +lat_0=-90 +lat_ts=-60 +lon_0=0 +R=6367470",
     21,
     14,
     {-900000, 50000, 0, 1000000, 0, -50000},
     M2N_PACKING_SIMPLE},
    {"mercator",
     "+proj=merc +lat_ts=20 +lon_0=0 +R=6371200",
     21,
     14,
     {1000000, 20000, 0, 3000000, 0, -20000},
     M2N_PACKING_SIMPLE},
};

static void
test_round_trip(gconstpointer data)
{
    const Case *c = data;
    g_autoptr(M2nDomain) d = m2n_test_domain("t2m u10 t850 tcc tp", c->crs, c->width, c->height, c->geo, 3600);
    g_autofree float *x = g_new(float, d->grid->n_points);
    M2nGribWriterOptions o = M2N_GRIB_WRITER_OPTIONS_DEFAULT;
    g_autoptr(GError) error = NULL;

    o.packing = c->packing;
    o.centre = 98;
    g_autoptr(M2nGribWriter) w = m2n_grib_writer_new(d, &o, &error);
    g_assert_no_error(error);
    for (guint v = 0; v < d->n_variables; v++) {
        const gint64 valid = REFERENCE + 5400; /* an hour and a half: minutes must survive */
        fill_ramp(x, d->grid, v == 3 || v == 4 ? 0.01f : 280);
        g_autoptr(GBytes) m = m2n_grib_writer_message(w, v, REFERENCE, valid, x, &error);
        g_assert_no_error(error);
        g_autoptr(M2nGribReader) r = reader_of(m, &error);
        g_assert_no_error(error);
        g_auto(M2nGribHeader) h = {0};
        g_assert_true(m2n_grib_reader_header(r, 0, &h, &error));
        g_assert_no_error(error);
        g_assert_true(m2n_variable_matches(&d->variables[v], h.param_id, h.type_of_level, h.level,
                                           h.statistics));
        g_assert_cmpint(h.reference_time, ==, REFERENCE);
        g_assert_cmpint(h.valid_time, ==, valid);
        g_assert_cmpint(h.span, ==, v == 4 ? 3600 : 0);
        g_assert_cmpint(h.centre, ==, 98);
        g_assert_false(h.uv_relative);
        if (!g_str_has_prefix(c->name, "mercator")) /* whose central meridian GRIB2 does not keep */
            g_assert_true(m2n_grid_equal(h.grid, d->grid) ||
                          fabs(h.grid->geo[0] - d->grid->geo[0]) < 1);
        g_autoptr(M2nField) f = m2n_grib_reader_field(r, 0, &error);
        g_assert_no_error(error);
        const float unit = v == 3 ? 100 : v == 4 ? 1000 : 1; /* stored in % and kg m-2 */
        for (gsize i = 0; i < d->grid->n_points; i++)
            x[i] *= unit;
        m2n_assert_close(f->values, x, d->grid->n_points, 2e-4 * unit, 0);
    }
}

/* eccodes must recognise every row of the variable table in what we write. */
static void
test_every_variable(void)
{
    const double geo[6] = {0, 1, 0, 10, 0, -1};
    g_autoptr(M2nDomain) d = m2n_test_domain("t2m d2m r2 q2m mx2t mn2t u10 v10 u100 v100 si10 msl sp skt sst tcc lcc tp tcwv "
                                             "lsm orog ssrd sd gust t850 r1000 q700 z500 gh500 u250 v250 w700 d500 vo500 pv300",
                                             "EPSG:4326", 8, 4, geo, 3600);
    const M2nGribWriterOptions o = M2N_GRIB_WRITER_OPTIONS_DEFAULT;
    g_autoptr(GError) error = NULL;
    guint bad = 0;
    float x[32];

    fill_ramp(x, d->grid, 0.1f);
    g_autoptr(M2nGribWriter) w = m2n_grib_writer_new(d, &o, &error);
    g_assert_no_error(error);
    for (guint v = 0; v < d->n_variables; v++) {
        g_autoptr(GBytes) m = m2n_grib_writer_message(w, v, REFERENCE, REFERENCE + 3600, x, &error);
        g_assert_no_error(error);
        g_autoptr(M2nGribReader) r = reader_of(m, &error);
        g_auto(M2nGribHeader) h = {0};
        g_assert_true(m2n_grib_reader_header(r, 0, &h, &error));
        if (m2n_variable_matches(&d->variables[v], h.param_id, h.type_of_level, h.level,
                                 h.statistics))
            continue;
        g_test_message("%s reads as %s, paramId %ld, %s %g, %s", d->variables[v].name, h.name,
                       h.param_id, h.type_of_level, h.level, h.units);
        bad++;
    }
    g_assert_cmpuint(bad, ==, 0);
}

static void
test_missing_points(void)
{
    const double geo[6] = {0, 1, 0, 10, 0, -1};
    g_autoptr(M2nDomain) d = m2n_test_domain("t2m", "EPSG:4326", 8, 4, geo, 3600);
    const M2nGribWriterOptions o = M2N_GRIB_WRITER_OPTIONS_DEFAULT;
    g_autoptr(GError) error = NULL;
    float x[32];

    fill_ramp(x, d->grid, 270);
    x[3] = NAN;
    x[31] = INFINITY;
    g_autoptr(M2nGribWriter) w = m2n_grib_writer_new(d, &o, &error);
    g_autoptr(GBytes) m = m2n_grib_writer_message(w, 0, REFERENCE, REFERENCE, x, &error);
    g_assert_no_error(error);
    g_autoptr(M2nGribReader) r = reader_of(m, &error);
    g_autoptr(M2nField) f = m2n_grib_reader_field(r, 0, &error);
    g_assert_no_error(error);
    for (guint i = 0; i < 32; i++)
        g_assert_cmpint(isnan(f->values[i]), ==, i == 3 || i == 31);
    m2n_assert_close(f->values + 4, x + 4, 27, 1e-3, 0);
}

static void
test_refusals(void)
{
    const double geo[6] = {0, 1000, 0, 10000, 0, -1000};
    const double lonlat[6] = {0, 1, 0, 10, 0, -1};
    M2nGribWriterOptions o = M2N_GRIB_WRITER_OPTIONS_DEFAULT;
    g_autoptr(M2nDomain) d = m2n_test_domain("t2m", "EPSG:27700", 8, 4, geo, 3600);
    g_autoptr(M2nDomain) fine = m2n_test_domain("t2m", "EPSG:4326", 8, 4, lonlat, 3600);
    g_autoptr(GError) error = NULL;
    float x[32] = {0};

    g_assert_null(m2n_grib_writer_new(d, &o, &error));
    g_assert_error(error, M2N_ERROR, M2N_ERROR_FORMAT);
    g_clear_error(&error);
    o.bits = 99;
    g_assert_null(m2n_grib_writer_new(fine, &o, &error));
    g_assert_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT);
    g_clear_error(&error);
    o.bits = 16;
    g_strlcpy(fine->variables[0].units, "furlong", sizeof fine->variables[0].units);
    g_assert_null(m2n_grib_writer_new(fine, &o, &error));
    g_assert_error(error, M2N_ERROR, M2N_ERROR_UNITS);
    g_clear_error(&error);
    g_strlcpy(fine->variables[0].units, "K", sizeof fine->variables[0].units);
    g_autoptr(M2nGribWriter) w = m2n_grib_writer_new(fine, &o, &error);
    g_assert_no_error(error);
    g_assert_null(m2n_grib_writer_message(w, 0, REFERENCE, REFERENCE - 1, x, &error));
    g_assert_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT);
}

static void
test_ensemble(void)
{
    const double geo[6] = {0, 1, 0, 10, 0, -1};
    g_autoptr(M2nDomain) d = m2n_test_domain("t2m tp", "EPSG:4326", 8, 4, geo, 3600);
    g_autofree float *x = g_new0(float, d->grid->n_points);
    M2nGribWriterOptions o = M2N_GRIB_WRITER_OPTIONS_DEFAULT;
    g_autoptr(GError) error = NULL;

    o.n_members = 50;
    for (o.member = -1; o.member <= 49; o.member += 25) {
        g_autoptr(M2nGribWriter) w = m2n_grib_writer_new(d, &o, &error);
        g_assert_no_error(error);
        for (guint v = 0; v < 2; v++) {
            g_autoptr(GBytes) m =
                m2n_grib_writer_message(w, v, REFERENCE, REFERENCE + 7200, x, &error);
            g_assert_no_error(error);
            g_autoptr(M2nGribReader) r = reader_of(m, &error);
            g_auto(M2nGribHeader) h = {0};
            g_assert_true(m2n_grib_reader_header(r, 0, &h, &error));
            g_assert_cmpint(h.member, ==, o.member);
            g_assert_cmpint(h.valid_time, ==, REFERENCE + 7200);
            g_assert_cmpint(h.span, ==, v == 1 ? 3600 : 0); /* accumulated ones stay so */
        }
    }
}

static void
test_files(void)
{
    const double geo[6] = {0, 1, 0, 10, 0, -1};
    g_autofree char *folder = g_dir_make_tmp("m2n-writer-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "out.grib2", NULL);
    g_autoptr(M2nDomain) d = m2n_test_domain("t2m t850 u850", "EPSG:4326", 8, 4, geo, 3600);
    M2nGribWriterOptions o = M2N_GRIB_WRITER_OPTIONS_DEFAULT;
    g_autoptr(GError) error = NULL;
    float fields[2 * 3 * 32];

    for (guint k = 0; k < 6; k++)
        fill_ramp(fields + k * 32, d->grid, (float)(100 * k));
    o.files = M2N_FILES_PER_LEVEL;
    o.variable_major = TRUE;
    g_autoptr(M2nGribWriter) w = m2n_grib_writer_new(d, &o, &error);
    g_auto(GStrv) paths = m2n_grib_writer_paths(w, path);
    g_assert_cmpuint(g_strv_length(paths), ==, 2);
    g_assert_true(g_str_has_suffix(paths[0], "out_2m.grib2"));
    g_assert_true(g_str_has_suffix(paths[1], "out_850hPa.grib2"));
    g_assert_true(m2n_grib_writer_save(w, path, REFERENCE, 2, fields, NULL, NULL, &error));
    g_assert_no_error(error);

    g_autoptr(M2nSource) source = m2n_source_open_file(paths[1], &error);
    g_autoptr(M2nGribReader) r = m2n_grib_reader_open(source, &error);
    g_assert_cmpuint(m2n_grib_reader_count(r), ==, 4);
    static const float first[] = {100, 400, 200, 500}; /* t850 at both steps, then u850 */
    for (guint i = 0; i < 4; i++) {
        g_autoptr(M2nField) f = m2n_grib_reader_field(r, i, &error);
        g_assert_cmpfloat_with_epsilon(f->values[0], first[i], 0.01f);
        g_assert_cmpint(f->valid_time, ==, REFERENCE + 3600 * (1 + (gint)(i % 2)));
    }
    /* a folder that is not there: an error and nothing left behind */
    g_assert_false(
        m2n_grib_writer_save(w, "/nonexistent/o.grib2", REFERENCE, 2, fields, NULL, NULL, &error));
    g_assert_error(error, M2N_ERROR, M2N_ERROR_IO);
    for (char **p = paths; *p != NULL; p++)
        g_unlink(*p);
    g_assert_cmpint(g_rmdir(folder), ==, 0); /* no temporary file stayed */
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strdup_printf("/grib/writer/round-trip/%s", cases[i].name);
        g_test_add_data_func(path, &cases[i], test_round_trip);
    }
    g_test_add_func("/grib/writer/every-variable", test_every_variable);
    g_test_add_func("/grib/writer/missing-points", test_missing_points);
    g_test_add_func("/grib/writer/refusals", test_refusals);
    g_test_add_func("/grib/writer/ensemble", test_ensemble);
    g_test_add_func("/grib/writer/files", test_files);
    return g_test_run();
}
