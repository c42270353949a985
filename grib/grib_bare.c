/* Messages reduced to what they say of their product.  Source: WMO Manual on Codes, FM 92 GRIB 1 and GRIB 2. */
#include "grib/grib_bare.h"

#include "grib/grib_packed.h"

/* ---- one point, one constant value --------------------------------------------------------------- */

/* Latitude and longitude, 1 x 1 at 0, 0. */
static const guint8 grid_1[32] = {[2] = 32, [4] = 255, [7] = 1, [9] = 1, [16] = 0x80};
static const guint8 data_1[12] = {[2] = 12, [3] = 8};

#define MISSING_4 255, 255, 255, 255
static const guint8 grid_2[72] = {[3] = 72, [4] = 3,          [9] = 1,   [14] = 6, [33] = 1,
                                  [37] = 1, [42] = MISSING_4, [54] = 48, [66] = 1, [70] = 1};
static const guint8 tail_2[21 + 6 + 5] = {
    [3] = 21, [4] = 5, [8] = 1, [24] = 6, [25] = 6, [26] = 255, [30] = 5, [31] = 7};
#define UNSTRUCTURED 101u

static void
append(GByteArray *a, const guint8 *p, gsize n)
{
    g_byte_array_append(a, p, (guint)n);
}

/* ---- messages ---------------------------------------------------------------------------------- */

static gboolean
bare_1(GByteArray *a, const guint8 *m, gsize length)
{
    const gsize size = m2n_octets(m + 8, 3);

    if (length < 8 + 28 + 4 || size < 28 || size > length - 12)
        return FALSE;
    append(a, m, 8 + size);
    a->data[8 + 6] = 255;  /* not a grid of the centre's list */
    a->data[8 + 7] = 0x80; /* a grid section, no bitmap */
    append(a, grid_1, sizeof grid_1);
    append(a, data_1, sizeof data_1);
    append(a, (const guint8 *)"7777", 4);
    for (int i = 0; i < 3; i++)
        a->data[4 + i] = (guint8)(a->len >> 8 * (2 - i));
    return TRUE;
}

static gboolean
bare_2(GByteArray *a, const guint8 *m, gsize length)
{
    const guint8 *end = m + length - 4, *section[8] = {NULL};
    gsize size[8] = {0};

    for (const guint8 *s = m + 16; end - s >= 5;) {
        const gsize n = m2n_octets(s, 4);
        if (n < 5 || n > (gsize)(end - s) || s[4] < 1 || s[4] > 7)
            return FALSE;
        section[s[4]] = s;
        size[s[4]] = n;
        s += n;
    }
    if (size[1] < 21 || size[4] < 9)
        return FALSE;
    append(a, m, 16);
    append(a, section[1], size[1]);
    if (section[2] != NULL)
        append(a, section[2], size[2]);
    if (size[3] == 35 && m2n_octets(section[3] + 12, 2) == UNSTRUCTURED)
        append(a, section[3], 35);
    else
        append(a, grid_2, sizeof grid_2);
    append(a, section[4], size[4]);
    append(a, tail_2, sizeof tail_2);
    append(a, (const guint8 *)"7777", 4);
    for (int i = 0; i < 8; i++)
        a->data[8 + i] = (guint8)((guint64)a->len >> 8 * (7 - i));
    return TRUE;
}

guint8 *
m2n_grib_bare(int edition, const guint8 *message, gsize length, gsize *bare_length, GError **error)
{
    g_autoptr(GByteArray) a = g_byte_array_new();
    const gboolean ok =
        length >= 20 && (edition == 1 ? bare_1(a, message, length) : bare_2(a, message, length));

    if (!ok) {
        m2n_unpack_fail("sections do not fit the message", error);
        return NULL;
    }
    return g_byte_array_steal(a, bare_length);
}

gsize
m2n_grib_count_1(const guint8 *message, gsize length)
{
    M2nPacked p;

    if (!m2n_packed_locate(&p, 1, message, length, NULL))
        return 0;
    if (p.bitmap != NULL) { /* its section says how many of its last bits are not used */
        const gsize unused = p.bitmap[-3];
        return p.bitmap_size * 8 > unused ? p.bitmap_size * 8 - unused : 0;
    }
    if ((p.flags & 0x80) != 0 && p.grid_size >= 12) {
        const gsize t = m2n_octets(p.grid + 6, 2);
        return (t + 1) * (t + 2);
    }
    const gsize bits = (p.head_size - 11) * 8, unused = p.head[3] & 0x0f;
    return (p.flags & 0xd0) == 0 && p.bits > 0 && bits > unused ? (bits - unused) / p.bits : 0;
}
