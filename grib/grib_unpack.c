/* Simple and IEEE packing.  Source: WMO Manual on Codes, FM 92 GRIB 1 (section 4) and GRIB 2 (templates 5.0, 5.4,
 * 7.0, 7.4). */
#include "grib/grib_unpack.h"

#include <math.h>
#include <string.h>

#include "engine/base/error.h"

typedef struct {
    double reference, scale, decimal; /* value = (reference + X scale) decimal */
    guint bits;                       /* per value */
    guint ieee;                       /* 32 or 64 instead; 0: integers */
    const guint8 *data, *bitmap;      /* bitmap NULL: all points are there */
    gsize data_size, bitmap_size;
} Packed;

static guint32
u(const guint8 *p, int n)
{
    guint32 v = 0;

    for (int i = 0; i < n; i++)
        v = v << 8 | p[i];
    return v;
}

static double
sign_magnitude(const guint8 *p)
{
    const guint32 v = u(p, 2);

    return (v & 0x8000) != 0 ? -(double)(v & 0x7fff) : (double)v;
}

static float
ieee32(const guint8 *p)
{
    const guint32 bits = u(p, 4);
    float f;

    memcpy(&f, &bits, sizeof f);
    return f;
}

static double
ieee64(const guint8 *p)
{
    const guint64 bits = (guint64)u(p, 4) << 32 | u(p + 4, 4);
    double d;

    memcpy(&d, &bits, sizeof d);
    return d;
}

static double
ibm32(const guint8 *p)
{
    const guint32 v = u(p, 4);
    const double m = ldexp((double)(v & 0xffffff), 4 * ((int)((v >> 24) & 0x7f) - 64) - 24);

    return v >> 31 != 0 ? -m : m;
}

static M2nUnpackResult
fail(const char *what, GError **error)
{
    g_set_error_literal(error, M2N_ERROR, M2N_ERROR_FORMAT, what);
    return M2N_UNPACK_FAILED;
}

/* ---- where things are ------------------------------------------------------------------------ */

static M2nUnpackResult
locate_1(const guint8 *m, gsize length, Packed *p, GError **error)
{
    const guint8 *end = m + length - 4, *s = m + 8;

    if (length < 8 + 28 + 11 + 4 || u(m + 4, 3) != length) /* longer ones count otherwise */
        return M2N_UNPACK_NOT_OURS;
    const guint flags = s[7];
    p->decimal = pow(10, -sign_magnitude(s + 26));
    for (guint bit = 0x80;; bit >>= 1) { /* product, then grid and bitmap if they are there */
        const gsize size = u(s, 3);
        if (size < 4 || size > (gsize)(end - s))
            return fail("sections do not fit the message", error);
        if (bit == 0x20) { /* s is the bitmap section */
            if (u(s + 4, 2) != 0)
                return M2N_UNPACK_NOT_OURS; /* a predefined one */
            p->bitmap = s + 6;
            p->bitmap_size = size - 6;
        }
        s += size;
        while (bit >= 0x40 && (flags & bit) == 0)
            bit >>= 1;
        if (bit < 0x40 || end - s < 11)
            break;
    }
    if (end - s < 11)
        return fail("no data section", error);
    const gsize size = u(s, 3);
    if (size < 11 || size > (gsize)(end - s))
        return fail("sections do not fit the message", error);
    if ((s[3] & 0xd0) != 0 || u(s + 4, 2) == 0xffff) /* the latter: ECMWF's "all missing" */
        return M2N_UNPACK_NOT_OURS;
    p->scale = ldexp(1, (int)sign_magnitude(s + 4));
    p->reference = ibm32(s + 6);
    p->bits = s[10];
    p->data = s + 11;
    p->data_size = size - 11;
    return M2N_UNPACKED;
}

