/* What lies in the files of a gridded archive: variables, levels, times, by their headers alone. */
#define _GNU_SOURCE /* cpl_vsi.h names struct stat64 */
#include "plugin/gridded_index.h"

#include <cpl_conv.h>
#include <cpl_error.h>
#include <cpl_string.h>
#include <cpl_vsi.h>
#include <string.h>

#include "engine/base/error.h"
#include "plugin/gdal_reason.h"
#include "plugin/gridded_axis.h"
#include "plugin/gridded_names.h"
#include "plugin/gridded_zarr.h"
#include "plugin/source_vsi.h"

#define OPEN_FILES 16 /* WeatherBench has a file per variable and year: hundreds */
#define MAX_DEPTH 4   /* folders below the one that was named */
#define MAX_FILES 100000u
/* Far beyond any archive (ERA5 every hour since 1940, 37 levels: 0.8 million times, 400 variables); a hostile one of a
 * few kilobytes claims more than a host has. */
#define MAX_VARIABLES 20000u
#define MAX_TIMES (1u << 25) /* 256 MiB */

void
m2n_gridded_file_free(gpointer data)
{
    M2nGriddedFile *f = data;

    if (f->dataset != NULL)
        GDALClose(f->dataset);
    g_free(f->name);
    g_free(f);
}

static void
piece_free(gpointer data)
{
    M2nGriddedPiece *p = data;

    g_free(p->array);
    g_free(p);
}

void
m2n_gridded_axes_free(gpointer data)
{
    M2nAxes *axes = data;

    axes->times = NULL; /* M2nGridded.times has them */
    m2n_axes_clear(axes);
    g_free(axes);
}

void
m2n_gridded_variable_free(gpointer data)
{
    M2nGriddedVariable *v = data;

    g_free(v->units);
    g_clear_pointer(&v->grid, m2n_grid_unref);
    g_ptr_array_unref(v->pieces);
    g_free(v->moments);
    g_free(v->slab);
    g_free(v);
}

/* The dataset of a file, opened if need be; the one longest unused makes room. */
GDALDatasetH
m2n_gridded_dataset(M2nGridded *a, guint index, GError **error)
{
    M2nGriddedFile *f = g_ptr_array_index(a->files, index), *oldest = NULL;
    guint n_open = 0;

    f->used = ++a->clock;
    if (f->dataset != NULL)
        return f->dataset;
    for (guint i = 0; i < a->files->len; i++) {
        M2nGriddedFile *other = g_ptr_array_index(a->files, i);
        if (other->dataset == NULL)
            continue;
        n_open++;
        if (oldest == NULL || other->used < oldest->used)
            oldest = other;
    }
    if (n_open >= OPEN_FILES)
        g_clear_pointer(&oldest->dataset, GDALClose);
    f->kept = 0;
    f->dataset = m2n_gridded_open_file(f->name, error);
    return f->dataset;
}

static M2nGriddedVariable *
variable_for(M2nGridded *a, const M2nVariable *id, const char *step_type)
{
    for (guint i = 0; i < a->variables->len; i++) {
        M2nGriddedVariable *v = g_ptr_array_index(a->variables, i);
        if (v->id.param_id == id->param_id && v->id.level == id->level &&
            g_str_equal(v->id.type_of_level, id->type_of_level) &&
            g_str_equal(v->step_type, step_type) &&
            (id->param_id != 0 || g_str_equal(v->id.name, id->name)))
            return v;
    }
    M2nGriddedVariable *v = g_new0(M2nGriddedVariable, 1);
    v->id = *id;
    g_strlcpy(v->step_type, step_type, sizeof v->step_type);
    v->pieces = g_ptr_array_new_with_free_func(piece_free);
    g_ptr_array_add(a->variables, v);
    return v;
}

/* The axes of an array, kept for all its levels; takes what `axes` owns. */
static const M2nAxes *
keep_axes(M2nGridded *a, M2nAxes *axes)
{
    const M2nAxes *last = a->axes->len > 0 ? a->axes->pdata[a->axes->len - 1] : NULL;
    M2nAxes *kept = g_memdup2(axes, sizeof *axes);

    if (last != NULL && last->n_times == axes->n_times &&
        memcmp(last->times, axes->times, axes->n_times * sizeof *axes->times) == 0) {
        g_free(axes->times);
        kept->times = last->times;
    } else {
        g_ptr_array_add(a->times, axes->times);
        a->n_times += axes->n_times;
    }
    g_ptr_array_add(a->axes, kept);
    *axes = (M2nAxes){.n_dims = 0};
    return kept;
}

