#include "plugin/prepare.h"

#include <math.h>
#include <string.h>

#include "engine/base/durable.h"
#include "engine/base/error.h"
#include "engine/base/memory_limit.h"
#include "grib/variable.h"
#include "plugin/quantity.h"
#include "plugin/source_vsi.h"

#define MAX_SIDE 32768.0

static gboolean
bad_option(const char *name, const char *value, const char *what, GError **error)
{
    g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT, "--%s: '%s' %s", name, value, what);
    return FALSE;
}

/* ---- variables ------------------------------------------------------------------------------------ */

static gboolean
set_variables(M2nDomain *d, const char *text, GError **error)
{
    g_auto(GStrv) names = g_strsplit_set(text, " ,", -1);

    d->variables = g_new0(M2nVariable, g_strv_length(names));
    for (char **name = names; *name; name++) {
        if (**name == '\0')
            continue;
        M2nVariable *v = &d->variables[d->n_variables];

        if (!m2n_variable_from_name(*name, v, error))
            return FALSE;
        for (guint i = 0; i < d->n_variables; i++)
            if (strcmp(d->variables[i].name, v->name) == 0)
                return bad_option("variables", text, "names one twice", error);
        d->n_variables++;
    }
    return d->n_variables > 0 || bad_option("variables", text, "names none", error);
}

static M2nDomain *
domain_like(const char *path, GError **error)
{
    g_autoptr(M2nSource) source = m2n_source_open_vsi(path, error);
    g_autoptr(M2nSafetensors) st = source ? m2n_safetensors_open(source, error) : NULL;
    M2nDomain *d = st ? m2n_domain_read(st, error) : NULL;

    if (d != NULL) { /* their statistics are those of other data */
        d->normalisation = M2N_ZSCORE;
        d->target = M2N_TARGET_FIELD;
    }
    return d;
}

/* ---- grid ----------------------------------------------------------------------------------------- */

static gboolean
read_numbers(const char *text, const char *separators, double *out, guint n)
{
    g_auto(GStrv) parts = g_strsplit_set(text, separators, -1);

    if (g_strv_length(parts) != n)
        return FALSE;
    for (guint i = 0; i < n; i++) {
        char *end;

        out[i] = g_ascii_strtod(parts[i], &end);
        if (end == parts[i] || *end != '\0' || !isfinite(out[i]))
            return FALSE;
    }
    return TRUE;
}

/* The input's own grid, when it has rows and columns of equal spacing. */
static const M2nGrid *
input_grid(M2nInput *in, const M2nDomain *d, GError **error)
{
    const M2nGrid *first = m2n_input_grid(in, &d->variables[0]);

    for (guint v = 0; v < d->n_variables; v++) {
        const M2nGrid *grid = m2n_input_grid(in, &d->variables[v]);

        if (grid == NULL || !m2n_input_one_grid(in, &d->variables[v], error)) {
            if (error != NULL && *error == NULL)
                g_set_error(error, M2N_ERROR, M2N_ERROR_MISSING, "%s: not in the input",
                            d->variables[v].name);
            else
                g_prefix_error(error, "choose a grid with --region and --size: ");
            return NULL;
        }
        if (!m2n_grid_equal(first, grid)) {
            g_autofree char *a = m2n_grid_describe(first), *b = m2n_grid_describe(grid);

            g_set_error(error, M2N_ERROR, M2N_ERROR_SHAPE,
                        "choose a grid with --region and --size: %s is on %s, %s on %s",
                        d->variables[0].name, a, d->variables[v].name, b);
            return NULL;
        }
    }
    return first;
}

static gboolean
is_even(const M2nGrid *g)
{
    return g->width > 0 && g->row_y == NULL && g->row_points == NULL;
}

/* (transfer full) `from` may be NULL: then region, CRS and size are all there. */
static M2nGrid *
chosen_grid(const M2nPrepareOptions *o, const M2nGrid *from, GError **error)
{
    double region[4], size[2], step[2] = {o->resolution, o->resolution};

    if (o->region != NULL) {
        if (!read_numbers(o->region, ", ", region, 4) || region[0] >= region[2] ||
            region[1] >= region[3]) {
            bad_option("region", o->region, "is not west,south,east,north", error);
            return NULL;
        }
    } else {
        region[0] = from->geo[0], region[3] = from->geo[3];
        region[2] = from->geo[0] + from->geo[1] * from->width;
        region[1] = from->geo[3] + from->geo[5] * from->height;
    }
    if (o->size != NULL) {
        if (!read_numbers(o->size, "xX*", size, 2) || !(size[0] >= 1) || !(size[1] >= 1) ||
            size[0] > MAX_SIDE || size[1] > MAX_SIDE || size[0] != floor(size[0]) ||
            size[1] != floor(size[1])) {
            bad_option("size", o->size, "is not columns x rows", error);
            return NULL;
        }
        step[0] = (region[2] - region[0]) / size[0];
        step[1] = (region[3] - region[1]) / size[1];
    } else {
        if (!(o->resolution > 0))
            step[0] = from->geo[1], step[1] = -from->geo[5];
        size[0] = round((region[2] - region[0]) / step[0]);
        size[1] = round((region[3] - region[1]) / step[1]);
        if (!(size[0] >= 1 && size[1] >= 1 && size[0] <= MAX_SIDE && size[1] <= MAX_SIDE)) {
            bad_option("resolution", "", "does not fit the region", error);
            return NULL;
        }
    }
    const double geo[6] = {region[0], step[0], 0, region[3], 0, -step[1]};
    return m2n_grid_new_affine(o->crs ? o->crs
                               : from ? from->crs
                                      : "EPSG:4326",
                               (guint)size[0], (guint)size[1], geo);
}

