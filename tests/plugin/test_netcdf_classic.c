/* Headers of the three classic formats of NetCDF: GDAL reads the whole one, and every count that claims more than
 * the file holds is found before that library sees it. */
#include <gdal.h>
#include <glib/gstdio.h>
#include <string.h>

#include "engine/base/error.h"
#include "plugin/gridded_index.h"
#include "plugin/netcdf_classic.h"

typedef struct {
    GByteArray *data;
    GArray *counts; /* where they stand: guint */
    guint version;
} File;

static void
number(File *f, guint64 value, guint octets)
{
    for (guint i = octets; i-- > 0;) {
        const guint8 b = (guint8)(value >> 8 * i);
        g_byte_array_append(f->data, &b, 1);
    }
}

static void
count(File *f, guint64 value)
{
    g_array_append_val(f->counts, f->data->len);
    number(f, value, f->version == 5 ? 8 : 4);
}

static void
list(File *f, guint tag, guint64 n)
{
    number(f, n == 0 ? 0 : tag, 4);
    count(f, n);
}

static void
text(File *f, const char *s)
{
    count(f, strlen(s));
    g_byte_array_append(f->data, (const guint8 *)s, (guint)strlen(s));
    number(f, 0, (4 - f->data->len % 4) % 4);
}

static void
size(File *f, guint64 value)
{
    number(f, value, f->version == 5 ? 8 : 4);
}

/* x(x), one byte a value, and attributes of two types. */
static void
write_header(File *f)
{
    number(f, 0x43444600 | f->version, 4);
    size(f, 0);
    list(f, 10, 2);
    text(f, "x");
    size(f, 4);
    text(f, "unused");
    size(f, 3);
    list(f, 12, 0);
    list(f, 11, 1);
    text(f, "x");
    count(f, 1);
    size(f, 0);
    list(f, 12, 2);
    text(f, "units");
    number(f, 2, 4);
    text(f, "m");
    text(f, "scale");
    number(f, 6, 4);
    count(f, 2);
    number(f, 0, 8);
    number(f, 0, 8);
    number(f, 1, 4);
    size(f, 4);
    number(f, f->data->len + (f->version == 1 ? 4 : 8), f->version == 1 ? 4 : 8);
}

static GDALDatasetH
open_bytes(const char *path, const File *f, gsize n, GError **error)
{
    g_assert_true(g_file_set_contents(path, (const char *)f->data->data, (gssize)n, NULL));
    return m2n_gridded_open_file(path, error);
}

static void
refused(const char *path, const File *f, gsize n)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(open_bytes(path, f, n, &error));
    g_assert_error(error, M2N_ERROR, M2N_ERROR_FORMAT);
    g_assert_nonnull(strstr(error->message, "a.nc: damaged header of NetCDF: "));
}

static void
test_header(gconstpointer version)
{
    File f = {g_byte_array_new(), g_array_new(FALSE, FALSE, sizeof(guint)), GPOINTER_TO_UINT(version)};
    g_autofree char *folder = g_dir_make_tmp("m2n-classic-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "a.nc", NULL);
    g_autoptr(GError) error = NULL;

    write_header(&f);
    const guint header = f.data->len;
    number(&f, 0x01020304, 4);
    GDALDatasetH dataset = open_bytes(path, &f, f.data->len, &error);
    if (dataset != NULL) {
        GDALClose(dataset);
    } else { /* GDAL 3.6 knows 1 and 2 alone */
        g_assert_cmpuint(f.version, ==, 5);
        g_assert_nonnull(strstr(error->message, "nccopy -k nc4"));
    }
    for (guint n = 4; n < header; n++)
        refused(path, &f, n);
    for (guint i = 0; i < f.counts->len; i++) {
        guint8 *at = f.data->data + g_array_index(f.counts, guint, i), kept[8];
        memcpy(kept, at, sizeof kept);
        for (guint b = f.version == 5 ? 4 : 0; b < (f.version == 5 ? 8 : 4); b++)
            at[b] = 0x7f;
        refused(path, &f, f.data->len);
        memset(at, 0xff, f.version == 5 ? 8 : 4);
        refused(path, &f, f.data->len);
        memcpy(at, kept, sizeof kept);
    }
    g_byte_array_unref(f.data);
    g_array_unref(f.counts);
    g_unlink(path);
    g_rmdir(folder);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    GDALAllRegister();
    g_test_add_data_func("/plugin/netcdf-classic/1", GUINT_TO_POINTER(1), test_header);
    g_test_add_data_func("/plugin/netcdf-classic/2", GUINT_TO_POINTER(2), test_header);
    g_test_add_data_func("/plugin/netcdf-classic/5", GUINT_TO_POINTER(5), test_header);
    return g_test_run();
}
