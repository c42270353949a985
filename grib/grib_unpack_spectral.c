/* Spherical harmonic coefficients, simple and complex packing.  Source: WMO Manual on Codes, FM 92 GRIB 1 (section 4)
 * and GRIB 2 (templates 5.50, 5.51, 7.50, 7.51); triangular truncation alone, as eccodes.
 *
 * Coefficients come m by m, n ascending, real and imaginary part.  Those of a small triangle are stored as they are,
 * the others packed after multiplication by (n (n+1))^P; in GRIB 1 the last degree of that triangle is multiplied too, a
 * fault of the first encoder that all files since have kept (eccodes: GRIBEXShBugPresent). */
#include <math.h>

#include "grib/grib_packed.h"

typedef struct {
    guint truncation, subset; /* J = K = M of all, and of those stored unpacked */
    double power;             /* P */
    const guint8 *data;       /* the unpacked ones, then the packed */
    gsize size;
    gboolean ibm;
} Spectrum;

static gboolean
same(guint a, guint b, guint c)
{
    return a == b && b == c;
}

/* GRIB1: octets 12-13 N, 14-15 P, 16-18 the subset; GRIB2: 21-24 P, 25-30 the subset, 31-34 its size, 35. */
static gboolean
read_1(const M2nPacked *p, Spectrum *s, GError **error)
{
    const guint8 *g = p->grid, *h = p->head;

    if (p->grid_size < 12 || p->head_size < 18 || !same(h[15], h[16], h[17]) ||
        !same(m2n_octets(g + 6, 2), m2n_octets(g + 8, 2), m2n_octets(g + 10, 2)))
        return m2n_unpack_fail("spectral coefficients that are not triangular", error);
    *s =
        (Spectrum){m2n_octets(g + 6, 2), h[15], (double)m2n_octets_signed(h + 13, 2) * 1e-3, h + 18,
                   p->head_size - 18,    TRUE};
    return TRUE;
}

static gboolean
read_2(const M2nPacked *p, Spectrum *s, GError **error)
{
    const guint8 *g = p->grid, *h = p->head;

    if (p->grid_size < 26 || p->head_size < 35 ||
        !same(m2n_octets(h + 24, 2), m2n_octets(h + 26, 2), m2n_octets(h + 28, 2)) ||
        !same(m2n_octets(g + 14, 4), m2n_octets(g + 18, 4), m2n_octets(g + 22, 4)))
        return m2n_unpack_fail("spectral coefficients that are not triangular", error);
    if (h[34] != 1)
        return m2n_unpack_fail("unpacked coefficients of other than 32 bits", error);
    *s = (Spectrum){m2n_octets(g + 14, 4),
                    m2n_octets(h + 24, 2),
                    (double)m2n_octets_signed(h + 20, 4) * 1e-6,
                    p->data,
                    p->data_size,
                    FALSE};
    return TRUE;
}

static gboolean
unpack_complex(const M2nPacked *p, const Spectrum *s, float *out, gsize n, GError **error)
{
    const guint64 t = s->truncation, k = s->subset;

    if (t > 100000 || (t + 1) * (t + 2) != n || k > t)
        return m2n_unpack_fail("the truncation contradicts the number of values", error);
    const guint64 stored = (k + 1) * (k + 2);
    if (s->size / 4 < stored || p->bits > 32)
        return m2n_unpack_fail("the data are shorter than the coefficients", error);
    M2nBits b = m2n_bits(s->data + 4 * stored, s->size - 4 * (gsize)stored);
    if (!m2n_bits_has(&b, n - stored, p->bits))
        return m2n_unpack_fail("the data are shorter than the coefficients", error);
    const guint8 *plain = s->data;
    for (guint64 m = 0; m <= t; m++)
        for (guint64 degree = m; degree <= t; degree++, out += 2) {
            const double scale = degree == 0 ? 0 : pow((double)(degree * (degree + 1)), -s->power);
            if (degree <= k) {
                for (int part = 0; part < 2; part++, plain += 4)
                    out[part] = s->ibm
                                    ? (float)(m2n_octets_ibm32(plain) * (degree == k ? scale : 1))
                                    : m2n_octets_ieee32(plain);
                continue;
            }
            out[0] = (float)((p->offset + m2n_bits_take(&b, p->bits) * p->step) * scale);
            out[1] = (float)((p->offset + m2n_bits_take(&b, p->bits) * p->step) * scale);
            if (m == 0)
                out[1] = 0;
        }
    return TRUE;
}

/* Simple: the first real part as a number, all others packed. */
static gboolean
unpack_simple(const M2nPacked *p, float *out, gsize n, GError **error)
{
    const guint8 *first = p->edition == 1 ? p->head + 11 : p->head + 20;
    const guint8 *end = p->head + p->head_size;

    if (end - first < 4 || n == 0 || p->bits > 32)
        return m2n_unpack_fail("the data are shorter than the coefficients", error);
    M2nBits b = p->edition == 1 ? m2n_bits(first + 4, (gsize)(end - first) - 4)
                                : m2n_bits(p->data, p->data_size);
    if (!m2n_bits_has(&b, n - 1, p->bits))
        return m2n_unpack_fail("the data are shorter than the coefficients", error);
    out[0] = p->edition == 1 ? (float)m2n_octets_ibm32(first) : m2n_octets_ieee32(first);
    for (gsize i = 1; i < n; i++)
        out[i] = (float)(p->offset + m2n_bits_take(&b, p->bits) * p->step);
    return TRUE;
}

gboolean
m2n_unpack_spectral(M2nPacked *p, float *out, gsize n, GError **error)
{
    Spectrum s = {0};
    const gboolean complex = p->edition == 1 ? (p->flags & 0x40) != 0 : p->template == 51;

    if (!complex)
        return unpack_simple(p, out, n, error);
    if (p->grid == NULL)
        return m2n_unpack_fail("spectral coefficients without a grid section", error);
    return (p->edition == 1 ? read_1(p, &s, error) : read_2(p, &s, error)) &&
           unpack_complex(p, &s, out, n, error);
}
