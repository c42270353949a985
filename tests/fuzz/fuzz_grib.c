/* The GRIB reader and the grid geometry: every message's header, its values where the field is small
 * enough, its grid brought to a small global one.  Values and weights must lie where the grid says. */
#include "grib/archive.h"
#include "grib/grib_reader.h"
#include "grib/regrid.h"
#include "tests/fuzz/fuzz.h"

#define MOST_POINTS (1u << 22) /* decoded; a header may promise more, which tells nothing new */
#define MOST_MESSAGES 8u
#define MOST_AREAS (1u << 14) /* points; a sanitizer makes intersecting areas forty times slower */

static void
check_grid(const M2nGrid *g)
{
    gsize points = 0;

    if (g->crs == NULL) /* not a grid in rows and columns */
        return;
    if (g->row_points == NULL) {
        g_assert_cmpuint((gsize)g->width * g->height, ==, g->n_points);
        return;
    }
    for (guint row = 0; row < g->height; row++)
        points += g->row_points[row];
    g_assert_cmpuint(points, ==, g->n_points);
    fuzz_use(g->row_x0, g->height * sizeof(double));
    fuzz_use(g->row_dx, g->height * sizeof(double));
}

static void
check_regrid(const M2nGrid *from, const float *values)
{
    static const double geo[6] = {-180, 30, 0, 90, 0, -30};
    static const M2nRegridMethod methods[] = {M2N_REGRID_BILINEAR, M2N_REGRID_NEAREST,
                                              M2N_REGRID_CONSERVATIVE};
    g_autoptr(M2nGrid) to = m2n_grid_new_affine("EPSG:4326", 12, 6, geo);
    float out[12 * 6];

    for (guint i = 0; i < G_N_ELEMENTS(methods); i++) {
        g_autoptr(GError) error = NULL;

        if (methods[i] == M2N_REGRID_CONSERVATIVE && from->n_points > MOST_AREAS)
            continue;
        g_autoptr(M2nRegrid) r = m2n_regrid_new(from, to, methods[i], 0, &error);
        fuzz_check(r != NULL, &error);
        if (r != NULL) {
            m2n_regrid_apply(r, values, out);
            fuzz_use(out, sizeof out);
        }
    }
}

static void
check_message(M2nGribReader *r, guint i)
{
    g_auto(M2nGribHeader) h = {0};
    g_autoptr(GError) error = NULL;

    const gboolean ok = m2n_grib_reader_header(r, i, &h, &error);
    fuzz_check(ok, &error);
    if (!ok)
        return;
    g_assert_nonnull(h.grid);
    check_grid(h.grid);
    g_autofree char *text = m2n_grid_describe(h.grid);
    fuzz_use(text, strlen(text));
    if (h.grid->n_points > MOST_POINTS)
        return;
    g_autofree float *values = g_new(float, h.grid->n_points);
    const gboolean read = m2n_grib_reader_values(r, i, &h, values, &error);
    fuzz_check(read, &error);
    if (!read)
        return;
    fuzz_use(values, h.grid->n_points * sizeof(float));
    if (h.grid->crs != NULL && h.grid->n_points > 0)
        check_regrid(h.grid, values);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(M2nSource) source = fuzz_source(data, size);
    g_autoptr(M2nGribReader) r = m2n_grib_reader_open(source, &error);

    fuzz_check(r != NULL, &error);
    for (guint i = 0; r != NULL && i < m2n_grib_reader_count(r) && i < MOST_MESSAGES; i++)
        check_message(r, i);

    g_autoptr(M2nArchive) archive = m2n_archive_open(&source, 1, &error);
    fuzz_check(archive != NULL, &error);
    if (archive != NULL)
        for (guint i = 0; i < m2n_archive_problems(archive); i++)
            fuzz_use(m2n_archive_problem(archive, i), 1);
    return 0;
}
