/* Every packing, value by value against eccodes: what eccodes encodes, what lies beside the checkout, and messages made
 * here of what eccodes cannot encode. */
#include <eccodes.h>
#include <string.h>

#include "grib/grib_reader.h"
#include "grib/grib_unpack.h"
#include "tests/lib/m2n_test.h"

#define NX 16
#define NY 31
#define N (NX * NY)
#define MISSING 9999.0

/* ---- against eccodes ----------------------------------------------------------------------------- */

/* eccodes' values of a message in stored order, NaN for missing; NULL: it cannot. */
static double *
reference_values(codes_handle *h, gsize *n)
{
    if (codes_get_size(h, "values", n) != 0)
        return NULL;
    double *v = g_new(double, *n + 1);
    codes_set_double(h, "missingValue", MISSING * 1e30);
    if (codes_get_double_array(h, "values", v, n) != 0) {
        g_free(v);
        return NULL;
    }
    for (gsize i = 0; i < *n; i++)
        if (v[i] == MISSING * 1e30)
            v[i] = NAN;
    return v;
}

/* The same floats, missing where missing; a message about the first that is not. */
static char *
compare(int edition, const guint8 *message, gsize length, const double *want, gsize n)
{
    g_autoptr(GError) error = NULL;
    g_autofree float *got = g_new(float, n + 1);
    g_autofree guint8 *exact =
        g_memdup2(message, length); /* so that a sanitizer sees an octet too far */
    double largest = 0;

    if (!m2n_grib_unpack(edition, exact, length, got, n, &error))
        return g_strdup(error->message);
    for (gsize i = 0; i < n; i++)
        largest = isnan(want[i]) ? largest : fmax(largest, fabs(want[i]));
    for (gsize i = 0; i < n; i++)
        if (isnan((double)got[i]) != isnan(want[i]) ||
            fabs((double)got[i] - want[i]) > 1e-7 * (fabs(want[i]) + 1e-3 * largest))
            return g_strdup_printf("value %" G_GSIZE_FORMAT ": %.9g, not %.9g", i, (double)got[i],
                                   want[i]);
    return NULL;
}

static void
assert_same(codes_handle *h, gsize points)
{
    const void *bytes;
    gsize length, n;
    long edition;

    g_assert_cmpint(codes_get_message(h, &bytes, &length), ==, 0);
    g_assert_cmpint(codes_get_long(h, "edition", &edition), ==, 0);
    g_autofree guint8 *copy = g_memdup2(bytes, length);
    g_autofree double *want = reference_values(h, &n);
    g_assert_nonnull(want);
    g_assert_cmpuint(n, ==, points);
    g_autofree char *complaint = compare((int)edition, copy, length, want, n);
    if (complaint != NULL)
        g_error("%s", complaint);
}

typedef struct {
    const char *name, *sample, *packing;
    long bits;
    gboolean holes;
} Kind;

