/* Links of large HDF5 groups: a version 2 B-tree of identifiers, each of which leads into a fractal heap. */
#include <string.h>

#include "engine/base/error.h"
#include "plugin/hdf5_private.h"

#define LARGEST_BLOCK (64u << 20)
#define ID_SIZE 7 /* of a link in a group's heap */

guint64
m2n_hdf5_number(M2nHdf5Cursor *c, guint octets)
{
    guint64 v = 0;

    if (c->bad || octets > c->left) {
        c->bad = TRUE;
        return 0;
    }
    for (guint i = 0; i < octets; i++)
        v |= (guint64)c->p[i] << (8 * i);
    m2n_hdf5_skip(c, octets);
    return v;
}

void
m2n_hdf5_skip(M2nHdf5Cursor *c, gsize octets)
{
    c->bad = c->bad || octets > c->left;
    if (c->bad)
        return;
    c->p += octets;
    c->left -= octets;
}

guint64
m2n_hdf5_address(const M2nHdf5 *h, M2nHdf5Cursor *c)
{
    const guint64 v = m2n_hdf5_number(c, h->address_size);

    return v == G_MAXUINT64 >> (64 - 8 * h->address_size) ? G_MAXUINT64 : v;
}

gboolean
m2n_hdf5_damaged(const M2nHdf5 *h, const char *what, GError **error)
{
    g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT, "%s: HDF5: %s is damaged or of an unknown kind",
                m2n_source_name(h->source), what);
    return FALSE;
}

guint8 *
m2n_hdf5_block(M2nHdf5 *h, guint64 address, guint64 octets, const char *signature, M2nHdf5Cursor *c, GError **error)
{
    const gsize n = strlen(signature);
    const guint64 size = m2n_source_size(h->source);

    if (h->budget == 0 || address > size || octets > size - address || octets > LARGEST_BLOCK || octets < n) {
        m2n_hdf5_damaged(h, "the place of a block", error);
        return NULL;
    }
    h->budget--;
    g_autofree guint8 *block = g_malloc((gsize)octets + 1);
    if (!m2n_source_read(h->source, address, block, (gsize)octets, error))
        return NULL;
    if (memcmp(block, signature, n) != 0) {
        m2n_hdf5_damaged(h, signature, error);
        return NULL;
    }
    *c = (M2nHdf5Cursor){block + n, (gsize)octets - n, FALSE};
    return g_steal_pointer(&block);
}

static guint
log_2(guint64 v) /* rounded down */
{
    return v == 0 ? 0 : 63 - (guint)__builtin_clzll(v);
}

static guint
octets_for(guint64 v)
{
    return log_2(v) / 8 + 1;
}

/* ---- the heap: blocks that double in size, in rows of `width` --------------------------------------- */

typedef struct {
    guint64 offset, size, address; /* in the heap; in the file */
} Block;

typedef struct {
    guint width, bits; /* blocks a row; of an offset */
    guint64 first, largest, largest_object; /* block sizes: of the first row, of the last that holds data; of an object */
    GArray *blocks; /* Block, ascending */
} Heap;

static guint64
row_size(const Heap *heap, guint row)
{
    return heap->first << (row > 0 ? row - 1 : 0);
}

static gboolean
add_rows(M2nHdf5 *h, Heap *heap, guint64 address, guint rows, guint64 offset, GError **error)
{
    const guint data_rows = log_2(heap->largest) - log_2(heap->first) + 2;
    const guint64 prefix = 5 + h->address_size + (heap->bits + 7) / 8;
    M2nHdf5Cursor c;
    g_autofree guint8 *block = m2n_hdf5_block(h, address, prefix + (guint64)rows * heap->width * h->address_size,
                                              "FHIB", &c, error);

    if (block == NULL)
        return FALSE;
    m2n_hdf5_skip(&c, (gsize)prefix - 4);
    for (guint row = 0; row < rows; row++)
        for (guint i = 0; i < heap->width; i++, offset += row_size(heap, row)) {
            const Block b = {offset, row_size(heap, row), m2n_hdf5_address(h, &c)};
            const guint below = log_2(b.size) - log_2(heap->first) - log_2(heap->width) + 1; /* fewer, as width > 1 */
            if (b.address == G_MAXUINT64)
                continue;
            if (row < data_rows)
                g_array_append_val(heap->blocks, b);
            else if (!add_rows(h, heap, b.address, below, offset, error))
                return FALSE;
        }
    return TRUE;
}

