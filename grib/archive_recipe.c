/* From a wanted variable and time to the messages it comes from, directly or by way of others. */

#include "grib/archive_private.h"
#include "grib/variable.h"

#define GRAVITY 9.80665

typedef M2nArchiveMessage Message;

gboolean
m2n_archive_message_is(const M2nArchiveMessage *m, const M2nVariable *v)
{
    const M2nGribHeader *h = &m->header;

    return m2n_variable_matches(v, h->param_id, h->type_of_level, h->level, h->statistics);
}

/* The first message of that time. */
static guint
first_at(const M2nArchive *a, gint64 time)
{
    guint lo = 0, hi = a->messages->len;

    while (lo < hi) {
        const guint mid = (lo + hi) / 2;
        if (g_array_index(a->messages, Message, mid).header.valid_time < time)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* The first message (newest run, see the order of messages) of that variable, time and span; span < 0: any;
 * reference_time G_MININT64: any. */
static const Message *
find(const M2nArchive *a, const M2nVariable *v, gint64 time, gint64 span, gint64 reference_time)
{
    for (guint i = first_at(a, time); i < a->messages->len; i++) {
        const Message *m = &g_array_index(a->messages, Message, i);
        if (m->header.valid_time != time)
            break;
        if ((span < 0 || m->header.span == span) &&
            (reference_time == G_MININT64 || m->header.reference_time == reference_time) &&
            m2n_archive_message_is(m, v))
            return m;
    }
    return NULL;
}

/* Accumulated since the run's start, now and a step ago. */
static gboolean
difference(const M2nArchive *a, const M2nVariable *v, gint64 time, gint64 step, M2nRecipe *r)
{
    for (guint i = first_at(a, time); i < a->messages->len; i++) {
        const Message *late = &g_array_index(a->messages, Message, i);
        const gint64 start = late->header.valid_time - late->header.span;

        if (late->header.valid_time != time)
            break;
        if (late->header.span <= step || !m2n_archive_message_is(late, v))
            continue;
        const Message *early =
            find(a, v, time - step, time - step - start, late->header.reference_time);
        if (early != NULL && m2n_grid_equal(early->header.grid, late->header.grid)) {
            *r = (M2nRecipe){M2N_RECIPE_DIFFERENCE, {late, early}, FALSE, 1};
            return TRUE;
        }
    }
    return FALSE;
}

static gboolean
accumulated(const M2nArchive *a, const M2nVariable *v, M2nStatistics statistics, gint64 time,
            gint64 step, M2nRecipe *r)
{
    const Message *m = find(a, v, time, step, G_MININT64);

    if (m == NULL)
        m = find(a, v, time, 0, G_MININT64); /* edition 1 may not state the interval */
    if (m != NULL) {
        *r = (M2nRecipe){M2N_RECIPE_AS_IS, {m, NULL}, FALSE, 1};
        return TRUE;
    }
    return statistics == M2N_ACCUMULATED && difference(a, v, time, step, r);
}

static gboolean
instantaneous(const M2nArchive *a, const M2nVariable *v, gint64 time, M2nRecipe *r,
              M2nVariable *lacks)
{
    const Message *m = find(a, v, time, -1, G_MININT64);
    M2nVariable other;
    gboolean is_u;

    if (m == NULL)
        return FALSE;
    *r = (M2nRecipe){M2N_RECIPE_AS_IS, {m, NULL}, FALSE, 1};
    if (!m2n_wind_partner(v, &other, &is_u))
        return TRUE;
    const Message *b = find(a, &other, time, -1, m->header.reference_time);
    if (b != NULL && m2n_grid_equal(b->header.grid, m->header.grid) &&
        b->header.uv_relative == m->header.uv_relative) {
        *r = (M2nRecipe){M2N_RECIPE_TURNED, {m, b}, is_u, 1};
        return TRUE;
    }
    if (!m->header.uv_relative || m2n_wind_is_earth_relative(m->header.grid))
        return TRUE; /* nothing to turn: the other one is not needed */
    if (lacks != NULL)
        *lacks = other;
    return FALSE;
}

/* A message of the variable called `name` at the level of `v`. */
static const Message *
ingredient(const M2nArchive *a, const char *name, const M2nVariable *v, gint64 time)
{
    g_autofree char *full = g_str_equal(v->type_of_level, "isobaricInhPa")
                                ? g_strdup_printf("%s_%.10g", name, v->level)
                                : g_strdup(name);
    M2nVariable w;

    return m2n_variable_from_name(full, &w, NULL) ? find(a, &w, time, -1, G_MININT64) : NULL;
}

static gboolean
pair(const Message *x, const Message *y, M2nRecipeKind kind, M2nRecipe *r)
{
    if (x == NULL || y == NULL || !m2n_grid_equal(x->header.grid, y->header.grid))
        return FALSE;
    *r = (M2nRecipe){kind, {x, y}, FALSE, 1};
    return TRUE;
}

/* Quantities that others determine. */
static gboolean
derived(const M2nArchive *a, const M2nVariable *v, const M2nVariableInfo *t, gint64 time,
        M2nRecipe *r)
{
    if (g_str_equal(t->name, "r2"))
        return pair(ingredient(a, "t2m", v, time), ingredient(a, "d2m", v, time),
                    M2N_RECIPE_DEW_POINT, r);
    if (g_str_equal(t->name, "r")) {
        const Message *temperature = ingredient(a, "t", v, time);
        return pair(temperature, ingredient(a, "q", v, time), M2N_RECIPE_SPECIFIC, r) ||
               pair(temperature, ingredient(a, "dpt", v, time), M2N_RECIPE_DEW_POINT, r);
    }
    const gboolean z = g_str_equal(t->name, "z");
    if (z || g_str_equal(t->name, "gh")) {
        const Message *m = ingredient(a, z ? "gh" : "z", v, time);
        *r = (M2nRecipe){M2N_RECIPE_GEOPOTENTIAL, {m, NULL}, FALSE, z ? GRAVITY : 1 / GRAVITY};
        return m != NULL;
    }
    return FALSE;
}

gboolean
m2n_archive_recipe(const M2nArchive *a, const M2nVariable *v, gint64 time, gint64 step,
                   M2nRecipe *recipe, M2nVariable *lacks)
{
    const M2nVariableInfo *t = m2n_variable_info(v);

    if (lacks != NULL)
        *lacks = *v;
    if (t != NULL && t->statistics != M2N_INSTANT)
        return accumulated(a, v, t->statistics, time, step, recipe);
    return instantaneous(a, v, time, recipe, lacks) ||
           (t != NULL && derived(a, v, t, time, recipe));
}
