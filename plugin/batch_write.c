/* Output files that appear complete or not at all. */
#define _GNU_SOURCE /* cpl_vsi.h names struct stat64 */
#include <errno.h>
#include <glib/gstdio.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "engine/base/durable.h"
#include "engine/base/error.h"
#include "plugin/batch_product.h"
#include "plugin/quantity.h"

#define FULL (1u << 16) /* bytes: less is left on a disk that is full */

static const struct {
    const char *name, *suffix;
    const char *aliases[4];
} formats[M2N_N_FORMATS] = {
    [M2N_FORMAT_GRIB2] = {"GRIB2", "grib2", {"GRIB", "grb2", "grb", "grib"}},
    [M2N_FORMAT_GTIFF] = {"GTiff", "tif", {"GeoTIFF", "TIFF", "tiff", NULL}},
    [M2N_FORMAT_COG] = {"COG", "tif", {NULL}},
    [M2N_FORMAT_NETCDF] = {"netCDF", "nc", {"nc4", NULL}},
    [M2N_FORMAT_ZARR] = {"Zarr", "zarr", {NULL}},
};

const char *
m2n_format_name(M2nFormat format)
{
    return formats[format].name;
}

const char *
m2n_format_suffix(M2nFormat format)
{
    return formats[format].suffix;
}

static gboolean
is_format(const char *name, M2nFormat f)
{
    if (g_ascii_strcasecmp(name, formats[f].name) == 0 ||
        g_ascii_strcasecmp(name, formats[f].suffix) == 0)
        return TRUE;
    for (guint i = 0; i < 4 && formats[f].aliases[i] != NULL; i++)
        if (g_ascii_strcasecmp(name, formats[f].aliases[i]) == 0)
            return TRUE;
    return FALSE;
}

gboolean
m2n_format_parse(const char *name, M2nFormat *format, GError **error)
{
    for (guint f = 0; f < M2N_N_FORMATS; f++)
        if (is_format(name, f)) {
            *format = f;
            return TRUE;
        }
    g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT,
                "format \"%s\": expected GRIB2, GTiff, COG, netCDF or Zarr", name);
    return FALSE;
}

gboolean
m2n_format_guess(const char *path, M2nFormat *format)
{
    const char *dot = strrchr(path, '.');

    return dot != NULL && strchr(dot, '/') == NULL && m2n_format_parse(dot + 1, format, NULL);
}

char *
m2n_values_checksum(const float *values, gsize n)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    guint32 buffer[4096];

    for (gsize i = 0; i < n;) {
        gsize k = 0;
        for (; k < G_N_ELEMENTS(buffer) && i < n; k++, i++) {
            union {
                float value;
                guint32 bits;
            } u = {.value = isnan(values[i]) ? NAN : values[i]};
            buffer[k] = GUINT32_TO_LE(u.bits);
        }
        g_checksum_update(sum, (const guchar *)buffer, (gssize)(k * sizeof *buffer));
    }
    return g_strdup(g_checksum_get_string(sum));
}

/* ---- temporary names ----------------------------------------------------------------------------- */

/* Files and folders alike; a folder's content goes first. */
static void
remove_tree(const char *path)
{
    if (g_file_test(path, G_FILE_TEST_IS_DIR) && !g_file_test(path, G_FILE_TEST_IS_SYMLINK)) {
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        const char *name;
        while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
            g_autofree char *child = g_build_filename(path, name, NULL);
            remove_tree(child);
        }
    }
    g_remove(path);
}

/* What a run that was killed left behind for this very output: its process is gone. */
static void
remove_stale(const char *folder, const char *prefix)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    const char *name;

    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        if (!g_str_has_prefix(name, prefix))
            continue;
        const gint64 pid = g_ascii_strtoll(name + strlen(prefix), NULL, 10);
        if (pid <= 0 || pid == getpid() || kill((pid_t)pid, 0) == 0 || errno != ESRCH)
            continue;
        g_autofree char *path = g_build_filename(folder, name, NULL);
        remove_tree(path);
    }
}

/* (transfer full) "<folder>/.<name>.part-<pid>-<serial><suffix>" */
static char *
temporary_name(const char *path, M2nFormat format)
{
    static gint serial;
    g_autofree char *folder = g_path_get_dirname(path), *base = g_path_get_basename(path);
    g_autofree char *prefix = g_strdup_printf(".%s.part-", base);

    remove_stale(folder, prefix);
    return g_strdup_printf("%s/%s%d-%d.%s", folder, prefix, (int)getpid(),
                           g_atomic_int_add(&serial, 1), m2n_format_suffix(format));
}

static gboolean
fail(GError **error, const char *path, const char *what)
{
    const int err = errno;

    g_set_error(error, M2N_ERROR, M2N_ERROR_IO, "%s: %s: %s", path, what, g_strerror(err));
    return FALSE;
}

/* An output replaces what an output may be, a file or a Zarr folder; never a folder of something else, a device or
 * a pipe. */
static gboolean
may_replace(const char *path, M2nFormat format, GError **error)
{
    g_autofree char *group = g_build_filename(path, ".zgroup", NULL);

    return (format == M2N_FORMAT_ZARR && g_file_test(path, G_FILE_TEST_IS_DIR) &&
            (g_file_test(group, G_FILE_TEST_EXISTS) || g_rmdir(path) == 0)) ||
           m2n_durable_may_replace(path, error);
}

/* Over what was there.  rename() does not replace a folder that holds files: the two change names, or, where a file system
 * knows nothing of that, the old one steps aside, and for a moment nothing has the name. */
