/* M2nGribPlan: a GRIB2 header as a list of keys and values, before eccodes sees any of it.  Private to the
 * writer's files. */
#pragma once
#include "grib/grib_writer.h"

G_BEGIN_DECLS

#define M2N_PLAN_MISSING G_MINLONG /* the value "missing" */

typedef struct {
    const char *key;
    long value;
} M2nGribKey;

typedef struct {
    M2nGribKey keys[96]; /* to be set in this order */
    guint n;
    gboolean south_up;    /* rows are stored south to north */
    double scale, offset; /* stored = scale * value + offset: GRIB2 has a unit for each parameter */
} M2nGribPlan;

/* In place of an earlier value of that key, if there is one. */
void m2n_grib_plan_add(M2nGribPlan *plan, const char *key, long value);

/* Everything but the times.  FALSE: M2N_ERROR_FORMAT (a grid or CRS GRIB2 cannot say), _UNITS, or _ARGUMENT
 * (an option's value), naming the thing. */
gboolean m2n_grib_plan_make(M2nGribPlan *plan, const M2nGrid *grid, const M2nVariable *v,
                            const M2nGribWriterOptions *options, GError **error);

/* The times of one message.  FALSE: M2N_ERROR_ARGUMENT. */
gboolean m2n_grib_plan_times(M2nGribPlan *plan, const M2nVariable *v, gint64 reference_time,
                             gint64 valid_time, gint64 time_step, GError **error);

/* The part of a plan that places the grid. */
gboolean m2n_grib_plan_grid(M2nGribPlan *plan, const M2nGrid *grid, GError **error);

const M2nDomain *m2n_grib_writer_domain(const M2nGribWriter *w);
const M2nGribWriterOptions *m2n_grib_writer_options(const M2nGribWriter *w);

G_END_DECLS
