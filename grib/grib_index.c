/* A reader's entries and headers as a GVariant, whose reading is safe on any bytes. */

#include "grib/grib_reader_private.h"

/* file: grid sections; messages: framing, sections, problem, header there, names, times, grid, values */
#define MESSAGE                                                                                    \
    "(ttuyba(tu)s"                                                                                 \
    "b"                                                                                            \
    "xsxsssds"                                                                                     \
    "xxx"                                                                                          \
    "sxs"                                                                                          \
    "ut)"
#define FILE_TYPE "(a(yay)a" MESSAGE ")"

/* ---- writing ----------------------------------------------------------------------------------- */

static GVariant *
sections_of(const M2nGribEntry *e)
{
    GVariantBuilder b;

    g_variant_builder_init(&b, G_VARIANT_TYPE("a(tu)"));
    for (int s = 0; s < 8; s++)
        g_variant_builder_add(&b, "(tu)", e->at[s], e->size[s]);
    return g_variant_builder_end(&b);
}

static GVariant *
message_of(const M2nGribEntry *e, const M2nGribHeader *h, guint grid)
{
    const M2nGribHeader none = {0};
    const gboolean there = h != NULL;

    if (!there)
        h = &none;
    return g_variant_new("(ttuyb@a(tu)s"
                         "b"
                         "xsxsssds"
                         "xxx"
                         "sxs"
                         "ut)",
                         e->offset, e->length, e->number, e->edition, e->shared, sections_of(e),
                         e->problem != NULL ? e->problem : "", there, (gint64)h->centre,
                         h->centre_name, (gint64)h->param_id, h->name, h->units, h->type_of_level,
                         h->level, h->step_range, h->reference_time, h->valid_time, h->span,
                         h->statistics, (gint64)h->member, h->packing, grid,
                         (guint64)(h->grid != NULL ? h->grid->n_points : 0));
}

GBytes *
m2n_grib_index_write(M2nGribReader *r, const M2nGribHeader *const *headers)
{
    g_autoptr(GHashTable) numbers =
        g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, NULL);
    GVariantBuilder grids, messages;

    g_variant_builder_init(&grids, G_VARIANT_TYPE("a(yay)"));
    g_variant_builder_init(&messages, G_VARIANT_TYPE("a" MESSAGE));
    for (guint i = 0; i < r->entries->len; i++) {
        const M2nGribEntry *e = m2n_grib_reader_entry(r, i);
        GBytes *section = headers[i] != NULL ? m2n_grib_reader_section(r, i, NULL) : NULL;
        gpointer number = NULL;

        if (section != NULL && !g_hash_table_lookup_extended(numbers, section, NULL, &number)) {
            number = GUINT_TO_POINTER(g_hash_table_size(numbers));
            g_variant_builder_add(&grids, "(y@ay)", e->edition,
                                  g_variant_new_from_bytes(G_VARIANT_TYPE("ay"), section, TRUE));
            g_hash_table_insert(numbers, g_bytes_ref(section), number);
        }
        GVariant *message = message_of(e, section != NULL ? headers[i] : NULL, GPOINTER_TO_UINT(number));
        g_variant_get_data(message); /* makes one block of its 40 values, a twentieth in size */
        g_variant_builder_add_value(&messages, message);
        if (section != NULL)
            g_bytes_unref(section);
    }
    g_autoptr(GVariant) v = g_variant_ref_sink(g_variant_new(
        "(@a(yay)@a" MESSAGE ")", g_variant_builder_end(&grids), g_variant_builder_end(&messages)));
    return g_variant_get_data_as_bytes(v);
}

/* ---- reading ----------------------------------------------------------------------------------- */

typedef struct {
    M2nGribReader *reader;
    GPtrArray *sections; /* of GBytes */
    guint64 size;        /* of the source */
} Load;

static gboolean
fits(const M2nGribEntry *e, guint64 size)
{
    if (e->offset > size || (e->problem == NULL && e->length > size - e->offset) ||
        (e->edition != 1 && e->edition != 2) || (e->problem == NULL && e->length < 20))
        return FALSE;
    for (int s = 0; s < 8; s++)
        if (e->problem == NULL && (e->at[s] > e->length || e->size[s] > e->length - e->at[s]))
            return FALSE;
    return TRUE;
}

