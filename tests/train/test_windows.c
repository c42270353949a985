/* Windows of a dataset: which there are, and what a network is given and has to find. */
#include <string.h>

#include "engine/base/error.h"
#include "tests/lib/m2n_test.h"
#include "tests/train/small_dataset.h"

/* 4 steps a window (2 in, 2 out), gap at hour 6, spans end at 9 and 10. */
static void
test_windows(void)
{
    static const gint gaps[] = {6, -1};
    static const gsize want[] = {0, 1, 2}; /* hours 0-3, 1-4, 2-5; 7-9 is too short */
    Place p = new_place();
    const M2nSplit split = split_of(hours(0, 9), hours(10, 13), hours(14, 15));

    write_hours(&p, 16, gaps, &split);
    g_autoptr(M2nDataset) d = open_place(&p);
    g_autoptr(M2nWindows) w = m2n_windows_new(d, 2, M2N_ZSCORE, M2N_TARGET_FIELD, NULL);
    const M2nBatchSource *s = m2n_windows_source(w);
    float x[2 * PER_TIME], y[2 * PER_TIME];

    g_assert_cmpuint(s->n_windows[M2N_SPAN_TRAIN], ==, 3);
    for (guint i = 0; i < 3; i++)
        g_assert_cmpuint(m2n_windows_first(w, M2N_SPAN_TRAIN, i), ==, want[i]);
    g_assert_cmpuint(s->n_windows[M2N_SPAN_VALIDATION], ==, 1);            /* 10-13 exactly */
    g_assert_cmpuint(m2n_windows_first(w, M2N_SPAN_VALIDATION, 0), ==, 9); /* one hour is missing */
    g_assert_cmpuint(s->n_windows[M2N_SPAN_TEST], ==, 0);
    g_assert_true(s->read(s->data, M2N_SPAN_TRAIN, 1, x, y, NULL));
    const M2nVariable *u = &m2n_dataset_domain(d)->variables[0];
    g_assert_cmpfloat_with_epsilon(x[PER_TIME], (2 - u->mean) / u->std, 1e-5);
    g_assert_cmpfloat_with_epsilon(y[0], (3 - u->mean) / u->std, 1e-5);
    g_assert_cmpfloat_with_epsilon(s->scale[0], u->std, 1e-12);
    clear_place(&p);
}

static void
test_minmax(void)
{
    Place p = new_place();
    const M2nSplit split = split_of(hours(0, 9), hours(10, 13), hours(14, 15));
    float x[2 * PER_TIME], y[2 * PER_TIME];

    write_hours(&p, 16, NULL, &split);
    g_autoptr(M2nDataset) d = open_place(&p);
    g_autoptr(M2nWindows) w = m2n_windows_new(d, 2, M2N_MINMAX, M2N_TARGET_FIELD, NULL);
    const M2nBatchSource *s = m2n_windows_source(w);

    g_assert_true(s->read(s->data, M2N_SPAN_TRAIN, 0, x, y, NULL));
    g_assert_cmpfloat_with_epsilon(x[0], 0, 1e-6);
    g_assert_cmpfloat_with_epsilon(y[PER_TIME], 3.0 / 9.0, 1e-6);
    g_assert_cmpfloat(s->scale[0], ==, 9);
    clear_place(&p);
}

/* Made elsewhere, with the statistics of one normalisation alone: the other's are found. */
static void
test_foreign(void)
{
    Place p = new_place();
    const guint64 n = 8, shape[4] = {n, V, H, W};
    gint64 times[8];
    float x[PER_TIME];

    for (guint v = 0; v < V; v++) {
        p.domain->variables[v].mean = 1;
        p.domain->variables[v].std = 2;
    }
    g_autoptr(M2nSafetensorsWriter) w = m2n_safetensors_writer_new(p.path, NULL);
    m2n_domain_write(p.domain, w);
    m2n_safetensors_writer_declare(w, "times", "I64", &n, 1);
    m2n_safetensors_writer_declare(w, "fields", "F32", shape, 4);
    for (guint i = 0; i < n; i++)
        times[i] = START + i * HOUR;
    g_assert_true(m2n_safetensors_writer_append(w, times, sizeof times, NULL));
    for (guint i = 0; i < n; i++) {
        fill(x, i);
        g_assert_true(m2n_safetensors_writer_append(w, x, sizeof x, NULL));
    }
    g_assert_true(m2n_safetensors_writer_finish(w, NULL));
    g_autoptr(M2nDataset) d = open_place(&p);
    g_autoptr(M2nWindows) stated = m2n_windows_new(d, 2, M2N_ZSCORE, M2N_TARGET_FIELD, NULL);
    g_assert_cmpfloat(m2n_windows_source(stated)->scale[0], ==, 2);
    g_autoptr(M2nWindows) found = m2n_windows_new(d, 2, M2N_MINMAX, M2N_TARGET_FIELD, NULL);
    g_assert_cmpfloat(m2n_windows_source(found)->scale[0], ==, 7);
    clear_place(&p);
}

