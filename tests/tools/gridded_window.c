/* A window out of a NetCDF or Zarr archive as raw float32, for check_gridded.py.
 *
 * usage: gridded_window OUT VARIABLES STEPS TIME_STEP INIT|latest NAME...
 * VARIABLES: "u10,t850".  The grid is the archive's own.  Prints init time, width, height, geotransform, then
 * what the archive holds; on failure the error, and exits 1. */
#include <stdio.h>
#include <stdlib.h>

#include "grib/variable.h"
#include "plugin/gridded_archive.h"

static int
fail(const GError *error)
{
    printf("error %d: %s\n", error->code, error->message);
    return 1;
}

int
main(int argc, char **argv)
{
    if (argc < 7)
        return 2;
    g_auto(GStrv) names = g_strsplit(argv[2], ",", -1);
    const guint steps = (guint)atoi(argv[3]), n = g_strv_length(names);
    g_autofree M2nVariable *variables = g_new0(M2nVariable, n);
    M2nDomain d = {.n_variables = n, .variables = variables, .time_step = atoi(argv[4])};
    g_autoptr(GError) error = NULL;
    gint64 init = g_ascii_strtoll(argv[5], NULL, 10);

    for (guint i = 0; i < n; i++)
        if (!m2n_variable_from_name(names[i], &variables[i], &error))
            return fail(error);
    if (!m2n_gridded_recognises(argv[6]))
        printf("not recognised\n");
    g_autoptr(M2nGridded) a = m2n_gridded_open((const char *const *)&argv[6], &error);
    if (a == NULL)
        return fail(error);
    d.grid = m2n_gridded_grid(a, &variables[0], &error);
    if (d.grid == NULL)
        return fail(error);
    if (g_str_equal(argv[5], "latest") && !m2n_gridded_latest(a, &d, steps, &init, &error))
        return fail(error);
    const gsize values = (gsize)steps * n * d.grid->n_points;
    g_autofree float *out = g_new(float, values);
    if (!m2n_gridded_read_window(a, &d, steps, init, M2N_REGRID_BILINEAR, out, NULL, NULL, &error))
        return fail(error);
    if (!g_file_set_contents(argv[1], (const char *)out, (gssize)(values * sizeof *out), &error))
        return fail(error);
    g_autofree char *text = m2n_gridded_describe(a, NULL);
    printf("%" G_GINT64_FORMAT " %u %u", init, d.grid->width, d.grid->height);
    for (int i = 0; i < 6; i++)
        printf(" %.12g", d.grid->geo[i]);
    printf("\n%s\n", text);
    return 0;
}
