/* One file or folder of a gridded archive: what it is, and GDAL's drivers for it. */
#define _GNU_SOURCE /* cpl_vsi.h names struct stat64 */
#include <cpl_conv.h>
#include <cpl_error.h>
#include <cpl_string.h>
#include <cpl_vsi.h>
#include <string.h>

#include "engine/base/error.h"
#include "grib/projection.h"
#include "plugin/allowed_source.h"
#include "plugin/gdal_reason.h"
#include "plugin/gridded_axis.h"
#include "plugin/gridded_index.h"
#include "plugin/hdf5_alone.h"
#include "plugin/netcdf_classic.h"
#include "plugin/source_vsi.h"

#define LARGEST_JSON (64u << 20)
#define CDF5_SILENT "this GDAL may not know CDF-5; nccopy -k nc4 makes NetCDF-4 of it"

typedef enum { NONE, FOLDER, CLASSIC, CDF5, HDF5 } Kind;

static Kind
kind_of(const char *name)
{
    char head[8] = {0};
    VSIStatBufL st;

    if (VSIStatL(name, &st) != 0)
        return NONE;
    if (VSI_ISDIR(st.st_mode))
        return FOLDER;
    if (!VSI_ISREG(st.st_mode)) /* a pipe would be waited for */
        return NONE;
    VSILFILE *file = VSIFOpenL(name, "rb");
    if (file == NULL)
        return NONE;
    VSIFReadL(head, 1, sizeof head, file);
    VSIFCloseL(file);
    if (memcmp(head, "\211HDF\r\n\032\n", 8) == 0)
        return HDF5;
    if (memcmp(head, "CDF", 3) == 0)
        return head[3] == 1 || head[3] == 2 ? CLASSIC : head[3] == 5 ? CDF5 : NONE;
    return NONE;
}

gboolean
m2n_gridded_recognises(const char *name)
{
    return kind_of(name) != NONE;
}

/* FALSE: M2N_ERROR_DENIED. */
static gboolean
leads_on(const char *name, GError **error)
{
    g_set_error(error, M2N_ERROR, M2N_ERROR_DENIED,
                "%s: may lead to other files; allow it with MET2NET_ALLOWED_SOURCE=ANY", name);
    return FALSE;
}

/* Whether the pattern is nowhere in a JSON file of a Zarr folder.  Words may be written with escapes; nobody else writes
 * letters so.  TRUE: also when there is no such file. */
static gboolean
lacks(const char *folder, const char *file, const char *pattern, GError **error)
{
    g_autofree char *name = g_build_filename(folder, file, NULL), *text = NULL;
    VSIStatBufL st;
    gsize size;

    if (VSIStatL(name, &st) != 0)
        return TRUE;
    if (!m2n_vsi_text(name, LARGEST_JSON, &text, &size, error))
        return FALSE;
    if (text != NULL && strlen(text) == size && !g_regex_match_simple(pattern, text, G_REGEX_RAW, 0) &&
        !g_regex_match_simple("\\\\u00[2-7]", text, G_REGEX_RAW, 0))
        return TRUE;
    return leads_on(name, error);
}

/* CRS texts of NetCDF that GDAL would parse: as PROJ strings they may name files (m2n_crs_is_harmless()). */
static gboolean
crs_alone(GDALDatasetH dataset, const char *file, GError **error)
{
    static const char *const keys[] = {"spatial_ref", "crs_wkt", "esri_pe_string", "proj4", "proj4text"};
    GDALGroupH group = GDALDatasetGetRootGroup(dataset);
    char **names = group != NULL ? GDALGroupGetMDArrayNames(group, NULL) : NULL;
    gboolean ok = TRUE;

    for (guint i = 0; ok && names != NULL && names[i] != NULL; i++) {
        GDALMDArrayH array = GDALGroupOpenMDArray(group, names[i], NULL);
        if (array == NULL)
            continue;
        g_autofree char *mapping = m2n_array_attribute(array, "grid_mapping");
        ok = mapping == NULL || strchr(mapping, '/') == NULL; /* of a group that is not looked at */
        for (gsize k = 0; ok && k < G_N_ELEMENTS(keys); k++) {
            g_autofree char *text = m2n_array_attribute(array, keys[k]);
            ok = text == NULL || m2n_crs_is_harmless(text);
        }
        GDALMDArrayRelease(array);
        if (!ok) {
            g_autofree char *name = g_strdup_printf("%s: %s", file, names[i]);
            leads_on(name, error);
        }
    }
    CSLDestroy(names);
    if (group != NULL)
        GDALGroupRelease(group);
    return ok;
}

