/* Windows of model input: decoding, turning, deriving, regridding, unit by unit. */
#include <math.h>

#include "engine/base/error.h"
#include "grib/archive_private.h"
#include "grib/humidity.h"
#include "grib/units.h"

typedef M2nArchiveMessage Message;
typedef M2nArchiveWeights Weights;

/* Fields made together between two calls of the progress function, per thread. */
#define BATCH 4
/* What making a field takes of its own grid: a pair of messages, each packed, unpacked, turned north-up. */
#define BYTES_PER_POINT 32u

/* A field of the window, or the two components of a wind. */
typedef struct {
    M2nRecipe recipe;
    const M2nVariable *variable;
    const M2nVariable *second; /* of the pair's other component, or NULL */
    float *out, *out_second;   /* NULL: not wanted */
    const Weights *weights;
    double scale, offset; /* to the variable's unit */
    GError *error;
} Job;

typedef struct {
    Job *jobs;
    gsize n_to;
} Batch;

/* ---- before decoding --------------------------------------------------------------------------- */

static gboolean
about(const Message *m, GError **error)
{
    g_prefix_error(error, "%s: message %u: ", m2n_grib_reader_name(m->reader), m->header.number);
    return FALSE;
}

/* What the index and the weights made so far hold. */
static guint64
held(const M2nArchive *a)
{
    guint64 bytes = m2n_archive_index_memory(a);

    for (guint i = 0; i < a->weights->len; i++) {
        const Weights *w = &g_array_index(a->weights, Weights, i);
        bytes += m2n_regrid_memory(w->regrid);
        bytes += w->wind != NULL ? m2n_wind_memory(w->from) : 0;
    }
    return bytes;
}

/* Whether `need` bytes fit beside what is held.  FALSE: M2N_ERROR_MEMORY. */
static gboolean
allow(const M2nArchive *a, const Message *m, guint64 need, GError **error)
{
    const guint64 all = held(a) + need;

    if (a->max_memory == 0 || all <= a->max_memory)
        return TRUE;
    g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY,
                "%" G_GSIZE_FORMAT " points take %" G_GUINT64_FORMAT " MiB, %" G_GUINT64_FORMAT
                " MiB are allowed",
                m->header.grid->n_points, (all >> 20) + 1, a->max_memory >> 20);
    return about(m, error);
}

/* Weights from the grid of `m` to the domain's, made once; with what its winds need. */
static gboolean
prepare_weights(M2nArchive *a, const M2nDomain *d, M2nRegridMethod method, const M2nRecipe *recipe,
                guint *index, GError **error)
{
    const M2nGribHeader *h = &recipe->message[0]->header;
    guint i = 0;

    for (; i < a->weights->len; i++) {
        const Weights *w = &g_array_index(a->weights, Weights, i);
        if (w->method == method && m2n_grid_equal(w->from, h->grid) &&
            m2n_grid_equal(w->to, d->grid))
            break;
    }
    if (i == a->weights->len) {
        const guint64 left = a->max_memory > 0 ? a->max_memory - MIN(held(a), a->max_memory - 1) : 0;
        M2nRegrid *r = m2n_regrid_new(h->grid, d->grid, method, left, error);
        if (r == NULL)
            return about(recipe->message[0], error);
        const Weights w = {m2n_grid_ref(h->grid), m2n_grid_ref(d->grid), method, r, NULL};
        g_array_append_val(a->weights, w);
    }
    Weights *w = &g_array_index(a->weights, Weights, i);
    *index = i;
    if (recipe->kind != M2N_RECIPE_TURNED)
        return TRUE;
    if (h->uv_relative && w->wind == NULL) {
        if (!allow(a, recipe->message[0], m2n_wind_memory(h->grid), error))
            return FALSE;
        w->wind = m2n_wind_new(h->grid, error);
    }
    if ((h->uv_relative && w->wind == NULL) || !m2n_regrid_prepare_wind(w->regrid, error))
        return about(recipe->message[0], error);
    return TRUE;
}

/* The unit of what the recipe yields, as the message states it. */
static const char *
unit_of(const M2nRecipe *r, const M2nVariable *v)
{
    switch (r->kind) {
    case M2N_RECIPE_DEW_POINT:
    case M2N_RECIPE_SPECIFIC:
        return "%";
    case M2N_RECIPE_GEOPOTENTIAL:
        return v->units; /* the factor is the conversion */
    default:
        return r->message[0]->header.units;
    }
}

static gboolean
prepare(M2nArchive *a, const M2nDomain *d, M2nRegridMethod method, Job *job, guint *index,
        GError **error)
{
    const M2nVariable *v = job->variable;

    if (!prepare_weights(a, d, method, &job->recipe, index, error))
        return FALSE;
    if (!m2n_units_conversion(unit_of(&job->recipe, v), v->units, &job->scale, &job->offset,
                              error)) {
        g_prefix_error(error, "%s: ", v->name);
        return about(job->recipe.message[0], error);
    }
    return TRUE;
}

