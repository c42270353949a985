/* Fields out of messages: framing, header, grid and orientation put together. */
#include "grib/grib_reader.h"

#include <math.h>
#include <string.h>

#include "engine/base/error.h"
#include "grib/grib_bare.h"
#include "grib/grib_decode.h"
#include "grib/grib_reader_private.h"
#include "grib/grib_spec.h"
#include "grib/grib_unpack.h"
#include "grib/index_cache.h"

static void
free_layout(gpointer h)
{
    m2n_grib_header_clear(h);
    g_free(h);
}

/* What an index is good for: this content, read by this eccodes, laid out as here. */
static char *
index_key(M2nSource *source)
{
    return g_strdup_printf("2 %ld %" G_GUINT64_FORMAT " %s %s", m2n_eccodes_version(),
                           m2n_source_size(source), m2n_source_stamp(source),
                           m2n_source_name(source));
}

M2nGribReader *
m2n_grib_reader_open(M2nSource *source, GError **error)
{
    M2nGribReader *r = g_new0(M2nGribReader, 1);

    r->source = m2n_source_ref(source);
    r->grids = g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref,
                                     free_layout);
    g_mutex_init(&r->lock);
    if (m2n_source_size(source) >= M2N_GRIB_INDEX_FROM) {
        g_autofree char *key = index_key(source);
        g_autoptr(GBytes) index = m2n_index_cache_load(key);
        if (index != NULL && m2n_grib_index_read(r, index))
            return r;
    }
    r->entries = m2n_grib_scan(source, error);
    if (r->entries != NULL)
        return r;
    m2n_grib_reader_close(r);
    return NULL;
}

void
m2n_grib_reader_keep_index(M2nGribReader *r, const M2nGribHeader *const *headers)
{
    if (r->known != NULL || m2n_source_size(r->source) < M2N_GRIB_INDEX_FROM)
        return;
    g_autofree char *key = index_key(r->source);
    g_autoptr(GBytes) index = m2n_grib_index_write(r, headers);
    m2n_index_cache_store(key, index);
}

void
m2n_grib_reader_close(M2nGribReader *r)
{
    m2n_source_unref(r->source);
    for (guint i = 0; r->known != NULL && i < r->entries->len; i++)
        m2n_grib_header_clear(&r->known[i]);
    g_free(r->known);
    g_clear_pointer(&r->entries, g_array_unref);
    g_hash_table_unref(r->grids);
    g_mutex_clear(&r->lock);
    g_free(r);
}

guint
m2n_grib_reader_count(const M2nGribReader *r)
{
    return r->entries->len;
}

const M2nGribEntry *
m2n_grib_reader_entry(const M2nGribReader *r, guint i)
{
    g_assert(i < r->entries->len);
    return &g_array_index(r->entries, M2nGribEntry, i);
}

const char *
m2n_grib_reader_name(const M2nGribReader *r)
{
    return m2n_source_name(r->source);
}

void
m2n_grib_header_clear(M2nGribHeader *h)
{
    if (h->grid != NULL)
        m2n_grid_unref(h->grid);
    h->grid = NULL;
}

static gboolean
about(const M2nGribReader *r, const M2nGribEntry *e, GError **error)
{
    g_prefix_error(error, "%s: message %u: ", m2n_source_name(r->source), e->number);
    return FALSE;
}

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
    const gsize first = (gsize)p[0] << 16 | (gsize)p[1] << 8 | p[2];
    if (length < 40 || (p[7] & 0x80) == 0 || first + 6 > (gsize)(end - p))
        return p;
    p += first;
    *n = (gsize)p[0] << 16 | (gsize)p[1] << 8 | p[2];
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
        if (made == NULL) {
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
    g_autofree guint8 *message = m2n_grib_message(r->source, e, FALSE, &length, error);

    if (message == NULL)
        return NULL;
    const guint8 *section = grid_section(e, message, length, &n);
    return g_bytes_new(section, n);
}

static gboolean
usable(const M2nGribReader *r, const M2nGribEntry *e, GError **error)
{
    if (e->problem == NULL)
        return TRUE;
    g_set_error_literal(error, M2N_ERROR, M2N_ERROR_FORMAT, e->problem);
    return about(r, e, error);
}

