/* regrid_file FILE MESSAGE METHOD CRS WIDTH HEIGHT X0 DX Y0 DY: one message on another grid, float32 to stdout.
 * For the tests that compare with other people's tools.  METHOD: bilinear, nearest, conservative, or none for
 * the values as read, preceded by width and height as two 32-bit numbers. */
#include <stdio.h>
#include <stdlib.h>

#include "grib/grib_reader.h"
#include "grib/regrid.h"

static int
die(const char *message)
{
    fprintf(stderr, "%s\n", message);
    return 1;
}

int
main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;

    if (argc < 4 || (argc < 11 && !g_str_equal(argv[3], "none")))
        return die("usage: regrid_file FILE MESSAGE METHOD CRS WIDTH HEIGHT X0 DX Y0 DY");
    g_autoptr(M2nSource) source = m2n_source_open_file(argv[1], &error);
    if (source == NULL)
        return die(error->message);
    g_autoptr(M2nGribReader) r = m2n_grib_reader_open(source, &error);
    if (r == NULL)
        return die(error->message);
    g_autoptr(M2nField) f = m2n_grib_reader_field(r, (guint)atoi(argv[2]) - 1, &error);
    if (f == NULL)
        return die(error->message);
    if (g_str_equal(argv[3], "none")) {
        fwrite(&f->grid->width, 4, 1, stdout);
        fwrite(&f->grid->height, 4, 1, stdout);
        fwrite(f->values, sizeof *f->values, f->grid->n_points, stdout);
        return 0;
    }
    const M2nRegridMethod method = g_str_equal(argv[3], "nearest")        ? M2N_REGRID_NEAREST
                                   : g_str_equal(argv[3], "conservative") ? M2N_REGRID_CONSERVATIVE
                                                                          : M2N_REGRID_BILINEAR;
    const double geo[6] = {g_ascii_strtod(argv[7], NULL),
                           g_ascii_strtod(argv[8], NULL),
                           0,
                           g_ascii_strtod(argv[9], NULL),
                           0,
                           g_ascii_strtod(argv[10], NULL)};
    g_autoptr(M2nGrid) to =
        m2n_grid_new_affine(argv[4], (guint)atoi(argv[5]), (guint)atoi(argv[6]), geo);
    g_autoptr(M2nRegrid) g = m2n_regrid_new(f->grid, to, method, 0, &error);
    if (g == NULL)
        return die(error->message);
    g_autofree float *out = g_new(float, to->n_points);
    m2n_regrid_apply(g, f->values, out);
    fwrite(out, sizeof *out, to->n_points, stdout);
    return 0;
}
