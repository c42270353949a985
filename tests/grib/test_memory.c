/* Reading stays within its bound: what the process holds at most beside what is allowed, for every packing and way
 * of regridding, each in a process of its own. */
#include <eccodes.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/peak_memory.h"
#include "grib/archive.h"
#include "tests/lib/m2n_domain.h"
#include "tests/lib/m2n_peak.h"
#include "tests/lib/m2n_test.h"

#define NX 1600
#define NY 1000
#ifdef __SANITIZE_ADDRESS__ /* which keeps what was freed: its reports alone count */
#define BESIDE ((guint64)4 << 30)
#else
#define BESIDE ((guint64)6 << 20) /* PROJ's database and the like */
#endif

typedef struct {
    const char *name, *sample, *packing;
    long bits;
    M2nRegridMethod method;
    gboolean wind;
    guint size; /* of the model's grid */
} Kind;

static const Kind kinds[] = {
    {"simple", "regular_ll_sfc_grib2", "grid_simple", 16, M2N_REGRID_BILINEAR, FALSE, 64},
    {"ieee", "regular_ll_sfc_grib2", "grid_ieee", 0, M2N_REGRID_BILINEAR, FALSE, 64},
    {"second-order", "regular_ll_sfc_grib1", "grid_second_order", 16, M2N_REGRID_BILINEAR, FALSE, 64},
    {"complex", "regular_ll_sfc_grib2", "grid_complex_spatial_differencing", 16, M2N_REGRID_BILINEAR, FALSE, 64},
    {"ccsds", "regular_ll_sfc_grib2", "grid_ccsds", 24, M2N_REGRID_BILINEAR, FALSE, 64},
    {"jpeg", "regular_ll_sfc_grib2", "grid_jpeg", 16, M2N_REGRID_BILINEAR, FALSE, 64},
    {"png", "regular_ll_sfc_grib2", "grid_png", 16, M2N_REGRID_BILINEAR, FALSE, 64},
    {"wind", "regular_ll_sfc_grib2", "grid_simple", 16, M2N_REGRID_BILINEAR, TRUE, 64},
    {"weights/bilinear", "regular_ll_sfc_grib2", "grid_simple", 16, M2N_REGRID_BILINEAR, FALSE, 1400},
    {"weights/nearest", "regular_ll_sfc_grib2", "grid_simple", 16, M2N_REGRID_NEAREST, FALSE, 1400},
    {"weights/conservative", "regular_ll_sfc_grib2", "grid_simple", 16, M2N_REGRID_CONSERVATIVE, FALSE, 1400},
    {"weights/wind", "regular_ll_sfc_grib2", "grid_simple", 16, M2N_REGRID_BILINEAR, TRUE, 1400},
};

static void
write_message(codes_handle *h, const char *name, const char *path)
{
    size_t length = strlen(name);

    g_assert_cmpint(codes_set_string(h, "shortName", name, &length), ==, 0);
    g_assert_cmpint(codes_write_message(h, path, "a"), ==, 0);
}

/* All values positive: eccodes' PNG takes no negative ones. */
static void
write_file(gconstpointer data, const char *path)
{
    const Kind *k = data;
    codes_handle *h = codes_grib_handle_new_from_samples(NULL, k->sample);
    g_autofree double *x = g_new(double, NX *NY);
    size_t length = strlen(k->packing);

    codes_set_long(h, "Ni", NX);
    codes_set_long(h, "Nj", NY);
    codes_set_double(h, "latitudeOfFirstGridPointInDegrees", 89.91);
    codes_set_double(h, "latitudeOfLastGridPointInDegrees", -89.91);
    codes_set_double(h, "longitudeOfFirstGridPointInDegrees", 0);
    codes_set_double(h, "longitudeOfLastGridPointInDegrees", 359.775);
    codes_set_double(h, "iDirectionIncrementInDegrees", 0.225);
    codes_set_double(h, "jDirectionIncrementInDegrees", 0.18);
    codes_set_long(h, "jScansPositively", 0);
    if (k->bits > 0)
        codes_set_long(h, "bitsPerValue", k->bits);
    for (gsize i = 0; i < NX * NY; i++)
        x[i] = 250 + 20 * sin((double)(i % NX) * 0.01) + (double)(i * i % 17) * 0.3;
    g_assert_cmpint(codes_set_double_array(h, "values", x, NX * NY), ==, 0);
    g_assert_cmpint(codes_set_string(h, "packingType", k->packing, &length), ==, 0);
    write_message(h, k->wind ? "10u" : "2t", path);
    if (k->wind)
        write_message(h, "10v", path);
    codes_handle_delete(h);
}

static M2nDomain *
domain_of(const Kind *k)
{
    const double step = 100.0 / k->size;
    const double geo[6] = {-60, step, 0, 60, 0, -step};

    return m2n_test_domain(k->wind ? "u10 v10" : "t2m", "EPSG:4326", k->size, k->size, geo, 3600);
}

/* The least bound that serves, to an eighth; the peak is then within it, and every smaller one is an error. */
static void
read_within(gconstpointer data, const char *path)
{
    const Kind *k = data;
    g_autoptr(M2nSource) source = m2n_source_open_file(path, NULL);
    M2nSource *const sources[] = {source};
    const M2nArchiveOptions options = {.threads = 2, .member = -1};
    g_autoptr(M2nDomain) d = domain_of(k);
    gint64 init;
    gboolean done = FALSE;
    g_autofree float *out = g_new0(float, d->n_variables *d->grid->n_points);

    for (gsize i = 0; i < d->n_variables * d->grid->n_points; i++)
        out[i] = 1; /* there before the measurement begins */
    for (guint64 bound = 12 << 20; !done; bound += bound / 6) {
        g_autoptr(M2nArchive) a = m2n_archive_open_with(sources, 1, &options, NULL);
        g_autoptr(GError) error = NULL;

        g_assert_nonnull(a);
        g_assert_true(m2n_archive_latest(a, d, 1, &init, NULL));
        m2n_archive_set_memory(a, bound);
        m2n_forget_peak();
        const guint64 before = m2n_peak_memory();
        done = m2n_archive_read_window(a, d, 1, init, k->method, out, NULL, NULL, &error);
        const guint64 peak = m2n_peak_memory() - before;
        if (!done) {
            g_assert_error(error, M2N_ERROR, M2N_ERROR_MEMORY);
            g_assert_nonnull(strstr(error->message, "allowed"));
        }
        if (done || peak > bound + BESIDE)
            g_printerr("# %s: bound %.1f MiB, peak %.1f MiB\n", k->name, (double)bound / (1 << 20), (double)peak / (1 << 20));
        g_assert_cmpuint(peak, <=, bound + BESIDE);
    }
}

static void
test_bound(gconstpointer data)
{
    m2n_write_and_read_apart(write_file, read_within, data);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_autofree char *name = g_strconcat("/grib/memory/", kinds[i].name, NULL);
        g_test_add_data_func(name, &kinds[i], test_bound);
    }
    return g_test_run();
}