gboolean
m2n_grib_reader_header(M2nGribReader *r, guint i, M2nGribHeader *h, GError **error)
{
    const M2nGribEntry *e = m2n_grib_reader_entry(r, i);
    g_auto(M2nGribHeader) f = {.number = e->number, .edition = e->edition};
    gsize length;

    if (!usable(r, e, error))
        return FALSE;
    if (r->known != NULL && r->known[i].number != 0) {
        *h = r->known[i];
        m2n_grid_ref(h->grid);
        return TRUE;
    }
    g_autofree guint8 *message = m2n_grib_message(r->source, e, FALSE, &length, error);
    if (message == NULL)
        return FALSE;
    const gsize values = e->edition == 1 ? m2n_grib_count_1(message, length) : 0;
    if (!m2n_eccodes_header(message, length, &f, error) ||
        !read_grid(r, e, message, length, values, &f, error))
        return about(r, e, error);
    *h = f;
    f.grid = NULL;
    return TRUE;
}

static gboolean
is_oriented(const M2nGribHeader *h)
{
    return !h->i_negative && !h->j_positive && !h->j_consecutive && !h->alternating;
}

/* Stored order to north-up, west to east. */
static void
orient(const M2nGribHeader *h, const float *in, float *out)
{
    const M2nGrid *g = h->grid;
    const gsize rows = g->height;
    gsize start = 0; /* of the row in out */

    for (gsize row = 0; row < rows; row++) {
        const gsize n = g->row_points != NULL ? g->row_points[row] : g->width;
        const gsize j = h->j_positive ? rows - 1 - row : row;
        const gsize from = h->j_positive ? g->n_points - start - n : start;
        for (gsize column = 0; column < n; column++) {
            const gsize i = h->i_negative ? n - 1 - column : column;
            gsize k = from + i;
            if (h->j_consecutive)
                k = i * rows + (h->alternating && i % 2 == 1 ? rows - 1 - j : j);
            else if (h->alternating && j % 2 == 1)
                k = from + n - 1 - i;
            out[start + column] = in[k];
        }
        start += n;
    }
}

gboolean
m2n_grib_reader_values(M2nGribReader *r, guint i, const M2nGribHeader *header, float *out,
                       GError **error)
{
    const M2nGribEntry *e = m2n_grib_reader_entry(r, i);
    const gsize n = header->grid->n_points;
    const gboolean oriented = is_oriented(header) || !m2n_grid_has_place(header->grid);
    gsize length;

    if (!usable(r, e, error))
        return FALSE;
    g_autofree guint8 *message = m2n_grib_message(r->source, e, TRUE, &length, error);
    if (message == NULL)
        return FALSE;
    g_autofree float *room = oriented ? NULL : g_try_new(float, n + 1);
    if (!oriented && room == NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY, "%" G_GSIZE_FORMAT " points", n);
        return about(r, e, error);
    }
    if (!m2n_grib_unpack(e->edition, message, length, oriented ? out : room, n, error))
        return about(r, e, error);
    if (!oriented)
        orient(header, room, out);
    return TRUE;
}

M2nField *
m2n_grib_reader_field(M2nGribReader *r, guint i, GError **error)
{
    g_auto(M2nGribHeader) h = {0};

    if (!m2n_grib_reader_header(r, i, &h, error))
        return NULL;
    g_autoptr(M2nField) f = g_new0(M2nField, 1);
    f->values = g_try_new(float, h.grid->n_points);
    if (f->values == NULL && h.grid->n_points > 0) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY,
                    "%s: message %u: %" G_GSIZE_FORMAT " points", m2n_source_name(r->source),
                    h.number, h.grid->n_points);
        return NULL;
    }
    if (!m2n_grib_reader_values(r, i, &h, f->values, error))
        return NULL;
    g_strlcpy(f->name, h.name, sizeof f->name);
    g_strlcpy(f->units, h.units, sizeof f->units);
    g_strlcpy(f->type_of_level, h.type_of_level, sizeof f->type_of_level);
    f->param_id = h.param_id;
    f->level = h.level;
    f->reference_time = h.reference_time;
    f->valid_time = h.valid_time;
    f->span = h.span;
    f->grid = g_steal_pointer(&h.grid);
    return g_steal_pointer(&f);
}
