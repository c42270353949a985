/* Messages of many files, sorted by valid time; windows of model input out of them. */
#include "grib/archive.h"

#include <math.h>
#include <string.h>

#include "engine/base/error.h"
#include "grib/grib_reader.h"
#include "grib/units.h"
#include "grib/variable.h"

typedef struct {
    M2nGribReader *reader; /* borrowed */
    guint index;           /* in the reader */
    M2nGribHeader header;
} Message;

typedef struct {
    M2nGrid *from, *to;
    M2nRegridMethod method;
    M2nRegrid *regrid;
} Weights;

struct M2nArchive {
    GPtrArray *readers;
    GArray *messages;    /* of Message, by valid time, then reference time, newest first */
    GPtrArray *problems; /* of char*: one line per message left out */
    GArray *weights;
    char *name; /* "a.grib2" or "a.grib2 and 3 more" */
};

static void
clear_message(gpointer m)
{
    m2n_grib_header_clear(&((Message *)m)->header);
}

static void
clear_weights(gpointer p)
{
    Weights *w = p;

    m2n_grid_unref(w->from);
    m2n_grid_unref(w->to);
    m2n_regrid_free(w->regrid);
}

void
m2n_archive_free(M2nArchive *a)
{
    g_array_unref(a->messages);
    g_array_unref(a->weights);
    g_ptr_array_unref(a->readers);
    g_ptr_array_unref(a->problems);
    g_free(a->name);
    g_free(a);
}

/* Newest run first among equals, so that an analysis outranks yesterday's forecast of the same time; then
 * the file's order. */
static int
compare_messages(gconstpointer x, gconstpointer y)
{
    const Message *a = x, *b = y;

    if (a->header.valid_time != b->header.valid_time)
        return a->header.valid_time < b->header.valid_time ? -1 : 1;
    if (a->header.reference_time != b->header.reference_time)
        return a->header.reference_time > b->header.reference_time ? -1 : 1;
    if (a->header.member != b->header.member)
        return a->header.member < b->header.member ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

/* ---- opening ------------------------------------------------------------------------------- */

static gboolean
add_source(M2nArchive *a, M2nSource *source, gboolean skip_damaged, GError **error)
{
    M2nGribReader *r = m2n_grib_reader_open(source, error);

    if (r == NULL)
        return FALSE;
    g_ptr_array_add(a->readers, r);
    for (guint i = 0; i < m2n_grib_reader_count(r); i++) {
        g_autoptr(GError) problem = NULL;
        Message m = {.reader = r, .index = i};

        if (m2n_grib_reader_header(r, i, &m.header, &problem)) {
            g_array_append_val(a->messages, m);
            continue;
        }
        if (g_error_matches(problem, M2N_ERROR, M2N_ERROR_IO) ||
            g_error_matches(problem, M2N_ERROR, M2N_ERROR_MEMORY) ||
            (!skip_damaged && m2n_grib_reader_entry(r, i)->problem != NULL)) {
            g_propagate_error(error, g_steal_pointer(&problem));
            return FALSE;
        }
        g_ptr_array_add(a->problems, g_strdup(problem->message));
    }
    return TRUE;
}

M2nArchive *
m2n_archive_open_with(M2nSource *const *sources, guint n_sources, const M2nArchiveOptions *options,
                      GError **error)
{
    g_assert(n_sources > 0);
    g_autoptr(M2nArchive) a = g_new0(M2nArchive, 1);

    a->readers = g_ptr_array_new_with_free_func((GDestroyNotify)m2n_grib_reader_close);
    a->problems = g_ptr_array_new_with_free_func(g_free);
    a->messages = g_array_new(FALSE, TRUE, sizeof(Message));
    g_array_set_clear_func(a->messages, clear_message);
    a->weights = g_array_new(FALSE, TRUE, sizeof(Weights));
    g_array_set_clear_func(a->weights, clear_weights);
    a->name = n_sources == 1
                  ? g_strdup(m2n_source_name(sources[0]))
                  : g_strdup_printf("%s and %u more", m2n_source_name(sources[0]), n_sources - 1);
    for (guint i = 0; i < n_sources; i++)
        if (!add_source(a, sources[i], options->skip_damaged, error))
            return NULL;
    if (a->messages->len == 0) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT, "%s",
                    (const char *)g_ptr_array_index(a->problems, 0));
        return NULL;
    }
    g_array_sort(a->messages, compare_messages);
    return g_steal_pointer(&a);
}

