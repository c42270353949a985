/* The groups and arrays of an HDF5 file, walked through without recursion. */
#include "plugin/hdf5_alone.h"

#include <string.h>

#include "engine/base/error.h"
#include "plugin/hdf5_private.h"

#define MOST_BLOCKS 1000000u
#define SIGNATURE "\211HDF\r\n\032\n"

enum { LINK_INFO = 2, LINK = 6, EXTERNAL_FILES = 7, LAYOUT = 8, CONTINUATION = 16, SYMBOL_TABLE = 17 }; /* messages */
enum { HARD = 0, SOFT = 1 };                                                                            /* links */
enum { VIRTUAL = 3 };                                                                                   /* layouts */

typedef enum { OBJECT, MESSAGES_1, MESSAGES_2, TREE } Kind;

typedef struct {
    guint64 address, octets;
    guint32 kind, flags; /* of an object header, version 2 */
} Item;

typedef struct {
    M2nHdf5 h;
    GArray *todo;     /* Item */
    GHashTable *seen; /* Item */
} Walk;

static guint
item_hash(gconstpointer p)
{
    const Item *i = p;
    const gint64 mixed = (gint64)(i->address * 8 + i->kind);
    return g_int64_hash(&mixed);
}

static gboolean
item_equal(gconstpointer a, gconstpointer b)
{
    return memcmp(a, b, sizeof(Item)) == 0;
}

static void
later(Walk *w, Kind kind, guint64 address, guint64 octets, guint32 flags)
{
    const Item item = {address, octets, kind, flags};

    if (address == G_MAXUINT64 || w->h.budget == 0 || g_hash_table_contains(w->seen, &item))
        return;
    w->h.budget--;
    g_hash_table_add(w->seen, g_memdup2(&item, sizeof item));
    g_array_append_val(w->todo, item);
}

static gboolean
refuse(const Walk *w, const char *what, GError **error)
{
    g_set_error(error, M2N_ERROR, M2N_ERROR_DENIED,
                "%s: %s leads to another file; allow it with MET2NET_ALLOWED_SOURCE=ANY",
                m2n_source_name(w->h.source), what);
    return FALSE;
}

/* ---- messages of an object's header -------------------------------------------------------------- */

static gboolean
link_message(M2nHdf5Cursor c, gpointer data, GError **error)
{
    Walk *w = data;
    const guint64 version = m2n_hdf5_number(&c, 1);
    const guint flags = (guint)m2n_hdf5_number(&c, 1);
    const guint64 type = flags & 8 ? m2n_hdf5_number(&c, 1) : HARD;

    m2n_hdf5_skip(&c, (flags & 4 ? 8 : 0) + (flags & 16 ? 1 : 0)); /* order of creation, character set */
    const guint64 name = m2n_hdf5_number(&c, 1u << (flags & 3));
    m2n_hdf5_skip(&c, (gsize)name);
    if (c.bad || version != 1)
        return m2n_hdf5_damaged(&w->h, "a link", error);
    if (type != HARD && type != SOFT)
        return refuse(w, "an external link", error);
    if (type == HARD)
        later(w, OBJECT, m2n_hdf5_address(&w->h, &c), 0, 0);
    return !c.bad || m2n_hdf5_damaged(&w->h, "a link", error);
}

static gboolean
link_info(Walk *w, M2nHdf5Cursor *c, GError **error)
{
    m2n_hdf5_skip(c, 1); /* version */
    const guint flags = (guint)m2n_hdf5_number(c, 1);
    m2n_hdf5_skip(c, flags & 1 ? 8 : 0);
    const guint64 heap = m2n_hdf5_address(&w->h, c), by_name = m2n_hdf5_address(&w->h, c);
    const guint64 by_order = flags & 2 ? m2n_hdf5_address(&w->h, c) : G_MAXUINT64;

    if (c->bad)
        return m2n_hdf5_damaged(&w->h, "a group", error);
    return heap == G_MAXUINT64 || (m2n_hdf5_dense_links(&w->h, heap, by_name, link_message, w, error) &&
                                   m2n_hdf5_dense_links(&w->h, heap, by_order, link_message, w, error));
}

