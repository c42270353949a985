/* Complex packing, with or without spatial differences.  Source: WMO Manual on Codes, FM 92 GRIB 2, templates
 * 5.2, 5.3, 7.2, 7.3; octet numbers are theirs. */
#include "grib/grib_groups.h"

#define OCTET(n) (p->head + (n)-1)

/* The first values and the bias, each in `octets`; the bias with its sign. */
static gboolean
read_differences(const M2nPacked *p, M2nGroups *g, M2nBits *b, GError **error)
{
    const guint octets = *OCTET(49);

    g->order = *OCTET(48);
    if (g->order > 2)
        return m2n_unpack_fail("spatial differences of an order above 2", error);
    if (octets < 1 || octets > 4)
        return g->order == 0 || m2n_unpack_fail("spatial differences of no or many octets", error);
    if (!m2n_bits_has(b, g->order + 1, 8 * octets))
        return m2n_unpack_fail("the data are shorter than their first values", error);
    if (g->order == 0)
        return TRUE;
    for (guint i = 0; i < g->order; i++)
        g->first[i] = m2n_bits_take(b, 8 * octets);
    g->bias = m2n_octets_signed(b->data + b->at / 8, (int)octets);
    b->at += 8 * octets;
    return TRUE;
}

/* Octets 32 to 47 and the three lists: references, widths, lengths. */
static gboolean
read_groups(const M2nPacked *p, M2nGroups *g, M2nBits *b, GError **error)
{
    const guint width_base = *OCTET(36), width_bits = *OCTET(37);
    const guint length_base = m2n_octets(OCTET(38), 4), length_step = *OCTET(42);
    const guint last = m2n_octets(OCTET(43), 4), length_bits = *OCTET(47);

    if (p->bits > 32 || width_bits > 32 || length_bits > 32)
        return m2n_unpack_fail("groups described by more than 32 bits", error);
    if (!m2n_bits_has(b, g->count, p->bits))
        return m2n_unpack_fail("the data are shorter than the list of groups", error);
    for (gsize k = 0; k < g->count; k++)
        g->references[k] = m2n_bits_take(b, p->bits);
    m2n_bits_align(b);
    if (!m2n_bits_has(b, g->count, width_bits))
        return m2n_unpack_fail("the data are shorter than the list of groups", error);
    for (gsize k = 0; k < g->count; k++) {
        const guint64 width = (guint64)width_base + m2n_bits_take(b, width_bits);
        g->widths[k] = (guint8)MIN(width, 255);
    }
    m2n_bits_align(b);
    if (!m2n_bits_has(b, g->count, length_bits))
        return m2n_unpack_fail("the data are shorter than the list of groups", error);
    for (gsize k = 0; k < g->count; k++) {
        const guint64 length = length_base + (guint64)length_step * m2n_bits_take(b, length_bits);
        g->lengths[k] = (guint32)MIN(length, G_MAXUINT32);
    }
    if (g->count > 0)
        g->lengths[g->count - 1] = last;
    m2n_bits_align(b);
    return TRUE;
}

gboolean
m2n_unpack_complex(M2nPacked *p, float *out, gsize n, GError **error)
{
    M2nBits b = m2n_bits(p->data, p->data_size);
    g_auto(M2nGroups) g = {0};

    if (p->head_size < (p->template == 3 ? 49 : 47))
        return m2n_unpack_fail("the section about the packing is too short", error);
    if (m2n_octets(OCTET(32), 4) == 0)
        return m2n_unpack_constant(p, out, n);
    g.missing = *OCTET(23);
    if (g.missing > 2)
        return m2n_unpack_fail("missing values marked in an unknown way", error);
    g.reference_bits = p->bits;
    if (!m2n_groups_alloc(&g, m2n_octets(OCTET(32), 4), n, error) ||
        (p->template == 3 && !read_differences(p, &g, &b, error)) || !read_groups(p, &g, &b, error))
        return FALSE;
    g.values = b;
    return m2n_groups_unpack(&g, p, out, n, error);
}