/* u10 grows by 1 an hour: changes are 1 and 2, whose root mean square is sqrt(2.5). */
static void
test_change(void)
{
    Place p = new_place();
    const M2nSplit split = split_of(hours(0, 9), hours(10, 13), hours(14, 15));
    float x[2 * PER_TIME], y[2 * PER_TIME], last[PER_TIME];

    write_hours(&p, 16, NULL, &split);
    g_autoptr(M2nDataset) d = open_place(&p);
    g_autoptr(M2nWindows) w = m2n_windows_new(d, 2, M2N_ZSCORE, M2N_TARGET_CHANGE, NULL);
    const M2nBatchSource *s = m2n_windows_source(w);
    const M2nDomain *domain = m2n_windows_domain(w);

    g_assert_cmpint(domain->target, ==, M2N_TARGET_CHANGE);
    g_assert_cmpfloat_with_epsilon(domain->variables[0].change_std, sqrt(2.5), 1e-9);
    g_assert_cmpfloat(s->scale[0], ==, domain->variables[0].change_std);
    g_assert_true(s->read(s->data, M2N_SPAN_TRAIN, 2, x, y, NULL));
    g_assert_cmpfloat_with_epsilon(y[0], 1 / sqrt(2.5), 1e-6);
    g_assert_cmpfloat_with_epsilon(y[PER_TIME], 2 / sqrt(2.5), 1e-6);
    /* the door back gives the fields: hours 4 and 5 */
    fill(last, 3);
    m2n_domain_denormalise(domain, y, 2, last);
    float want[2 * PER_TIME];
    fill(want, 4);
    fill(want + PER_TIME, 5);
    m2n_assert_close(y, want, 2 * PER_TIME, 1e-4, 0);
    clear_place(&p);
}

/* Those of a model, in place of the data's own, until the spans change. */
static void
test_given_statistics(void)
{
    Place p = new_place();
    const M2nSplit split = split_of(hours(0, 9), hours(10, 13), hours(14, 15));
    float x[2 * PER_TIME], y[2 * PER_TIME], want[PER_TIME];

    write_hours(&p, 16, NULL, &split);
    g_autoptr(M2nDataset) d = open_place(&p);
    const guint n = m2n_dataset_domain(d)->n_variables;
    g_autofree M2nVariable *given = g_new0(M2nVariable, n);
    for (guint v = 0; v < n; v++)
        given[v] = (M2nVariable){.mean = 100, .std = 4, .change_std = 8};
    m2n_dataset_set_statistics(d, given);
    g_autoptr(M2nWindows) w = m2n_windows_new(d, 2, M2N_ZSCORE, M2N_TARGET_CHANGE, NULL);
    const M2nBatchSource *s = m2n_windows_source(w);
    g_assert_cmpfloat(s->scale[0], ==, 8);
    g_assert_cmpstr(m2n_windows_domain(w)->variables[0].name, ==, "u10");
    g_assert_true(s->read(s->data, M2N_SPAN_TRAIN, 2, x, y, NULL));
    fill(want, 2);
    g_assert_cmpfloat_with_epsilon(x[0], (want[0] - 100) / 4, 1e-6);
    g_assert_cmpfloat_with_epsilon(y[0], 1.0 / 8, 1e-6);
    g_assert_true(m2n_dataset_set_split(d, &split, NULL));
    g_autoptr(M2nWindows) own = m2n_windows_new(d, 2, M2N_ZSCORE, M2N_TARGET_CHANGE, NULL);
    g_assert_cmpfloat_with_epsilon(m2n_windows_source(own)->scale[0], sqrt(2.5), 1e-9);
    clear_place(&p);
}

static void
test_no_window(void)
{
    Place p = new_place();
    g_autoptr(GError) error = NULL;

    write_hours(&p, 16, NULL, NULL);
    g_autoptr(M2nDataset) d = open_place(&p);
    g_assert_null(m2n_windows_new(d, 12, M2N_ZSCORE, M2N_TARGET_FIELD, &error));
    g_assert_error(error, M2N_ERROR, M2N_ERROR_MISSING);
    g_assert_nonnull(strstr(error->message, p.path));
    g_assert_nonnull(strstr(error->message, "14 times hold no 24 in a row 3600 s apart"));
    clear_place(&p);
}

/* One file, two readings of its metadata would be a trap: a fingerprint per choice of windows. */
static void
test_fingerprint(void)
{
    Place p = new_place();

    write_hours(&p, 40, NULL, NULL);
    g_autoptr(M2nDataset) d = open_place(&p);
    g_autoptr(M2nWindows) a = m2n_windows_new(d, 2, M2N_ZSCORE, M2N_TARGET_FIELD, NULL);
    g_autoptr(M2nWindows) b = m2n_windows_new(d, 2, M2N_ZSCORE, M2N_TARGET_FIELD, NULL);
    g_autoptr(M2nWindows) c = m2n_windows_new(d, 3, M2N_ZSCORE, M2N_TARGET_FIELD, NULL);
    const char *f = m2n_windows_source(a)->fingerprint;

    g_assert_cmpstr(f, ==, m2n_windows_source(b)->fingerprint);
    g_assert_cmpstr(f, !=, m2n_windows_source(c)->fingerprint);
    clear_place(&p);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/grib/windows/cross-no-gap-or-edge", test_windows);
    g_test_add_func("/grib/windows/minmax", test_minmax);
    g_test_add_func("/grib/windows/foreign", test_foreign);
    g_test_add_func("/grib/windows/change", test_change);
    g_test_add_func("/grib/windows/given-statistics", test_given_statistics);
    g_test_add_func("/grib/windows/no-window", test_no_window);
    g_test_add_func("/grib/windows/fingerprint", test_fingerprint);
    return g_test_run();
}
