#include <glib/gstdio.h>
#include <string.h>

#include "engine/base/error.h"
#include "grib/dataset.h"
#include "tests/lib/m2n_test.h"

enum { V = 2, H = 2, W = 3, PER_TIME = V * H * W };

/* 2024-01-01T00:00:00Z */
#define START G_GINT64_CONSTANT(1704067200)
#define HOUR 3600

static M2nDomain *
new_domain(void)
{
    static const double geo[6] = {10, 1, 0, 50, 0, -1};
    M2nDomain *d = g_new0(M2nDomain, 1);

    d->n_variables = V;
    d->variables = g_new0(M2nVariable, V);
    for (guint v = 0; v < V; v++) {
        g_strlcpy(d->variables[v].name, v ? "t2m" : "u10", sizeof d->variables[v].name);
        g_strlcpy(d->variables[v].units, v ? "K" : "m s**-1", sizeof d->variables[v].units);
        g_strlcpy(d->variables[v].type_of_level, "heightAboveGround", 64);
        d->variables[v].param_id = v ? 167 : 165;
    }
    d->grid = m2n_grid_new_affine("EPSG:4326", W, H, geo);
    d->time_step = HOUR;
    return d;
}

/* u10 counts hours; t2m is 280 and a bit that depends on place and hour */
static void
fill(float *x, guint hour)
{
    for (guint i = 0; i < PER_TIME; i++)
        x[i] = i < H * W ? (float)hour : 280.0f + (float)i + 0.5f * (float)(hour % 4);
}

typedef struct {
    char *folder, *path;
    M2nDomain *domain;
} Place;

static Place
new_place(void)
{
    Place p = {.folder = g_dir_make_tmp("m2n-data-XXXXXX", NULL), .domain = new_domain()};

    p.path = g_build_filename(p.folder, "d.safetensors", NULL);
    return p;
}

static void
clear_place(Place *p)
{
    g_remove(p->path);
    g_assert_cmpint(g_rmdir(p->folder), ==, 0); /* no litter */
    g_free(p->folder);
    g_free(p->path);
    m2n_domain_free(p->domain);
}

/* Hours 0 .. n-1 but those in `gaps` (ends with -1). */
static void
write_hours(const Place *p, guint n, const gint *gaps, const M2nSplit *split)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(M2nDatasetWriter) w = m2n_dataset_writer_new(p->path, p->domain, &error);

    g_assert_no_error(error);
    for (guint hour = 0; hour < n; hour++) {
        float x[PER_TIME];

        if (gaps != NULL && (gint)hour == *gaps) {
            gaps++;
            continue;
        }
        fill(x, hour);
        g_assert_true(m2n_dataset_writer_append(w, START + hour * HOUR, x, &error));
    }
    g_assert_true(m2n_dataset_writer_finish(w, split, &error));
    g_assert_no_error(error);
}

static M2nDataset *
open_place(const Place *p)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(M2nSource) source = m2n_source_open_file(p->path, &error);
    M2nDataset *d = m2n_dataset_open(source, &error);

    g_assert_no_error(error);
    return d;
}

static M2nTimeSpan
hours(gint64 first, gint64 last)
{
    return (M2nTimeSpan){START + first * HOUR, START + last * HOUR};
}

static M2nSplit
split_of(M2nTimeSpan train, M2nTimeSpan validation, M2nTimeSpan test)
{
    return (M2nSplit){{train, validation, test}};
}

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

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/grib/dataset/round-trip", test_round_trip);
    g_test_add_func("/grib/dataset/other-split", test_other_split);
    g_test_add_func("/grib/dataset/windows-cross-no-gap-or-edge", test_windows);
    g_test_add_func("/grib/dataset/minmax", test_minmax);
    g_test_add_func("/grib/dataset/foreign", test_foreign);
    g_test_add_func("/grib/dataset/change", test_change);
    g_test_add_func("/grib/dataset/given-statistics", test_given_statistics);
    g_test_add_func("/grib/dataset/no-window", test_no_window);
    g_test_add_func("/grib/dataset/fingerprint", test_fingerprint);
    g_test_add_func("/grib/dataset/refused", test_refused);
    g_test_add_func("/grib/dataset/truncated", test_truncated);
    return g_test_run();
}
