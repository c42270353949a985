#include <math.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/safetensors.h"
#include "tests/lib/m2n_files.h"

/* A file of this header and `n` bytes of data, opened. */
static M2nSafetensors *
open_made(const char *header, gconstpointer data, gsize n, GError **error)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    const guint64 length = GUINT64_TO_LE((guint64)strlen(header));

    g_byte_array_append(bytes, (const guint8 *)&length, 8);
    g_byte_array_append(bytes, (const guint8 *)header, (guint)strlen(header));
    if (n > 0)
        g_byte_array_append(bytes, data, (guint)n);
    g_autoptr(M2nTestFile) path = m2n_test_file_new("a.safetensors", bytes->data, bytes->len);
    g_autoptr(M2nSource) source = m2n_source_open_file(path, error);
    return m2n_safetensors_open(source, error);
}

static void
test_dtypes_become_float(void)
{
    /* 1, -2, smallest half subnormal, inf, NaN, -0 in F16; 1, -2, inf in BF16; 0.1 in F32 */
    const guint16 half[9] = {0x3C00, 0xC000, 1, 0x7C00, 0x7E00, 0x8000, 0x3F80, 0xC000, 0x7F80};
    const float tenth = 0.1f;
    guint8 data[22];
    float got[6];
    g_autoptr(GError) error = NULL;

    memcpy(data, half, 18);
    memcpy(data + 18, &tenth, 4);
    g_autoptr(M2nSafetensors) st =
        open_made("{\"h\":{\"dtype\":\"F16\",\"shape\":[2,3],\"data_offsets\":[0,12]},"
                  "\"s\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[18,22]},"
                  "\"b\":{\"dtype\":\"BF16\",\"shape\":[3],\"data_offsets\":[12,18]}}",
                  data, 22, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(m2n_safetensors_count(st), ==, 3);
    g_assert_cmpstr(m2n_safetensors_nth(st, 1)->name, ==, "b");
    g_assert_true(m2n_safetensors_read_f32(st, m2n_safetensors_find(st, "h"), 0, 6, got, &error));
    g_assert_true(got[0] == 1 && got[1] == -2 && got[2] == 0x1p-24f && isinf(got[3]));
    g_assert_true(isnan(got[4]) && got[5] == 0 && signbit(got[5]));
    g_assert_true(m2n_safetensors_read_f32(st, m2n_safetensors_find(st, "b"), 1, 2, got, &error));
    g_assert_true(got[0] == -2 && isinf(got[1]));
    g_assert_true(m2n_safetensors_read_f32(st, m2n_safetensors_find(st, "s"), 0, 1, got, &error));
    g_assert_true(got[0] == 0.1f);
    g_assert_null(m2n_safetensors_find(st, "x"));
    g_assert_null(m2n_safetensors_metadata(st, "format"));
}

/* Every half against its value worked out another way. */
static void
test_all_halves(void)
{
    g_autofree guint16 *half = g_new(guint16, 65536);
    g_autofree float *got = g_new(float, 65536);
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i < 65536; i++)
        half[i] = (guint16)i;
    g_autoptr(M2nSafetensors) st =
        open_made("{\"h\":{\"dtype\":\"F16\",\"shape\":[65536],\"data_offsets\":[0,131072]}}", half,
                  131072, &error);
    g_assert_no_error(error);
    /* the source keeps the file open: its name is gone already */
    g_assert_true(m2n_safetensors_read_f32(st, m2n_safetensors_nth(st, 0), 0, 65536, got, &error));
    for (guint i = 0; i < 65536; i++) {
        const int e = (int)(i >> 10 & 31), m = (int)(i & 1023);
        const double size = e == 0 ? ldexp(m, -24) : ldexp(1024 + m, e - 25);
        const double want = i & 0x8000 ? -size : size;

        if (e == 31)
            g_assert_true(m != 0 ? isnan(got[i]) : isinf(got[i]));
        else
            g_assert_true((double)got[i] == want);
    }
}

#define T(dtype, shape, offsets)                                                                   \
    "{\"t\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}}"

