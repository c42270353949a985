/* Portable Network Graphics.  Source: WMO Manual on Codes, FM 92 GRIB 2, templates 5.41, 7.41: a grey image up to 16
 * bits, RGB for 24, RGBA for 32; libpng decodes it row by row, after its header has been compared with the number of
 * values. */
#include <png.h>
#include <setjmp.h>

#include "engine/base/error.h"
#include "grib/grib_packed.h"

typedef struct {
    const guint8 *data;
    gsize size, at;
    char complaint[128];
} Octets;

static void
read_octets(png_structp png, png_bytep buffer, png_size_t n)
{
    Octets *o = png_get_io_ptr(png);

    if (n > o->size - o->at)
        png_error(png, "the data end too early");
    memcpy(buffer, o->data + o->at, n);
    o->at += n;
}

static void
on_error(png_structp png, png_const_charp message)
{
    Octets *o = png_get_error_ptr(png);

    g_strlcpy(o->complaint, message, sizeof o->complaint);
    png_longjmp(png, 1);
}

static void
on_warning(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

/* Rows of big-endian numbers to values.  Leaves through png_longjmp on damage: it owns nothing. */
static gboolean
read_rows(png_structp png, png_infop info, const M2nPacked *p, guint8 *row, float *out, gsize n)
{
    const gsize width = png_get_image_width(png, info), height = png_get_image_height(png, info);
    const guint bits = (guint)png_get_bit_depth(png, info) * png_get_channels(png, info);

    if (bits > 32 || width * height != n ||
        png_get_interlace_type(png, info) != PNG_INTERLACE_NONE ||
        png_get_rowbytes(png, info) != (width * bits + 7) / 8)
        return FALSE;
    for (gsize y = 0; y < height; y++, out += width) {
        png_read_row(png, row, NULL);
        M2nBits b = m2n_bits(row, (width * bits + 7) / 8);
        for (gsize x = 0; x < width; x++)
            out[x] = (float)(p->offset + m2n_bits_take(&b, bits) * p->step);
    }
    png_read_end(png, NULL);
    return TRUE;
}

static gboolean
decode(png_structp png, png_infop info, const M2nPacked *p, guint8 *row, float *out, gsize n,
       gboolean *fits)
{
    if (setjmp(png_jmpbuf(png)) != 0)
        return FALSE;
    png_set_user_limits(png, (guint32)MIN(n, PNG_UINT_31_MAX), (guint32)MIN(n, PNG_UINT_31_MAX));
    png_read_info(png, info);
    *fits = read_rows(png, info, p, row, out, n);
    return TRUE;
}

gboolean
m2n_unpack_png(M2nPacked *p, float *out, gsize n, GError **error)
{
    Octets octets = {p->data, p->data_size, 0, ""};
    gboolean fits = FALSE;

    if (p->bits == 0 || n == 0)
        return m2n_unpack_constant(p, out, n);
    g_autofree guint8 *row = g_try_malloc(4 * n + 8); /* a row holds n pixels at most, of 32 bits */
    if (row == NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY, "no memory for %" G_GSIZE_FORMAT " points",
                    n);
        return FALSE;
    }
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &octets, on_error, on_warning);
    png_infop info = png != NULL ? png_create_info_struct(png) : NULL;
    gboolean ok = FALSE;
    if (info != NULL) {
        png_set_read_fn(png, &octets, read_octets);
        ok = decode(png, info, p, row, out, n, &fits);
    }
    png_destroy_read_struct(&png, &info, NULL);
    if (!ok) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT, "PNG: %s",
                    octets.complaint[0] != 0 ? octets.complaint : "no memory for the decoder");
        return FALSE;
    }
    return fits || m2n_unpack_fail("PNG: an image of another size than the grid", error);
}