M2nArchive *
m2n_archive_open(M2nSource *const *sources, guint n_sources, GError **error)
{
    const M2nArchiveOptions options = M2N_ARCHIVE_OPTIONS_DEFAULT;

    return m2n_archive_open_with(sources, n_sources, &options, error);
}

guint
m2n_archive_count(const M2nArchive *a)
{
    return a->messages->len;
}

guint
m2n_archive_problems(const M2nArchive *a)
{
    return a->problems->len;
}

const char *
m2n_archive_problem(const M2nArchive *a, guint i)
{
    return g_ptr_array_index(a->problems, i);
}

long
m2n_archive_centre(const M2nArchive *a)
{
    return g_array_index(a->messages, Message, 0).header.centre;
}

const M2nGrid *
m2n_archive_grid(const M2nArchive *a, const M2nVariable *v)
{
    for (guint i = 0; i < a->messages->len; i++) {
        const M2nGribHeader *h = &g_array_index(a->messages, Message, i).header;
        if (m2n_variable_matches(v, h->param_id, h->type_of_level, h->level, h->statistics))
            return h->grid;
    }
    return NULL;
}

/* ---- finding ------------------------------------------------------------------------------- */

static gboolean
is(const Message *m, const M2nVariable *v)
{
    const M2nGribHeader *h = &m->header;

    return m2n_variable_matches(v, h->param_id, h->type_of_level, h->level, h->statistics);
}

/* Of several messages the first (see compare_messages) whose span is the wanted one: none for
 * instantaneous quantities, one time step for accumulated ones. */
