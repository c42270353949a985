/* Damaged files: an error that names file and message, the good messages still read, no crash and no leak. */
#include <eccodes.h>
#include <string.h>

#include "engine/base/error.h"
#include "grib/archive.h"
#include "grib/grib_reader.h"
#include "tests/lib/m2n_test.h"

/* ---- bytes as a source --------------------------------------------------------------------------- */

typedef struct {
    guint8 *data;
    gsize n;
} Memory;

static gboolean
memory_read(gpointer data, guint64 offset, gpointer buffer, gsize n, GError **error)
{
    const Memory *m = data;

    (void)error;
    g_assert_cmpuint(offset + n, <=, m->n); /* m2n_source_read() checks before */
    memcpy(buffer, m->data + offset, n);
    return TRUE;
}

static void
memory_free(gpointer data)
{
    g_free(((Memory *)data)->data);
    g_free(data);
}

/* A copy of exactly n bytes, so that AddressSanitizer sees one byte too far. */
static M2nSource *
source_of(const guint8 *data, gsize n)
{
    static const M2nSourceFuncs funcs = {memory_read, memory_free, NULL};
    Memory *m = g_new(Memory, 1);

    m->data = g_memdup2(data, n);
    m->n = n;
    return m2n_source_new("x.grib", n, "stamp", &funcs, m);
}

/* A message from an eccodes sample with a ramp in it. */
static guint8 *
sample(const char *name, const char *packing, gsize *n)
{
    codes_handle *h = codes_grib_handle_new_from_samples(NULL, name);
    const void *bytes;
    double ramp[496];

    g_assert_nonnull(h);
    for (int i = 0; i < 496; i++)
        ramp[i] = 250 + i * 0.1;
    g_assert_cmpint(codes_set_double_array(h, "values", ramp, 496), ==, 0);
    if (packing != NULL) {
        gsize length = strlen(packing);
        g_assert_cmpint(codes_set_string(h, "packingType", packing, &length), ==, 0);
    }
    g_assert_cmpint(codes_set_double_array(h, "values", ramp, 496), ==, 0);
    g_assert_cmpint(codes_get_message(h, &bytes, n), ==, 0);
    guint8 *copy = g_memdup2(bytes, *n);
    codes_handle_delete(h);
    return copy;
}

/* Reads whatever there is; returns the number of fields. */
static guint
read_all(M2nSource *source)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(M2nGribReader) r = m2n_grib_reader_open(source, &error);
    guint good = 0;

    if (r == NULL) {
        g_assert_nonnull(error);
        g_assert_true(g_str_has_prefix(error->message, m2n_source_name(source)));
        return 0;
    }
    for (guint i = 0; i < m2n_grib_reader_count(r); i++) {
        g_autoptr(GError) problem = NULL;
        g_autoptr(M2nField) f = m2n_grib_reader_field(r, i, &problem);
        g_assert_true((f == NULL) == (problem != NULL));
        if (f == NULL) {
            g_assert_true(g_str_has_prefix(problem->message, m2n_source_name(source)));
            g_assert_nonnull(strstr(problem->message, "message "));
            g_assert_null(strchr(problem->message, '\n'));
        }
        good += f != NULL;
    }
    return good;
}

/* ---- tests --------------------------------------------------------------------------------------- */

typedef struct {
    const char *name, *sample, *packing;
} Kind;

static const Kind kinds[] = {
    {"grib1", "regular_ll_sfc_grib1", NULL},
    {"grib2", "regular_ll_sfc_grib2", NULL},
    {"grib1-second-order", "regular_ll_sfc_grib1", "grid_second_order"},
    {"grib1-second-order-no-SPD", "regular_ll_sfc_grib1", "grid_second_order_no_SPD"},
    {"grib2-second-order", "regular_ll_sfc_grib2", "grid_second_order"},
    {"grib2-complex", "regular_ll_sfc_grib2", "grid_complex"},
    {"grib2-complex-differences", "regular_ll_sfc_grib2", "grid_complex_spatial_differencing"},
    {"grib2-ccsds", "regular_ll_sfc_grib2", "grid_ccsds"},
    {"grib2-jpeg", "regular_ll_sfc_grib2", "grid_jpeg"},
    {"grib2-png", "regular_ll_sfc_grib2", "grid_png"},
};

