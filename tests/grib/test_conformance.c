/* Every message of the conformance files against what eccodes decodes: points, missing, min, max, mean.
 * The files stand beside the checkout and are not part of the project: without them everything is skipped. */
#include <stdlib.h>
#include <string.h>

#include "grib/grib_reader.h"
#include "tests/lib/m2n_test.h"

#define TOLERANCE 1e-6 /* relative to the largest value of the field: floats keep 6e-8 */

typedef struct {
    gsize points, missing;
    double min, max, mean;
} Summary;

static Summary
summarise(const float *v, gsize n)
{
    Summary s = {n, 0, INFINITY, -INFINITY, 0};

    for (gsize i = 0; i < n; i++) {
        if (isnan(v[i])) {
            s.missing++;
            continue;
        }
        s.min = fmin(s.min, (double)v[i]);
        s.max = fmax(s.max, (double)v[i]);
        s.mean += (double)v[i];
    }
    s.mean /= (double)(n - s.missing);
    return s;
}

static gboolean
close_to(double got, double want, double scale)
{
    return fabs(got - want) <= TOLERANCE * scale + 1e-30;
}

/* One line of the reference against field i; returns a complaint (transfer full) or NULL. */
static char *
compare(M2nGribReader *r, guint i, char **column)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(M2nField) f = m2n_grib_reader_field(r, i, &error);

    if (!g_str_equal(column[18], "OK")) {
        if (f == NULL ||
            g_str_equal(f->grid->type, "healpix")) /* which that eccodes is too old for */
            return NULL;
        return g_strdup_printf("read although eccodes says %s", column[18]);
    }
    if (f == NULL)
        return g_strdup(error->message);
    const Summary s = summarise(f->values, f->grid->n_points);
    if (s.points != g_ascii_strtoull(column[10], NULL, 10))
        return g_strdup_printf("%" G_GSIZE_FORMAT " points, not %s", s.points, column[10]);
    if (s.missing != g_ascii_strtoull(column[11], NULL, 10))
        return g_strdup_printf("%" G_GSIZE_FORMAT " missing, not %s", s.missing, column[11]);
    if (s.missing == s.points)
        return NULL;
    const double min = g_ascii_strtod(column[12], NULL), max = g_ascii_strtod(column[13], NULL);
    const double mean = g_ascii_strtod(column[14], NULL), scale = fmax(fabs(min), fabs(max));
    if (!close_to(s.min, min, scale) || !close_to(s.max, max, scale) ||
        !close_to(s.mean, mean, scale))
        return g_strdup_printf("%.9g..%.9g mean %.9g, not %s..%s mean %s", s.min, s.max, s.mean,
                               column[12], column[13], column[14]);
    if (g_strcmp0(f->grid->type, column[6]) != 0)
        return g_strdup_printf("grid %s, not %s", f->grid->type, column[6]);
    g_autoptr(GDateTime) t = g_date_time_new_from_unix_utc(f->valid_time);
    if (t == NULL || column[5][0] == '-' || strlen(column[5]) < 12)
        return NULL; /* a climatology of year 0, or no time at all */
    g_autofree char *valid = g_date_time_format(t, "%Y%m%d%H%M");
    if (!g_str_equal(valid, column[5]))
        return g_strdup_printf("valid %s, not %s", valid, column[5]);
    return NULL;
}

static void
test_reference(gconstpointer root)
{
    g_autofree char *path = g_build_filename(root, "REFERENCE.tsv", NULL);
    g_autofree char *text = NULL;
    g_autoptr(M2nGribReader) reader = NULL;
    g_autofree char *current = g_strdup("");
    guint checked = 0, bad = 0;

    if (!g_file_get_contents(path, &text, NULL, NULL)) {
        g_test_skip("no conformance files beside the checkout");
        return;
    }
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines + 2; *line != NULL && **line != 0; line++) {
        g_auto(GStrv) column = g_strsplit(*line, "\t", -1);
        const guint number = (guint)atoi(column[1]);

        if (!g_str_equal(column[0], current)) {
            g_autofree char *file = g_build_filename(root, column[0], NULL);
            g_autoptr(M2nSource) source = m2n_source_open_file(file, NULL);
            g_assert_nonnull(source);
            g_clear_pointer(&reader, m2n_grib_reader_close);
            reader = m2n_grib_reader_open(source, NULL);
            g_free(current);
            current = g_strdup(column[0]);
        }
        g_autofree char *complaint = reader == NULL || number > m2n_grib_reader_count(reader)
                                         ? g_strdup("no such message")
                                         : compare(reader, MAX(number, 1) - 1, column);
        checked++;
        if (complaint != NULL) {
            g_test_message("%s: message %u: %s", column[0], number, complaint);
            bad++;
        }
    }
    g_assert_cmpuint(checked, >, 2000);
    g_assert_cmpuint(bad, ==, 0);
}

int
main(int argc, char **argv)
{
    g_autofree char *root = g_build_filename(g_getenv("M2N_SHARED"), "data", NULL);

    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/grib/conformance/every-message-as-eccodes-decodes-it", root,
                         test_reference);
    return g_test_run();
}
