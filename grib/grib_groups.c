/* Values in groups, differenced or not. */
#include "grib/grib_groups.h"

#include <math.h>

#include "engine/base/error.h"

gboolean
m2n_groups_alloc(M2nGroups *g, guint64 count, gsize n, GError **error)
{
    if (count > (guint64)n)
        return m2n_unpack_fail("more groups than values", error);
    g->count = (gsize)count;
    g->references = g_try_new0(guint32, g->count + 1);
    g->lengths = g_try_new0(guint32, g->count + 1);
    g->widths = g_try_new0(guint8, g->count + 1);
    if (g->references != NULL && g->lengths != NULL && g->widths != NULL)
        return TRUE;
    g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY, "no memory for %" G_GSIZE_FORMAT " groups",
                g->count);
    return FALSE;
}

void
m2n_groups_clear(M2nGroups *g)
{
    g_clear_pointer(&g->references, g_free);
    g_clear_pointer(&g->lengths, g_free);
    g_clear_pointer(&g->widths, g_free);
}

/* The integers so far, newest first; unsigned, for damaged data may run over. */
typedef struct {
    guint64 y[3];
    guint count; /* of values there were, up to 3 */
} History;

static inline guint64
integrate(const M2nGroups *g, guint order, History *h, guint64 x)
{
    guint64 y;

    if (h->count < order)
        y = g->first[h->count++];
    else if (order == 1)
        y = x + (guint64)g->bias + h->y[0];
    else if (order == 2)
        y = x + (guint64)g->bias + 2 * h->y[0] - h->y[1];
    else
        y = x + (guint64)g->bias + 3 * (h->y[0] - h->y[1]) + h->y[2];
    h->y[2] = h->y[1];
    h->y[1] = h->y[0];
    h->y[0] = y;
    return y;
}

static inline gboolean
is_missing(const M2nGroups *g, guint32 coded, guint bits)
{
    const guint32 highest = bits == 0 ? 0 : G_MAXUINT32 >> (32 - bits);

    return coded == highest || (g->missing == 2 && highest > 0 && coded == highest - 1);
}

/* The groups at the front of out, with order and kind of missing known to the compiler. */
static inline __attribute__((always_inline)) void
unpack(const M2nGroups *g, const M2nPacked *p, guint order, gboolean missing, float *out)
{
    const double r = p->offset, s = p->step;
    M2nBits b = g->values;
    History h = {{0}, 0};

    if (g->first_apart)
        for (guint i = 0; i < order; i++)
            *out++ = (float)(r + (double)(gint64)integrate(g, order, &h, 0) * s);
    for (gsize k = 0; k < g->count; k++) {
        const guint32 reference = g->references[k], length = g->lengths[k];
        const guint width = g->widths[k];
        const gboolean hollow =
            missing && width == 0 && is_missing(g, reference, g->reference_bits);

        for (guint32 i = 0; i < length; i++) {
            const guint32 second = m2n_bits_take(&b, width);
            if (missing && (hollow || (width > 0 && is_missing(g, second, width)))) {
                out[i] = NAN;
                continue;
            }
            guint64 x = (guint64)reference + second;
            if (order > 0)
                x = integrate(g, order, &h, x);
            out[i] = (float)(r + (double)(gint64)x * s);
        }
        out += length;
    }
}

gboolean
m2n_groups_unpack(M2nGroups *g, const M2nPacked *p, float *out, gsize n, GError **error)
{
    const guint64 all = (guint64)g->values.size * 8;
    guint64 bits = g->values.at, values = g->first_apart ? g->order : 0;

    for (gsize k = 0; k < g->count; k++) {
        if (g->widths[k] > 32)
            return m2n_unpack_fail("a group of more than 32 bits per value", error);
        values += g->lengths[k]; /* at most 2^28 groups of 2^32: no overflow here nor below */
        bits += (guint64)g->lengths[k] * g->widths[k];
        if (values > n)
            return m2n_unpack_fail("the groups hold more values than the grid", error);
    }
    if (values != n)
        return m2n_unpack_fail("the groups hold fewer values than the grid", error);
    if (bits > all)
        return m2n_unpack_fail("the data are shorter than the groups", error);
    if (g->missing != 0 && g->order == 0)
        unpack(g, p, 0, TRUE, out);
    else if (g->missing != 0 && g->order == 1)
        unpack(g, p, 1, TRUE, out);
    else if (g->missing != 0)
        unpack(g, p, 2, TRUE, out); /* the third order is GRIB1's, which has no such marks */
    else if (g->order == 0)
        unpack(g, p, 0, FALSE, out);
    else if (g->order == 1)
        unpack(g, p, 1, FALSE, out);
    else if (g->order == 2)
        unpack(g, p, 2, FALSE, out);
    else
        unpack(g, p, 3, FALSE, out);
    return TRUE;
}