static gboolean
is_power_of_2(guint64 v)
{
    return v > 0 && (v & (v - 1)) == 0;
}

static gboolean
read_heap(M2nHdf5 *h, Heap *heap, guint64 address, GError **error)
{
    const guint64 size = 22 + 12 * h->length_size + 3 * h->address_size;
    M2nHdf5Cursor c;
    g_autofree guint8 *block = m2n_hdf5_block(h, address, size, "FRHP", &c, error);

    if (block == NULL)
        return FALSE;
    m2n_hdf5_skip(&c, 3); /* version, length of an identifier */
    const guint64 filters = m2n_hdf5_number(&c, 2);
    m2n_hdf5_skip(&c, 1); /* flags */
    heap->largest_object = m2n_hdf5_number(&c, 4);
    m2n_hdf5_skip(&c, 10 * h->length_size + 2 * h->address_size); /* statistics, free space, huge objects */
    heap->width = (guint)m2n_hdf5_number(&c, 2);
    heap->first = m2n_hdf5_number(&c, h->length_size);
    heap->largest = m2n_hdf5_number(&c, h->length_size);
    heap->bits = (guint)m2n_hdf5_number(&c, 2);
    m2n_hdf5_skip(&c, 2); /* rows at its beginning */
    const guint64 root = m2n_hdf5_address(h, &c), rows = m2n_hdf5_number(&c, 2);
    if (c.bad || filters != 0 || heap->width < 2 || !is_power_of_2(heap->width) || !is_power_of_2(heap->first) ||
        !is_power_of_2(heap->largest) || heap->largest < heap->first || heap->largest > G_MAXUINT32 || heap->bits > 64 ||
        rows > 64 - log_2(heap->first) - log_2(heap->width))
        return m2n_hdf5_damaged(h, "a heap", error);
    if (rows > 0)
        return add_rows(h, heap, root, (guint)rows, 0, error);
    const Block only = {0, heap->first, root};
    g_array_append_val(heap->blocks, only);
    return TRUE;
}

static gboolean
heap_object(M2nHdf5 *h, const Heap *heap, const guint8 *id, M2nHdf5LinkFunc f, gpointer data, GError **error)
{
    const guint offset_size = (heap->bits + 7) / 8;
    const guint size_size = MIN((log_2(heap->largest) + 7) / 8, octets_for(heap->largest_object));
    M2nHdf5Cursor c = {id, ID_SIZE, FALSE};
    const guint64 kind = m2n_hdf5_number(&c, 1), offset = m2n_hdf5_number(&c, offset_size),
                  size = m2n_hdf5_number(&c, size_size);

    for (guint i = 0; kind == 0 && !c.bad && i < heap->blocks->len; i++) {
        const Block *b = &g_array_index(heap->blocks, Block, i);
        if (offset < b->offset || offset - b->offset >= b->size)
            continue;
        const guint64 at = offset - b->offset;
        g_autofree guint8 *link = size <= b->size - at ? m2n_hdf5_block(h, b->address + at, size, "", &c, error) : NULL;
        return link != NULL ? f(c, data, error) : *error != NULL ? FALSE : m2n_hdf5_damaged(h, "a heap", error);
    }
    return m2n_hdf5_damaged(h, "a link in a heap", error);
}

/* ---- the tree --------------------------------------------------------------------------------------- */

typedef struct {
    guint type, node_size, record_size;
    guint number_size;     /* of the number of records of a child */
    guint total_size[256]; /* of the number of all records below a node, by its depth */
    const Heap *heap;
    M2nHdf5LinkFunc f;
    gpointer data;
} Tree;