static const Message *
find(const M2nArchive *a, const M2nVariable *v, gint64 time, gint64 step)
{
    const M2nVariableInfo *info = m2n_variable_info(v);
    const gint64 span = info != NULL && info->statistics != M2N_INSTANT ? step : 0;
    const Message *second = NULL;
    guint lo = 0, hi = a->messages->len;

    while (lo < hi) { /* the first message of that time */
        const guint mid = (lo + hi) / 2;
        if (g_array_index(a->messages, Message, mid).header.valid_time < time)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (; lo < a->messages->len; lo++) {
        const Message *m = &g_array_index(a->messages, Message, lo);
        if (m->header.valid_time != time)
            break;
        if (!is(m, v))
            continue;
        if (m->header.span == span)
            return m;
        if (second == NULL && span == 0)
            second = m;
    }
    return second;
}

static char *
format_time(gint64 t)
{
    g_autoptr(GDateTime) d = g_date_time_new_from_unix_utc(t);

    return d != NULL ? g_date_time_format(d, "%Y-%m-%dT%H:%MZ")
                     : g_strdup_printf("%" G_GINT64_FORMAT " s", t);
}

/* "t2m at 744 times, 2024-01-01T00:00Z to ...", or what the archive holds instead. */
static char *
what_there_is(const M2nArchive *a, const M2nVariable *v)
{
    g_autoptr(GHashTable) names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    GString *s = g_string_new(NULL);
    gint64 first = 0, last = 0;
    guint n = 0;

    for (guint i = 0; i < a->messages->len; i++) {
        const Message *m = &g_array_index(a->messages, Message, i);
        const M2nGribHeader *h = &m->header;
        if (is(m, v)) {
            first = n == 0 ? h->valid_time : first;
            last = h->valid_time;
            n++;
        } else if (n == 0 && g_hash_table_size(names) < 12) {
            char *name = g_strdup_printf("%s/%s/%g", h->name, h->type_of_level, h->level);
            if (g_hash_table_add(names, name))
                g_string_append_printf(s, "%s%s", s->len > 0 ? ", " : "", name);
        }
    }
    if (n > 0) {
        g_autofree char *from = format_time(first), *to = format_time(last);
        g_string_printf(s, "%u such messages, %s to %s", n, from, to);
    }
    return g_string_free(s, FALSE);
}

static void
missing(const M2nArchive *a, const M2nVariable *v, const char *when, GError **error)
{
    g_autofree char *found = what_there_is(a, v);
    g_autofree char *left_out =
        a->problems->len > 0
            ? g_strdup_printf("; %u messages could not be used, first: %s", a->problems->len,
                              (const char *)g_ptr_array_index(a->problems, 0))
            : g_strdup("");

    g_set_error(error, M2N_ERROR, M2N_ERROR_MISSING,
                "%s: needs %s (paramId %ld, %s %g) %s; found %s%s", a->name, v->name, v->param_id,
                v->type_of_level, v->level, when, found, left_out);
}

gboolean
m2n_archive_latest(const M2nArchive *a, const M2nDomain *d, guint steps, gint64 *init_time,
                   GError **error)
{
    const M2nVariable *worst = &d->variables[0];
    gint64 lacking = 0, tried = G_MININT64;
    guint furthest = 0;

    g_assert(steps > 0 && d->n_variables > 0);
    for (guint i = a->messages->len; i > 0; i--) {
        const gint64 t = g_array_index(a->messages, Message, i - 1).header.valid_time;
        guint have = 0;

        if (t == tried)
            continue;
        tried = t;
        for (; have < steps * d->n_variables; have++)
            if (find(a, &d->variables[have % d->n_variables],
                     t - have / d->n_variables * d->time_step, d->time_step) == NULL)
                break;
        if (have == steps * d->n_variables) {
            *init_time = t;
            return TRUE;
        }
        if (have > furthest || i == a->messages->len) {
            furthest = have;
            worst = &d->variables[have % d->n_variables];
            lacking = t - have / d->n_variables * d->time_step;
        }
    }
    g_autofree char *time = format_time(lacking);
    g_autofree char *when = g_strdup_printf("at %u times %" G_GINT64_FORMAT " s apart; lacks %s",
                                            steps, d->time_step, time);
    missing(a, worst, when, error);
    return FALSE;
}

gint64 *
m2n_archive_times(const M2nArchive *a, const M2nDomain *d, gsize *n, GError **error)
{
    g_autofree gint64 *times = g_new(gint64, a->messages->len);
    const M2nVariable *lacks = &d->variables[0];
    gint64 tried = G_MININT64;

    *n = 0;
    for (guint i = 0; i < a->messages->len; i++) {
        const gint64 t = g_array_index(a->messages, Message, i).header.valid_time;
        guint have = 0;

        if (t == tried)
            continue;
        tried = t;
        while (have < d->n_variables && find(a, &d->variables[have], t, d->time_step) != NULL)
            have++;
        if (have == d->n_variables)
            times[(*n)++] = t;
        else
            lacks = &d->variables[have];
    }
    if (*n > 0)
        return g_steal_pointer(&times);
    missing(a, lacks, "at a time when the others are there", error);
    return NULL;
}

/* ---- reading ------------------------------------------------------------------------------- */

static const M2nRegrid *
regrid_for(M2nArchive *a, M2nGrid *from, M2nGrid *to, M2nRegridMethod method, GError **error)
{
    for (guint i = 0; i < a->weights->len; i++) {
        const Weights *w = &g_array_index(a->weights, Weights, i);
        if (w->method == method && m2n_grid_equal(w->from, from) && m2n_grid_equal(w->to, to))
            return w->regrid;
    }
    M2nRegrid *r = m2n_regrid_new(from, to, method, error);
    if (r == NULL)
        return NULL;
    const Weights w = {m2n_grid_ref(from), m2n_grid_ref(to), method, r};
    g_array_append_val(a->weights, w);
    return r;
}

static gboolean
convert(const M2nVariable *v, const Message *m, float *x, gsize n, GError **error)
{
    double scale, offset;

    if (!m2n_units_conversion(m->header.units, v->units, &scale, &offset, error))
        return FALSE;
    for (gsize i = 0; (scale != 1 || offset != 0) && i < n; i++)
        x[i] = (float)((double)x[i] * scale + offset);
    return TRUE;
}

/* One field of the window. */
static gboolean
read_field(M2nArchive *a, const M2nDomain *d, const M2nVariable *v, const Message *m,
           M2nRegridMethod method, float *out, GError **error)
{
    const gsize n = d->grid->n_points;
    g_autofree float *values = g_try_new(float, m->header.grid->n_points);

    if (values == NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY,
                    "%s: message %u: %" G_GSIZE_FORMAT " points", m2n_grib_reader_name(m->reader),
                    m->header.number, m->header.grid->n_points);
        return FALSE;
    }
    const M2nRegrid *r = regrid_for(a, m->header.grid, d->grid, method, error);
    if (r == NULL || !convert(v, m, values, 0, error)) {
        g_prefix_error(error, "%s: message %u: ", m2n_grib_reader_name(m->reader),
                       m->header.number);
        return FALSE;
    }
    if (!m2n_grib_reader_values(m->reader, m->index, &m->header, values, error))
        return FALSE;
    m2n_regrid_apply(r, values, out);
    gsize lacking = 0;
    for (gsize i = 0; i < n; i++)
        lacking += (gsize)(isnan(out[i]) != 0);
    if (lacking > 0) {
        g_autofree char *grid = m2n_grid_describe(m->header.grid);
        g_set_error(error, M2N_ERROR, M2N_ERROR_SHAPE,
                    "%s: message %u: %s has no value at %" G_GSIZE_FORMAT " of %" G_GSIZE_FORMAT
                    " points of the model's grid; its own grid is %s",
                    m2n_grib_reader_name(m->reader), m->header.number, v->name, lacking, n, grid);
        return FALSE;
    }
    return convert(v, m, out, n, error);
}

