/* The writing half of what we know of eccodes: plans to handles, fields to messages. */
#include "grib/grib_writer.h"

#include <math.h>

#include "engine/base/error.h"
#include "grib/grib_eccodes.h"
#include "grib/grib_plan.h"

#define MISSING 9.999e20
#define SAMPLE "regular_ll_sfc_grib2"

struct M2nGribWriter {
    const M2nDomain *domain;
    M2nGribWriterOptions options;
    M2nGribPlan *plans; /* [V] */
    double *room;       /* [H W] */
};

static gboolean
fail(const M2nVariable *v, const char *key, int err, GError **error)
{
    g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT, "GRIB2: %s: %s: %s", v->name, key,
                codes_get_error_message(err));
    return FALSE;
}

static gboolean
set_keys(codes_handle *h, const M2nGribPlan *plan, const M2nVariable *v, GError **error)
{
    for (guint i = 0; i < plan->n; i++) {
        const M2nGribKey *k = &plan->keys[i];
        const int err = k->value == M2N_PLAN_MISSING ? codes_set_missing(h, k->key)
                                                     : codes_set_long(h, k->key, k->value);
        if (err != CODES_SUCCESS)
            return fail(v, k->key, err, error);
    }
    return TRUE;
}

/* Every key again: one eccodes rounded, ignored or changed with a later one is an error here. */
static gboolean
check_keys(codes_handle *h, const M2nGribPlan *plan, const M2nVariable *v, gboolean with_values,
           GError **error)
{
    for (guint i = 0; i < plan->n; i++) {
        const M2nGribKey *k = &plan->keys[i];
        int err = CODES_SUCCESS;
        long got = 0;

        if (with_values && g_str_equal(k->key, "bitsPerValue"))
            continue; /* a constant field takes none */
        if (k->value == M2N_PLAN_MISSING) {
            if (codes_is_missing(h, k->key, &err) == 1 && err == CODES_SUCCESS)
                continue;
        } else {
            err = codes_get_long(h, k->key, &got);
            if (err == CODES_SUCCESS && got == k->value)
                continue;
        }
        if (err != CODES_SUCCESS)
            return fail(v, k->key, err, error);
        g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT,
                    "GRIB2: %s: %s was set to %ld and reads as %ld", v->name, k->key, k->value,
                    got);
        return FALSE;
    }
    return TRUE;
}

/* (transfer full) A message without values. */
static codes_handle *
build(const M2nGribPlan *plan, const M2nVariable *v, GError **error)
{
    g_autoptr(codes_handle) h = codes_grib_handle_new_from_samples(NULL, SAMPLE);

    if (h == NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT,
                    "GRIB2: eccodes has no sample %s (ECCODES_SAMPLES_PATH)", SAMPLE);
        return NULL;
    }
    if (!set_keys(h, plan, v, error))
        return NULL;
    return g_steal_pointer(&h);
}

/* Whether every variable can be written; under m2n_eccodes_guard(). */
static gboolean
try_plans(gpointer data, GError **error)
{
    M2nGribWriter *w = data;
    const M2nDomain *d = w->domain;

    for (guint i = 0; i < d->n_variables; i++) {
        const M2nVariable *v = &d->variables[i];
        if (!m2n_grib_plan_make(&w->plans[i], d->grid, v, &w->options, error))
            return FALSE;
        M2nGribPlan trial = w->plans[i]; /* with any time */
        if (!m2n_grib_plan_times(&trial, v, 0, d->time_step, d->time_step, error))
            return FALSE;
        g_autoptr(codes_handle) h = build(&trial, v, error);
        if (h == NULL || !check_keys(h, &trial, v, FALSE, error))
            return FALSE;
    }
    return TRUE;
}

M2nGribWriter *
m2n_grib_writer_new(const M2nDomain *d, const M2nGribWriterOptions *options, GError **error)
{
    g_autoptr(M2nGribWriter) w = g_new0(M2nGribWriter, 1);

    w->domain = d;
    w->options = *options;
    w->plans = g_new0(M2nGribPlan, d->n_variables);
    w->room = g_try_new(double, d->grid->n_points);
    if (w->room == NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY,
                    "GRIB2: no memory for %" G_GSIZE_FORMAT " points", d->grid->n_points);
        return NULL;
    }
    return m2n_eccodes_guard(try_plans, w, error) ? g_steal_pointer(&w) : NULL;
}