/* ---- decoding ---------------------------------------------------------------------------------- */

/* (transfer full) The values of a message on its own grid. */
static float *
decode(const Message *m, GError **error)
{
    const gsize n = m->header.grid->n_points;
    float *x = g_try_new(float, n + 1);

    if (x == NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY, "no memory for %" G_GSIZE_FORMAT " points",
                    n);
        about(m, error);
        return NULL;
    }
    if (!m2n_grib_reader_values(m->reader, m->index, &m->header, x, error)) {
        g_free(x);
        return NULL;
    }
    return x;
}

/* x := the recipe's quantity, of x = message[0] and y = message[1]. */
static void
combine(const M2nRecipe *r, float *x, const float *y)
{
    const M2nGribHeader *h = &r->message[0]->header;

    for (gsize i = 0; i < h->grid->n_points; i++) {
        const double a = (double)x[i], b = y != NULL ? (double)y[i] : 0;
        if (r->kind == M2N_RECIPE_DIFFERENCE)
            x[i] = (float)fmax(0, a - b); /* packing makes small negative rain */
        else if (r->kind == M2N_RECIPE_DEW_POINT)
            x[i] = (float)m2n_humidity_from_dew_point(a, b);
        else if (r->kind == M2N_RECIPE_SPECIFIC)
            x[i] = (float)m2n_humidity_from_specific(a, b, h->level * 100);
        else
            x[i] = (float)(a * r->scale);
    }
}

static gboolean
make_scalar(Job *job, GError **error)
{
    const M2nRecipe *r = &job->recipe;
    g_autofree float *x = decode(r->message[0], error);
    g_autofree float *y = x != NULL && r->message[1] != NULL ? decode(r->message[1], error) : NULL;

    if (x == NULL || (r->message[1] != NULL && y == NULL))
        return FALSE;
    if (r->kind != M2N_RECIPE_AS_IS)
        combine(r, x, y);
    m2n_regrid_apply(job->weights->regrid, x, job->out);
    return TRUE;
}

static gboolean
make_wind(Job *job, gsize n_to, GError **error)
{
    const M2nRecipe *r = &job->recipe;
    const int u_at = r->is_u ? 0 : 1;
    g_autofree float *u = decode(r->message[u_at], error);
    g_autofree float *v = u != NULL ? decode(r->message[1 - u_at], error) : NULL;
    g_autofree float *spare = job->out_second == NULL ? g_try_new(float, n_to) : NULL;
    float *second = job->out_second != NULL ? job->out_second : spare;

    if (v == NULL)
        return FALSE;
    if (second == NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY, "no memory for %" G_GSIZE_FORMAT " points",
                    n_to);
        return about(r->message[0], error);
    }
    if (r->message[0]->header.uv_relative)
        m2n_wind_to_earth(job->weights->wind, u, v);
    m2n_regrid_apply_wind(job->weights->regrid, u, v, r->is_u ? job->out : second,
                          r->is_u ? second : job->out);
    return TRUE;
}

/* Units, and no point of the model without a value. */
static gboolean
finish(const Job *job, const M2nVariable *v, float *x, gsize n, GError **error)
{
    const Message *m = job->recipe.message[0];
    gsize lacking = 0;

    for (gsize i = 0; i < n; i++) {
        if (job->scale != 1 || job->offset != 0)
            x[i] = (float)((double)x[i] * job->scale + job->offset);
        lacking += isfinite(x[i]) ? 0u : 1u; /* infinity would spread over the whole forecast */
    }
    if (lacking == 0)
        return TRUE;
    g_autofree char *grid = m2n_grid_describe(m->header.grid);
    g_set_error(error, M2N_ERROR, M2N_ERROR_SHAPE,
                "%s has no value at %" G_GSIZE_FORMAT " of %" G_GSIZE_FORMAT
                " points of the model's grid; its own grid is %s",
                v->name, lacking, n, grid);
    return about(m, error);
}

static void
make_jobs(gsize begin, gsize end, guint thread, gpointer data)
{
    const Batch *b = data;

    (void)thread;
    for (gsize k = begin; k < end; k++) {
        Job *job = &b->jobs[k];
        const gboolean ok = job->recipe.kind == M2N_RECIPE_TURNED
                                ? make_wind(job, b->n_to, &job->error)
                                : make_scalar(job, &job->error);

        if (ok && finish(job, job->variable, job->out, b->n_to, &job->error) &&
            job->out_second != NULL)
            finish(job, job->second, job->out_second, b->n_to, &job->error);
    }
}

/* ---- windows ----------------------------------------------------------------------------------- */