/* Message k of a window: step k / V, variable k % V.  NULL: M2N_ERROR_MISSING. */
static const Message *
find_in_window(const M2nArchive *a, const M2nDomain *d, guint steps, gint64 init_time, guint k,
               GError **error)
{
    const M2nVariable *v = &d->variables[k % d->n_variables];
    const gint64 t = init_time - (gint64)(steps - 1 - k / d->n_variables) * d->time_step;
    const Message *m = find(a, v, t, d->time_step);

    if (m == NULL) {
        g_autofree char *time = format_time(t), *when = g_strdup_printf("at %s", time);
        missing(a, v, when, error);
    }
    return m;
}

gboolean
m2n_archive_has_window(const M2nArchive *a, const M2nDomain *d, guint steps, gint64 init_time,
                       GError **error)
{
    for (guint k = 0; k < steps * d->n_variables; k++)
        if (find_in_window(a, d, steps, init_time, k, error) == NULL)
            return FALSE;
    return TRUE;
}

gboolean
m2n_archive_read_window(M2nArchive *a, const M2nDomain *d, guint steps, gint64 init_time,
                        M2nRegridMethod method, float *out, M2nProgressFunc progress,
                        gpointer user_data, GError **error)
{
    const gsize n = d->grid->n_points;
    const guint fields = steps * d->n_variables;
    g_autofree const Message **found = g_new(const Message *, fields);

    for (guint k = 0; k < fields; k++) { /* all of them before any is decoded */
        found[k] = find_in_window(a, d, steps, init_time, k, error);
        if (found[k] == NULL)
            return FALSE;
    }
    for (guint k = 0; k < fields; k++) {
        const M2nVariable *v = &d->variables[k % d->n_variables];

        if (!read_field(a, d, v, found[k], method, out + k * n, error))
            return FALSE;
        if (progress != NULL && !progress((k + 1.0) / fields, "reading", user_data)) {
            g_set_error(error, M2N_ERROR, M2N_ERROR_CANCELLED, "%s: reading was stopped", a->name);
            return FALSE;
        }
    }
    return TRUE;
}