void
m2n_grib_writer_free(M2nGribWriter *w)
{
    g_free(w->plans);
    g_free(w->room);
    g_free(w);
}

/* Values into w->room, in stored order and unit. */
static gboolean
arrange(M2nGribWriter *w, const M2nGribPlan *plan, const float *values)
{
    const M2nGrid *g = w->domain->grid;
    gboolean missing = FALSE;

    for (guint row = 0; row < g->height; row++) {
        const float *in = values + (gsize)row * g->width;
        double *out = w->room + (gsize)(plan->south_up ? g->height - 1 - row : row) * g->width;
        for (guint c = 0; c < g->width; c++) {
            const gboolean hole = !isfinite(in[c]);
            missing |= hole;
            out[c] = hole ? MISSING : (double)in[c] * plan->scale + plan->offset;
        }
    }
    return missing;
}

/* What a reader will see: every key and the number of values. */
static gboolean
re_read(const M2nGribWriter *w, const M2nGribPlan *plan, const M2nVariable *v, const void *bytes,
        gsize n, GError **error)
{
    g_autoptr(codes_handle) h = codes_handle_new_from_message(NULL, bytes, n);
    long points = 0;

    if (h == NULL)
        return fail(v, "message", CODES_INVALID_MESSAGE, error);
    if (!check_keys(h, plan, v, TRUE, error))
        return FALSE;
    const int err = codes_get_long(h, "numberOfDataPoints", &points);
    if (err != CODES_SUCCESS || points != (long)w->domain->grid->n_points)
        return fail(v, "numberOfDataPoints", err != CODES_SUCCESS ? err : CODES_WRONG_ARRAY_SIZE,
                    error);
    return TRUE;
}

typedef struct {
    M2nGribWriter *writer;
    const M2nVariable *variable;
    M2nGribPlan plan;
    const float *values;
    GBytes *message; /* (transfer full) */
} Making;

/* Under m2n_eccodes_guard(). */
static gboolean
make_message(gpointer data, GError **error)
{
    Making *m = data;
    M2nGribWriter *w = m->writer;
    const M2nVariable *v = m->variable;
    const void *bytes = NULL;
    gsize n = 0;
    g_autoptr(codes_handle) h = build(&m->plan, v, error);

    if (h == NULL)
        return FALSE;
    int err = CODES_SUCCESS;
    if (arrange(w, &m->plan, m->values)) {
        err = codes_set_long(h, "bitmapPresent", 1);
        if (err == CODES_SUCCESS)
            err = codes_set_double(h, "missingValue", MISSING);
    }
    if (err == CODES_SUCCESS)
        err = codes_set_double_array(h, "values", w->room, w->domain->grid->n_points);
    if (err == CODES_SUCCESS)
        err = codes_get_message(h, &bytes, &n);
    if (err != CODES_SUCCESS)
        return fail(v, "values", err, error);
    if (!re_read(w, &m->plan, v, bytes, n, error))
        return FALSE;
    m->message = g_bytes_new(bytes, n);
    return TRUE;
}

GBytes *
m2n_grib_writer_message(M2nGribWriter *w, guint variable, gint64 reference_time, gint64 valid_time,
                        const float *values, GError **error)
{
    g_assert(variable < w->domain->n_variables);
    Making m = {.writer = w,
                .variable = &w->domain->variables[variable],
                .plan = w->plans[variable],
                .values = values};

    return m2n_grib_plan_times(&m.plan, m.variable, reference_time, valid_time,
                               w->domain->time_step, error) &&
                   m2n_eccodes_guard(make_message, &m, error)
               ? m.message
               : NULL;
}

const M2nDomain *
m2n_grib_writer_domain(const M2nGribWriter *w)
{
    return w->domain;
}

const M2nGribWriterOptions *
m2n_grib_writer_options(const M2nGribWriter *w)
{
    return &w->options;
}
