/* Fields own their values and a reference to their grid; nothing else happens here. */
#include "grib/field.h"

void
m2n_field_free(M2nField *f)
{
    if (f->grid != NULL)
        m2n_grid_unref(f->grid);
    g_free(f->values);
    g_free(f);
}