/* The job that already makes field k as the second of a pair, or NULL. */
static Job *
pair_of(Job *jobs, guint n_jobs, const M2nRecipe *r)
{
    for (guint j = n_jobs; r->kind == M2N_RECIPE_TURNED && j > 0; j--)
        if (jobs[j - 1].recipe.kind == M2N_RECIPE_TURNED && jobs[j - 1].out_second == NULL &&
            jobs[j - 1].recipe.message[0] == r->message[1] &&
            jobs[j - 1].recipe.message[1] == r->message[0])
            return &jobs[j - 1];
    return NULL;
}

void
m2n_archive_set_memory(M2nArchive *a, guint64 bytes)
{
    a->max_memory = bytes;
}

/* Bytes of a message while it is unpacked. */
static guint64
message_bytes(const Message *m)
{
    const M2nGribEntry *e = m2n_grib_reader_entry(m->reader, m->index);
    guint64 sections = 0;

    for (int id = 1; id <= 7; id++)
        sections += e->size[id];
    return e->shared ? sections : e->length;
}

/* Whether the messages of a recipe fit beside the weights; makes *threads as few as fit together. */
static gboolean
fits(const M2nArchive *a, const M2nRecipe *r, guint *threads, GError **error)
{
    const Message *m = r->message[0];
    const guint64 packed =
        MAX(message_bytes(m), r->message[1] != NULL ? message_bytes(r->message[1]) : 0);
    const guint64 need = (guint64)m->header.grid->n_points * BYTES_PER_POINT + packed;

    if (!allow(a, m, need, error))
        return FALSE;
    if (a->max_memory > 0)
        *threads = (guint)MIN(*threads, (a->max_memory - held(a)) / MAX(need, 1));
    return TRUE;
}

/* All jobs of a window, weights made, nothing decoded.  Sets *n, and *threads to how many may decode. */
static Job *
plan(M2nArchive *a, const M2nDomain *d, guint steps, gint64 init_time, M2nRegridMethod method,
     float *out, guint *n, guint *threads, GError **error)
{
    const guint fields = steps * d->n_variables;
    g_autofree Job *jobs = g_new0(Job, fields);
    g_autofree guint *weights = g_new0(guint, fields);

    *n = 0;
    for (guint i = a->weights->len; i-- > 0;) /* another model's: they would count against this one's bound */
        if (!m2n_grid_equal(g_array_index(a->weights, Weights, i).to, d->grid))
            g_array_remove_index_fast(a->weights, i);
    for (guint k = 0; k < fields; k++) {
        Job job = {.variable = &d->variables[k % d->n_variables],
                   .out = out + k * d->grid->n_points};

        if (!m2n_archive_window_recipe(a, d, steps, init_time, k, &job.recipe, error) ||
            !fits(a, &job.recipe, threads, error)) /* before weights are made for it */
            return NULL;
        Job *first = pair_of(jobs, *n, &job.recipe);
        if (!prepare(a, d, method, &job, &weights[*n], error))
            return NULL;
        if (first != NULL && first->scale == job.scale && first->offset == job.offset) {
            first->second = job.variable;
            first->out_second = job.out;
            continue;
        }
        jobs[(*n)++] = job;
    }
    for (guint k = 0; k < *n; k++) { /* now that the array no longer moves, and all weights are held */
        jobs[k].weights = &g_array_index(a->weights, Weights, weights[k]);
        if (!fits(a, &jobs[k].recipe, threads, error))
            return NULL;
    }
    return g_steal_pointer(&jobs);
}

gboolean
m2n_archive_read_window(M2nArchive *a, const M2nDomain *d, guint steps, gint64 init_time,
                        M2nRegridMethod method, float *out, M2nProgressFunc progress,
                        gpointer user_data, GError **error)
{
    guint n = 0, threads = a->threads;
    gboolean ok = TRUE;
    g_autofree Job *jobs = plan(a, d, steps, init_time, method, out, &n, &threads, error);

    if (jobs == NULL)
        return FALSE;
    g_autoptr(M2nPool) pool = m2n_pool_new(MIN(threads, n), error);
    if (pool == NULL)
        return FALSE;
    const guint batch = BATCH * threads;
    for (guint k = 0; k < n && ok; k += batch) {
        Batch b = {jobs + k, d->grid->n_points};
        const guint size = MIN(batch, n - k);

        m2n_parallel_each(pool, size, make_jobs, &b);
        for (guint j = k; j < k + size; j++)
            if (jobs[j].error != NULL) {
                if (ok)
                    g_propagate_error(error, jobs[j].error);
                else
                    g_error_free(jobs[j].error);
                ok = FALSE;
            }
        if (ok && progress != NULL &&
            !progress((double)(k + size) / (double)n, "reading", user_data)) {
            g_set_error(error, M2N_ERROR, M2N_ERROR_CANCELLED, "%s: reading was stopped", a->name);
            ok = FALSE;
        }
    }
    return ok;
}