static const Kind kinds[] = {
    {"1/simple/1-bit", "regular_ll_sfc_grib1", "grid_simple", 1, FALSE},
    {"1/simple/11-bits", "regular_ll_sfc_grib1", "grid_simple", 11, TRUE},
    {"1/second-order", "regular_ll_sfc_grib1", "grid_second_order", 16, FALSE},
    {"1/second-order/holes", "regular_ll_sfc_grib1", "grid_second_order", 16, TRUE},
    {"1/second-order/no-differences", "regular_ll_sfc_grib1", "grid_second_order_no_SPD", 12,
     FALSE},
    {"1/second-order/first-differences", "regular_ll_sfc_grib1", "grid_second_order_SPD1", 12,
     TRUE},
    {"1/second-order/third-differences", "regular_ll_sfc_grib1", "grid_second_order_SPD3", 12,
     FALSE},
    {"1/second-order/to-and-fro", "regular_ll_sfc_grib1", "grid_second_order_boustrophedonic", 12,
     FALSE},
    {"2/simple/8-bits", "regular_ll_sfc_grib2", "grid_simple", 8, TRUE},
    {"2/simple/24-bits", "regular_ll_sfc_grib2", "grid_simple", 24, FALSE},
    {"2/simple/32-bits", "regular_ll_sfc_grib2", "grid_simple", 32, FALSE},
    {"2/logarithm", "regular_ll_sfc_grib2", "grid_simple_log_preprocessing", 16, FALSE},
    {"2/ieee", "regular_ll_sfc_grib2", "grid_ieee", 0, TRUE},
    {"2/complex", "regular_ll_sfc_grib2", "grid_complex", 16, FALSE},
    {"2/complex/holes", "regular_ll_sfc_grib2", "grid_complex", 12, TRUE},
    {"2/complex/differences", "regular_ll_sfc_grib2", "grid_complex_spatial_differencing", 16,
     FALSE},
    {"2/complex/differences/holes", "regular_ll_sfc_grib2", "grid_complex_spatial_differencing", 11,
     TRUE},
    {"2/second-order", "regular_ll_sfc_grib2", "grid_second_order", 16, FALSE},
    {"2/second-order/holes", "regular_ll_sfc_grib2", "grid_second_order", 16, TRUE},
    {"2/jpeg", "regular_ll_sfc_grib2", "grid_jpeg", 16, FALSE},
    {"2/jpeg/holes", "regular_ll_sfc_grib2", "grid_jpeg", 9, TRUE},
    {"2/png/1-bit", "regular_ll_sfc_grib2", "grid_png", 1, FALSE},
    {"2/png/8-bits", "regular_ll_sfc_grib2", "grid_png", 8, FALSE},
    {"2/png/16-bits", "regular_ll_sfc_grib2", "grid_png", 16, FALSE},
    {"2/png/24-bits", "regular_ll_sfc_grib2", "grid_png", 24, FALSE},
    {"2/ccsds/8-bits", "regular_ll_sfc_grib2", "grid_ccsds", 8, TRUE},
    {"2/ccsds/16-bits", "regular_ll_sfc_grib2", "grid_ccsds", 16, FALSE},
    {"2/ccsds/20-bits", "regular_ll_sfc_grib2", "grid_ccsds", 20, FALSE},
    {"2/ccsds/28-bits", "regular_ll_sfc_grib2", "grid_ccsds", 28, FALSE},
};

/* eccodes' PNG encoder fails where compression gains nothing: no noise there. */
static double
wave(const Kind *k, gsize i, int amplitude)
{
    if (g_str_equal(k->packing, "grid_png"))
        return 250 + (double)(i % NX) + amplitude;
    return 250 + amplitude * sin((double)(i % NX) * 0.4) * cos((double)(i / NX) * 0.15) +
           (double)(i * i % 17) * 0.05;
}

/* Groups that all begin alike need no bits to say where: eccodes 2.41 reads them as one constant (2.28, 2.50 do not). */
static gboolean
taken_for_constant(codes_handle *h)
{
    long bits = 1;
    gsize n = 0;
    g_autofree double *read = reference_values(h, &n);

    return codes_get_long(h, "bitsPerValue", &bits) == 0 && bits == 0 && read != NULL &&
           read[0] == read[1];
}

static void
test_encoded(gconstpointer data)
{
    const Kind *k = data;
    codes_handle *h = codes_grib_handle_new_from_samples(NULL, k->sample);
    gsize length = strlen(k->packing);

    for (int amplitude = 0; amplitude <= 30; amplitude += 30) { /* nearly flat as well */
        double v[N];
        for (gsize i = 0; i < N; i++)
            v[i] = k->holes && i % 7 == 3 ? MISSING : wave(k, i, amplitude);
        codes_set_double(h, "missingValue", MISSING);
        codes_set_long(h, "bitmapPresent", k->holes);
        if (k->bits > 0)
            codes_set_long(h, "bitsPerValue", k->bits);
        g_assert_cmpint(codes_set_double_array(h, "values", v, N), ==, 0);
        if (codes_set_string(h, "packingType", k->packing, &length) != 0) {
            g_test_skip("eccodes cannot encode it");
            break;
        }
        char now[64] = "";
        gsize size = sizeof now;
        codes_get_string(h, "packingType", now, &size);
        if (!g_str_has_prefix(now, k->packing) && !g_str_has_prefix(k->packing, now))
            g_test_skip("eccodes encodes something else");
        if (taken_for_constant(h)) {
            g_test_skip("eccodes takes the values for a constant");
            continue;
        }
        assert_same(h, N);
    }
    codes_handle_delete(h);
}