static M2nUnpackResult
locate_2(const guint8 *m, gsize length, Packed *p, GError **error)
{
    const guint8 *section[8] = {NULL}, *end = m + length - 4;
    gsize size[8] = {0};

    for (const guint8 *s = m + 16; s + 5 <= end;) {
        const gsize n = u(s, 4);
        if (n < 5 || n > (gsize)(end - s) || s[4] < 1 || s[4] > 7)
            return fail("sections do not fit the message", error);
        section[s[4]] = s;
        size[s[4]] = n;
        s += n;
    }
    if (size[5] < 11 || size[6] < 6 || size[7] < 5)
        return fail("sections are missing", error);
    const guint template = u(section[5] + 9, 2);
    if ((template != 0 || size[5] < 21) && (template != 4 || size[5] < 12))
        return M2N_UNPACK_NOT_OURS;
    if (section[6][5] != 0 && section[6][5] != 255)
        return M2N_UNPACK_NOT_OURS; /* a predefined bitmap */
    if (section[6][5] == 0) {
        p->bitmap = section[6] + 6;
        p->bitmap_size = size[6] - 6;
    }
    p->data = section[7] + 5;
    p->data_size = size[7] - 5;
    if (template == 4) {
        p->ieee = section[5][11] == 1 ? 32 : section[5][11] == 2 ? 64 : 0;
        return p->ieee != 0 ? M2N_UNPACKED : M2N_UNPACK_NOT_OURS;
    }
    p->reference = (double)ieee32(section[5] + 11);
    p->scale = ldexp(1, (int)sign_magnitude(section[5] + 15));
    p->decimal = pow(10, -sign_magnitude(section[5] + 17));
    p->bits = section[5][19];
    return M2N_UNPACKED;
}

/* ---- numbers --------------------------------------------------------------------------------- */

static gsize
count_points(const Packed *p, gsize n)
{
    gsize count = 0;

    for (gsize i = 0; i < n / 8; i++)
        count += (gsize)__builtin_popcount(p->bitmap[i]);
    if (n % 8 != 0)
        count += (gsize)__builtin_popcount(p->bitmap[n / 8] >> (8 - n % 8));
    return count;
}

/* n coded values one after the other. */
static void
decode(const Packed *p, float *out, gsize n)
{
    const double r = p->reference * p->decimal, s = p->scale * p->decimal;

    if (p->ieee == 32) {
        for (gsize i = 0; i < n; i++)
            out[i] = ieee32(p->data + 4 * i);
    } else if (p->ieee == 64) {
        for (gsize i = 0; i < n; i++)
            out[i] = (float)ieee64(p->data + 8 * i);
    } else if (p->bits == 16) {
        for (gsize i = 0; i < n; i++) {
            guint16 x;
            memcpy(&x, p->data + 2 * i, 2);
            out[i] = (float)(r + GUINT16_FROM_BE(x) * s);
        }
    } else if (p->bits == 8) {
        for (gsize i = 0; i < n; i++)
            out[i] = (float)(r + p->data[i] * s);
    } else {
        guint64 window = 0;
        guint have = 0;
        const guint64 mask = ((guint64)1 << p->bits) - 1;
        const guint8 *d = p->data;

        for (gsize i = 0; i < n; i++) {
            while (have < p->bits) {
                window = window << 8 | *d++;
                have += 8;
            }
            have -= p->bits;
            out[i] = (float)(r + (double)(window >> have & mask) * s);
        }
    }
}

/* The coded values, at the front of out, to their places; from the back, so that none is overwritten. */
static void
spread(const Packed *p, float *out, gsize n, gsize coded)
{
    for (gsize i = n; i-- > 0;)
        out[i] = (p->bitmap[i / 8] & (0x80 >> i % 8)) != 0 ? out[--coded] : NAN;
}

M2nUnpackResult
m2n_grib_unpack(int edition, const guint8 *message, gsize length, float *out, gsize n,
                GError **error)
{
    Packed p = {0};
    const M2nUnpackResult found =
        edition == 1 ? locate_1(message, length, &p, error) : locate_2(message, length, &p, error);

    if (found != M2N_UNPACKED)
        return found;
    if (p.bitmap != NULL && p.bitmap_size < (n + 7) / 8)
        return fail("the bitmap is shorter than the grid", error);
    const gsize coded = p.bitmap != NULL ? count_points(&p, n) : n;
    const guint bits = p.ieee != 0 ? p.ieee : p.bits;
    if (bits > 32 && p.ieee == 0)
        return M2N_UNPACK_NOT_OURS;
    if (bits > 0 && coded > p.data_size * 8 / bits)
        return fail("the data are shorter than the grid", error);
    if (bits == 0)
        for (gsize i = 0; i < coded; i++)
            out[i] = (float)p.reference; /* as eccodes and GDAL: not scaled */
    else
        decode(&p, out, coded);
    if (p.bitmap != NULL)
        spread(&p, out, n, coded);
    return M2N_UNPACKED;
}