/* From GDAL 3.11 on a folder whose .zmetadata has the key record_size (Kerchunk) is read from wherever it says.  GDAL
 * looks for the coordinates of a dimension in the folder of that name, which may climb, and parses the CRS of an array. */
static gboolean
zarr_alone(const char *folder, GError **error)
{
    static const char away[] = "(?:_ARRAY_DIMENSIONS|dimension_names)\"\\s*:\\s*\\[[^\\]]*[/\\\\]|"
                               "\"(?:_CRS|crs_wkt|spatial_ref|esri_pe_string|proj4)\"(?s:.*)"
                               "(?i:init\\s*=|grids\\s*=|file\\s*=|model\\s*=|PARAMETERFILE)";
    g_auto(GStrv) entries = m2n_vsi_names(folder, error);
    gboolean ok = entries != NULL && lacks(folder, ".zmetadata", "record_size", error);

    for (guint i = 0; ok && entries[i] != NULL; i++) {
        g_autofree char *array = g_build_filename(folder, entries[i], NULL);
        ok = entries[i][0] == '.' || (lacks(array, ".zattrs", away, error) && lacks(array, "zarr.json", away, error) &&
                                    lacks(array, ".zarray", away, error)); /* GDAL is silent on one that cannot be read */
    }
    return ok;
}

static gboolean
passes(const char *name, gboolean (*check)(M2nSource *, GError **), GError **error)
{
    g_autoptr(M2nSource) source = m2n_source_open_vsi(name, error);

    return source != NULL && check(source, error);
}

static gboolean
may_lead_on(void)
{
    return g_ascii_strcasecmp(CPLGetConfigOption("MET2NET_ALLOWED_SOURCE", ""), "ANY") == 0;
}

static gboolean
may_open(const char *name, Kind kind, GError **error)
{
    if (kind == CLASSIC || kind == CDF5)
        return passes(name, m2n_netcdf_classic_fits, error);
    if (may_lead_on())
        return TRUE;
    return kind == HDF5 ? passes(name, m2n_hdf5_alone, error) : zarr_alone(name, error);
}

GDALDatasetH
m2n_gridded_open_file(const char *name, GError **error)
{
    /* no others: a VRT could lead to any file, whatever the rules for sources say */
    static const char *const drivers[][3] = {
        [FOLDER] = {"Zarr"}, [CLASSIC] = {"netCDF"}, [CDF5] = {"netCDF"}, [HDF5] = {"netCDF", "HDF5"}};
    /* .zmetadata may place an array anywhere; where folders cannot be listed there is nothing else */
    static const char *const options[] = {"USE_ZMETADATA=NO", NULL};
    const Kind kind = kind_of(name);

    if (kind == NONE) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT, "%s: neither NetCDF nor Zarr", name);
        return NULL;
    }
    if (!may_open(name, kind, error))
        return NULL;
    m2n_gdal_try();
    GDALDatasetH dataset =
        GDALOpenEx(name, GDAL_OF_MULTIDIM_RASTER, drivers[kind], kind == FOLDER && !m2n_is_network(name) ? options : NULL, NULL);
    CPLPopErrorHandler();
    if (dataset != NULL && kind == FOLDER && m2n_gdal_file_missed())
        g_clear_pointer(&dataset, GDALClose);
    if (dataset == NULL)
        g_set_error(error, M2N_ERROR, M2N_ERROR_IO, "%s: cannot be opened: %s", name,
                    m2n_gdal_reason(kind == CDF5 ? CDF5_SILENT : M2N_GDAL_READ_SILENT));
    else if (kind != FOLDER && !may_lead_on() && !crs_alone(dataset, name, error))
        g_clear_pointer(&dataset, GDALClose);
    return dataset;
}