static gboolean
message(Walk *w, guint type, M2nHdf5Cursor c, Kind chunk, guint32 flags, GError **error)
{
    switch (type) {
    case LINK_INFO:
        return link_info(w, &c, error);
    case LINK:
        return link_message(c, w, error);
    case EXTERNAL_FILES:
        return refuse(w, "an array stored externally", error);
    case LAYOUT: {
        const guint64 version = m2n_hdf5_number(&c, 1);
        m2n_hdf5_skip(&c, version < 3 ? 1 : 0);
        return m2n_hdf5_number(&c, 1) != VIRTUAL || refuse(w, "a virtual dataset", error);
    }
    case CONTINUATION: {
        const guint64 address = m2n_hdf5_address(&w->h, &c), octets = m2n_hdf5_number(&c, w->h.length_size);
        later(w, chunk, address, octets, flags);
        break;
    }
    case SYMBOL_TABLE:
        later(w, TREE, m2n_hdf5_address(&w->h, &c), 0, 0);
        break;
    }
    return !c.bad || m2n_hdf5_damaged(&w->h, "an object's header", error);
}

static gboolean
messages(Walk *w, M2nHdf5Cursor *c, Kind kind, guint32 flags, GError **error)
{
    const gsize prefix = kind == MESSAGES_1 ? 8 : flags & 4 ? 6 : 4;

    while (c->left >= prefix) {
        const guint type = (guint)m2n_hdf5_number(c, kind == MESSAGES_1 ? 2 : 1);
        const gsize n = (gsize)m2n_hdf5_number(c, 2);
        m2n_hdf5_skip(c, prefix - (kind == MESSAGES_1 ? 4 : 3));
        const M2nHdf5Cursor body = {c->p, n, FALSE};
        m2n_hdf5_skip(c, n);
        if (c->bad)
            return m2n_hdf5_damaged(&w->h, "an object's header", error);
        if (!message(w, type, body, kind, flags, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean
continuation(Walk *w, const Item *i, GError **error)
{
    M2nHdf5Cursor c;
    g_autofree guint8 *block =
        m2n_hdf5_block(&w->h, i->address, i->octets, i->kind == MESSAGES_2 ? "OCHK" : "", &c, error);

    if (block == NULL)
        return FALSE;
    c.left -= i->kind == MESSAGES_2 ? MIN(c.left, 4) : 0; /* checksum */
    return messages(w, &c, (Kind)i->kind, i->flags, error);
}

static gboolean
object(Walk *w, guint64 address, GError **error)
{
    M2nHdf5Cursor c;
    g_autofree guint8 *head = m2n_hdf5_block(&w->h, address, 16, "", &c, error);

    if (head == NULL)
        return FALSE;
    if (memcmp(head, "OHDR", 4) != 0) {
        if (head[0] != 1)
            return m2n_hdf5_damaged(&w->h, "an object's header", error);
        m2n_hdf5_skip(&c, 8); /* version, number of messages, references */
        later(w, MESSAGES_1, address + 16, m2n_hdf5_number(&c, 4), 0);
        return TRUE;
    }
    const guint flags = head[5], size = 1u << (flags & 3);
    const guint64 at = 6u + (flags & 32 ? 16u : 0u) + (flags & 16 ? 4u : 0u); /* times, limits of attributes */
    g_autofree guint8 *sizes = m2n_hdf5_block(&w->h, address + at, size, "", &c, error);
    if (sizes == NULL)
        return FALSE;
    const guint64 octets = m2n_hdf5_number(&c, size);
    g_autofree guint8 *block = m2n_hdf5_block(&w->h, address + at + size, octets, "", &c, error);
    return block != NULL && messages(w, &c, MESSAGES_2, flags, error);
}

/* ---- groups of the old kind: a B-tree over tables of symbols --------------------------------------- */

static void
symbol(Walk *w, M2nHdf5Cursor *c)
{
    m2n_hdf5_skip(c, w->h.address_size); /* where its name is */
    later(w, OBJECT, m2n_hdf5_address(&w->h, c), 0, 0);
    const guint64 cached = m2n_hdf5_number(c, 4);
    m2n_hdf5_skip(c, 4);
    M2nHdf5Cursor scratch = {c->p, MIN(c->left, 16), FALSE};
    if (cached == 1) /* a group's tree is remembered here */
        later(w, TREE, m2n_hdf5_address(&w->h, &scratch), 0, 0);
    m2n_hdf5_skip(c, 16);
}

static gboolean
symbols(Walk *w, guint64 address, GError **error)
{
    const gsize size = 2 * w->h.address_size + 24;
    M2nHdf5Cursor c;
    g_autofree guint8 *head = m2n_hdf5_block(&w->h, address, 8, "SNOD", &c, error);

    if (head == NULL)
        return FALSE;
    m2n_hdf5_skip(&c, 2);
    const guint64 n = m2n_hdf5_number(&c, 2);
    g_autofree guint8 *block = m2n_hdf5_block(&w->h, address + 8, n * size, "", &c, error);
    for (guint64 i = 0; block != NULL && i < n; i++)
        symbol(w, &c);
    return block != NULL;
}

static gboolean
tree(Walk *w, guint64 address, GError **error)
{
    const guint64 at = 8 + 2 * w->h.address_size; /* signature, type, level, number, siblings */
    M2nHdf5Cursor c;
    g_autofree guint8 *head = m2n_hdf5_block(&w->h, address, at, "TREE", &c, error);

    if (head == NULL)
        return FALSE;
    const guint64 type = m2n_hdf5_number(&c, 1), level = m2n_hdf5_number(&c, 1), n = m2n_hdf5_number(&c, 2);
    if (type != 0)
        return m2n_hdf5_damaged(&w->h, "a group", error);
    g_autofree guint8 *block =
        m2n_hdf5_block(&w->h, address + at, n * (w->h.length_size + w->h.address_size), "", &c, error);
    for (guint64 i = 0; block != NULL && i < n; i++) {
        m2n_hdf5_skip(&c, w->h.length_size); /* key */
        const guint64 child = m2n_hdf5_address(&w->h, &c);
        if (level > 0)
            later(w, TREE, child, 0, 0);
        else if (!symbols(w, child, error))
            return FALSE;
    }
    return block != NULL;
}

/* ---- the file ------------------------------------------------------------------------------------ */

static gboolean
superblock(Walk *w, GError **error)
{
    guint8 head[128] = {0};
    M2nHdf5Cursor c = {head, sizeof head, FALSE};
    const guint64 size = m2n_source_size(w->h.source);

    if (!m2n_source_read(w->h.source, 0, head, (gsize)MIN(size, sizeof head), error))
        return FALSE;
    const guint version = head[8];
    w->h.address_size = head[version < 2 ? 13 : 9];
    w->h.length_size = head[version < 2 ? 14 : 10];
    if (memcmp(head, SIGNATURE, 8) != 0 || version > 3 || w->h.address_size > 8 || w->h.length_size > 8 ||
        w->h.address_size < 2 || w->h.length_size < 2)
        return m2n_hdf5_damaged(&w->h, "its first block", error);
    if (version < 2) { /* then base, free space, end, driver, and the root as a symbol */
        m2n_hdf5_skip(&c, (version == 0 ? 24 : 28) + 4 * w->h.address_size);
        symbol(w, &c);
    } else { /* then base, extension, end, root */
        m2n_hdf5_skip(&c, 12 + 3 * w->h.address_size);
        later(w, OBJECT, m2n_hdf5_address(&w->h, &c), 0, 0);
    }
    return TRUE;
}

static gboolean
walk(Walk *w, GError **error)
{
    if (!superblock(w, error))
        return FALSE;
    while (w->todo->len > 0) {
        const Item i = g_array_index(w->todo, Item, w->todo->len - 1);
        g_array_set_size(w->todo, w->todo->len - 1);
        if (!(i.kind == OBJECT ? object(w, i.address, error)
              : i.kind == TREE ? tree(w, i.address, error)
                               : continuation(w, &i, error)))
            return FALSE;
    }
    return w->h.budget > 0 || m2n_hdf5_damaged(&w->h, "a group without an end", error);
}

gboolean
m2n_hdf5_alone(M2nSource *s, GError **error)
{
    Walk w = {{.source = s, .budget = MOST_BLOCKS},
              g_array_new(FALSE, FALSE, sizeof(Item)),
              g_hash_table_new_full(item_hash, item_equal, g_free, NULL)};
    const gboolean ok = walk(&w, error);

    g_array_unref(w.todo);
    g_hash_table_unref(w.seen);
    return ok;
}