static gboolean
move_into_place(const char *temporary, const char *path, GError **error)
{
    const gboolean folder = g_file_test(path, G_FILE_TEST_IS_DIR);
    g_autofree char *aside = NULL;
    gboolean done = FALSE;

    if (folder && !m2n_durable_exchange(temporary, path, &done, error))
        return FALSE;
    if (done) {
        remove_tree(temporary); /* the old one */
        return TRUE;
    }
    if (folder) {
        aside = g_strconcat(temporary, ".old", NULL);
        if (g_rename(path, aside) != 0)
            return fail(error, path, "cannot be replaced");
    }
    if (!m2n_durable_rename(temporary, path, error)) {
        /* where the new one got there and it was the sync that failed, the old one cannot come back */
        if (aside != NULL && g_rename(aside, path) != 0)
            remove_tree(aside);
        return FALSE;
    }
    if (aside != NULL)
        remove_tree(aside);
    return TRUE;
}

/* HDF5 1.10 and the NetCDF library crash on a disk that gets full while they write: nothing is begun that may not fit. */
static gboolean
has_room(const M2nProduct *p, const char *folder, const char *path, GError **error)
{
    const guint64 most =
        (guint64)p->n_steps * p->n_variables * p->grid->n_points * sizeof(float) + (1 << 20);
    struct statvfs s;

    const guint64 on_disk = statvfs(folder, &s) == 0 ? (guint64)s.f_bavail * s.f_frsize : G_MAXUINT64;
    const guint64 allowed = m2n_durable_limit();
    if (MIN(on_disk, allowed) >= most)
        return TRUE;
    g_autofree char *needed = m2n_size_format(most), *room = m2n_size_format(MIN(on_disk, allowed));
    g_set_error(error, M2N_ERROR, M2N_ERROR_IO, "%s: no room: it may take %s, %s are %s", path, needed, room,
                on_disk <= allowed ? "free" : "allowed (ulimit -f)");
    return FALSE;
}

static gboolean
write_sidecar(const M2nProduct *p, const char *path, GError **error)
{
    g_autofree char *name = g_strconcat(path, ".json", NULL);
    g_autoptr(GString) text = g_string_new("{");

    for (guint i = 0; p->provenance[i] != NULL; i++) {
        g_auto(GStrv) pair = g_strsplit(p->provenance[i], "=", 2);
        g_autofree char *value = g_strescape(pair[1] != NULL ? pair[1] : "", "\"\\");
        g_string_append_printf(text, "%s\n  \"%s\": \"%s\"", i > 0 ? "," : "", pair[0], value);
    }
    g_string_append(text, "\n}\n");
    g_autoptr(GError) problem = NULL;
    if (g_file_set_contents_full(name, text->str, (gssize)text->len, G_FILE_SET_CONTENTS_CONSISTENT,
                                 0644, &problem))
        return TRUE;
    g_set_error(error, M2N_ERROR, M2N_ERROR_IO, "%s: %s", name, problem->message);
    return FALSE;
}

/* The libraries underneath say many things of a full disk, but not that. */
static gboolean
is_full(const char *folder)
{
    struct statvfs st;

    return statvfs(folder, &st) == 0 && (guint64)st.f_bavail * st.f_frsize < FULL;
}

/* One line that speaks of the name the user knows. */
static void
mend_message(const char *temporary, const char *path, gboolean full, GError **error)
{
    if (error == NULL || *error == NULL)
        return;
    g_autoptr(GString) text = g_string_new((*error)->message);
    g_string_replace(text, temporary, path, 0);
    g_string_replace(text, "\n", " ", 0);
    if (strstr(text->str, path) == NULL)
        g_string_prepend(g_string_prepend(text, ": "), path);
    if (full && strstr(text->str, g_strerror(ENOSPC)) == NULL)
        g_string_append_printf(text, " (%s)", g_strerror(ENOSPC));
    const gint code = (*error)->code;
    g_clear_error(error);
    g_set_error(error, M2N_ERROR, code, "%s", text->str);
}

gboolean
m2n_product_write(const M2nProduct *p, const char *path, M2nFormat format,
                  const M2nProductOptions *options, GError **error)
{
    g_autofree char *folder = g_path_get_dirname(path), *temporary = NULL;
    gboolean ok;

    if (g_mkdir_with_parents(folder, 0777) != 0)
        return fail(error, folder, "cannot be made");
    if (!may_replace(path, format, error))
        return FALSE;
    if (format == M2N_FORMAT_NETCDF && !has_room(p, folder, path, error))
        return FALSE;
    temporary = temporary_name(path, format);
    switch (format) {
    case M2N_FORMAT_GRIB2:
        ok = m2n_product_write_grib(p, temporary, options, error);
        break;
    case M2N_FORMAT_GTIFF:
    case M2N_FORMAT_COG:
        ok = m2n_product_write_raster(p, temporary, format, options, error);
        break;
    case M2N_FORMAT_ZARR:
        ok = m2n_product_write_arrays(p, temporary, format, error) &&
             m2n_zarr_name_scalars(temporary, error);
        break;
    default:
        ok = m2n_product_write_arrays(p, temporary, format, error);
    }
    ok = ok && m2n_durable_sync(temporary, error) && move_into_place(temporary, path, error);
    if (!ok) {
        const gboolean full = is_full(folder);
        g_autofree char *beside =
            g_strconcat(temporary, ".aux.xml", NULL); /* GDAL's, when the file got no further */
        g_remove(beside);
        remove_tree(temporary);
        mend_message(temporary, path, full, error);
    }
    return ok && (format != M2N_FORMAT_GRIB2 || !options->sidecar || write_sidecar(p, path, error));
}