static void
test_spectral(gconstpointer sample)
{
    codes_handle *h = codes_grib_handle_new_from_samples(NULL, sample);
    gsize n;

    g_assert_nonnull(h);
    g_assert_cmpint(codes_get_size(h, "values", &n), ==, 0);
    g_autofree double *v = g_new(double, n);
    for (gsize i = 0; i < n; i++)
        v[i] = 100 * sin((double)i * 0.7) / (1 + (double)i);
    v[1] = 0;
    g_assert_cmpint(codes_set_double_array(h, "values", v, n), ==, 0);
    assert_same(h, n);
    codes_handle_delete(h);
}

/* All fields beside the checkout that are not in simple packing; returns how many. */
static guint
compare_file(const char *path, guint *bad)
{
    g_autoptr(M2nSource) source = m2n_source_open_file(path, NULL);
    g_autoptr(M2nGribReader) r = source != NULL ? m2n_grib_reader_open(source, NULL) : NULL;
    guint compared = 0;

    for (guint i = 0; r != NULL && i < m2n_grib_reader_count(r) && compared < 20; i++) {
        const M2nGribEntry *e = m2n_grib_reader_entry(r, i);
        char packing[64];
        gsize length, n;

        if (e->problem != NULL)
            continue;
        g_autofree guint8 *m = m2n_grib_message(source, e, &length, NULL);
        m2n_grib_packing(e->edition, m, length, packing, sizeof packing);
        if (g_str_equal(packing, "grid_simple"))
            continue;
        codes_handle *h = codes_handle_new_from_message(NULL, m, length);
        g_autofree double *want = h != NULL ? reference_values(h, &n) : NULL;
        if (want != NULL) {
            g_autofree char *complaint = compare(e->edition, m, length, want, n);
            compared++;
            if (complaint != NULL) {
                g_test_message("%s: message %u (%s): %s", path, e->number, packing, complaint);
                ++*bad;
            }
        }
        if (h != NULL)
            codes_handle_delete(h);
    }
    return compared;
}

static void
test_real(void)
{
    g_autofree char *root =
        g_build_filename(g_getenv("M2N_SHARED"), "data", "grib_conformance", NULL);
    g_autoptr(GDir) top = g_dir_open(root, 0, NULL);
    guint compared = 0, bad = 0;
    const char *folder, *file;

    if (top == NULL) {
        g_test_skip("no conformance files beside the checkout");
        return;
    }
    while ((folder = g_dir_read_name(top)) != NULL) {
        g_autofree char *below = g_build_filename(root, folder, NULL);
        g_autoptr(GDir) dir = g_dir_open(below, 0, NULL);
        while (dir != NULL && (file = g_dir_read_name(dir)) != NULL) {
            g_autofree char *path = g_build_filename(below, file, NULL);
            compared += compare_file(path, &bad);
        }
    }
    g_assert_cmpuint(compared, >, 100);
    g_assert_cmpuint(bad, ==, 0);
}

/* ---- made here ------------------------------------------------------------------------------------ */

typedef struct {
    GByteArray *octets;
    guint bits; /* of the last octet that are used, 0: all */
} Writer;

static void
put(Writer *w, guint64 v, guint width)
{
    while (width-- > 0) {
        const guint8 zero = 0;
        if (w->bits == 0)
            g_byte_array_append(w->octets, &zero, 1);
        if ((v >> width & 1) != 0)
            w->octets->data[w->octets->len - 1] |= (guint8)(0x80 >> w->bits);
        w->bits = (w->bits + 1) % 8;
    }
}

static void
put_all(Writer *w, const guint8 *octets, gsize n)
{
    g_byte_array_append(w->octets, octets, (guint)n);
    w->bits = 0;
}

