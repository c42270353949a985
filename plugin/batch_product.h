/* M2nProduct: what goes into one output file: some variables and lead times of one forecast on one grid,
 * with where they come from.  Plain data, borrowed from whoever made the forecast. */
#pragma once
#include "grib/domain.h"

G_BEGIN_DECLS

typedef enum {
    M2N_FORMAT_GRIB2,
    M2N_FORMAT_GTIFF,
    M2N_FORMAT_COG,
    M2N_FORMAT_NETCDF,
    M2N_FORMAT_ZARR,
    M2N_N_FORMATS,
} M2nFormat;

typedef struct {
    const M2nDomain *domain;
    guint n_variables, n_steps;
    const guint *variables; /* [n_variables] indices into the domain's */
    const gint64 *leads; /* [n_steps] seconds after init_time, ascending; 0 is the initial state */
    gint64 init_time;
    long centre;         /* GRIB centre of the input */
    long member;         /* of an ensemble of n_members, -1 without one */
    guint n_members;
    M2nGrid *grid;       /* not reduced */
    const float *values; /* [n_steps][n_variables][height][width], NaN: nothing known */
    /* NULL-terminated "KEY=VALUE" (MET2NET_MODEL_SHA256=...): metadata of the file, except in GRIB */
    const char *const *provenance;
} M2nProduct;

typedef struct {
    gboolean ccsds;          /* GRIB2: CCSDS packing instead of simple */
    gboolean variable_major; /* GRIB2: order of the messages */
    gboolean sidecar;        /* GRIB2: provenance as JSON beside the file, its name with ".json" */
    const char *const *creation_options; /* GDAL's, for GeoTIFF and COG; NULL: ours */
} M2nProductOptions;

const char *m2n_format_name(M2nFormat format);   /* "GRIB2", "GTiff", "COG", "netCDF", "Zarr" */
const char *m2n_format_suffix(M2nFormat format); /* "grib2", "tif", "tif", "nc", "zarr" */
/* FALSE: M2N_ERROR_ARGUMENT: the name, and the names known.  Case does not count. */
gboolean m2n_format_parse(const char *name, M2nFormat *format, GError **error);
/* From the suffix of a file name; FALSE: none that we know. */
gboolean m2n_format_guess(const char *path, M2nFormat *format);

/* The file (for Zarr the folder) appears under `path` complete or not at all: it is written under a
 * temporary name beside it, synced and renamed over what was there.  Missing folders are made.  FALSE:
 * M2N_ERROR_IO, _FORMAT (what the format cannot hold), _MEMORY. */
gboolean m2n_product_write(const M2nProduct *p, const char *path, M2nFormat format,
                           const M2nProductOptions *options, GError **error);

/* TRUE: `path` is there, whole, and holds this product: variables, times, grid and provenance as
 * m2n_product_write() would leave them (p->values is not looked at).  Every value is read; NetCDF, Zarr
 * and GeoTIFF must match the checksum they carry.  FALSE: `*why` (transfer full) says what is amiss, NULL
 * when there is no such file. */
gboolean m2n_product_is_complete(const M2nProduct *p, const char *path, M2nFormat format,
                                 char **why);

/* ---- one function per kind of format, called by the above -------------------------------------------- */

/* The headers alone, so that what GRIB2 cannot say is known before anything is computed. */
gboolean m2n_product_check_grib(const M2nProduct *p, const M2nProductOptions *options,
                                GError **error);
gboolean m2n_product_write_grib(const M2nProduct *p, const char *path,
                                const M2nProductOptions *options, GError **error);
/* FALSE: M2N_ERROR_ARGUMENT: a creation option that GDAL's driver of the format does not know. */
gboolean m2n_product_check_raster(M2nFormat format, const M2nProductOptions *options, GError **error);
gboolean m2n_product_write_raster(const M2nProduct *p, const char *path, M2nFormat format,
                                  const M2nProductOptions *options, GError **error);
gboolean m2n_product_write_arrays(const M2nProduct *p, const char *path, M2nFormat format,
                                  GError **error);
/* xarray wants an (empty) list of dimensions even of a scalar, which GDAL up to 3.12 does not write: adds
 * them to a Zarr folder that GDAL has closed.  FALSE: M2N_ERROR_IO, _FORMAT. */
gboolean m2n_zarr_name_scalars(const char *folder, GError **error);
/* (transfer full) SHA-256 over the values, little-endian, all NaN alike: MET2NET_CHECKSUM in the file. */
char *m2n_values_checksum(const float *values, gsize n);

G_END_DECLS
