/* The driver as GDAL's users meet it: one of the four things that make a forecast is the case, the other
 * three are good ones from the folder M2N_FUZZ_BASE.
 *
 *   first byte 'F'  forecast.json        'M'  the model      'G'  the input
 *              'O'  open options, one KEY=VALUE per line
 *              'Z'  the input as a folder (Zarr): files one after the other, each "NAME\n", its bytes, "\n@@ "
 *
 * Every so often nothing is the case, and the forecast has to be there: a case may not spoil the next.
 *
 * Opens (but for options in the precision that the case's size tells), reads pixels of the first, a middle and the last band, closes. */
#define _GNU_SOURCE /* memmem */
#include <cpl_conv.h>
#include <cpl_error.h>
#include <gdal.h>
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

void GDALRegister_MET2NET(void);

static const char *const names[] = {"forecast.json", "model.safetensors", "analysis.grib2"};
static char *good[G_N_ELEMENTS(names)];
static gsize good_size[G_N_ELEMENTS(names)];
static char message[4096];

static void CPL_STDCALL
on_error(CPLErr kind, CPLErrorNum number, const char *text)
{
    (void)number;
    if (kind >= CE_Failure)
        g_strlcpy(message, text, sizeof message);
}

static void
prepare(void)
{
    const char *base = g_getenv("M2N_FUZZ_BASE");

    g_assert_nonnull(base);
    g_setenv("XDG_CACHE_HOME", fuzz_folder(), TRUE);
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_build_filename(base, names[i], NULL);
        if (!g_file_get_contents(path, &good[i], &good_size[i], NULL))
            g_error("%s: cannot be read", path);
        g_free(fuzz_write(names[i], (const uint8_t *)good[i], good_size[i]));
    }
    CPLSetErrorHandler(on_error);
    CPLSetConfigOption("MET2NET_CACHE_MEMORY", "1MB");
    CPLSetConfigOption("MET2NET_CACHE_SIZE", "4MB");
    GDALRegister_MET2NET();
}

static void
failed(const char *where)
{
    if (message[0] == '\0' || strchr(message, '\n') != NULL || !g_utf8_validate(message, -1, NULL))
        g_error("%s failed and says \"%s\"", where, message);
    message[0] = '\0';
}

static void
read_band(GDALDatasetH ds, int band)
{
    const int width = GDALGetRasterXSize(ds), height = GDALGetRasterYSize(ds);
    GDALRasterBandH b = GDALGetRasterBand(ds, band);
    g_autofree float *values = g_try_new(float, (gsize)width *(gsize)height);

    if (values == NULL)
        return;
    if (GDALRasterIO(b, GF_Read, 0, 0, width, height, values, width, height, GDT_Float32, 0, 0) !=
        CE_None) {
        failed("reading");
        return;
    }
    for (gsize i = 0; i < (gsize)width * (gsize)height; i++)
        g_assert_false(isinf(values[i]));
    g_assert_cmpint(GDALReadBlock(b, 0, 0, values), ==, CE_None);
    g_assert_nonnull(GDALGetDescription(b));
    g_assert_nonnull(GDALGetMetadata(b, NULL));
}

/* Whether there was a forecast. */
static gboolean
open_and_read(const char *path, const char *const *options)
{
    static const char *const drivers[] = {"MET2NET", NULL};
    double geo[6];

    GDALDatasetH ds =
        GDALOpenEx(path, GDAL_OF_RASTER | GDAL_OF_VERBOSE_ERROR, drivers, options, NULL);
    if (ds == NULL) {
        failed("opening");
        return FALSE;
    }
    const int n = GDALGetRasterCount(ds);
    g_assert_cmpint(n, >, 0);
    GDALGetGeoTransform(ds, geo);
    for (guint i = 0; i < 6; i++)
        g_assert_true(isfinite(geo[i]));
    g_assert_nonnull(GDALGetProjectionRef(ds));
    GDALGetMetadata(ds, NULL);
    read_band(ds, 1);
    read_band(ds, 1 + n / 2);
    read_band(ds, n);
    GDALClose(ds);
    return TRUE;
}

static gboolean
stays_below(const char *name)
{
    return *name != '\0' && *name != '/' && strlen(name) < 64 && strstr(name, "..") == NULL &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/") == strlen(name);
}

/* In the place of the input; names that lead elsewhere and what cannot be written are left out. */
static void
write_folder_of(const uint8_t *data, size_t size)
{
    static const char mark[] = "\n@@ ";
    const char *p = (const char *)data, *end = p + size, *line, *next;
    g_autofree char *top = g_build_filename(fuzz_folder(), names[2], NULL);

    fuzz_remove(names[2]);
    g_assert_cmpint(g_mkdir(top, 0700), ==, 0);
    for (guint n = 0; n < 64 && (line = memchr(p, '\n', (size_t)(end - p))) != NULL; n++) {
        g_autofree char *name = g_strndup(p, (gsize)(line - p));
        next = memmem(line + 1, (size_t)(end - line - 1), mark, sizeof mark - 1);
        const char *stop = next != NULL ? next : end;
        if (stays_below(name)) {
            g_autofree char *path = g_build_filename(top, name, NULL), *folder = g_path_get_dirname(path);
            if (g_mkdir_with_parents(folder, 0700) == 0)
                g_file_set_contents_full(path, line + 1, (gssize)(stop - line - 1), G_FILE_SET_CONTENTS_NONE, 0600, NULL);
        }
        if (next == NULL)
            return;
        p = next + sizeof mark - 1;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char letters[] = "FMG";
    static const char *const precisions[] = {"PRECISION=float32", "PRECISION=bf16", "PRECISION=int8"};
    static guint64 n_cases;
    const char *bounds[] = {"MAX_MEMORY=512MB", "THREADS=1", precisions[size % 3], NULL};

    if (good[0] == NULL)
        prepare();
    if (size == 0)
        return 0;
    message[0] = '\0';
    g_autofree char *path = g_build_filename(fuzz_folder(), names[0], NULL);
    if (n_cases++ % 64 == 0)
        g_assert_true(open_and_read(path, bounds));
    if (data[0] == 'O') {
        g_autofree char *text = g_strndup((const char *)data + 1, size - 1);
        g_auto(GStrv) options = g_strsplit(text, "\n", 32);
        open_and_read(path, (const char *const *)options);
        return 0;
    }
    if (data[0] == 'Z') {
        write_folder_of(data + 1, size - 1);
        open_and_read(path, bounds);
        fuzz_remove(names[2]);
        g_free(fuzz_write(names[2], (const uint8_t *)good[2], good_size[2]));
        return 0;
    }
    const char *which = strchr(letters, data[0]);
    if (which == NULL || *which == '\0')
        return 0;
    const gsize i = (gsize)(which - letters);
    g_free(fuzz_write(names[i], data + 1, size - 1));
    open_and_read(path, bounds);
    g_free(fuzz_write(names[i], (const uint8_t *)good[i], good_size[i]));
    return 0;
}
