/* The table of variables people use, and the names they have in GRIB 1, GRIB 2, eccodes and GDAL.
 *
 * A variable of a model (M2nVariable: eccodes paramId, level) meets a message by paramId and level, across
 * editions and centres: "t2m" is paramId 167 whether its message says surface/0 or heightAboveGround/2. */
#pragma once
#include "grib/domain.h"

G_BEGIN_DECLS

/* Over the time step before the valid time: GRIB2 code table 4.10. */
typedef enum {
    M2N_AVERAGED = 0,
    M2N_ACCUMULATED = 1,
    M2N_MAXIMUM = 2,
    M2N_MINIMUM = 3,
    M2N_INSTANT = 255
} M2nStatistics;

typedef struct {
    const char *name;    /* what people call it: "t2m"; on pressure levels without the level: "t" */
    const char *aliases; /* other names, space separated, or "" */
    long param_id[6];    /* the first is ours; then what other centres' and newer tables yield; 0 ends */
    const char *type_of_level; /* eccodes; "isobaricInhPa": any pressure level */
    double level;
    const char *units;
    gboolean level_implied; /* the paramId says the level: messages may put it elsewhere */
    M2nStatistics statistics;
    int discipline, category, number; /* GRIB2 code table 4.2 */
    int surface1;                     /* code table 4.5; 255 none */
    int surface2;
    const char *element, *comment; /* GDAL's GRIB_ELEMENT, and GRIB_COMMENT without the unit */
    const char *gdal_unit;
} M2nVariableInfo;

/* (transfer none) Row of the table for a variable, or NULL when nobody has told us about it. */
const M2nVariableInfo *m2n_variable_info(const M2nVariable *v);

/* Fills name, param_id, type_of_level, level and units from "t2m", "2t", "t850", "z_500"; normalisation
 * fields are zeroed.  FALSE: M2N_ERROR_ARGUMENT naming the variable. */
gboolean m2n_variable_from_name(const char *name, M2nVariable *v, GError **error);

/* The variable that a name of pressure levels has at a height above ground in metres: "t" and 2 are t2m, "ua" and 10 u10.
 * FALSE: there is none. */
gboolean m2n_variable_at_height(const char *name, double height, M2nVariable *v);

/* TRUE when a message with this paramId, level and eccodes stepType ("instant", "accum", "max", ...) is that
 * variable. */
gboolean m2n_variable_matches(const M2nVariable *v, long param_id, const char *type_of_level,
                              double level, const char *step_type);

/* The level as GDAL's GRIB driver writes it in a band's metadata. (transfer full) "100000-ISBL", "2-HTGL". */
char *m2n_variable_gdal_level(const M2nVariable *v);

G_END_DECLS
