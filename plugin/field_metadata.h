/* What goes with one field into a raster band: the GRIB_* items that GDAL's GRIB driver writes, so
 * that programs made for it work and `gdal_translate -of GRIB` gives right headers, and a line for
 * people. */
#pragma once
#include "grib/domain.h"

G_BEGIN_DECLS

typedef struct {
    gint64 init_time, lead; /* seconds */
    long centre;            /* GRIB centre; 255 unknown */
} M2nFieldTime;

/* (transfer full) NULL-terminated "KEY=VALUE": GRIB_COMMENT, GRIB_ELEMENT, GRIB_SHORT_NAME,
 * GRIB_UNIT, GRIB_REF_TIME, GRIB_VALID_TIME, GRIB_FORECAST_SECONDS, MET2NET_VARIABLE; and where the
 * variable has a GRIB2 code in its own unit and a level that GRIB2 knows: GRIB_DISCIPLINE,
 * GRIB_IDS, GRIB_PDS_PDTN, GRIB_PDS_TEMPLATE_NUMBERS. */
char **m2n_field_metadata(const M2nVariable *v, const M2nFieldTime *time);

/* (transfer full) "t2m 2 m, 2024-01-28T01:00:00Z (+1 h)" */
char *m2n_field_description(const M2nVariable *v, const M2nFieldTime *time);

G_END_DECLS
