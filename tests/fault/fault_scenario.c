/* A host in whose process things fail: opens each dataset, reads every band, prints a checksum per
 * dataset.  After an error it does all of it again in the same process, once libm2nfault.so has been told that
 * nothing fails any more: what a failure left in memory must not hinder that.
 *
 * Exit status 0: all read; 1: an error with a message, and the second time all read; 3: an error without a message;
 * 4: not even the second time.
 *
 *   fault_scenario DATASET ... */
#define _GNU_SOURCE
#include <cpl_conv.h>
#include <cpl_error.h>
#include <dlfcn.h>
#include <gdal.h>
#include <glib.h>
#include <stdio.h>
#include <string.h>

static char message[4096];

static void CPL_STDCALL
on_error(CPLErr kind, CPLErrorNum number, const char *text)
{
    (void)number;
    if (kind >= CE_Failure)
        g_strlcpy(message, text, sizeof message);
}

static int
failed(const char *where)
{
    fprintf(stderr, "%s: %s\n", where, message);
    return message[0] != '\0' && strchr(message, '\n') == NULL ? 1 : 3;
}

static int
read_all(const char *name)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    GDALDatasetH ds = GDALOpenEx(name, GDAL_OF_RASTER | GDAL_OF_VERBOSE_ERROR, NULL, NULL, NULL);

    if (ds == NULL)
        return failed("open");
    const int width = GDALGetRasterXSize(ds), height = GDALGetRasterYSize(ds);
    const gsize n = (gsize)width * (gsize)height;
    g_autofree float *values = g_new(float, n);
    for (int band = 1; band <= GDALGetRasterCount(ds); band++) {
        if (GDALRasterIO(GDALGetRasterBand(ds, band), GF_Read, 0, 0, width, height, values, width,
                         height, GDT_Float32, 0, 0) != CE_None) {
            GDALClose(ds);
            return failed("read");
        }
        g_checksum_update(sum, (const guchar *)values, (gssize)(n * sizeof(float)));
    }
    GDALClose(ds);
    printf("%s\n", g_checksum_get_string(sum));
    return 0;
}

static int
read_each(char **names)
{
    message[0] = '\0';
    for (; *names != NULL; names++) {
        const int status = read_all(*names);
        if (status != 0)
            return status;
    }
    return 0;
}

int
main(int argc, char **argv)
{
    void (*fault_off)(void) = (void (*)(void))dlsym(RTLD_DEFAULT, "m2n_fault_off");

    (void)argc;
    CPLSetErrorHandler(on_error);
    GDALAllRegister();
    const int status = read_each(argv + 1);
    if (status != 1 || fault_off == NULL)
        return status;
    fault_off();
    return read_each(argv + 1) == 0 ? 1 : 4;
}
