/* Scores of raw float32 files by the project's own code, for check_scores.py to compare with numpy.
 *
 * usage: scores_of_raw FORECAST TRUTH CLIMATOLOGY TIMES LEADS VARIABLES HEIGHT WIDTH CRS x0 dx y0 dy
 * Files hold [times][leads][variables][height][width].  Prints a line per variable, lead ("all" last) and
 * weighting: mse rmse mae bias acc times missing. */
#include <stdio.h>
#include <stdlib.h>

#include "plugin/verify_scores.h"
#include "plugin/verify_weights.h"

static float *
load(const char *name, gsize n)
{
    char *data = NULL;
    gsize bytes = 0;

    if (!g_file_get_contents(name, &data, &bytes, NULL) || bytes != n * sizeof(float))
        g_error("%s: %zu bytes, expected %zu", name, bytes, n * sizeof(float));
    return (float *)(void *)data;
}

static void
print(guint v, const char *lead, M2nWeighting weighting, M2nScore s)
{
    printf("%u %s %d %.12g %.12g %.12g %.12g %.12g %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT "\n", v, lead,
           weighting, s.mse, s.rmse, s.mae, s.bias, s.acc, s.times, s.missing);
}

int
main(int argc, char **argv)
{
    if (argc != 14)
        return 2;
    const guint times = (guint)atoi(argv[4]), leads = (guint)atoi(argv[5]);
    const guint variables = (guint)atoi(argv[6]), height = (guint)atoi(argv[7]);
    const guint width = (guint)atoi(argv[8]);
    const double geo[6] = {atof(argv[10]), atof(argv[11]), 0, atof(argv[12]), 0, atof(argv[13])};
    const gsize points = (gsize)height * width, n = points * times * leads * variables;
    g_autoptr(GError) error = NULL;
    g_autofree float *f = load(argv[1], n), *o = load(argv[2], n), *c = load(argv[3], n);
    g_autoptr(M2nGrid) grid = m2n_grid_new_affine(argv[9], width, height, geo);
    g_autofree double *weights = m2n_cell_weights(grid, &error);

    if (weights == NULL)
        g_error("%s", error->message);
    g_autoptr(M2nScores) s = m2n_scores_new(variables, leads, points, weights);
    for (guint t = 0; t < times; t++)
        for (guint lead = 0; lead < leads; lead++)
            for (guint v = 0; v < variables; v++) {
                const gsize at = (((gsize)t * leads + lead) * variables + v) * points;
                m2n_scores_add(s, v, lead, f + at, o + at, c + at);
            }
    for (guint v = 0; v < variables; v++)
        for (M2nWeighting k = M2N_PLAIN; k < M2N_N_WEIGHTINGS; k++) {
            for (guint lead = 0; lead < leads; lead++) {
                char label[16];
                g_snprintf(label, sizeof label, "%u", lead);
                print(v, label, k, m2n_scores_get(s, v, lead, k));
            }
            print(v, "all", k, m2n_scores_overall(s, v, k));
        }
    return 0;
}
