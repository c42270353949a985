/* M2nGridded: fields with a time axis in what GDAL reads as arrays: NetCDF files, Zarr folders, and
 * folders of them.  The twin of M2nArchive (GRIB), with the same questions and answers.
 *
 * Goes in unchanged:
 *   CDS ERA5, old layout (`time`, packed shorts, `expver` as a dimension: the first version that
 * has a value wins) and new (`valid_time`, `pressure_level`, `expver` as text), single and pressure
 * levels WeatherBench: the folder of folders ("2m_temperature/2m_temperature_2016_5.625deg.nc"),
 * rows from the south, `level` as a dimension or a scalar WeatherBench 2: Zarr with long names
 * ("2m_temperature") what met2net-forecast writes
 *
 * A variable is known by GRIB_paramId, else by its name, else by its CF standard_name; its level by
 * a vertical dimension or scalar, GRIB_... attributes, or digits in the name ("t850").
 * Longitude-latitude axes are placed by their values; other grids need CF projection coordinates
 * and a grid mapping. Missing values are NaN.
 *
 * Opening reads axes alone.  One thread at a time. */
#pragma once
#include "engine/base/progress.h"
#include "grib/domain.h"
#include "grib/regrid.h"

G_BEGIN_DECLS

typedef struct M2nGridded M2nGridded;

/* TRUE when the name looks like ours rather than GRIB: a folder, or a file that begins as NetCDF or
 * HDF5 does. */
gboolean m2n_gridded_recognises(const char *name);

/* (transfer full) names: NULL-terminated files and folders.  NULL: M2N_ERROR_IO, or _FORMAT: file,
 * variable and what is wrong with its axes. */
M2nGridded *m2n_gridded_open(const char *const *names, GError **error);
void m2n_gridded_free(M2nGridded *a);

/* As m2n_archive_set_memory(). */
void m2n_gridded_set_memory(M2nGridded *a, guint64 bytes);

/* CF's forecast_reference_time, of the first file that has one.  FALSE: none does. */
gboolean m2n_gridded_reference_time(const M2nGridded *a, gint64 *time);
/* (transfer full) Every variable and level in there once, in the order of the files; statistics are 0. */
M2nVariable *m2n_gridded_variables(const M2nGridded *a, guint *n);

/* (transfer full) Ascending times at which every variable of the domain has a field; NULL and
 * M2N_ERROR_MISSING (needed and found) when one is not there at all. */
gint64 *m2n_gridded_times(M2nGridded *a, const M2nDomain *d, gsize *n, GError **error);

/* The grid of the field that serves variable `v` of the domain. (transfer none) NULL:
 * M2N_ERROR_MISSING. */
M2nGrid *m2n_gridded_grid(M2nGridded *a, const M2nVariable *v, GError **error);

/* As m2n_archive_latest(), _has_window() and _read_window(); M2N_ERROR_UNITS when a stated unit cannot
 * be converted to the variable's. */
gboolean m2n_gridded_latest(M2nGridded *a, const M2nDomain *d, guint steps, gint64 *init_time,
                            GError **error);
gboolean m2n_gridded_has_window(M2nGridded *a, const M2nDomain *d, guint steps, gint64 init_time,
                                GError **error);
gboolean m2n_gridded_read_window(M2nGridded *a, const M2nDomain *d, guint steps, gint64 init_time,
                                 M2nRegridMethod method, float *out, M2nProgressFunc progress,
                                 gpointer user_data, GError **error);

/* (transfer full) Every variable found, a line each, for messages and met2net-info: "t2m: paramId
 * 167, heightAboveGround 2, K, 744 times from ... to ..., EPSG:4326 34x19 ..."  NULL: M2N_ERROR_MEMORY. */
char *m2n_gridded_describe(const M2nGridded *a, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(M2nGridded, m2n_gridded_free)

G_END_DECLS
