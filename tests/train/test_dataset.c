#include <string.h>

#include "engine/base/error.h"
#include "tests/lib/m2n_test.h"
#include "tests/train/small_dataset.h"

static void
test_round_trip(void)
{
    Place p = new_place();
    const M2nSplit split = split_of(hours(0, 9), hours(10, 14), hours(15, 19));
    float got[PER_TIME * 2], want[PER_TIME * 2];
    gsize n;

    write_hours(&p, 20, NULL, &split);
    g_autoptr(M2nDataset) d = open_place(&p);
    const gint64 *times = m2n_dataset_times(d, &n);
    g_assert_cmpuint(n, ==, 20);
    g_assert_cmpint(times[19], ==, START + 19 * HOUR);
    g_assert_true(m2n_dataset_read(d, 7, 2, got, NULL));
    fill(want, 7);
    fill(want + PER_TIME, 8);
    g_assert_cmpint(memcmp(got, want, sizeof got), ==, 0);
    for (guint i = 0; i < M2N_N_SPANS; i++) {
        g_assert_cmpint(m2n_dataset_split(d)->span[i].first, ==, split.span[i].first);
        g_assert_cmpint(m2n_dataset_split(d)->span[i].last, ==, split.span[i].last);
    }
    /* statistics: the training span alone, both normalisations */
    const M2nVariable *u = &m2n_dataset_domain(d)->variables[0];
    g_assert_cmpfloat_with_epsilon(u->mean, 4.5, 1e-9);
    g_assert_cmpfloat_with_epsilon(u->std, sqrt(8.25), 1e-9);
    g_assert_cmpfloat(u->min, ==, 0);
    g_assert_cmpfloat(u->max, ==, 9);
    clear_place(&p);
}

static void
test_other_split(void)
{
    Place p = new_place();
    g_autoptr(GError) error = NULL;

    write_hours(&p, 20, NULL, NULL);
    g_autoptr(M2nDataset) d = open_place(&p);
    /* the default: the last tenths */
    g_assert_cmpint(m2n_dataset_split(d)->span[M2N_SPAN_TEST].first, ==, START + 18 * HOUR);
    g_assert_cmpint(m2n_dataset_split(d)->span[M2N_SPAN_TRAIN].last, ==, START + 15 * HOUR);
    const M2nSplit late = split_of(hours(10, 19), (M2nTimeSpan)M2N_TIME_SPAN_EMPTY, hours(0, 5));
    g_assert_true(m2n_dataset_set_split(d, &late, &error));
    g_assert_cmpfloat_with_epsilon(m2n_dataset_domain(d)->variables[0].mean, 14.5, 1e-9);
    const M2nSplit overlap = split_of(hours(0, 10), hours(10, 12), hours(15, 16));
    g_assert_false(m2n_dataset_set_split(d, &overlap, &error));
    g_assert_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT);
    g_clear_error(&error);
    const M2nSplit nothing = split_of(hours(100, 110), hours(10, 12), hours(15, 16));
    g_assert_false(m2n_dataset_set_split(d, &nothing, &error));
    g_assert_error(error, M2N_ERROR, M2N_ERROR_MISSING);
    g_assert_nonnull(strstr(error->message, "2024-01-05T04:00:00Z"));
    clear_place(&p);
}

/* ---- what a writer refuses ---------------------------------------------------------------------- */

