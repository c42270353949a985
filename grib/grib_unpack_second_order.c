/* Second-order packing.  Source: WMO Manual on Codes, FM 92 GRIB 1, section 4 and table 11; the general extended form,
 * the orders of differences and rows running to and fro are ECMWF's, as eccodes' definitions
 * grib1/data.grid_second_order*.def and grib2/template.5.50001.def, 5.50002.def lay them out.
 *
 * The pointers N1 and N2 (octets 12-13 and 15-16) overflow beyond 64 KiB and are not used: the parts stand one after
 * the other, each beginning with an octet. */
#include <string.h>

#include "grib/grib_groups.h"
#include "grib/grib_spec.h"

enum { /* octet 14 of section 4 */
       MATRIX = 0x40,
       SECONDARY_BITMAP = 0x20,
       DIFFERENT_WIDTHS = 0x10,
       EXTENDED = 0x08,
       BOUSTROPHEDONIC = 0x04,
       ORDER = 0x03,
};

static gboolean
too_short(GError **error)
{
    return m2n_unpack_fail("the data are shorter than the list of groups", error);
}

/* count numbers of `width` bits, then on to the next octet. */
static gboolean
read_list(M2nBits *b, guint width, gsize count, guint32 *out, GError **error)
{
    if (width > 32)
        return m2n_unpack_fail("groups described by more than 32 bits", error);
    if (!m2n_bits_has(b, count, width))
        return too_short(error);
    for (gsize k = 0; k < count; k++)
        out[k] = m2n_bits_take(b, width);
    m2n_bits_align(b);
    return TRUE;
}

static gboolean
read_widths(M2nBits *b, guint width, M2nGroups *g, GError **error)
{
    if (width > 8)
        return m2n_unpack_fail("groups described by more than 8 bits of width", error);
    if (!m2n_bits_has(b, g->count, width))
        return too_short(error);
    for (gsize k = 0; k < g->count; k++)
        g->widths[k] = (guint8)m2n_bits_take(b, width);
    m2n_bits_align(b);
    return TRUE;
}

/* The first values and the bias, in `width` bits each, the bias with its sign. */
static gboolean
read_differences(M2nBits *b, guint width, M2nGroups *g, GError **error)
{
    if (width < 1 || width > 32 || !m2n_bits_has(b, g->order + 1, width))
        return m2n_unpack_fail("the data are shorter than their first values", error);
    for (guint i = 0; i < g->order; i++)
        g->first[i] = m2n_bits_take(b, width);
    const guint32 v = m2n_bits_take(b, width), sign = 1u << (width - 1);
    g->bias = (v & sign) != 0 ? -(gint64)(v & (sign - 1)) : (gint64)v;
    m2n_bits_align(b);
    return TRUE;
}

/* ---- groups that rows or a bitmap delimit ----------------------------------------------------- */

/* Coded points from `from` on among `length` points. */
static guint32
there(const M2nPacked *p, gsize from, gsize length)
{
    guint32 count = 0;

    if (p->bitmap == NULL)
        return (guint32)length;
    for (gsize i = from; i < from + length; i++)
        count += (p->bitmap[i / 8] & (0x80 >> i % 8)) != 0;
    return count;
}

static gboolean
lengths_of_rows(const M2nPacked *p, M2nGroups *g, GError **error)
{
    M2nPackedRows r;
    gsize at = 0, length;
    gboolean ok = m2n_packed_rows(p, &r, error);

    if (ok && g->count != r.count)
        ok = m2n_unpack_fail("as many groups as rows were expected", error);
    for (guint k = 0; ok && k < r.count; k++) {
        if (!(ok = m2n_packed_row(p, &r, k, at, &length, error)))
            break;
        g->lengths[k] = there(p, at, length);
        at += length;
    }
    m2n_grid_spec_clear(&r.grid);
    return ok;
}

/* The secondary bitmap: a group begins at every bit that is set. */
static gboolean
lengths_of_bitmap(M2nBits *b, M2nGroups *g, gsize n, GError **error)
{
    gsize k = 0; /* groups begun */

    if (!m2n_bits_has(b, n, 1))
        return m2n_unpack_fail("the data are shorter than the secondary bitmap", error);
    for (gsize i = 0; i < n; i++) {
        k += m2n_bits_take(b, 1);
        if (k == 0 || k > g->count)
            return m2n_unpack_fail("the secondary bitmap contradicts the number of groups", error);
        g->lengths[k - 1]++;
    }
    m2n_bits_align(b);
    return TRUE;
}

