/* What the messages of an archive suffice for: times, windows, one grid; and what lacks. */
#include "engine/base/error.h"
#include "grib/archive_private.h"

typedef M2nArchiveMessage Message;

/* (transfer full) */
static char *
format_time(gint64 t)
{
    g_autoptr(GDateTime) d = g_date_time_new_from_unix_utc(t);

    return d != NULL ? g_date_time_format(d, "%Y-%m-%dT%H:%MZ")
                     : g_strdup_printf("%" G_GINT64_FORMAT " s", t);
}

/* (transfer full) "744 such messages, 2024-01-01T00:00Z to ...", or what the archive holds instead. */
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
        if (m2n_archive_message_is(m, v)) {
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

/* M2N_ERROR_MISSING: what is needed and what there is instead. */
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
    M2nRecipe recipe;

    g_assert(steps > 0 && d->n_variables > 0);
    for (guint i = a->messages->len; i > 0; i--) {
        const gint64 t = g_array_index(a->messages, Message, i - 1).header.valid_time;
        guint have = 0;

        if (t == tried)
            continue;
        tried = t;
        for (; have < steps * d->n_variables; have++)
            if (!m2n_archive_recipe(a, &d->variables[have % d->n_variables],
                                    t - have / d->n_variables * d->time_step, d->time_step, &recipe,
                                    NULL))
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
    M2nRecipe recipe;

    *n = 0;
    for (guint i = 0; i < a->messages->len; i++) {
        const gint64 t = g_array_index(a->messages, Message, i).header.valid_time;
        guint have = 0;

        if (t == tried)
            continue;
        tried = t;
        while (have < d->n_variables &&
               m2n_archive_recipe(a, &d->variables[have], t, d->time_step, &recipe, NULL))
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

gboolean
m2n_archive_one_grid(const M2nArchive *a, const M2nVariable *v, GError **error)
{
    const Message *first = NULL;

    for (guint i = 0; i < a->messages->len; i++) {
        const Message *m = &g_array_index(a->messages, Message, i);

        if (!m2n_archive_message_is(m, v))
            continue;
        first = first != NULL ? first : m;
        if (m2n_grid_equal(first->header.grid, m->header.grid))
            continue;
        g_autofree char *one = m2n_grid_describe(first->header.grid);
        g_autofree char *other = m2n_grid_describe(m->header.grid);
        g_set_error(error, M2N_ERROR, M2N_ERROR_SHAPE,
                    "%s on two grids: %s: message %u: %s; %s: message %u: %s", v->name,
                    m2n_grib_reader_name(first->reader), first->header.number, one,
                    m2n_grib_reader_name(m->reader), m->header.number, other);
        return FALSE;
    }
    return TRUE;
}

gboolean
m2n_archive_window_recipe(const M2nArchive *a, const M2nDomain *d, guint steps, gint64 init_time, guint k,
                          M2nRecipe *recipe, GError **error)
{
    const M2nVariable *v = &d->variables[k % d->n_variables];
    const gint64 t = init_time - (gint64)(steps - 1 - k / d->n_variables) * d->time_step;
    M2nVariable lacks;

    if (m2n_archive_recipe(a, v, t, d->time_step, recipe, &lacks))
        return TRUE;
    g_autofree char *time = format_time(t);
    g_autofree char *init = format_time(init_time);
    g_autofree char *when =
        steps == 1 ? g_strdup_printf("at %s", time)
        : g_str_equal(lacks.name, v->name)
            ? g_strdup_printf("at %s, one of the %u times up to %s", time, steps, init)
            : g_strdup_printf("at %s on the same grid, to turn %s, which is relative to the grid", time, v->name);
    missing(a, &lacks, when, error);
    return FALSE;
}

gboolean
m2n_archive_has_window(const M2nArchive *a, const M2nDomain *d, guint steps, gint64 init_time,
                       GError **error)
{
    M2nRecipe recipe;

    for (guint k = 0; k < steps * d->n_variables; k++)
        if (!m2n_archive_window_recipe(a, d, steps, init_time, k, &recipe, error))
            return FALSE;
    return TRUE;
}