/* 2 x 3 points in rows of 3; groups of 2 and 4; reference 10, values 10 + first + second. */
static void
test_constant_width(void)
{
    static const guint8 product[28] = {
        [2] = 28, [3] = 3,  [4] = 98, [5] = 1,  [6] = 255, [7] = 0x80, [8] = 11,
        [9] = 1,  [12] = 1, [13] = 1, [14] = 1, [17] = 1,  [24] = 21};
    static const guint8 grid[32] = {[2] = 32, [4] = 255, [7] = 3, [9] = 2, [16] = 0x80};
    static const double want[6] = {11, 12, 14, 15, 16, 17};
    Writer w = {g_byte_array_new(), 0};

    put_all(&w, (const guint8 *)"GRIB\0\0\0\1", 8);
    put_all(&w, product, sizeof product);
    put_all(&w, grid, sizeof grid);
    const guint start = w.octets->len;
    put(&w, 0, 24);
    put(&w, 0x40, 8);        /* second order */
    put(&w, 0, 16);          /* E */
    put(&w, 0x41a00000, 32); /* 10 */
    put(&w, 3, 8);           /* bits of a first-order value */
    put(&w, 24, 16);         /* N1 */
    put(&w, 0x20, 8);        /* a secondary bitmap, one width */
    put(&w, 25, 16);         /* N2 */
    put(&w, 2, 16);          /* groups */
    put(&w, 6, 16);          /* values */
    put(&w, 0, 8);
    put(&w, 2, 8);    /* the width */
    put(&w, 0x28, 6); /* 101000 */
    put(&w, 0, 2);
    put(&w, 1, 3);
    put(&w, 4, 3);
    put(&w, 0, 2);
    for (int i = 0; i < 2; i++)
        put(&w, (guint64)i, 2);
    for (int i = 0; i < 4; i++)
        put(&w, (guint64)i, 2);
    put(&w, 0, 4);
    w.octets->data[start + 2] = (guint8)(w.octets->len - start);
    put_all(&w, (const guint8 *)"7777", 4);
    w.octets->data[6] = (guint8)w.octets->len;
    g_autofree char *complaint = compare(1, w.octets->data, w.octets->len, want, 6);
    g_assert_cmpstr(complaint, ==, NULL);
    w.octets->data[start + 22] |= 0x04; /* a third group that nobody announced */
    g_free(complaint);
    complaint = compare(1, w.octets->data, w.octets->len, want, 6);
    g_assert_cmpstr(complaint, ==, "the secondary bitmap contradicts the number of groups");
    g_byte_array_unref(w.octets);
}

/* The example of levels 3 and runs: 1 1 1 1 1 | 0 | 2 2, with 4 bits and the highest level 3: base 12. */
static void
test_run_length(void)
{
    static const double want[8] = {0.5, 0.5, 0.5, 0.5, 0.5, NAN, 2, 2};
    Writer w = {g_byte_array_new(), 0};

    put_all(&w, (const guint8 *)"GRIB\0\0\0\2\0\0\0\0\0\0\0\0", 16);
    const guint head = w.octets->len;
    put(&w, 17 + 6, 32);
    put(&w, 5, 8);
    put(&w, 8, 32);
    put(&w, 200, 16);
    put(&w, 4, 8);
    put(&w, 3, 16);
    put(&w, 3, 16);
    put(&w, 1, 8); /* tenths */
    put(&w, 5, 16);
    put(&w, 20, 16);
    put(&w, 99, 16);
    put(&w, 6, 32);
    put(&w, 6, 8);
    put(&w, 255, 8);
    put(&w, 5 + 3, 32);
    put(&w, 7, 8);
    for (int i = 0; i < 5; i++)
        put(&w, (guint64[]){1, 8, 0, 2, 5}[i], 4);
    put(&w, 0xf, 4); /* nothing: the values are complete */
    put_all(&w, (const guint8 *)"7777", 4);
    g_autofree char *complaint = compare(2, w.octets->data, w.octets->len, want, 8);
    g_assert_cmpstr(complaint, ==, NULL);
    w.octets->data[head + 11] = 2; /* two bits cannot count to three and beyond */
    g_free(complaint);
    complaint = compare(2, w.octets->data, w.octets->len, want, 8);
    g_assert_cmpstr(complaint, ==, "the table of levels contradicts itself");
    g_byte_array_unref(w.octets);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_autofree char *path = g_strdup_printf("/grib/unpack/%s", kinds[i].name);
        g_test_add_data_func(path, &kinds[i], test_encoded);
    }
    g_test_add_data_func("/grib/unpack/1/spectral", "sh_pl_grib1", test_spectral);
    g_test_add_data_func("/grib/unpack/2/spectral", "sh_pl_grib2", test_spectral);
    g_test_add_func("/grib/unpack/1/second-order/one-width", test_constant_width);
    g_test_add_func("/grib/unpack/2/run-length", test_run_length);
    g_test_add_func("/grib/unpack/real-files", test_real);
    return g_test_run();
}
