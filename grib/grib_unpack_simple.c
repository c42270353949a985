/* Simple packing, the same with logarithms, and IEEE numbers.  Source: WMO Manual on Codes, FM 92 GRIB 1 (section 4) and
 * GRIB 2 (templates 5.0, 5.61, 5.4, 7.0, 7.4). */
#include <math.h>

#include "grib/grib_packed.h"

static M2nBits
coded(const M2nPacked *p)
{
    return p->edition == 1 ? m2n_bits(p->head + 11, p->head_size - 11)
                           : m2n_bits(p->data, p->data_size);
}

gboolean
m2n_unpack_simple(M2nPacked *p, float *out, gsize n, GError **error)
{
    M2nBits b = coded(p);
    const double r = p->offset, s = p->step;

    if (p->bits == 0)
        return m2n_unpack_constant(p, out, n);
    if (p->bits > 64)
        return m2n_unpack_fail("more than 64 bits per value", error);
    if (!m2n_bits_has(&b, n, p->bits))
        return m2n_unpack_fail("the data are shorter than the grid", error);
    if (p->bits == 16) {
        for (gsize i = 0; i < n; i++) {
            guint16 x;
            memcpy(&x, b.data + 2 * i, 2);
            out[i] = (float)(r + GUINT16_FROM_BE(x) * s);
        }
    } else if (p->bits == 8) {
        for (gsize i = 0; i < n; i++)
            out[i] = (float)(r + b.data[i] * s);
    } else if (p->bits <= 32) {
        for (gsize i = 0; i < n; i++)
            out[i] = (float)(r + m2n_bits_take(&b, p->bits) * s);
    } else {
        for (gsize i = 0; i < n; i++) {
            const double high = (double)m2n_bits_take(&b, p->bits - 32) * 0x1p32;
            out[i] = (float)(r + (high + m2n_bits_take(&b, 32)) * s);
        }
    }
    return TRUE;
}

/* Template 5.61: ln(value + B) is what is packed; B stands in octets 21-24. */
gboolean
m2n_unpack_logarithm(M2nPacked *p, float *out, gsize n, GError **error)
{
    M2nBits b = coded(p);

    if (p->head_size < 24 || p->bits > 32 || !m2n_bits_has(&b, n, p->bits))
        return m2n_unpack_fail("the data are shorter than the grid", error);
    const double lift = (double)m2n_octets_ieee32(p->head + 20);
    for (gsize i = 0; i < n; i++) {
        const double x =
            p->bits == 0 ? p->reference : p->offset + m2n_bits_take(&b, p->bits) * p->step;
        out[i] = (float)(exp(x) - lift);
    }
    return TRUE;
}

static float
ieee64(const guint8 *p)
{
    const guint64 bits = (guint64)m2n_octets(p, 4) << 32 | m2n_octets(p + 4, 4);
    double d;

    memcpy(&d, &bits, sizeof d);
    return (float)d;
}

gboolean
m2n_unpack_ieee(M2nPacked *p, float *out, gsize n, GError **error)
{
    const M2nBits b = coded(p);
    const guint precision = p->head_size >= 12 ? p->head[11] : 0; /* code table 5.7 */

    if (precision != 1 && precision != 2)
        return m2n_unpack_fail("IEEE numbers of other than 32 or 64 bits", error);
    if (!m2n_bits_has(&b, n, 32 * precision))
        return m2n_unpack_fail("the data are shorter than the grid", error);
    for (gsize i = 0; i < n; i++)
        out[i] = precision == 1 ? m2n_octets_ieee32(b.data + 4 * i) : ieee64(b.data + 8 * i);
    return TRUE;
}
