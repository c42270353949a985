/* Fields out of messages: framing, header, values and orientation put together. */
#include "grib/grib_reader.h"

#include "engine/base/error.h"
#include "engine/base/memory_limit.h"
#include "grib/grib_decode.h"
#include "grib/grib_reader_private.h"
#include "grib/grib_unpack.h"
#include "grib/index_cache.h"

#define MOST_KEPT 500000u /* fields: the file of more is larger than index_cache.c takes */

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
    return m2n_grib_reader_open_within(source, m2n_memory_default(), error);
}

M2nGribReader *
m2n_grib_reader_open_within(M2nSource *source, guint64 memory, GError **error)
{
    M2nGribReader *r = g_new0(M2nGribReader, 1);

    r->memory = memory;
    r->source = m2n_source_ref(source);
    r->grids = g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref,
                                     free_layout);
    r->names =
        g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, g_free);
    g_mutex_init(&r->lock);
    if (m2n_source_size(source) >= M2N_GRIB_INDEX_FROM) {
        g_autofree char *key = index_key(source);
        g_autoptr(GBytes) index = m2n_index_cache_load(key);
        if (index != NULL && m2n_grib_index_read(r, index))
            return r;
    }
    r->entries = m2n_grib_scan(source, memory, error);
    if (r->entries != NULL)
        return r;
    m2n_grib_reader_close(r);
    return NULL;
}

void
m2n_grib_reader_keep_index(M2nGribReader *r, const M2nGribHeader *const *headers)
{
    if (r->known != NULL || m2n_source_size(r->source) < M2N_GRIB_INDEX_FROM ||
        r->entries->len > MIN(r->memory / M2N_GRIB_INDEX_BYTES, MOST_KEPT))
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
    g_hash_table_unref(r->names);
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

guint64
m2n_grib_reader_memory(M2nGribReader *r)
{
    g_mutex_lock(&r->lock);
    const guint64 bytes = r->entries->len * (guint64)M2N_GRIB_FIELD_BYTES + r->grid_bytes + r->name_bytes;
    g_mutex_unlock(&r->lock);
    return bytes;
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

gboolean
m2n_grib_reader_about(const M2nGribReader *r, const M2nGribEntry *e, GError **error)
{
    g_prefix_error(error, "%s: message %u: ", m2n_source_name(r->source), e->number);
    return FALSE;
}

gboolean
m2n_grib_reader_usable(const M2nGribReader *r, const M2nGribEntry *e, GError **error)
{
    if (e->problem == NULL)
        return TRUE;
    g_set_error_literal(error, M2N_ERROR, M2N_ERROR_FORMAT, e->problem);
    return m2n_grib_reader_about(r, e, error);
}

/* ---- values ---------------------------------------------------------------------------------- */

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

    if (!m2n_grib_reader_usable(r, e, error))
        return FALSE;
    g_autofree guint8 *message = m2n_grib_message(r->source, e, &length, error);
    if (message == NULL)
        return FALSE;
    g_autofree float *room = oriented ? NULL : g_try_new(float, n + 1);
    if (!oriented && room == NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY, "no memory for %" G_GSIZE_FORMAT " points",
                    n);
        return m2n_grib_reader_about(r, e, error);
    }
    if (!m2n_grib_unpack(e->edition, message, length, oriented ? out : room, n, error))
        return m2n_grib_reader_about(r, e, error);
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
                    "%s: message %u: no memory for %" G_GSIZE_FORMAT " points",
                    m2n_source_name(r->source), h.number, h.grid->n_points);
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
