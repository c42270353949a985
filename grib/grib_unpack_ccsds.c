/* CCSDS lossless compression.  Source: WMO Manual on Codes, FM 92 GRIB 2, templates 5.42, 7.42; the stream is CCSDS
 * 121.0-B and libaec's to decode, into a buffer of the size it must have. */
#include <libaec.h>

#include "engine/base/error.h"
#include "grib/grib_packed.h"

/* How libaec hands samples out has nothing to do with the stream: in the host's order, in 1, 2 or 4 octets. */
#if G_BYTE_ORDER == G_BIG_ENDIAN
#define HOST_ORDER AEC_DATA_MSB
#else
#define HOST_ORDER 0u
#endif

/* n samples of `octets` octets each, or NULL. */
static gpointer
decompress(const M2nPacked *p, gsize n, guint octets, GError **error)
{
    const guint8 *h = p->head;
    g_autofree guint8 *samples = g_try_malloc(n * octets + 1);
    struct aec_stream s = {.next_in = p->data,
                           .avail_in = p->data_size,
                           .next_out = samples,
                           .avail_out = n * octets,
                           .bits_per_sample = p->bits,
                           .block_size = h[22],
                           .rsi = m2n_octets(h + 23, 2),
                           .flags = (h[21] & ~(guint)(AEC_DATA_3BYTE | AEC_DATA_MSB)) | HOST_ORDER};

    if (samples == NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY, "no memory for %" G_GSIZE_FORMAT " points",
                    n);
        return NULL;
    }
    const int status = aec_buffer_decode(&s);
    if (status != AEC_OK || s.total_out != n * octets) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT,
                    "CCSDS: status %d after %" G_GSIZE_FORMAT " of %" G_GSIZE_FORMAT " values",
                    status, (gsize)s.total_out / octets, n);
        return NULL;
    }
    return g_steal_pointer(&samples);
}

gboolean
m2n_unpack_ccsds(M2nPacked *p, float *out, gsize n, GError **error)
{
    const double r = p->offset, s = p->step;

    if (p->bits == 0 || n == 0)
        return m2n_unpack_constant(p, out, n);
    if (p->head_size < 25 || p->bits > 32)
        return m2n_unpack_fail("CCSDS: more than 32 bits or a section too short", error);
    const guint block = p->head[22], rsi = m2n_octets(p->head + 23, 2);
    if (rsi < 1 || rsi > 4096 || (block != 8 && block != 16 && block != 32 && block != 64))
        return m2n_unpack_fail("CCSDS: impossible size of a block", error);
    if ((p->head[21] & AEC_DATA_SIGNED) != 0)
        return m2n_unpack_fail("CCSDS: signed samples", error);
    const guint octets = p->bits <= 8 ? 1 : p->bits <= 16 ? 2 : 4;
    g_autofree gpointer samples = decompress(p, n, octets, error);
    if (samples == NULL)
        return FALSE;
    if (octets == 1)
        for (gsize i = 0; i < n; i++)
            out[i] = (float)(r + ((const guint8 *)samples)[i] * s);
    else if (octets == 2)
        for (gsize i = 0; i < n; i++)
            out[i] = (float)(r + ((const guint16 *)samples)[i] * s);
    else
        for (gsize i = 0; i < n; i++)
            out[i] = (float)(r + ((const guint32 *)samples)[i] * s);
    return TRUE;
}
