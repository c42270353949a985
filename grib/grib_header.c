/* Headers: what a message says of its product, by way of eccodes, and of its grid, octet by octet. */
#include <math.h>
#include <string.h>

#include "engine/base/error.h"
#include "grib/grib_bare.h"
#include "grib/grib_decode.h"
#include "grib/grib_packed.h"
#include "grib/grib_reader_private.h"
#include "grib/grib_spec.h"
#include "grib/grib_unpack.h"

#define MOST_NAMES ((guint64)16 << 20) /* bytes: twenty thousand products */

/* ---- the grid ------------------------------------------------------------------------------ */

/* The grid section inside a message; n 0 when a GRIB1 message has none. */
static const guint8 *
grid_section(const M2nGribEntry *e, const guint8 *message, gsize length, gsize *n)
{
    const guint8 *p = message + 8, *end = message + length;

    *n = 0;
    if (e->edition == 2) {
        *n = e->size[3];
        return message + 16 + e->size[1] + e->size[2];
    }
    const gsize first = m2n_octets(p, 3);
    if (length < 40 || (p[7] & 0x80) == 0 || first < 28 || first + 6 > (gsize)(end - p))
        return p;
    p += first;
    *n = m2n_octets(p, 3);
    if (*n > (gsize)(end - p))
        *n = 0;
    return p;
}

/* The grid part of a header, from the section's octets. */
static M2nGribHeader *
layout_new(int edition, const guint8 *section, gsize n, gsize values, GError **error)
{
    M2nGridSpec s;
    M2nGribHeader *h = NULL;
    gboolean ok = edition == 2 ? m2n_grid_spec_read_2(&s, section, n, error)
                               : m2n_grid_spec_read_1(&s, section, n, error);

    if (ok) {
        if (s.n_points == 0 && (s.ni == 0 || s.nj == 0)) /* else the grid says it */
            s.n_points = values;
        if ((s.kind == M2N_SPEC_LATLON || s.kind == M2N_SPEC_GAUSSIAN) && !s.centre_stated &&
            !isnan(s.lat2) && s.lat1 != s.lat2)
            s.j_positive = s.lat1 < s.lat2; /* the corners outrank the flag */
        h = g_new0(M2nGribHeader, 1);
        h->grid = m2n_grid_spec_place(&s);
        h->uv_relative = s.uv_relative;
        h->i_negative = s.i_negative;
        h->j_positive = s.j_positive;
        h->j_consecutive = s.j_consecutive;
        h->alternating = s.alternating;
    }
    m2n_grid_spec_clear(&s);
    return h;
}

/* Whether the section alone does not tell the number of points (GRIB1). */
static gboolean
is_counted(const M2nGrid *g)
{
    return g->row_points != NULL || !m2n_grid_has_place(g);
}

/* Counts the bytes of one more grid.  FALSE: M2N_ERROR_MEMORY. */
static gboolean
may_keep_grid(M2nGribReader *r, guint64 bytes, GError **error)
{
    const guint64 fields = r->entries != NULL ? r->entries->len * (guint64)M2N_GRIB_FIELD_BYTES : 0;

    if (r->grid_bytes + bytes + fields > r->memory) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY,
                    "an index up to here takes %" G_GUINT64_FORMAT " MiB, most of it grids, %" G_GUINT64_FORMAT " MiB are allowed",
                    ((r->grid_bytes + bytes + fields) >> 20) + 1, r->memory >> 20);
        return FALSE;
    }
    r->grid_bytes += bytes;
    return TRUE;
}

