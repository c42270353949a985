/* Run-length packing with level values.  Source: WMO Manual on Codes, FM 92 GRIB 2, templates 5.200, 7.200.
 *
 * Numbers up to the highest level begin a run of that level; greater ones are digits, least first, to the base
 * 2^bits - 1 - highest, of how many more of it follow. */
#include <math.h>

#include "grib/grib_packed.h"

gboolean
m2n_unpack_run_length(M2nPacked *p, float *out, gsize n, GError **error)
{
    const guint8 *s = p->head;
    const guint bits = s[11];
    gsize at = 0;

    if (p->head_size < 17 || bits < 1 || bits > 32)
        return m2n_unpack_fail("the section about the packing is too short", error);
    const guint highest = m2n_octets(s + 12, 2), levels = m2n_octets(s + 14, 2);
    const guint64 top = ((guint64)1 << bits) - 1;
    if (highest > levels || highest >= top || p->head_size < 17 + 2 * (gsize)levels)
        return m2n_unpack_fail("the table of levels contradicts itself", error);
    const guint64 base = top - highest;
    const double scale = pow(10, -(double)m2n_octets_signed(s + 16, 1));
    M2nBits b = m2n_bits(p->data, p->data_size);

    for (guint64 power = 1; m2n_bits_has(&b, 1, bits) && at < n;) {
        const guint32 v = m2n_bits_take(&b, bits);
        if (v <= highest) {
            out[at++] = v == 0 ? NAN : (float)(m2n_octets(s + 15 + 2 * v, 2) * scale);
            power = 1;
            continue;
        }
        const guint64 more = (v - highest - 1) * power;
        if (at == 0 || more > n - at)
            return m2n_unpack_fail("a run is longer than the grid", error);
        for (guint64 i = 0; i < more; i++, at++)
            out[at] = out[at - 1];
        power = MIN(power * base, (guint64)1 << 30);
    }
    return at == n || m2n_unpack_fail("the runs are shorter than the grid", error);
}