/* (transfer full) The input's grid with sides that can be halved twice. */
static M2nGrid *
cut_grid(const M2nGrid *from, char **told)
{
    const guint width = from->width >= 4 ? from->width / 4 * 4 : from->width;
    const guint height = from->height >= 4 ? from->height / 4 * 4 : from->height;

    if (width < from->width || height < from->height)
        *told = g_strdup_printf("the input's grid is cut from %u x %u to %u x %u, multiples of 4: columns left out in "
                                "the east %u, rows in the south %u; --region and --size choose another grid",
                                from->width, from->height, width, height, from->width - width,
                                from->height - height);
    return m2n_grid_new_affine(from->crs, width, height, from->geo);
}

static gboolean
set_grid(M2nDomain *d, const M2nPrepareOptions *o, M2nInput *in, char **told, GError **error)
{
    const gboolean choice = o->region || o->size || o->resolution > 0 || o->crs;
    const gboolean complete = o->region && (o->size || o->resolution > 0);
    const M2nGrid *from = NULL;

    if (d->grid != NULL && !choice)
        return TRUE; /* from --like */
    g_clear_pointer(&d->grid, m2n_grid_unref);
    if (!complete) {
        from = input_grid(in, d, error);
        if (from == NULL)
            return FALSE;
        if (!is_even(from) || o->crs) {
            g_autofree char *text = m2n_grid_describe(from);

            g_set_error(
                error, M2N_ERROR, M2N_ERROR_ARGUMENT,
                "--region and --size (or --resolution) must choose a grid: the input's is %s",
                text);
            return FALSE;
        }
    }
    d->grid = choice ? chosen_grid(o, from, error) : cut_grid(from, told);
    return d->grid != NULL;
}

/* ---- times ---------------------------------------------------------------------------------------- */

static gint64
most_frequent_step(const gint64 *times, gsize n)
{
    g_autoptr(GHashTable) counts = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    gint64 best = 0;
    guint most = 0;

    for (gsize i = 1; i < n; i++) {
        const gint64 step = times[i] - times[i - 1];
        const guint count = GPOINTER_TO_UINT(g_hash_table_lookup(counts, &step)) + 1;

        g_hash_table_insert(counts, g_memdup2(&step, sizeof step), GUINT_TO_POINTER(count));
        if (count > most || (count == most && step < best)) {
            most = count;
            best = step;
        }
    }
    return best;
}

/* Keeps the times that are whole steps after a time of day: the one that most of them are. */
static void
thin_times(gint64 *times, gsize *n, gint64 step)
{
    g_autoptr(GHashTable) counts = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    gint64 best = 0;
    guint most = 0;
    gsize kept = 0;

    for (gsize i = 0; i < *n; i++) {
        const gint64 phase = (times[i] % step + step) % step;
        const guint count = GPOINTER_TO_UINT(g_hash_table_lookup(counts, &phase)) + 1;

        g_hash_table_insert(counts, g_memdup2(&phase, sizeof phase), GUINT_TO_POINTER(count));
        if (count > most || (count == most && phase < best)) {
            most = count;
            best = phase;
        }
    }
    for (gsize i = 0; i < *n; i++)
        if ((times[i] % step + step) % step == best)
            times[kept++] = times[i];
    *n = kept;
}

/* (transfer full) Ascending; sets the time step. */
static gint64 *
find_times(M2nDomain *d, const M2nPrepareOptions *o, M2nInput *in, gsize *n, GError **error)
{
    gint64 step = d->time_step > 0 ? d->time_step : 3600;

    if (o->time_step != NULL && !m2n_duration_parse(o->time_step, &step, error)) {
        g_prefix_error(error, "--time-step: ");
        return NULL;
    }
    const gboolean chosen = o->time_step != NULL || d->time_step > 0;
    d->time_step = step; /* what accumulated quantities are looked up by */
    g_autofree gint64 *times = m2n_input_times(in, d, n, error);
    if (times == NULL)
        return NULL;
    if (chosen)
        thin_times(times, n, step);
    if (*n < 2) {
        g_autofree char *at = *n > 0 ? m2n_time_format(times[0]) : g_strdup("none");

        g_set_error(error, M2N_ERROR, M2N_ERROR_MISSING,
                    "%s: one time alone (%s) has all variables; training needs a row of them",
                    o->inputs[0], at);
        return NULL;
    }
    if (!chosen)
        d->time_step = most_frequent_step(times, *n);
    return g_steal_pointer(&times);
}

