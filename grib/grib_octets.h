/* Numbers as GRIB writes them, in whole octets, most significant first; negative ones as sign and magnitude.  Source:
 * WMO Manual on Codes, FM 92 GRIB.  Nothing is checked: whoever calls knows that the octets are there. */
#pragma once
#include <glib.h>
#include <math.h>
#include <string.h>

G_BEGIN_DECLS

/* n at most 4. */
static inline guint32
m2n_octets(const guint8 *p, int n)
{
    guint32 v = 0;

    for (int i = 0; i < n; i++)
        v = v << 8 | p[i];
    return v;
}

/* The same with its sign in the first bit. */
static inline gint64
m2n_octets_signed(const guint8 *p, int n)
{
    const guint32 v = m2n_octets(p, n), sign = 1u << (8 * n - 1);

    return (v & sign) != 0 ? -(gint64)(v & (sign - 1)) : (gint64)v;
}

static inline float
m2n_octets_ieee32(const guint8 *p)
{
    const guint32 bits = m2n_octets(p, 4);
    float f;

    memcpy(&f, &bits, sizeof f);
    return f;
}

/* Four octets of IBM's: sign, power of 16 above 64, fraction of 24 bits. */
static inline double
m2n_octets_ibm32(const guint8 *p)
{
    const guint32 v = m2n_octets(p, 4);
    const double m = ldexp((double)(v & 0xffffff), 4 * ((int)((v >> 24) & 0x7f) - 64) - 24);

    return v >> 31 != 0 ? -m : m;
}

G_END_DECLS