static gboolean
add_piece(M2nGriddedVariable *v, const M2nGriddedPiece *piece, const char *units, const char *file,
          GError **error)
{
    if (v->grid == NULL) {
        v->grid = m2n_grid_ref(piece->axes->grid);
        v->units = g_strdup(units);
    } else if (!m2n_grid_equal(v->grid, piece->axes->grid)) {
        g_autofree char *have = m2n_grid_describe(v->grid);
        g_autofree char *found = m2n_grid_describe(piece->axes->grid);
        g_set_error(error, M2N_ERROR, M2N_ERROR_SHAPE, "%s: %s: grid %s, in the files before it %s",
                    file, v->id.name, found, have);
        return FALSE;
    } else if (!g_str_equal(v->units, units)) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_UNITS,
                    "%s: %s: units \"%s\", in the files before it \"%s\"", file, v->id.name, units,
                    v->units);
        return FALSE;
    }
    v->n_times += piece->axes->n_times;
    M2nGriddedPiece *kept = g_new(M2nGriddedPiece, 1);
    *kept = *piece;
    kept->array = g_strdup(piece->array);
    g_ptr_array_add(v->pieces, kept);
    return TRUE;
}

static double
number_attribute(GDALMDArrayH array, const char *name)
{
    g_autofree char *text = m2n_array_attribute(array, name);

    return text != NULL ? g_ascii_strtod(text, NULL) : 0;
}

/* (transfer full) GRIB_stepType, or what CF's cell methods say of the time. */
static char *
step_type_of(GDALMDArrayH array)
{
    static const char *const methods[][2] = {{"time: maximum", "max"},
                                             {"time: minimum", "min"},
                                             {"time: mean", "avg"},
                                             {"time: sum", "accum"}};
    char *stated = m2n_array_attribute(array, "GRIB_stepType");
    g_autofree char *cell = stated == NULL ? m2n_array_attribute(array, "cell_methods") : NULL;

    for (gsize i = 0; cell != NULL && i < G_N_ELEMENTS(methods); i++)
        if (strstr(cell, methods[i][0]) != NULL)
            return g_strdup(methods[i][1]);
    return stated != NULL ? stated : g_strdup("instant");
}

static gboolean
add_levels(M2nGridded *a, guint file, GDALMDArrayH array, const char *name, const M2nAxes *axes,
           GError **error)
{
    const gsize n_levels = MAX(axes->n_levels, 1);
    g_autofree char *standard = m2n_array_attribute(array, "standard_name");
    g_autofree char *type = m2n_array_attribute(array, "GRIB_typeOfLevel");
    g_autofree char *kind = step_type_of(array);
    const char *units = GDALMDArrayGetUnit(array);
    const M2nGriddedFile *f = g_ptr_array_index(a->files, file);
    M2nArrayLabels labels = {.name = name,
                             .standard_name = standard,
                             .param_id = (long)number_attribute(array, "GRIB_paramId"),
                             .type_of_level = type,
                             .level = number_attribute(array, "GRIB_level")};

    if (a->n_times > MAX_TIMES || a->variables->len + n_levels > MAX_VARIABLES) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY,
                    "%s: %s: %" G_GSIZE_FORMAT " levels, %" G_GSIZE_FORMAT " times: more than an archive has", f->name,
                    name, n_levels, axes->n_times);
        return FALSE;
    }
    if (type != NULL && g_str_equal(type, "isobaricInhPa"))
        labels.pressure = labels.level; /* unless its axis says more */
    for (gsize i = 0; i < n_levels; i++) {
        M2nVariable id;
        if (axes->vertical == M2N_PRESSURES)
            labels.pressure = axes->levels[i];
        if (axes->vertical == M2N_HEIGHTS)
            labels.height = axes->levels[i];
        if (axes->vertical == M2N_OTHER_LEVELS && type == NULL) {
            labels.type_of_level = "level";
            labels.level = axes->levels[i];
        }
        m2n_array_identify(&labels, &id);
        const M2nGriddedPiece piece = {file, (char *)name, axes, axes->level >= 0 ? i : 0,
                                       m2n_array_chunk(array)};
        if (!add_piece(variable_for(a, &id, kind), &piece, units != NULL ? units : "", f->name,
                       error))
            return FALSE;
        a->n_pieces++;
    }
    return TRUE;
}

/* FALSE: what errno says of a part of it. */
static gboolean
missed(const char *file, const char *part, GError **error)
{
    g_set_error(error, M2N_ERROR, M2N_ERROR_IO, "%s: %s: %s", file, part, g_strerror(errno));
    return FALSE;
}

/* NULL: GDAL cannot read it, or what it is made of.  A read that failed once looks the same. */
static GDALMDArrayH
open_listed(GDALGroupH group, const char *name)
{
    GDALMDArrayH array = GDALGroupOpenMDArray(group, name, NULL);

    return array != NULL ? array : GDALGroupOpenMDArray(group, name, NULL);
}

