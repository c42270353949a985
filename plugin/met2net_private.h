/* What the files of the public API share. */
#pragma once
#include "grib/output.h"
#include "plugin/forecast.h"
#include "plugin/met2net.h"

G_BEGIN_DECLS

struct met2net {
    M2nForecastSpec *spec;
    M2nForecast *forecast;
    M2nGrid *grid;     /* of the fields handed out */
    M2nOutput *output; /* to it, or NULL; made at the first read */
    guint *chosen;     /* [n_variables] index in the model */
    met2net_variable *variables;
    met2net_info info;
    char *crs_wkt;
    char **metadata;
    char ***field_metadata; /* [n_steps * n_variables], filled when asked for */
    char **descriptions;
    GPtrArray *texts; /* of char *, that the variables point to */
    GError *failure;  /* of the computation, for good */
};

/* Index of a field, or -1. */
gssize m2n_handle_field(const met2net *f, unsigned variable, unsigned step);
/* (transfer full) inner.  0, and what the caller is told. */
int m2n_handle_failed(GError *inner, met2net_error *error);

G_END_DECLS