gboolean
m2n_prepare_split(const char *const spans[M2N_N_SPANS], M2nSplit *split, GError **error)
{
    for (guint i = 0; i < M2N_N_SPANS; i++) {
        g_autofree char *where = g_strdup_printf("--%s", m2n_span_names[i]);

        split->span[i] = (M2nTimeSpan)M2N_TIME_SPAN_EMPTY;
        if (spans[i] != NULL && !m2n_time_span_parse(spans[i], where, &split->span[i], error))
            return FALSE;
    }
    if (split->span[M2N_SPAN_TRAIN].first > split->span[M2N_SPAN_TRAIN].last) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT,
                    "--train: needed where --validation or --test is given: the span to learn from, such as 2010/2015");
        return FALSE;
    }
    return m2n_split_check(split, "spans", error);
}

/* ---- the whole ------------------------------------------------------------------------------------ */

static gboolean
copy_times(M2nInput *in, const M2nDomain *d, const M2nPrepareOptions *o, const gint64 *times,
           gsize n, M2nDatasetWriter *w, M2nPrepareResult *result, M2nProgressFunc progress,
           gpointer user_data, GError **error)
{
    const gsize values = d->n_variables * d->grid->n_points;
    const guint64 most = m2n_memory_default(), own = 2 * values * sizeof(float); /* the writer has one, too */
    g_autofree float *x = own < most ? g_try_new(float, values) : NULL;

    if (x == NULL && own < most) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY, "no memory for one time of %u variables on %ux%u", d->n_variables,
                    d->grid->width, d->grid->height);
        return FALSE;
    }
    if (x == NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY,
                    "%u variables on %ux%u: one time takes %" G_GUINT64_FORMAT
                    " MiB, %" G_GUINT64_FORMAT " MiB are allowed",
                    d->n_variables, d->grid->width, d->grid->height, own >> 20, most >> 20);
        return FALSE;
    }
    m2n_input_set_memory(in, most - own);
    for (gsize i = 0; i < n; i++) {
        g_autoptr(GError) why = NULL;
        g_autofree char *at = m2n_time_format(times[i]);

        const gboolean read = m2n_input_read_window(in, d, 1, times[i], o->method, x, NULL, NULL, &why);
        const gboolean whole = read && m2n_dataset_writer_append(w, times[i], x, &why);
        const gboolean lacks = g_error_matches(why, M2N_ERROR, M2N_ERROR_SHAPE) ||
                               g_error_matches(why, M2N_ERROR, M2N_ERROR_FORMAT);
        if (!whole && !(lacks && o->skip_missing)) {
            const gboolean hint = lacks && (read || i > 0); /* where not even the first can be read, none can */
            g_set_error(error, M2N_ERROR, why->code, "%s: %s%s", at, why->message,
                        hint ? "; --skip-missing leaves such times out" : "");
            return FALSE;
        }
        result->times += whole ? 1 : 0;
        result->skipped += whole ? 0 : 1;
        if (progress && !progress((double)(i + 1) / (double)n, at, user_data)) {
            g_set_error(error, M2N_ERROR, M2N_ERROR_CANCELLED, "stopped; nothing was written");
            return FALSE;
        }
    }
    return TRUE;
}

gboolean
m2n_prepare(const M2nPrepareOptions *o, const char *path, M2nPrepareResult *result,
            M2nProgressFunc progress, gpointer user_data, GError **error)
{
    g_autoptr(M2nDomain) d = o->like ? domain_like(o->like, error) : g_new0(M2nDomain, 1);
    const gboolean split_given = o->spans[0] || o->spans[1] || o->spans[2];
    g_autofree char *cut = NULL;
    M2nSplit split;
    gsize n;

    *result = (M2nPrepareResult){0};
    if (d == NULL || (split_given && !m2n_prepare_split(o->spans, &split, error)))
        return FALSE;
    if (d->variables == NULL && o->variables == NULL) {
        g_set_error(
            error, M2N_ERROR, M2N_ERROR_ARGUMENT,
            "--variables: needed, such as u10,v10,t2m; met2net-info shows what a file holds");
        return FALSE;
    }
    if (o->variables != NULL) {
        g_clear_pointer(&d->variables, g_free);
        d->n_variables = 0;
        if (!set_variables(d, o->variables, error))
            return FALSE;
    }
    if (!m2n_durable_is_no_input(path, o->inputs, error))
        return FALSE;
    g_autoptr(M2nInput) in = m2n_input_open(o->inputs, error);
    if (in == NULL)
        return FALSE;
    g_autofree gint64 *times = find_times(d, o, in, &n, error);
    if (times == NULL || !set_grid(d, o, in, &cut, error))
        return FALSE;
    g_autoptr(M2nDatasetWriter) w = m2n_dataset_writer_new(path, d, error);
    if (w == NULL || !copy_times(in, d, o, times, n, w, result, progress, user_data, error) ||
        !m2n_dataset_writer_finish(w, split_given ? &split : NULL, error))
        return FALSE;
    result->grid = m2n_grid_describe(d->grid);
    result->cut = g_steal_pointer(&cut);
    result->note = g_strdup(m2n_input_note(in));
    return TRUE;
}
