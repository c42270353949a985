/* JPEG 2000 code streams.  Source: WMO Manual on Codes, FM 92 GRIB 2, templates 5.40, 7.40; the stream is ISO 15444-1
 * and OpenJPEG's to decode, after its header has been compared with the number of values. */
#include <openjpeg.h>

#include "grib/grib_packed.h"

static void
be_silent(const char *message, void *data)
{
    (void)message;
    (void)data;
}

/* ---- octets in memory as OpenJPEG's stream ----------------------------------------------------- */

typedef struct {
    const guint8 *data;
    gsize size, at;
} Octets;

static OPJ_SIZE_T
stream_read(void *buffer, OPJ_SIZE_T n, void *data)
{
    Octets *o = data;
    const gsize take = MIN(n, o->size - o->at);

    if (take == 0)
        return (OPJ_SIZE_T)-1;
    memcpy(buffer, o->data + o->at, take);
    o->at += take;
    return take;
}

static OPJ_OFF_T
stream_skip(OPJ_OFF_T n, void *data)
{
    Octets *o = data;

    if (n < 0 || (guint64)n > o->size - o->at)
        return -1;
    o->at += (gsize)n;
    return n;
}

static OPJ_BOOL
stream_seek(OPJ_OFF_T to, void *data)
{
    Octets *o = data;

    if (to < 0 || (guint64)to > o->size)
        return OPJ_FALSE;
    o->at = (gsize)to;
    return OPJ_TRUE;
}

static opj_stream_t *
stream_of(Octets *o)
{
    opj_stream_t *s = opj_stream_create(MAX(o->size, 64), OPJ_TRUE);

    if (s == NULL)
        return NULL;
    opj_stream_set_read_function(s, stream_read);
    opj_stream_set_skip_function(s, stream_skip);
    opj_stream_set_seek_function(s, stream_seek);
    opj_stream_set_user_data(s, o, NULL);
    opj_stream_set_user_data_length(s, o->size);
    return s;
}

/* ---- the image ------------------------------------------------------------------------------- */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(opj_stream_t, opj_stream_destroy)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(opj_codec_t, opj_destroy_codec)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(opj_image_t, opj_image_destroy)

/* One component of n samples of at most 31 bits, at full size. */
static gboolean
fits(const opj_image_t *i, gsize n)
{
    return i->numcomps == 1 && i->x1 > i->x0 && i->y1 > i->y0 && i->comps[0].dx == 1 &&
           i->comps[0].dy == 1 && i->comps[0].prec >= 1 && i->comps[0].prec <= 31 &&
           (guint64)(i->x1 - i->x0) * (i->y1 - i->y0) == n;
}

gboolean
m2n_unpack_jpeg(M2nPacked *p, float *out, gsize n, GError **error)
{
    Octets octets = {p->data, p->data_size, 0};
    opj_dparameters_t parameters;
    opj_image_t *read = NULL;

    if (p->bits == 0 || n == 0)
        return m2n_unpack_constant(p, out, n);
    g_autoptr(opj_stream_t) stream = stream_of(&octets);
    g_autoptr(opj_codec_t) codec = opj_create_decompress(OPJ_CODEC_J2K);
    if (stream == NULL || codec == NULL)
        return m2n_unpack_fail("JPEG 2000: no memory for the decoder", error);
    opj_set_info_handler(codec, be_silent, NULL);
    opj_set_warning_handler(codec, be_silent, NULL);
    opj_set_error_handler(codec, be_silent, NULL);
    opj_set_default_decoder_parameters(&parameters);
    if (!opj_setup_decoder(codec, &parameters))
        return m2n_unpack_fail("JPEG 2000: no decoder", error);
    const gboolean header = opj_read_header(stream, codec, &read);
    g_autoptr(opj_image_t) image = read;
    if (!header || image == NULL)
        return m2n_unpack_fail("JPEG 2000: damaged header", error);
    if (!fits(image, n))
        return m2n_unpack_fail("JPEG 2000: an image of another size than the grid", error);
    if (!opj_decode(codec, stream, image) || !opj_end_decompress(codec, stream))
        return m2n_unpack_fail("JPEG 2000: damaged data", error);
    const opj_image_comp_t *c = &image->comps[0];
    if (c->data == NULL || (guint64)c->w * c->h != n)
        return m2n_unpack_fail("JPEG 2000: not all of the image is there", error);
    const guint32 mask = (guint32)(((guint64)1 << c->prec) - 1); /* samples are meant unsigned */
    for (gsize i = 0; i < n; i++)
        out[i] = (float)(p->offset + ((guint32)c->data[i] & mask) * p->step);
    return TRUE;
}