static gboolean
node(M2nHdf5 *h, const Tree *t, guint64 address, guint64 n, guint depth, GError **error)
{
    const guint pointer = h->address_size + t->number_size + (depth > 1 ? t->total_size[depth - 1] : 0);
    const guint64 size = 6 + n * t->record_size + (depth > 0 ? (n + 1) * pointer : 0);
    M2nHdf5Cursor c;
    g_autofree guint8 *block = m2n_hdf5_block(h, address, size, depth > 0 ? "BTIN" : "BTLF", &c, error);

    if (block == NULL)
        return FALSE;
    m2n_hdf5_skip(&c, 2); /* version, type */
    for (guint64 i = 0; i < n; i++) {
        const guint8 *id = c.p + (t->type == 5 ? 4 : 8); /* behind a name's hash or an order of creation */
        m2n_hdf5_skip(&c, t->record_size);
        if (!heap_object(h, t->heap, id, t->f, t->data, error))
            return FALSE;
    }
    for (guint64 i = 0; depth > 0 && i <= n; i++) {
        const guint64 child = m2n_hdf5_address(h, &c), records = m2n_hdf5_number(&c, t->number_size);
        m2n_hdf5_skip(&c, depth > 1 ? t->total_size[depth - 1] : 0);
        if (!node(h, t, child, records, depth - 1, error))
            return FALSE;
    }
    return TRUE;
}

/* How many octets the numbers in pointers take follows from how many records a node of each depth can have. */
static gboolean
set_sizes(const M2nHdf5 *h, Tree *t, guint depth)
{
    if (t->node_size < 10 + t->record_size)
        return FALSE;
    guint64 most = (t->node_size - 10) / t->record_size, total = most;
    t->number_size = octets_for(most);
    for (guint d = 1; d <= depth; d++) {
        const guint pointer = h->address_size + t->number_size + t->total_size[d - 1];
        if (t->node_size < 10 + 2 * pointer + t->record_size)
            return FALSE;
        most = (t->node_size - (10 + pointer)) / (t->record_size + pointer);
        if (total > G_MAXUINT64 / (most + 2))
            return FALSE;
        total = (most + 1) * total + most;
        t->total_size[d] = octets_for(total);
    }
    return TRUE;
}

static gboolean
read_tree(M2nHdf5 *h, Tree *t, guint64 address, GError **error)
{
    M2nHdf5Cursor c;
    g_autofree guint8 *block = m2n_hdf5_block(h, address, 18 + h->address_size, "BTHD", &c, error);

    if (block == NULL)
        return FALSE;
    m2n_hdf5_skip(&c, 1); /* version */
    t->type = (guint)m2n_hdf5_number(&c, 1);
    t->node_size = (guint)m2n_hdf5_number(&c, 4);
    t->record_size = (guint)m2n_hdf5_number(&c, 2);
    const guint depth = (guint)m2n_hdf5_number(&c, 2);
    m2n_hdf5_skip(&c, 2); /* when to split and merge */
    const guint64 root = m2n_hdf5_address(h, &c), n = m2n_hdf5_number(&c, 2);
    if ((t->type != 5 && t->type != 6) || depth >= G_N_ELEMENTS(t->total_size) ||
        t->record_size < (t->type == 5 ? 4 : 8) + ID_SIZE || !set_sizes(h, t, depth))
        return m2n_hdf5_damaged(h, "a tree", error);
    return root == G_MAXUINT64 || node(h, t, root, n, depth, error);
}

gboolean
m2n_hdf5_dense_links(M2nHdf5 *h, guint64 heap_address, guint64 tree_address, M2nHdf5LinkFunc f, gpointer data, GError **error)
{
    Heap heap = {.blocks = g_array_new(FALSE, FALSE, sizeof(Block))};
    Tree t = {.heap = &heap, .f = f, .data = data};
    const gboolean ok =
        tree_address == G_MAXUINT64 || (read_heap(h, &heap, heap_address, error) && read_tree(h, &t, tree_address, error));

    g_array_unref(heap.blocks);
    return ok;
}
