/* What is known of the messages of a file stays within its bound: headers of huge messages, a million tiny ones, a grid for
 * each; each in a process of its own, whose peak is compared. */
#include <eccodes.h>
#include <fcntl.h>

#include "engine/base/error.h"
#include "engine/base/peak_memory.h"
#include "grib/archive.h"
#include "grib/grib_reader.h"
#include "tests/lib/m2n_files.h"
#include "tests/lib/m2n_peak.h"

#define MANY 100000u
#define MIB ((guint64)1 << 20)
#ifdef __SANITIZE_ADDRESS__ /* which keeps what was freed: its reports alone count */
#define BESIDE (4096 * MIB)
#else
#define BESIDE (24 * MIB) /* what eccodes knows */
#endif

/* (transfer full) */
static guint8 *
sample(const char *name, gsize *n)
{
    codes_handle *h = codes_grib_handle_new_from_samples(NULL, name);
    const void *message;
    size_t length;

    codes_set_long(h, "Ni", 2);
    codes_set_long(h, "Nj", 2);
    const double x[4] = {280, 281, 282, 283};
    g_assert_cmpint(codes_set_double_array(h, "values", x, 4), ==, 0);
    g_assert_cmpint(codes_get_message(h, &message, &length), ==, 0);
    guint8 *copy = g_memdup2(message, length);
    *n = length;
    codes_handle_delete(h);
    return copy;
}

static void
put(guint8 *p, guint64 v, int n)
{
    for (int i = n - 1; i >= 0; i--, v >>= 8)
        p[i] = (guint8)v;
}

/* GRIB1 of 840 MB, written as ECMWF does: units of 120 octets, and the shortfall for the length of section 4. */
static void
write_huge(const char *path)
{
    const guint64 units = 7000000, length = units * 120 - 60;
    gsize n;
    g_autofree guint8 *m = sample("regular_ll_sfc_grib1", &n);
    const gsize first = 8, second = first + (m[first + 1] * 256u + m[first + 2]), fourth = second + (m[second + 1] * 256u + m[second + 2]);
    const int f = g_open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    put(m + 4, 0x800000 | units, 3);
    put(m + fourth, 64, 3);
    g_assert_cmpint(pwrite(f, m, n - 4, 0), ==, (gssize)n - 4);
    g_assert_cmpint(pwrite(f, "7777", 4, (off_t)length - 4), ==, 4); /* the rest is a hole */
    close(f);
}

static void
write_many(const char *path, const char *name, gboolean own_grids)
{
    gsize n;
    g_autofree guint8 *m = sample(name, &n);
    FILE *f = g_fopen(path, "wb");

    g_assert_true(m[7] == 2);
    for (guint i = 0; i < MANY; i++) {
        guint8 *grid = m + 16;
        while (grid[4] != 3)
            grid += grid[2] * 256u + grid[3];
        if (own_grids)
            put(grid + 50, i, 4); /* the longitude of the first point */
        g_assert_cmpuint(fwrite(m, 1, n, f), ==, n);
    }
    fclose(f);
}

static void
read_huge(const char *path)
{
    g_autoptr(M2nSource) source = m2n_source_open_file(path, NULL);
    g_autoptr(GError) error = NULL;

    m2n_forget_peak();
    const guint64 before = m2n_peak_memory();
    {
        g_auto(M2nGribHeader) h = {0};
        g_autoptr(M2nGribReader) r = m2n_grib_reader_open_within(source, 4 * MIB, &error);
        g_assert_no_error(error);
        g_assert_cmpuint(m2n_grib_reader_count(r), ==, 1);
        m2n_grib_reader_header(r, 0, &h, &error);
        g_assert_no_error(error);
        g_assert_cmpuint(h.grid->n_points, ==, 4);
        g_assert_cmpstr(h.packing, ==, "grid_simple");
    }
    g_assert_cmpuint(m2n_peak_memory() - before, <=, 4 * MIB + BESIDE);
}

/* Bounds from too little, much less than what the scan of all takes (34 MiB), to enough: the peak is within each, and success
 * comes. */
static void
read_many(const char *path)
{
    g_autoptr(M2nSource) source = m2n_source_open_file(path, NULL);
    M2nSource *const sources[] = {source};
    guint refused = 0;
    gboolean done = FALSE;

    for (guint64 bound = MIB; !done; bound += bound / 2) {
        const M2nArchiveOptions options = {.threads = 1, .member = -1, .memory = bound};
        g_autoptr(GError) error = NULL;

        m2n_forget_peak();
        const guint64 before = m2n_peak_memory();
        g_autoptr(M2nArchive) a = m2n_archive_open_with(sources, 1, &options, &error);
        const guint64 peak = m2n_peak_memory() - before;
        g_printerr("# bound %.1f MiB, peak %.1f MiB: %s\n", (double)bound / MIB, (double)peak / MIB, error != NULL ? error->message : "read");
        g_assert_cmpuint(peak, <=, bound + BESIDE);
        done = a != NULL;
        if (!done) {
            g_autofree char *allowed = g_strdup_printf("%" G_GUINT64_FORMAT " MiB", bound >> 20);
            m2n_assert_error(error, M2N_ERROR_MEMORY, allowed);
            g_assert_true(g_str_has_prefix(error->message, path));
            refused++;
        }
        g_assert_true(!done || m2n_archive_count(a) == MANY);
    }
    g_assert_cmpuint(refused, >=, 2);
}

static void
write_tiny(const char *path)
{
    write_many(path, "regular_ll_sfc_grib2", FALSE);
}

static void
write_grids(const char *path)
{
    write_many(path, "regular_ll_sfc_grib2", TRUE);
}

typedef struct {
    const char *name;
    void (*write)(const char *), (*read)(const char *);
} Kind;

static const Kind kinds[] = {{"header-of-a-huge-grib1-message", write_huge, read_huge},
                             {"tiny-messages", write_tiny, read_many},
                             {"a-grid-for-each", write_grids, read_many}};

static void
write_kind(gconstpointer data, const char *path)
{
    ((const Kind *)data)->write(path);
}

static void
read_kind(gconstpointer data, const char *path)
{
    ((const Kind *)data)->read(path);
}

static void
test_bound(gconstpointer data)
{
    m2n_write_and_read_apart(write_kind, read_kind, data);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_autofree char *name = g_strconcat("/grib/index-memory/", kinds[i].name, NULL);
        g_test_add_data_func(name, &kinds[i], test_bound);
    }
    return g_test_run();
}
