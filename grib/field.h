/* M2nField: one 2-D map of one quantity at one time, in SI units, on a known grid.
 *
 * Rows and columns as the grid says (north-up, west to east).  A missing value is NaN, never 9999. */
#pragma once
#include "grib/grid.h"

G_BEGIN_DECLS

typedef struct {
    char name[32];                     /* eccodes shortName: "2t", "10u", "10v", "msl"          */
    char units[32];                    /* "K", "m s**-1", "Pa" as eccodes spells them           */
    long param_id;                     /* eccodes paramId; 0 unknown                            */
    char type_of_level[64];            /* eccodes typeOfLevel                                   */
    double level;                      /* in the unit of type_of_level                          */
    gint64 reference_time, valid_time; /* seconds since 1970-01-01T00:00:00Z                    */
    gint64 span;                       /* seconds accumulated or averaged over; 0 instantaneous */
    M2nGrid *grid;                     /* owned reference                                       */
    float *values;                     /* [grid->n_points], owned by the field                  */
} M2nField;

void m2n_field_free(M2nField *f);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(M2nField, m2n_field_free)

G_END_DECLS
