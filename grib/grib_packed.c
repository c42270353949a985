/* Sections of one message for the unpackers. */
#include "grib/grib_packed.h"

#include <math.h>

#include "engine/base/error.h"

gboolean
m2n_unpack_fail(const char *what, GError **error)
{
    g_set_error_literal(error, M2N_ERROR, M2N_ERROR_FORMAT, what);
    return FALSE;
}

gboolean
m2n_unpack_constant(const M2nPacked *p, float *out, gsize n)
{
    for (gsize i = 0; i < n; i++)
        out[i] = (float)p->reference;
    return TRUE;
}

static void
set_scale(M2nPacked *p, double reference, gint64 binary, gint64 decimal)
{
    const double d = pow(10, -(double)decimal);

    p->reference = reference;
    p->offset = reference * d;
    p->step = ldexp(1, (int)binary) * d;
}

/* The size of the section at s, 0 when it does not fit. */
static gsize
section_1(const guint8 *s, const guint8 *end)
{
    const gsize size = end - s >= 4 ? m2n_octets(s, 3) : 0;

    return size >= 4 && size <= (gsize)(end - s) ? size : 0;
}

static gboolean
locate_1(M2nPacked *p, const guint8 *m, gsize length, GError **error)
{
    const guint8 *end = m + length - 4, *s = m + 8;
    gsize size = section_1(s, end);

    if (size < 28)
        return m2n_unpack_fail("the product section does not fit the message", error);
    const guint flags = s[7];
    const gint64 decimal = m2n_octets_signed(s + 26, 2);
    s += size;
    if ((flags & 0x80) != 0) {
        size = section_1(s, end);
        if (size == 0)
            return m2n_unpack_fail("the grid section does not fit the message", error);
        p->grid = s;
        p->grid_size = size;
        s += size;
    }
    if ((flags & 0x40) != 0) {
        size = section_1(s, end);
        if (size < 6)
            return m2n_unpack_fail("the bitmap does not fit the message", error);
        if (m2n_octets(s + 4, 2) != 0)
            return m2n_unpack_fail("a bitmap known to the centre alone", error);
        p->bitmap = s + 6;
        p->bitmap_size = size - 6;
        s += size;
    }
    /* a message of 8 MiB and more does not state the size of its section 4, see grib_scan.c */
    size = length > 0x7fffff && end > s ? (gsize)(end - s) : section_1(s, end);
    if (size < 11)
        return m2n_unpack_fail("no data section", error);
    p->head = s;
    p->head_size = size;
    p->flags = s[3] & 0xf0;
    p->bits = s[10];
    set_scale(p, m2n_octets_ibm32(s + 6), m2n_octets_signed(s + 4, 2), decimal);
    return TRUE;
}

static gboolean
locate_2(M2nPacked *p, const guint8 *m, gsize length, GError **error)
{
    const guint8 *section[8] = {NULL}, *end = m + length - 4;
    gsize size[8] = {0};

    for (const guint8 *s = m + 16; end - s >= 5;) {
        const gsize n = m2n_octets(s, 4);
        if (n < 5 || n > (gsize)(end - s) || s[4] < 1 || s[4] > 7)
            return m2n_unpack_fail("sections do not fit the message", error);
        section[s[4]] = s;
        size[s[4]] = n;
        s += n;
    }
    if (size[5] < 11 || size[6] < 6 || size[7] < 5)
        return m2n_unpack_fail("sections are missing", error);
    if (section[6][5] != 0 && section[6][5] != 255)
        return m2n_unpack_fail("a bitmap known to the centre alone", error);
    if (section[6][5] == 0) {
        p->bitmap = section[6] + 6;
        p->bitmap_size = size[6] - 6;
    }
    p->grid = section[3];
    p->grid_size = size[3];
    p->head = section[5];
    p->head_size = size[5];
    p->data = section[7] + 5;
    p->data_size = size[7] - 5;
    p->template = m2n_octets(p->head + 9, 2);
    if (p->template == 4 || p->template == 200) /* without the numbers that all others have */
        return TRUE;
    if (p->head_size < 20)
        return m2n_unpack_fail("the section about the packing is too short", error);
    p->bits = p->head[19];
    set_scale(p, (double)m2n_octets_ieee32(p->head + 11), m2n_octets_signed(p->head + 15, 2),
              m2n_octets_signed(p->head + 17, 2));
    return TRUE;
}

gboolean
m2n_packed_locate(M2nPacked *p, int edition, const guint8 *message, gsize length, GError **error)
{
    *p = (M2nPacked){.edition = edition};
    if (length < 20)
        return m2n_unpack_fail("no message", error);
    return edition == 1 ? locate_1(p, message, length, error) : locate_2(p, message, length, error);
}

gboolean
m2n_packed_rows(const M2nPacked *p, M2nPackedRows *rows, GError **error)
{
    M2nGridSpec *g = &rows->grid;

    *rows = (M2nPackedRows){0};
    if (p->grid == NULL)
        return m2n_unpack_fail("rows without a grid section", error);
    if (!(p->edition == 2 ? m2n_grid_spec_read_2(g, p->grid, p->grid_size, error)
                          : m2n_grid_spec_read_1(g, p->grid, p->grid_size, error)))
        return FALSE;
    rows->count = g->j_consecutive ? g->ni : g->nj;
    rows->columns = g->j_consecutive ? g->nj : g->ni;
    return TRUE;
}

gboolean
m2n_packed_row(const M2nPacked *p, const M2nPackedRows *rows, guint row, gsize at, gsize *length,
               GError **error)
{
    *length = rows->grid.row_points != NULL ? rows->grid.row_points[row] : rows->columns;
    if (*length > p->n_points - at)
        return m2n_unpack_fail("the rows hold more points than the grid", error);
    return TRUE;
}
