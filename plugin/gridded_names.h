/* Which variable of grib/variable.h an array of a NetCDF or Zarr archive is. */
#pragma once
#include "grib/domain.h"

G_BEGIN_DECLS

/* What an array says of itself; NULL or 0 where it does not. */
typedef struct {
    const char *name, *standard_name;
    long param_id;             /* GRIB_paramId */
    const char *type_of_level; /* GRIB_typeOfLevel */
    double level;              /* GRIB_level */
    double pressure, height;   /* hPa or metres above ground, from its vertical coordinate */
} M2nArrayLabels;

/* Fills name, param_id, type_of_level and level of `v`; param_id 0 when nothing is known but the name. */
void m2n_array_identify(const M2nArrayLabels *labels, M2nVariable *v);

G_END_DECLS
