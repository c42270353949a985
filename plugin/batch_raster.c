/* Forecasts as GeoTIFF and Cloud Optimized GeoTIFF: a band per field, with the driver's band metadata. */
#include <cpl_conv.h>
#include <cpl_error.h>
#include <gdal.h>
#include <math.h>

#include "engine/base/error.h"
#include "plugin/batch_product.h"
#include "plugin/field_metadata.h"
#include "plugin/gdal_reason.h"
#include "plugin/output_grid.h"
#include "plugin/variable_text.h"

static gboolean
place(const M2nProduct *p, GDALDatasetH canvas, GError **error)
{
    if (p->grid->row_y != NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT,
                    "rows of a Gaussian grid are not evenly spaced: choose an output resolution");
        return FALSE;
    }
    OGRSpatialReferenceH srs = m2n_crs_import(p->grid->crs, error);
    if (srs == NULL)
        return FALSE;
    GDALSetGeoTransform(canvas, (double *)p->grid->geo);
    GDALSetSpatialRef(canvas, srs);
    OSRDestroySpatialReference(srs);
    return TRUE;
}

static gboolean
put_band(const M2nProduct *p, GDALRasterBandH band, guint step, guint i)
{
    const M2nVariable *v = &p->domain->variables[p->variables[i]];
    const M2nFieldTime time = {
        .init_time = p->init_time, .lead = p->leads[step], .centre = p->centre};
    const float *values = p->values + ((gsize)step * p->n_variables + i) * p->grid->n_points;
    const int w = (int)p->grid->width, h = (int)p->grid->height;
    g_auto(GStrv) metadata = m2n_field_metadata(v, &time);
    g_autofree char *description = m2n_field_description(v, &time),
                    *units = m2n_units_text(v->units);

    GDALSetMetadata(band, metadata, NULL);
    GDALSetDescription(band, description);
    GDALSetRasterUnitType(band, units);
    GDALSetRasterNoDataValue(band, NAN);
    return GDALRasterIO(band, GF_Write, 0, 0, w, h, (void *)values, w, h, GDT_Float32, 0, 0) ==
           CE_None;
}

/* (transfer full) the product in memory; bands as the driver orders them: step by step */
static GDALDatasetH
canvas_of(const M2nProduct *p, GError **error)
{
    const int n_bands = (int)(p->n_steps * p->n_variables);
    GDALDatasetH canvas = GDALCreate(GDALGetDriverByName("MEM"), "", (int)p->grid->width,
                                     (int)p->grid->height, n_bands, GDT_Float32, NULL);
    const gsize n = (gsize)n_bands * p->grid->n_points;
    g_autofree char *checksum = m2n_values_checksum(p->values, n);

    if (canvas == NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY, "%d bands: %s", n_bands,
                    m2n_gdal_reason(M2N_GDAL_WRITE_SILENT));
        return NULL;
    }
    gboolean ok = place(p, canvas, error);
    for (guint i = 0; ok && p->provenance[i] != NULL; i++) {
        g_auto(GStrv) pair = g_strsplit(p->provenance[i], "=", 2);
        GDALSetMetadataItem(canvas, pair[0], pair[1], NULL);
    }
    GDALSetMetadataItem(canvas, "MET2NET_CHECKSUM", checksum, NULL);
    GDALSetMetadataItem(canvas, "TIFFTAG_SOFTWARE", "met2net " MET2NET_VERSION, NULL);
    for (guint k = 0; ok && k < (guint)n_bands; k++)
        if (!put_band(p, GDALGetRasterBand(canvas, (int)k + 1), k / p->n_variables,
                      k % p->n_variables)) {
            g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY, "%s", m2n_gdal_reason(M2N_GDAL_WRITE_SILENT));
            ok = FALSE;
        }
    if (!ok)
        g_clear_pointer(&canvas, GDALClose);
    return canvas;
}

gboolean
m2n_product_check_raster(M2nFormat format, const M2nProductOptions *options, GError **error)
{
    GDALDriverH driver = GDALGetDriverByName(m2n_format_name(format));

    m2n_gdal_try();
    const gboolean ok =
        options->creation_options == NULL || driver == NULL ||
        GDALValidateCreationOptions(driver, (CSLConstList)(char **)options->creation_options);
    CPLPopErrorHandler();
    if (!ok)
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT, "creation option: %s",
                    CPLGetLastErrorMsg());
    return ok;
}

gboolean
m2n_product_write_raster(const M2nProduct *p, const char *path, M2nFormat format,
                         const M2nProductOptions *options, GError **error)
{
    static const char *const gtiff[] = {"COMPRESS=DEFLATE", "PREDICTOR=3", "INTERLEAVE=BAND", NULL};
    static const char *const cog[] = {"COMPRESS=DEFLATE", "PREDICTOR=YES", "RESAMPLING=AVERAGE",
                                      NULL};
    const char *const *use = options->creation_options;
    GDALDriverH driver = GDALGetDriverByName(m2n_format_name(format));

    if (driver == NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT, "GDAL has no %s driver",
                    m2n_format_name(format));
        return FALSE;
    }
    if (use == NULL)
        use = format == M2N_FORMAT_COG ? cog : gtiff;
    GDALDatasetH canvas = canvas_of(p, error);
    if (canvas == NULL)
        return FALSE;
    m2n_gdal_try();
    GDALDatasetH copy = GDALCreateCopy(driver, path, canvas, FALSE, (char **)use, NULL, NULL);
    if (copy != NULL)
        GDALClose(copy); /* a full disk shows here */
    const gboolean ok = copy != NULL && CPLGetLastErrorType() != CE_Failure;
    CPLPopErrorHandler();
    if (!ok)
        g_set_error(error, M2N_ERROR, M2N_ERROR_IO, "%s: cannot be written: %s", path,
                    m2n_gdal_reason(M2N_GDAL_WRITE_SILENT));
    GDALClose(canvas);
    return ok;
}
