/* GRIB, arrays or a prepared dataset behind one set of questions. */
#define _GNU_SOURCE /* cpl_vsi.h names struct stat64 */
#include "plugin/input.h"

#include <cpl_string.h>
#include <cpl_vsi.h>
#include <sys/stat.h>

#include "engine/base/error.h"
#include "engine/base/memory_limit.h"
#include "grib/archive.h"
#include "plugin/gridded_archive.h"
#include "plugin/input_dataset.h"
#include "plugin/source_vsi.h"

#define MAX_STAMPED 200000u /* entries of a folder that are looked at */

typedef enum { GRIB, ARRAYS, DATASET } Kind;

struct M2nInput {
    Kind kind;
    char **names;
    M2nArchive *archive;
    M2nGridded *gridded;
    M2nDataset *dataset;
};

void
m2n_input_free(M2nInput *in)
{
    g_clear_pointer(&in->archive, m2n_archive_free);
    g_clear_pointer(&in->gridded, m2n_gridded_free);
    g_clear_pointer(&in->dataset, m2n_dataset_free);
    g_strfreev(in->names);
    g_free(in);
}

/* ---- stamps -------------------------------------------------------------------------------------- */

/* FALSE: M2N_ERROR_IO, a folder could not be listed. */
static gboolean
stamp_entry(GChecksum *sum, const char *path, guint *budget, GError **error)
{
    VSIStatBufL st;

    if (*budget == 0 || VSIStatL(path, &st) != 0)
        return TRUE;
    --*budget;
    g_autofree char *line = g_strdup_printf("%s %" G_GINT64_FORMAT " %" G_GINT64_FORMAT, path,
                                            (gint64)st.st_size, (gint64)st.st_mtime);
    struct stat real; /* as m2n_source_open_file(): the time of change is what nobody can set */
    if (!g_str_has_prefix(path, "/vsi") && stat(path, &real) == 0) {
        g_autofree char *more = g_strdup_printf(
            " %ld %" G_GINT64_FORMAT ".%09ld %" G_GUINT64_FORMAT, (long)real.st_mtim.tv_nsec,
            (gint64)real.st_ctim.tv_sec, (long)real.st_ctim.tv_nsec, (guint64)real.st_ino);
        g_checksum_update(sum, (const guchar *)more, -1);
    }
    g_checksum_update(sum, (const guchar *)line, -1);
    if (!VSI_ISDIR(st.st_mode))
        return TRUE;
    g_auto(GStrv) entries = m2n_vsi_names(path, error);
    gboolean ok = entries != NULL;
    for (guint i = 0; ok && entries[i] != NULL; i++) {
        g_autofree char *child = g_build_filename(path, entries[i], NULL);
        ok = stamp_entry(sum, child, budget, error);
    }
    return ok;
}

static char *
folder_stamp(const char *folder, GError **error)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    guint budget = MAX_STAMPED;

    return stamp_entry(sum, folder, &budget, error) ? g_strdup(g_checksum_get_string(sum)) : NULL;
}

char *
m2n_input_stamp(const char *const *names, GError **error)
{
    g_autoptr(GString) stamp = g_string_new(NULL);

    for (guint i = 0; names[i] != NULL; i++) {
        VSIStatBufL st;
        if (VSIStatL(names[i], &st) == 0 && VSI_ISDIR(st.st_mode)) {
            g_autofree char *text = folder_stamp(names[i], error);
            if (text == NULL)
                return NULL;
            g_string_append_printf(stamp, "%s\n", text);
            continue;
        }
        g_autoptr(M2nSource) source = m2n_source_open_vsi(names[i], error);
        if (source == NULL)
            return NULL;
        g_string_append_printf(stamp, "%s\n", m2n_source_stamp(source));
    }
    return g_string_free(g_steal_pointer(&stamp), FALSE);
}

/* ---- opening ------------------------------------------------------------------------------------- */

static Kind
kind_of(const char *name)
{
    if (m2n_gridded_recognises(name))
        return ARRAYS;
    return m2n_dataset_recognises(name) ? DATASET
                                        : GRIB; /* whose reader says what else it may be */
}

static gboolean
open_grib(M2nInput *in, long member, guint64 memory, GError **error)
{
    M2nArchiveOptions options = M2N_ARCHIVE_OPTIONS_DEFAULT;
    g_autoptr(GPtrArray) sources = g_ptr_array_new_with_free_func((GDestroyNotify)m2n_source_unref);

    for (guint i = 0; in->names[i] != NULL; i++) {
        M2nSource *source = m2n_source_open_vsi(in->names[i], error);
        if (source == NULL)
            return FALSE;
        g_ptr_array_add(sources, source);
    }
    options.member = member;
    options.memory = memory;
    in->archive =
        m2n_archive_open_with((M2nSource *const *)sources->pdata, sources->len, &options, error);
    return in->archive != NULL;
}

static gboolean
open_dataset(M2nInput *in, GError **error)
{
    if (in->names[1] != NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT,
                    "%s: a prepared dataset comes alone, not with %s", in->names[0], in->names[1]);
        return FALSE;
    }
    g_autoptr(M2nSource) source = m2n_source_open_vsi(in->names[0], error);
    in->dataset = source != NULL ? m2n_dataset_open(source, error) : NULL;
    return in->dataset != NULL;
}

static gboolean
open_arrays(M2nInput *in, GError **error)
{
    in->gridded = m2n_gridded_open((const char *const *)in->names, error);
    return in->gridded != NULL;
}