gboolean
m2n_grib_reader_layout(M2nGribReader *r, int edition, GBytes *section, gsize values,
                       M2nGribHeader *h, GError **error)
{
    gsize n;
    const guint8 *octets = g_bytes_get_data(section, &n);

    g_mutex_lock(&r->lock);
    const M2nGribHeader *found = g_hash_table_lookup(r->grids, section);
    if (found == NULL || (edition == 1 && values != 0 && is_counted(found->grid) &&
                          found->grid->n_points != values)) {
        M2nGribHeader *made = layout_new(edition, octets, n, values, error);
        if (made == NULL || !may_keep_grid(r, n + sizeof *made + 128 + m2n_grid_bytes(made->grid), error)) {
            if (made != NULL)
                m2n_grib_header_clear(made);
            g_free(made);
            g_mutex_unlock(&r->lock);
            return FALSE;
        }
        found = made;
        g_hash_table_replace(r->grids, g_bytes_ref(section), made);
    }
    h->grid = m2n_grid_ref(found->grid);
    h->uv_relative = found->uv_relative;
    h->i_negative = found->i_negative;
    h->j_positive = found->j_positive;
    h->j_consecutive = found->j_consecutive;
    h->alternating = found->alternating;
    g_mutex_unlock(&r->lock);
    return TRUE;
}

static gboolean
read_grid(M2nGribReader *r, const M2nGribEntry *e, const guint8 *message, gsize length,
          gsize values, M2nGribHeader *h, GError **error)
{
    gsize n;
    const guint8 *section = grid_section(e, message, length, &n);

    if (n == 0) {
        g_set_error_literal(error, M2N_ERROR, M2N_ERROR_FORMAT,
                            "no grid section (a predefined grid)");
        return FALSE;
    }
    g_autoptr(GBytes) octets = g_bytes_new(section, n);
    return m2n_grib_reader_layout(r, e->edition, octets, values, h, error);
}

GBytes *
m2n_grib_reader_section(M2nGribReader *r, guint i, GError **error)
{
    const M2nGribEntry *e = m2n_grib_reader_entry(r, i);
    gsize length, n;
    g_autofree guint8 *message = m2n_grib_head(r->source, e, r->memory, &length, error);

    if (message == NULL)
        return NULL;
    const guint8 *section = grid_section(e, message, length, &n);
    return g_bytes_new(section, n);
}

/* ---- the product ----------------------------------------------------------------------------- */

/* Reference time and step in hours. */
typedef struct {
    guint year, month, day, hour, minute, second, step;
} Instant;

/* GRIB1: hours from the reference time, in one or two octets. */
static gboolean
take_instant_1(guint8 *s, Instant *t)
{
    *t = (Instant){s[24] * 100u + s[12] - 100,
                   s[13],
                   s[14],
                   s[15],
                   s[16],
                   0,
                   s[20] == 10 ? m2n_octets(s + 18, 2) : s[18]};
    if (s[17] != 1 || (s[20] != 0 && s[20] != 10) || s[12] < 1 || s[12] > 100 || s[24] < 19)
        return FALSE;
    memset(s + 12, 0, 5);
    memset(s + 18, 0, 2);
    s[24] = 0;
    return TRUE;
}

/* GRIB2: templates 4.0 and 4.1 in hours. */
static gboolean
take_instant_2(guint8 *s, Instant *t)
{
    guint8 *product = s + m2n_octets(s, 4);

    while (product[4] != 4)
        product += m2n_octets(product, 4);
    *t = (Instant){m2n_octets(s + 12, 2), s[14], s[15], s[16], s[17], s[18], 0};
    if (m2n_octets(product, 4) < 34 || m2n_octets(product + 7, 2) > 1 || product[17] != 1 ||
        t->year < 1800)
        return FALSE;
    t->step = m2n_octets(product + 18, 4);
    memset(s + 12, 0, 7);
    memset(product + 18, 0, 4);
    return TRUE;
}

/* Moves the time out of a bare message, so that what is left is the same for all times.  FALSE: a time that takes more
 * than adding hours. */
static gboolean
take_instant(int edition, guint8 *bare, Instant *t)
{
    if (!(edition == 1 ? take_instant_1(bare + 8, t) : take_instant_2(bare + 16, t)))
        return FALSE;
    return t->month >= 1 && t->month <= 12 && t->day >= 1 && t->day <= 31 && t->hour < 24 &&
           t->minute < 60 && t->second < 60 && t->step < 1u << 20;
}

