/* What a length along the axes of a projected CRS is called in CF (UDUNITS).  GDAL's C API alone, for the driver too. */
#pragma once
#include <math.h>
#include <ogr_srs_api.h>

/* Good as long as `srs`. */
static inline const char *
m2n_linear_unit(OGRSpatialReferenceH srs)
{
    char *name = NULL;
    const double metres = OSRGetLinearUnits(srs, &name);

    return fabs(metres - 1) < 1e-12                 ? "m"
           : fabs(metres - 1000) < 1e-9             ? "km"
           : fabs(metres - 0.3048) < 1e-12          ? "foot"
           : fabs(metres - 1200.0 / 3937.0) < 1e-12 ? "US_survey_foot"
                                                    : name;
}