M2nInput *
m2n_input_open(const char *const *names, GError **error)
{
    return m2n_input_open_with(names, -1, m2n_memory_default(), error);
}

M2nInput *
m2n_input_open_with(const char *const *names, long member, guint64 memory, GError **error)
{
    g_autoptr(M2nInput) in = g_new0(M2nInput, 1);

    g_assert(names[0] != NULL);
    in->names = g_strdupv((char **)names);
    in->kind = kind_of(names[0]);
    for (guint i = 1; names[i] != NULL; i++)
        if (kind_of(names[i]) != in->kind) {
            g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT,
                        "%s and %s are of different kinds (GRIB, arrays, prepared dataset)",
                        names[0], names[i]);
            return NULL;
        }
    if (member >= 0 && in->kind != GRIB) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT,
                    "%s: member %ld: members are told apart in GRIB files alone", names[0], member);
        return NULL;
    }
    if (!(in->kind == GRIB     ? open_grib(in, member, memory, error)
          : in->kind == ARRAYS ? open_arrays(in, error)
                               : open_dataset(in, error)))
        return NULL;
    m2n_input_set_memory(in, memory);
    return g_steal_pointer(&in);
}

/* ---- asking -------------------------------------------------------------------------------------- */

long
m2n_input_member(const M2nInput *in, guint *members)
{
    *members = 0;
    return in->kind == GRIB ? m2n_archive_member(in->archive, members) : -1;
}

const char *
m2n_input_note(const M2nInput *in)
{
    return in->kind == GRIB ? m2n_archive_note(in->archive) : NULL;
}

long
m2n_input_centre(const M2nInput *in)
{
    return in->kind == GRIB ? m2n_archive_centre(in->archive) : 255;
}

const M2nGrid *
m2n_input_grid(M2nInput *in, const M2nVariable *v)
{
    guint index;

    if (in->kind == GRIB)
        return m2n_archive_grid(in->archive, v);
    if (in->kind == DATASET)
        return m2n_dataset_variable(in->dataset, v, &index) != NULL
                   ? m2n_dataset_domain(in->dataset)->grid
                   : NULL;
    return m2n_gridded_grid(in->gridded, v, NULL);
}

gboolean
m2n_input_one_grid(const M2nInput *in, const M2nVariable *v, GError **error)
{
    return in->kind != GRIB || m2n_archive_one_grid(in->archive, v, error);
}

gboolean
m2n_input_reference_time(const M2nInput *in, gint64 *time)
{
    if (in->kind == GRIB) {
        *time = m2n_archive_reference_time(in->archive);
        return TRUE;
    }
    if (in->kind == DATASET)
        return FALSE;
    return m2n_gridded_reference_time(in->gridded, time);
}

M2nVariable *
m2n_input_variables(const M2nInput *in, guint *n)
{
    if (in->kind == GRIB)
        return m2n_archive_variables(in->archive, n);
    if (in->kind == DATASET) {
        const M2nDomain *d = m2n_dataset_domain(in->dataset);
        *n = d->n_variables;
        return g_memdup2(d->variables, *n * sizeof *d->variables);
    }
    return m2n_gridded_variables(in->gridded, n);
}

gint64 *
m2n_input_times(M2nInput *in, const M2nDomain *d, gsize *n, GError **error)
{
    if (in->kind == GRIB)
        return m2n_archive_times(in->archive, d, n, error);
    if (in->kind == DATASET)
        return m2n_dataset_domain_times(in->dataset, d, n, error);
    return m2n_gridded_times(in->gridded, d, n, error);
}

gboolean
m2n_input_latest(M2nInput *in, const M2nDomain *d, guint steps, gint64 *init_time, GError **error)
{
    if (in->kind == GRIB)
        return m2n_archive_latest(in->archive, d, steps, init_time, error);
    if (in->kind == DATASET)
        return m2n_dataset_latest(in->dataset, d, steps, init_time, error);
    return m2n_gridded_latest(in->gridded, d, steps, init_time, error);
}

gboolean
m2n_input_has_window(M2nInput *in, const M2nDomain *d, guint steps, gint64 init_time,
                     GError **error)
{
    if (in->kind == GRIB)
        return m2n_archive_has_window(in->archive, d, steps, init_time, error);
    if (in->kind == DATASET)
        return m2n_dataset_has_window(in->dataset, d, steps, init_time, error);
    return m2n_gridded_has_window(in->gridded, d, steps, init_time, error);
}

guint64
m2n_input_index_memory(const M2nInput *in)
{
    return in->kind == GRIB ? m2n_archive_index_memory(in->archive) : 0;
}

void
m2n_input_set_memory(M2nInput *in, guint64 bytes)
{
    if (in->kind == GRIB)
        m2n_archive_set_memory(in->archive, bytes);
    else if (in->kind == ARRAYS)
        m2n_gridded_set_memory(in->gridded, bytes);
}

gboolean
m2n_input_read_window(M2nInput *in, const M2nDomain *d, guint steps, gint64 init_time,
                      M2nRegridMethod method, float *out, M2nProgressFunc progress,
                      gpointer user_data, GError **error)
{
    if (in->kind == GRIB)
        return m2n_archive_read_window(in->archive, d, steps, init_time, method, out, progress,
                                       user_data, error);
    if (in->kind == DATASET)
        return m2n_dataset_read_window(in->dataset, d, steps, init_time, out, error);
    return m2n_gridded_read_window(in->gridded, d, steps, init_time, method, out, progress,
                                   user_data, error);
}