static void
test_truncated(gconstpointer data)
{
    const Kind *k = data;
    gsize n;
    g_autofree guint8 *bytes = sample(k->sample, k->packing, &n);

    for (gsize cut = 0; cut < n; cut++) {
        g_autoptr(M2nSource) s = source_of(bytes, cut);
        g_assert_cmpuint(read_all(s), ==, 0);
    }
    g_autoptr(M2nSource) whole = source_of(bytes, n);
    g_assert_cmpuint(read_all(whole), ==, 1);
}

/* Every byte of the headers wrong in two ways: an error or values, but never a crash. */
static void
test_flipped(gconstpointer data)
{
    static const guint8 masks[] = {0x81, 0xff};
    const Kind *k = data;
    gsize n;
    g_autofree guint8 *bytes = sample(k->sample, k->packing, &n);

    for (gsize i = 4; i < MIN(n, 240); i++)
        for (gsize m = 0; m < G_N_ELEMENTS(masks); m++) {
            bytes[i] ^= masks[m];
            g_autoptr(M2nSource) s = source_of(bytes, n);
            read_all(s);
            bytes[i] ^= masks[m];
        }
}

/* good, padding, damaged, good: numbered, and the good ones read. */
static void
test_damaged_among_good(void)
{
    gsize n;
    g_autofree guint8 *bytes = sample("regular_ll_sfc_grib2", NULL, &n);
    g_autoptr(GByteArray) file = g_byte_array_new();
    g_autoptr(GError) error = NULL;
    M2nArchiveOptions options = M2N_ARCHIVE_OPTIONS_DEFAULT;

    g_byte_array_append(file, bytes, (guint)n);
    g_byte_array_append(file, (const guint8 *)"padding GRIBxxxxGRI", 19);
    g_byte_array_append(file, bytes, (guint)n - 1); /* its end is lost */
    g_byte_array_append(file, (const guint8 *)"#", 1);
    g_byte_array_append(file, bytes, (guint)n);
    g_autoptr(M2nSource) s = source_of(file->data, file->len);
    g_assert_cmpuint(read_all(s), ==, 2);

    g_assert_null(m2n_archive_open(&s, 1, &error));
    g_assert_error(error, M2N_ERROR, M2N_ERROR_FORMAT);
    g_assert_nonnull(strstr(error->message, "message 2: wrong length"));
    g_clear_error(&error);
    options.skip_damaged = TRUE;
    g_autoptr(M2nArchive) a = m2n_archive_open_with(&s, 1, &options, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(m2n_archive_problems(a), ==, 1);
    g_assert_nonnull(strstr(m2n_archive_problem(a, 0), "message 2"));
}

/* A scanning mode that a reduced grid cannot have: the rows have columns of their own. */
static void
test_columns_of_reduced_grid(void)
{
    static const char *const names[] = {"reduced_gg_pl_32_grib1", "reduced_gg_pl_32_grib2"};

    for (guint i = 0; i < 2; i++) {
        codes_handle *h = codes_grib_handle_new_from_samples(NULL, names[i]);
        const void *bytes;
        gsize n;
        g_autoptr(GError) error = NULL;
        g_auto(M2nGribHeader) header = {0};

        g_assert_nonnull(h);
        g_assert_cmpint(codes_set_long(h, "jPointsAreConsecutive", 1), ==, 0);
        g_assert_cmpint(codes_get_message(h, &bytes, &n), ==, 0);
        g_autoptr(M2nSource) s = source_of(bytes, n);
        codes_handle_delete(h);
        g_assert_cmpuint(read_all(s), <=, 1);
        g_autoptr(M2nGribReader) r = m2n_grib_reader_open(s, &error);
        g_assert_no_error(error);
        g_assert_true(m2n_grib_reader_header(r, 0, &header, &error));
        g_assert_false(m2n_grid_has_place(header.grid));
        g_assert_nonnull(strstr(header.grid->no_place, "columns one after the other"));
    }
}

/* A section 2 of n bytes after section 1 of a good message. */
static M2nSource *
with_local_section(gsize n)
{
    gsize length;
    g_autofree guint8 *good = sample("regular_ll_sfc_grib2", NULL, &length);
    const gsize at = 16 + 21, total = length + n;
    g_autofree guint8 *m = g_malloc0(total);

    memcpy(m, good, at);
    memcpy(m + at + n, good + at, length - at);
    for (int i = 0; i < 8; i++)
        m[8 + i] = (guint8)((guint64)total >> 8 * (7 - i));
    for (int i = 0; i < 4; i++)
        m[at + (gsize)i] = (guint8)(n >> 8 * (3 - i));
    m[at + 4] = 2;
    return source_of(m, total);
}

/* What is read of every message, and kept, is bounded. */
static void
test_large_sections(void)
{
    g_autoptr(M2nSource) small = with_local_section(1000), large = with_local_section((1u << 20) + 1);
    g_autoptr(GError) error = NULL;

    g_assert_cmpuint(read_all(small), ==, 1);
    g_assert_null(m2n_archive_open(&large, 1, &error));
    g_assert_error(error, M2N_ERROR, M2N_ERROR_FORMAT);
    g_assert_nonnull(strstr(error->message, "section 2 at byte 37: 1048577 bytes, more than it can mean"));
}

static void
test_broken_folder(void)
{
    static const struct {
        const char *file;
        guint good;
    } files[] = {/* its first length is wrong, its second message is whole */
                 {"ecmwf+cfgrib/era5-levels-corrupted.grib", 1},
                 {"ecmwf+earthkit-data/empty_file.grib", 0},
                 {"rouault+gdal/blend.t17z.master.f001.co.grib2.head", 0},
                 {"rouault+gdal/broken_combined_grib2_grib1.grb2", 18},
                 {"rouault+gdal/broken_combined_grib2_grib1.grb2.idx", 0},
                 {"rouault+gdal/gfs.t00z.mastergrb2f03.zip", 0},
                 {"rouault+gdal/rotated_pole.grb.begin", 0},
                 {"rouault+gdal/south_polar_stereo_grib1.grb.begin", 0},
                 {"rouault+gdal/template_4_65535.grb2", 0}};
    g_autofree char *root = g_build_filename(g_getenv("M2N_SHARED"), "data", "broken", NULL);

    if (!g_file_test(root, G_FILE_TEST_IS_DIR)) {
        g_test_skip("no broken files beside the checkout");
        return;
    }
    for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *path = g_build_filename(root, files[i].file, NULL);
        g_autoptr(M2nSource) s = m2n_source_open_file(path, NULL);
        g_assert_nonnull(s);
        g_assert_cmpuint(read_all(s), ==, files[i].good);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_autofree char *a = g_strdup_printf("/grib/damage/truncated/%s", kinds[i].name);
        g_autofree char *b = g_strdup_printf("/grib/damage/flipped/%s", kinds[i].name);
        g_test_add_data_func(a, &kinds[i], test_truncated);
        g_test_add_data_func(b, &kinds[i], test_flipped);
    }
    g_test_add_func("/grib/damage/among-good-ones", test_damaged_among_good);
    g_test_add_func("/grib/damage/columns-of-a-reduced-grid", test_columns_of_reduced_grid);
    g_test_add_func("/grib/damage/large-sections", test_large_sections);
    g_test_add_func("/grib/damage/broken-files", test_broken_folder);
    return g_test_run();
}