static void
test_each_error(void)
{
    static const struct {
        const char *header, *says; /* with 8 bytes of data */
    } bad[] = {
        {"", "does not begin with '{'"},
        {" {}", "does not begin with '{'"},
        {"{}", "8 bytes follow"},
        {"{", "a string is expected"},
        {T("F33", "[2]", "[0,8]"), "dtype F33"},
        {T("F32", "[2]", "[0,4]"), "shape needs 8 bytes, data_offsets hold 4"},
        {T("F32", "[1]", "[0,4]"), "4 bytes follow"},
        {T("F32", "[1]", "[4,8]"), "expected 0"},
        {T("F32", "[3]", "[0,12]"), "after the end"},
        {T("F32", "[2]", "[8,0]"), "not a range"},
        {T("F32", "[2]", "[0]"), "not a range"},
        {T("F32", "[2]", "[0,8,8]"), "not a range"},
        {T("F32", "[-2]", "[0,8]"), "out of range"},
        {T("F32", "[2.0]", "[0,8]"), "out of range"},
        {T("F32", "[4294967296,4294967296]", "[0,8]"), "out of range"},
        {T("F32", "[4611686018427387906]", "[0,8]"), "out of range"},
        {T("F32", "[1,1,1,1,1,1,1,1,2]", "[0,8]"), "9 dimensions"},
        {T("F32", "2", "[0,8]"), "not exactly dtype"},
        {"{\"t\":{\"dtype\":\"F32\",\"shape\":[2]}}", "not exactly dtype"},
        {"{\"t\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"x\":1}}", "not exactly"},
        {"{\"t\":[]}", "not an object"},
        {"{\"a\\nb\":[]}", "control character"},
        {"{\"__metadata__\":[]}", "not an object"},
        {"{\"__metadata__\":{\"a\":1}}", "else than strings"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
         "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
         "begin at 0, expected 4"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
         "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
         "duplicate key"},
    };
    const guint8 data[8] = {0};

    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(open_made(bad[i].header, data, 8, &error));
        m2n_assert_error(error, M2N_ERROR_FORMAT, bad[i].says);
    }
}

static void
test_empty_tensors(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(M2nSafetensors) st =
        open_made("{\"b\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[0,8]},"
                  "\"a\":{\"dtype\":\"F32\",\"shape\":[0,5],\"data_offsets\":[0,0]},"
                  "\"c\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[8,8]}}  ",
                  "\1\0\0\0\0\0\0\0", 8, &error);
    gint64 one = 0;
    float none;

    g_assert_no_error(error);
    g_assert_true(m2n_safetensors_read_raw(st, m2n_safetensors_find(st, "b"), 0, 1, &one, &error));
    g_assert_cmpint(one, ==, 1);
    g_assert_true(m2n_safetensors_read_f32(st, m2n_safetensors_find(st, "a"), 0, 0, &none, &error));
    g_assert_false(
        m2n_safetensors_read_f32(st, m2n_safetensors_find(st, "b"), 0, 1, &none, &error));
    m2n_assert_error(error, M2N_ERROR_FORMAT, "dtype I64");
}

static void
test_long_name(void)
{
    g_autofree char *name = g_strnfill(2000, 'n');
    g_autofree char *header =
        g_strdup_printf("{\"%s\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}", name);
    g_autoptr(GError) error = NULL;

    g_assert_null(open_made(header, NULL, 0, &error));
    m2n_assert_error(error, M2N_ERROR_FORMAT, "2000 bytes");
}

/* Two tensors and metadata through the writer. */
static char *
write_good(void)
{
    static const guint64 shape[2] = {2, 2}, one[1] = {1};
    const float a[4] = {1, 2, 3, 4};
    const gint64 t = -5;
    char *path = m2n_test_file_new("w.safetensors", NULL, 0);
    g_autoptr(GError) error = NULL;
    g_autoptr(M2nSafetensorsWriter) w = m2n_safetensors_writer_new(path, &error);

    g_assert_no_error(error);
    m2n_safetensors_writer_metadata(w, "format", "met2net");
    m2n_safetensors_writer_metadata(w, "odd", "\"\\\n\t\xc3\xa9");
    m2n_safetensors_writer_declare(w, "a \"b\"", "F32", shape, 2);
    m2n_safetensors_writer_declare(w, "t", "I64", one, 1);
    g_assert_true(m2n_safetensors_writer_append(w, a, 4, &error)); /* in pieces */
    g_assert_true(m2n_safetensors_writer_append(w, a + 1, 12, &error));
    g_assert_true(m2n_safetensors_writer_append(w, &t, 8, &error));
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
    g_assert_true(m2n_safetensors_writer_finish(w, &error));
    return path;
}