/* The time that take_instant() took out. */
static void
put_instant(const Instant *t, M2nGribHeader *h)
{
    h->reference_time =
        m2n_grib_time(t->year, t->month, t->day, ((long)t->hour * 60 + t->minute) * 60 + t->second);
    h->valid_time = h->reference_time + (gint64)t->step * 3600;
    g_snprintf(h->step_range, sizeof h->step_range, "%u", t->step);
}

/* Whether two headers agree in their times. */
static gboolean
same_times(const M2nGribHeader *a, const M2nGribHeader *b)
{
    return a->reference_time == b->reference_time && a->valid_time == b->valid_time &&
           a->span == b->span && g_str_equal(a->step_range, b->step_range);
}

/* What is known of messages like this one, at its time. */
static gboolean
look_up(M2nGribReader *r, GBytes *timeless, const Instant *t, M2nGribHeader *h)
{
    g_mutex_lock(&r->lock);
    const M2nGribHeader *like = g_hash_table_lookup(r->names, timeless);
    if (like != NULL) {
        const guint number = h->number;
        *h = *like;
        h->number = number;
        put_instant(t, h);
    }
    g_mutex_unlock(&r->lock);
    return like != NULL;
}

/* Names, level and times.  eccodes takes most of a millisecond for a message; series are long and differ in time alone:
 * what it said of a message is kept and holds for those that differ in nothing else, where our own arithmetic finds
 * the same times in that message as eccodes did. */
static gboolean
read_product(M2nGribReader *r, const guint8 *message, gsize length, M2nGribHeader *h,
             GError **error)
{
    Instant t;
    gsize n;
    g_autofree guint8 *bare = m2n_grib_bare(h->edition, message, length, &n, error);

    if (bare == NULL)
        return FALSE;
    guint8 *copy = g_memdup2(bare, n);
    const gboolean instant = take_instant(h->edition, copy, &t);
    g_autoptr(GBytes) timeless = g_bytes_new_take(copy, n);
    if (instant && look_up(r, timeless, &t, h))
        return TRUE;
    if (!m2n_eccodes_header(bare, n, h, error))
        return FALSE;
    if (!instant)
        return TRUE;
    g_autofree M2nGribHeader *kept = g_memdup2(h, sizeof *h);
    put_instant(&t, kept);
    g_mutex_lock(&r->lock);
    const guint64 bytes = n + sizeof *kept + 128; /* and what GBytes and the table take */
    if (same_times(kept, h) && r->name_bytes + bytes <= MIN(MOST_NAMES, r->memory)) {
        r->name_bytes += bytes;
        g_hash_table_replace(r->names, g_steal_pointer(&timeless), g_steal_pointer(&kept));
    }
    g_mutex_unlock(&r->lock);
    return TRUE;
}

gboolean
m2n_grib_reader_header(M2nGribReader *r, guint i, M2nGribHeader *h, GError **error)
{
    const M2nGribEntry *e = m2n_grib_reader_entry(r, i);
    g_auto(M2nGribHeader) f = {.number = e->number, .edition = e->edition};
    gsize length;

    if (!m2n_grib_reader_usable(r, e, error))
        return FALSE;
    if (r->known != NULL && r->known[i].number != 0) {
        *h = r->known[i];
        m2n_grid_ref(h->grid);
        return TRUE;
    }
    g_autofree guint8 *message = m2n_grib_head(r->source, e, r->memory, &length, error);
    if (message == NULL)
        return FALSE;
    const gsize values = e->edition == 1 ? m2n_grib_count_1(message, length) : 0;
    if (!read_product(r, message, length, &f, error) ||
        !read_grid(r, e, message, length, values, &f, error))
        return m2n_grib_reader_about(r, e, error);
    m2n_grib_packing(e->edition, message, length, f.packing, sizeof f.packing);
    *h = f;
    f.grid = NULL;
    return TRUE;
}