static gboolean
read_plain(const M2nPacked *p, guint flags, M2nBits *b, M2nGroups *g, gsize n, GError **error)
{
    if ((flags & DIFFERENT_WIDTHS) != 0) {
        if (!read_widths(b, 8, g, error))
            return FALSE;
    } else {
        if (!m2n_bits_has(b, 1, 8))
            return too_short(error);
        memset(g->widths, (int)m2n_bits_take(b, 8), g->count);
    }
    if (!((flags & SECONDARY_BITMAP) != 0 ? lengths_of_bitmap(b, g, n, error)
                                          : lengths_of_rows(p, g, error)))
        return FALSE;
    return read_list(b, p->bits, g->count, g->references, error);
}

/* ---- groups with lengths of their own -------------------------------------------------------- */

static gboolean
read_extended(M2nBits *b, guint width_bits, guint length_bits, guint first_bits, M2nGroups *g,
              GError **error)
{
    g->first_apart = TRUE;
    return read_widths(b, width_bits, g, error) &&
           read_list(b, length_bits, g->count, g->lengths, error) &&
           read_list(b, first_bits, g->count, g->references, error);
}

gboolean
m2n_unpack_second_order_1(M2nPacked *p, float *out, gsize n, GError **error)
{
    const guint8 *s = p->head;
    g_auto(M2nGroups) g = {0};

    if (p->head_size < 21)
        return m2n_unpack_fail("the data section is too short", error);
    const guint flags = s[13];
    if ((flags & MATRIX) != 0)
        return m2n_unpack_fail("a matrix of values at each point", error);
    if (!m2n_groups_alloc(&g, m2n_octets(s + 16, 2) | (guint)s[20] << 16, n, error))
        return FALSE;
    p->boustrophedonic = (flags & BOUSTROPHEDONIC) != 0;
    M2nBits b = m2n_bits(s + 21, p->head_size - 21);
    if ((flags & EXTENDED) == 0) {
        if (!read_plain(p, flags, &b, &g, n, error))
            return FALSE;
    } else {
        if (!m2n_bits_has(&b, 5, 8))
            return too_short(error);
        const guint width_bits = m2n_bits_take(&b, 8), length_bits = m2n_bits_take(&b, 8);
        b.at += 16; /* NL */
        g.order = flags & ORDER;
        if (g.order > 0 && !read_differences(&b, m2n_bits_take(&b, 8), &g, error))
            return FALSE;
        if (!read_extended(&b, width_bits, length_bits, p->bits, &g, error))
            return FALSE;
    }
    g.values = b;
    return m2n_groups_unpack(&g, p, out, n, error);
}

/* ECMWF's templates 5.50001 and 5.50002, the latter with a flag more. */
gboolean
m2n_unpack_second_order_2(M2nPacked *p, float *out, gsize n, GError **error)
{
    const gsize flagged = p->template == 50002 ? 1 : 0;
    const guint8 *s = p->head;
    g_auto(M2nGroups) g = {0};

    if (flagged == 0 && p->bits == 0)
        return m2n_unpack_constant(p, out, n);
    if (p->head_size < 33 + flagged)
        return m2n_unpack_fail("the section about the packing is too short", error);
    if (!m2n_groups_alloc(&g, m2n_octets(s + 21, 4), n, error))
        return FALSE;
    p->boustrophedonic = flagged != 0 && (s[31] & 0x80) != 0;
    g.order = s[31 + flagged];
    if (g.order > 3)
        return m2n_unpack_fail("spatial differences of an order above 3", error);
    M2nBits first = m2n_bits(s + 33 + flagged, p->head_size - 33 - flagged);
    if (g.order > 0 && !read_differences(&first, s[32 + flagged], &g, error))
        return FALSE;
    M2nBits b = m2n_bits(p->data, p->data_size);
    if (!read_extended(&b, s[29], s[30], s[20], &g, error))
        return FALSE;
    g.values = b;
    return m2n_groups_unpack(&g, p, out, n, error);
}