static void
test_round_trip(void)
{
    g_autoptr(M2nTestFile) path = write_good();
    g_autoptr(M2nSource) source = m2n_source_open_file(path, NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(M2nSafetensors) st = m2n_safetensors_open(source, &error);
    float a[4];
    gint64 t;

    g_assert_no_error(error);
    g_assert_cmpstr(m2n_safetensors_metadata(st, "format"), ==, "met2net");
    g_assert_cmpstr(m2n_safetensors_metadata(st, "odd"), ==, "\"\\\n\t\xc3\xa9");
    const M2nTensorInfo *info = m2n_safetensors_find(st, "a \"b\"");
    g_assert_cmpuint(info->rank, ==, 2);
    g_assert_cmpuint(info->offset % 8, ==, 0);
    g_assert_true(m2n_safetensors_read_f32(st, info, 0, 4, a, &error));
    g_assert_true(a[0] == 1 && a[1] == 2 && a[2] == 3 && a[3] == 4);
    g_assert_true(m2n_safetensors_read_raw(st, m2n_safetensors_find(st, "t"), 0, 1, &t, &error));
    g_assert_cmpint(t, ==, -5);
}

static void
test_truncated_at_every_length(void)
{
    g_autoptr(M2nTestFile) path = write_good();
    g_autofree char *data = NULL;
    gsize n;

    g_assert_true(g_file_get_contents(path, &data, &n, NULL));
    for (gsize length = 0; length < n; length++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *cut = g_memdup2(data, length + 1);

        g_assert_true(g_file_set_contents(path, cut, (gssize)length, NULL));
        g_autoptr(M2nSource) source = m2n_source_open_file(path, NULL);
        g_assert_null(m2n_safetensors_open(source, &error));
        m2n_assert_error(error, M2N_ERROR_FORMAT, path);
    }
}

static void
test_unfinished_leaves_nothing(void)
{
    static const guint64 shape[1] = {4};
    g_autoptr(M2nTestFile) path = m2n_test_file_new("w.safetensors", "old", 3);
    g_autofree char *kept = NULL;
    M2nSafetensorsWriter *w = m2n_safetensors_writer_new(path, NULL);

    m2n_safetensors_writer_declare(w, "a", "F32", shape, 1);
    g_assert_true(m2n_safetensors_writer_append(w, shape, 8, NULL));
    m2n_safetensors_writer_free(w);
    g_assert_true(g_file_get_contents(path, &kept, NULL, NULL));
    g_assert_cmpstr(kept, ==, "old"); /* and the folder must be empty but for it: see _file_free */
}

static void
test_writer_errors(void)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(m2n_safetensors_writer_new("/nowhere/at/all", &error));
    m2n_assert_error(error, M2N_ERROR_IO, "/nowhere/at/all");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/engine/safetensors/dtypes-become-float", test_dtypes_become_float);
    g_test_add_func("/engine/safetensors/all-halves", test_all_halves);
    g_test_add_func("/engine/safetensors/each-error", test_each_error);
    g_test_add_func("/engine/safetensors/empty-tensors", test_empty_tensors);
    g_test_add_func("/engine/safetensors/long-name", test_long_name);
    g_test_add_func("/engine/safetensors/round-trip", test_round_trip);
    g_test_add_func("/engine/safetensors/truncated-at-every-length",
                    test_truncated_at_every_length);
    g_test_add_func("/engine/safetensors/unfinished-leaves-nothing",
                    test_unfinished_leaves_nothing);
    g_test_add_func("/engine/safetensors/writer-errors", test_writer_errors);
    return g_test_run();
}