/* One message into an entry and a header. */
static gboolean
load_message(Load *l, GVariant *v, M2nGribEntry *e, M2nGribHeader *h)
{
    g_autoptr(GVariant) sections = NULL;
    const char *problem, *centre, *name, *units, *level_type, *range, *statistics, *packing;
    gboolean there;
    gint64 centre_code, param, member;
    guint32 grid;
    guint64 points;

    g_variant_get(v,
                  "(ttuyb@a(tu)&s"
                  "b"
                  "x&sx&s&s&sd&s"
                  "xxx"
                  "&sx&s"
                  "ut)",
                  &e->offset, &e->length, &e->number, &e->edition, &e->shared, &sections, &problem,
                  &there, &centre_code, &centre, &param, &name, &units, &level_type, &h->level,
                  &range, &h->reference_time, &h->valid_time, &h->span, &statistics, &member,
                  &packing, &grid, &points);
    if (g_variant_n_children(sections) != 8)
        return FALSE;
    for (gsize s = 0; s < 8; s++)
        g_variant_get_child(sections, s, "(tu)", &e->at[s], &e->size[s]);
    e->problem = *problem != 0 ? g_strdup(problem) : NULL;
    if (!fits(e, l->size))
        return FALSE;
    if (!there)
        return TRUE;
    h->edition = e->edition;
    h->centre = (long)centre_code;
    h->param_id = (long)param;
    h->member = (long)member;
    g_strlcpy(h->centre_name, centre, sizeof h->centre_name);
    g_strlcpy(h->name, name, sizeof h->name);
    g_strlcpy(h->units, units, sizeof h->units);
    g_strlcpy(h->type_of_level, level_type, sizeof h->type_of_level);
    g_strlcpy(h->step_range, range, sizeof h->step_range);
    g_strlcpy(h->statistics, statistics, sizeof h->statistics);
    g_strlcpy(h->packing, packing, sizeof h->packing);
    if (grid >= l->sections->len ||
        !m2n_grib_reader_layout(l->reader, e->edition, g_ptr_array_index(l->sections, grid),
                                (gsize)points, h, NULL) ||
        h->grid->n_points != points)
        return FALSE;
    h->number = e->number;
    return TRUE;
}

static GPtrArray *
load_sections(GVariant *grids)
{
    GPtrArray *a = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);

    for (gsize i = 0; i < g_variant_n_children(grids); i++) {
        g_autoptr(GVariant) octets = NULL;
        guint8 edition;
        g_variant_get_child(grids, i, "(y@ay)", &edition, &octets);
        g_ptr_array_add(a, g_variant_get_data_as_bytes(octets));
    }
    return a;
}

gboolean
m2n_grib_index_read(M2nGribReader *r, GBytes *bytes)
{
    g_autoptr(GVariant) v =
        g_variant_ref_sink(g_variant_new_from_bytes(G_VARIANT_TYPE(FILE_TYPE), bytes, FALSE));
    g_autoptr(GVariant) grids = NULL, messages = NULL;

    if (!g_variant_is_normal_form(v))
        return FALSE;
    g_variant_get(v, "(@a(yay)@a" MESSAGE ")", &grids, &messages);
    const gsize n = g_variant_n_children(messages);
    if (n > r->memory / M2N_GRIB_INDEX_BYTES)
        return FALSE;
    g_autoptr(GPtrArray) sections = load_sections(grids);
    g_autoptr(GArray) entries = g_array_new(FALSE, TRUE, sizeof(M2nGribEntry));
    M2nGribHeader *known = g_new0(M2nGribHeader, n + 1);
    Load l = {r, sections, m2n_source_size(r->source)};
    gboolean ok = n > 0;

    g_array_set_clear_func(entries, m2n_grib_entry_clear);
    for (gsize i = 0; i < n && ok; i++) {
        g_autoptr(GVariant) message = g_variant_get_child_value(messages, i);
        M2nGribEntry e = {0};
        ok = load_message(&l, message, &e, &known[i]);
        g_array_append_val(entries, e);
    }
    if (!ok) {
        for (gsize i = 0; i < n; i++)
            m2n_grib_header_clear(&known[i]);
        g_free(known);
        return FALSE;
    }
    r->entries = g_steal_pointer(&entries);
    r->known = known;
    return TRUE;
}