static gboolean
index_array(M2nGridded *a, guint file, GDALGroupH group, const char *name, GError **error)
{
    const M2nGriddedFile *f = g_ptr_array_index(a->files, file);
    M2nAxes axes;
    gboolean ok = TRUE;

    errno = 0;
    GDALMDArrayH array = open_listed(group, name);
    if (array == NULL)
        return !m2n_gdal_file_missed() || missed(f->name, name, error);
    if (!m2n_zarr_has_attributes(f->name, name, array, error)) {
        GDALMDArrayRelease(array);
        return FALSE;
    }
    if (!m2n_axes_read(&axes, group, array, error)) {
        g_prefix_error(error, "%s: %s: ", f->name, name);
        ok = FALSE;
    } else if (axes.grid != NULL) {
        ok = add_levels(a, file, array, name, keep_axes(a, &axes), error);
    }
    if (ok && m2n_gdal_file_missed()) /* its attributes, say */
        ok = missed(f->name, name, error);
    m2n_axes_clear(&axes);
    GDALMDArrayRelease(array);
    return ok;
}

/* A file's fields.  An array that cannot be placed is passed over unless nothing else is in the
 * file. */
static gboolean
index_file(M2nGridded *a, const char *name, GError **error)
{
    M2nGriddedFile *f = g_new0(M2nGriddedFile, 1);
    g_autoptr(GError) first = NULL;
    const guint before = a->n_pieces;

    f->name = g_strdup(name);
    g_ptr_array_add(a->files, f);
    GDALDatasetH dataset = m2n_gridded_dataset(a, a->files->len - 1, error);
    if (dataset == NULL)
        return FALSE;
    m2n_gdal_try();
    GDALGroupH group = GDALDatasetGetRootGroup(dataset);
    char **names = group != NULL ? GDALGroupGetMDArrayNames(group, NULL) : NULL;
    if (m2n_gdal_file_missed())
        missed(name, "its arrays", &first);
    else if (group != NULL && m2n_zarr_is(name))
        m2n_zarr_all_listed(name, group, names, &first);
    if (group != NULL && !a->has_reference)
        a->has_reference =
            m2n_axes_scalar_time(group, "forecast_reference_time", &a->reference_time);
    for (guint i = 0; names != NULL && names[i] != NULL; i++) {
        g_autoptr(GError) problem = NULL;
        if (!index_array(a, a->files->len - 1, group, names[i], &problem) &&
            (first == NULL || !g_error_matches(problem, M2N_ERROR, M2N_ERROR_FORMAT))) {
            g_clear_error(&first);
            first = g_steal_pointer(&problem);
        }
    }
    CSLDestroy(names);
    if (group != NULL)
        GDALGroupRelease(group);
    CPLPopErrorHandler();
    if (first != NULL &&
        (a->n_pieces == before || !g_error_matches(first, M2N_ERROR, M2N_ERROR_FORMAT))) {
        g_propagate_error(error, g_steal_pointer(&first));
        return FALSE;
    }
    return TRUE;
}

static gboolean
has_array_suffix(const char *name)
{
    static const char *const suffixes[] = {".nc", ".nc4", ".cdf", ".netcdf"};

    for (guint i = 0; i < G_N_ELEMENTS(suffixes); i++)
        if (g_str_has_suffix(name, suffixes[i]))
            return TRUE;
    return FALSE;
}

/* Files in the order of their names, so that the same folder gives the same index everywhere. */
static gboolean
index_folder(M2nGridded *a, const char *folder, guint depth, GError **error)
{
    g_auto(GStrv) entries = m2n_vsi_names(folder, error);
    gboolean ok = entries != NULL;

    for (guint i = 0; ok && entries[i] != NULL; i++) {
        g_autofree char *path = g_build_filename(folder, entries[i], NULL);
        VSIStatBufL st;
        if (entries[i][0] == '.')
            continue;
        errno = 0;
        if (VSIStatL(path, &st) != 0) {
            ok = !m2n_gdal_file_missed() || missed(folder, entries[i], error);
            continue;
        }
        if (a->files->len >= MAX_FILES) {
            g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT, "%s: more than %u files", folder,
                        MAX_FILES);
            ok = FALSE;
        } else if (VSI_ISDIR(st.st_mode) && !m2n_zarr_is(path)) {
            ok = depth >= MAX_DEPTH || index_folder(a, path, depth + 1, error);
        } else if (VSI_ISDIR(st.st_mode) || has_array_suffix(path)) {
            ok = index_file(a, path, error);
        }
    }
    return ok;
}

gboolean
m2n_gridded_index(M2nGridded *a, const char *name, GError **error)
{
    VSIStatBufL st;

    if (VSIStatL(name, &st) != 0) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_IO, "%s: no such file or folder", name);
        return FALSE;
    }
    if (VSI_ISDIR(st.st_mode) && !m2n_zarr_is(name))
        return index_folder(a, name, 0, error);
    return index_file(a, name, error);
}
