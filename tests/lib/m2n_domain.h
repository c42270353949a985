/* Domains of models that there is no file of. */
#pragma once
#include "grib/domain.h"
#include "grib/variable.h"

/* (transfer full) `names`: of variables, with blanks between them, "t2m u10"; geo as m2n_grid_new_affine(); time_step in
 * seconds. */
static inline M2nDomain *
m2n_test_domain(const char *names, const char *crs, guint width, guint height, const double geo[6], gint64 time_step)
{
    g_auto(GStrv) list = g_strsplit(names, " ", -1);
    M2nDomain *d = g_new0(M2nDomain, 1);

    d->n_variables = g_strv_length(list);
    d->variables = g_new0(M2nVariable, d->n_variables);
    for (guint i = 0; i < d->n_variables; i++)
        g_assert_true(m2n_variable_from_name(list[i], &d->variables[i], NULL));
    d->grid = m2n_grid_new_affine(crs, width, height, geo);
    d->time_step = time_step;
    return d;
}
