/* bench_grib scan|decode|regrid|memory FILE: what reading and regridding cost, beside eccodes doing the same to the same
 * messages.
 *
 * Prints numbers for bench_grib.py, milliseconds or MiB.  The best of several runs: noise only ever adds. */
#include <eccodes.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/parallel.h"
#include "engine/base/peak_memory.h"
#include "grib/grib_reader.h"
#include "grib/regrid.h"

#define RUNS 5
#define MOST 12u /* messages decoded */

typedef struct {
    M2nGribReader *reader;
    M2nGribHeader *headers;
    float **room; /* per thread */
} Task;

static double
milliseconds(gint64 since)
{
    return (double)(g_get_monotonic_time() - since) / 1e3;
}

/* Reading a message's bytes and unpacking it, as a plain user of eccodes would. */
static double
plain_eccodes(M2nSource *source, M2nGribReader *r, guint n, double *room, gsize points)
{
    const gint64 start = g_get_monotonic_time();

    for (guint i = 0; i < n; i++) {
        gsize length, got = points;
        g_autofree guint8 *m =
            m2n_grib_message(source, m2n_grib_reader_entry(r, i), &length, NULL);
        codes_handle *h = codes_handle_new_from_message(NULL, m, length);
        if (codes_get_double_array(h, "values", room, &got) != 0)
            exit(1);
        codes_handle_delete(h);
    }
    return milliseconds(start) / n;
}

static void
decode(gsize begin, gsize end, guint thread, gpointer data)
{
    const Task *t = data;

    for (gsize i = begin; i < end; i++)
        if (!m2n_grib_reader_values(t->reader, (guint)i, &t->headers[i], t->room[thread], NULL))
            exit(1);
}

static double
ours(Task *t, guint n, guint threads)
{
    g_autoptr(M2nPool) pool = m2n_pool_new(threads, NULL);
    const gint64 start = g_get_monotonic_time();

    m2n_parallel_each(pool, n, decode, t);
    return milliseconds(start) / n;
}

static void
bench_decode(M2nSource *source, M2nGribReader *r, M2nGribHeader *headers, guint n)
{
    const gsize points = headers[0].grid->n_points;
    g_autofree double *room = g_new(double, points);
    float *floats[2] = {g_new(float, points), g_new(float, points)};
    Task t = {r, headers, floats};
    double best[3] = {INFINITY, INFINITY, INFINITY};

    for (int k = 0; k < RUNS; k++) {
        best[0] = MIN(best[0], plain_eccodes(source, r, n, room, points));
        best[1] = MIN(best[1], ours(&t, n, 1));
        best[2] = MIN(best[2], ours(&t, n, 2));
    }
    printf("%.3f %.3f %.3f\n", best[0], best[1], best[2]);
    g_free(floats[0]);
    g_free(floats[1]);
}

static void
bench_regrid(M2nGribReader *r, const M2nGribHeader *h)
{
    const double geo[6] = {0, 0.25, 0, 60, 0, -0.25};
    g_autoptr(M2nGrid) to = m2n_grid_new_affine("EPSG:4326", 128, 128, geo);
    g_autofree float *in = g_new(float, h->grid->n_points), *out = g_new(float, to->n_points);

    if (!m2n_grib_reader_values(r, 0, h, in, NULL))
        exit(1);
    for (int method = 0; method < 3; method++) {
        gint64 start = g_get_monotonic_time();
        g_autoptr(GError) error = NULL;
        g_autoptr(M2nRegrid) g = m2n_regrid_new(h->grid, to, (M2nRegridMethod)method, 0, &error);
        const double weights = milliseconds(start);
        if (g == NULL) {
            fprintf(stderr, "%s\n", error->message);
            exit(1);
        }
        double best = INFINITY;
        for (int k = 0; k < RUNS; k++) {
            start = g_get_monotonic_time();
            m2n_regrid_apply(g, in, out);
            best = MIN(best, milliseconds(start));
        }
        printf("%.1f %.3f\n", weights, best);
    }
}

/* One field after the other, as a reader of a whole file would. */
static void
read_all(M2nGribReader *r, const M2nGribHeader *headers, guint n)
{
    for (guint i = 0; i < n; i++) {
        g_autofree float *values = g_new(float, headers[i].grid->n_points);
        if (!m2n_grib_reader_values(r, i, &headers[i], values, NULL))
            exit(1);
    }
    printf("%.0f\n", (double)m2n_peak_memory() / 1048576);
}

int
main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;

    if (argc != 3)
        return 2;
    const gint64 start = g_get_monotonic_time();
    g_autoptr(M2nSource) source = m2n_source_open_file(argv[2], &error);
    g_autoptr(M2nGribReader) r = source != NULL ? m2n_grib_reader_open(source, &error) : NULL;
    const guint n = r != NULL ? m2n_grib_reader_count(r) : 0;
    M2nGribHeader *headers = g_new0(M2nGribHeader, n + 1);
    for (guint i = 0; i < n && error == NULL; i++)
        m2n_grib_reader_header(r, i, &headers[i], &error);
    if (error != NULL) {
        fprintf(stderr, "%s\n", error->message);
        return 1;
    }
    if (g_str_equal(argv[1], "scan"))
        printf("%.3f %u\n", milliseconds(start) / n, n);
    else if (g_str_equal(argv[1], "decode"))
        bench_decode(source, r, headers, MIN(n, MOST));
    else if (g_str_equal(argv[1], "regrid"))
        bench_regrid(r, &headers[0]);
    else
        read_all(r, headers, n);
    for (guint i = 0; i < n; i++)
        m2n_grib_header_clear(&headers[i]);
    g_free(headers);
    return 0;
}
