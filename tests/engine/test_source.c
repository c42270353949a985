#include <string.h>
#include <unistd.h>

#include "engine/base/error.h"
#include "engine/base/source.h"
#include "tests/lib/m2n_files.h"

static void
test_reads_any_range(void)
{
    g_autoptr(M2nTestFile) path = m2n_test_file_new("a.bin", "0123456789", 10);
    g_autoptr(GError) error = NULL;
    g_autoptr(M2nSource) s = m2n_source_open_file(path, &error);
    char got[11] = "";

    g_assert_no_error(error);
    g_assert_cmpuint(m2n_source_size(s), ==, 10);
    g_assert_cmpstr(m2n_source_name(s), ==, path);
    for (gsize from = 0; from <= 10; from++)
        for (gsize n = 0; n <= 10 - from; n++) {
            memset(got, 0, sizeof got);
            g_assert_true(m2n_source_read(s, from, got, n, &error));
            g_assert_cmpint(memcmp(got, &"0123456789"[from], n), ==, 0);
            g_assert_cmpint(got[n], ==, 0);
        }
}

static void
test_range_errors(void)
{
    static const struct {
        guint64 offset;
        gsize n;
    } bad[] = {{0, 11}, {10, 1}, {11, 0}, {G_MAXUINT64, 2}, {5, G_MAXSIZE}};
    g_autoptr(M2nTestFile) path = m2n_test_file_new("a.bin", "0123456789", 10);
    g_autoptr(M2nSource) s = m2n_source_open_file(path, NULL);
    char got[16];

    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_false(m2n_source_read(s, bad[i].offset, got, bad[i].n, &error));
        m2n_assert_error(error, M2N_ERROR_IO, "past its end");
    }
}

static void
test_shortened_file(void)
{
    g_autoptr(M2nTestFile) path = m2n_test_file_new("a.bin", "0123456789", 10);
    g_autoptr(M2nSource) s = m2n_source_open_file(path, NULL);
    g_autoptr(GError) error = NULL;
    char got[10];

    g_assert_cmpint(truncate(path, 4), ==, 0);
    g_assert_false(m2n_source_read(s, 0, got, 10, &error));
    m2n_assert_error(error, M2N_ERROR_IO, "shorter");
}

static void
test_not_a_file(void)
{
    g_autoptr(M2nTestFile) pipe = m2n_test_file_new("pipe", NULL, 0);
    g_autofree char *folder = g_path_get_dirname(pipe);
    const char *const paths[] = {folder, pipe, "/dev/null", "/nowhere/at/all"};

    g_assert_cmpint(mkfifo(pipe, 0600), ==, 0);
    for (gsize i = 0; i < G_N_ELEMENTS(paths); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(m2n_source_open_file(paths[i], &error));
        m2n_assert_error(error, M2N_ERROR_IO, paths[i]);
    }
}

static void
test_stamp_follows_content(void)
{
    g_autoptr(M2nTestFile) path = m2n_test_file_new("a.bin", "01", 2);
    g_autoptr(M2nSource) a = m2n_source_open_file(path, NULL), b = m2n_source_open_file(path, NULL);

    g_assert_cmpstr(m2n_source_stamp(a), ==, m2n_source_stamp(b));
    g_assert_true(g_file_set_contents(path, "012", 3, NULL));
    g_autoptr(M2nSource) c = m2n_source_open_file(path, NULL);
    g_assert_cmpstr(m2n_source_stamp(a), !=, m2n_source_stamp(c));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/engine/source/reads-any-range", test_reads_any_range);
    g_test_add_func("/engine/source/range-errors", test_range_errors);
    g_test_add_func("/engine/source/shortened-file", test_shortened_file);
    g_test_add_func("/engine/source/not-a-file", test_not_a_file);
    g_test_add_func("/engine/source/stamp-follows-content", test_stamp_follows_content);
    return g_test_run();
}