static void
test_refused(void)
{
    Place p = new_place();
    g_autoptr(GError) error = NULL;
    g_autoptr(M2nDatasetWriter) w = m2n_dataset_writer_new(p.path, p.domain, NULL);
    float x[PER_TIME];

    g_assert_false(m2n_dataset_writer_finish(w, NULL, &error));
    g_assert_error(error, M2N_ERROR, M2N_ERROR_MISSING);
    g_clear_error(&error);
    fill(x, 5);
    g_assert_true(m2n_dataset_writer_append(w, START + 5 * HOUR, x, NULL));
    g_assert_false(m2n_dataset_writer_append(w, START + 5 * HOUR, x, &error)); /* twice */
    g_assert_error(error, M2N_ERROR, M2N_ERROR_FORMAT);
    g_clear_error(&error);
    x[H * W + 2] = NAN;
    g_assert_false(m2n_dataset_writer_append(w, START + 6 * HOUR, x, &error));
    g_assert_error(error, M2N_ERROR, M2N_ERROR_FORMAT);
    g_assert_nonnull(strstr(error->message, "t2m at 2024-01-01T06:00:00Z: 1 of 6 points"));
    g_clear_error(&error);
    /* one time: u10 is one number all over */
    g_assert_false(m2n_dataset_writer_finish(w, NULL, &error));
    g_assert_error(error, M2N_ERROR, M2N_ERROR_FORMAT);
    g_assert_nonnull(strstr(error->message, "u10: constant"));
    g_assert_false(g_file_test(p.path, G_FILE_TEST_EXISTS));
    g_clear_error(&error);
    g_assert_null(m2n_dataset_writer_new("/nonexistent/folder/d.safetensors", p.domain, &error));
    g_assert_error(error, M2N_ERROR, M2N_ERROR_IO);
    g_clear_pointer(&w, m2n_dataset_writer_free);
    clear_place(&p);
}

static void
test_truncated(void)
{
    Place p = new_place();
    gsize n;
    g_autofree char *bytes = NULL;

    write_hours(&p, 16, NULL, NULL);
    g_assert_true(g_file_get_contents(p.path, &bytes, &n, NULL));
    for (gsize cut = 0; cut < n; cut += cut < 3000 ? 7 : 101) {
        g_autoptr(GError) error = NULL;
        g_autoptr(M2nSource) source = NULL;

        g_assert_true(g_file_set_contents(p.path, bytes, (gssize)cut, NULL));
        source = m2n_source_open_file(p.path, &error);
        g_assert_null(source ? m2n_dataset_open(source, &error) : NULL);
        g_assert_nonnull(error);
    }
    clear_place(&p);
}

/* In place and of the same length, as a copy over it is; one that takes its name leaves what is open as it was. */
static void
test_changed(void)
{
    Place p = new_place();
    gsize n;
    float x[PER_TIME], before[PER_TIME];
    g_autofree char *bytes = NULL;
    g_autoptr(GError) error = NULL;

    write_hours(&p, 16, NULL, NULL);
    g_assert_true(g_file_get_contents(p.path, &bytes, &n, NULL));
    g_autoptr(M2nDataset) d = open_place(&p);
    g_assert_true(m2n_dataset_read(d, 3, 1, before, NULL));
    g_assert_true(g_file_set_contents(p.path, "another", -1, NULL));
    g_assert_true(m2n_dataset_read(d, 3, 1, x, NULL));
    g_assert_cmpint(memcmp(x, before, sizeof x), ==, 0);

    g_assert_true(g_file_set_contents(p.path, bytes, (gssize)n, NULL));
    g_autoptr(M2nDataset) e = open_place(&p);
    g_usleep(20000); /* times of files advance in steps of a few milliseconds */
    FILE *f = g_fopen(p.path, "r+");
    g_assert_cmpuint(fwrite(bytes, 1, n, f), ==, n);
    g_assert_cmpint(fclose(f), ==, 0);
    g_assert_false(m2n_dataset_read(e, 3, 1, x, &error));
    g_assert_error(error, M2N_ERROR, M2N_ERROR_IO);
    g_assert_nonnull(strstr(error->message, "has changed since it was opened"));
    g_clear_error(&error);
    g_assert_false(m2n_dataset_read_field(e, 3, 0, x, &error));
    g_assert_error(error, M2N_ERROR, M2N_ERROR_IO);
    clear_place(&p);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/grib/dataset/round-trip", test_round_trip);
    g_test_add_func("/grib/dataset/other-split", test_other_split);
    g_test_add_func("/grib/dataset/refused", test_refused);
    g_test_add_func("/grib/dataset/truncated", test_truncated);
    g_test_add_func("/grib/dataset/changed", test_changed);
    return g_test_run();
}
