/* What the hosts of these tests share: a forecast's bands as one checksum, and a folder to keep it in. */
#pragma once
#include <cpl_error.h>
#include <cpl_string.h>
#include <gdal.h>
#include <glib.h>
#include <glib/gstdio.h>

/* (transfer full) SHA-256 of one band.  NULL: GDAL has said why. */
static inline char *
host_band_sum(GDALDatasetH ds, int band)
{
    const int width = GDALGetRasterXSize(ds), height = GDALGetRasterYSize(ds);
    const gsize n = (gsize)width * (gsize)height;
    g_autofree float *values = g_new(float, n);

    if (GDALRasterIO(GDALGetRasterBand(ds, band), GF_Read, 0, 0, width, height, values, width,
                     height, GDT_Float32, 0, 0) != CE_None)
        return NULL;
    return g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)values,
                                       n * sizeof(float));
}

/* options: NULL or one KEY=VALUE */
static inline GDALDatasetH
host_open(const char *name, const char *option)
{
    const char *const options[] = {"THREADS=2", option, NULL};
    return GDALOpenEx(name, GDAL_OF_RASTER | GDAL_OF_VERBOSE_ERROR, NULL, options, NULL);
}

/* (transfer full) all bands, one after the other; NULL: GDAL has said why */
static inline char *
host_sum(const char *name, const char *option)
{
    g_autoptr(GString) sums = g_string_new(NULL);
    GDALDatasetH ds = host_open(name, option);

    for (int band = 1; ds != NULL && band <= GDALGetRasterCount(ds); band++) {
        g_autofree char *sum = host_band_sum(ds, band);
        if (sum == NULL) {
            GDALClose(ds);
            return NULL;
        }
        g_string_append_printf(sums, "%s\n", sum);
    }
    if (ds == NULL)
        return NULL;
    GDALClose(ds);
    return g_string_free(g_steal_pointer(&sums), FALSE);
}

static inline void
host_copy(const char *from, const char *to)
{
    g_autofree char *data = NULL;
    g_autoptr(GError) error = NULL;
    gsize n;

    if (!g_file_get_contents(from, &data, &n, &error) ||
        !g_file_set_contents(to, data, (gssize)n, &error))
        g_error("%s", error->message);
}

/* (transfer full) A new folder with model and input of the samples, and its own cache. */
static inline char *
host_folder(const char *samples)
{
    char *folder = g_dir_make_tmp("met2net-host-XXXXXX", NULL);
    static const char *const names[] = {"model.safetensors", "analysis.grib2"};
    g_autofree char *cache = g_build_filename(folder, "cache", NULL);

    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *from = g_build_filename(samples, names[i], NULL);
        g_autofree char *to = g_build_filename(folder, names[i], NULL);
        host_copy(from, to);
    }
    g_setenv("XDG_CACHE_HOME", cache, TRUE);
    return folder;
}

/* (transfer full) A forecast file beside them. */
static inline char *
host_forecast(const char *folder, const char *name, const char *input, int hours, const char *precision)
{
    g_autofree char *text =
        g_strdup_printf("{\"met2net\":1,\"model\":\"model.safetensors\",\"input\":[\"%s\"],"
                        "\"lead_time\":\"%dh\",\"precision\":\"%s\"}",
                        input, hours, precision);
    char *path = g_build_filename(folder, name, NULL);

    if (!g_file_set_contents(path, text, -1, NULL))
        g_error("%s: cannot be written", path);
    return path;
}

static inline void
host_remove(const char *path)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    const char *name;

    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *child = g_build_filename(path, name, NULL);
        host_remove(child);
    }
    g_remove(path);
}
