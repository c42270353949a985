/* Which packing, and what is common to all: the bitmap, rows to and fro. */
#include "grib/grib_unpack.h"

#include <math.h>

#include "engine/base/error.h"
#include "grib/grib_packed.h"
#include "grib/grib_spec.h"

/* ---- packings -------------------------------------------------------------------------------- */

/* GRIB2, code table 5.0.  Those from 40000 on are older numbers of the same. */
static const struct {
    guint template;
    const char *name;
    M2nUnpacker unpack;
} packings[] = {
    {0, "grid_simple", m2n_unpack_simple},
    {1, "grid_simple_matrix", NULL},
    {2, "grid_complex", m2n_unpack_complex},
    {3, "grid_complex_spatial_differencing", m2n_unpack_complex},
    {4, "grid_ieee", m2n_unpack_ieee},
    {40, "grid_jpeg", m2n_unpack_jpeg},
    {41, "grid_png", m2n_unpack_png},
    {42, "grid_ccsds", m2n_unpack_ccsds},
    {50, "spectral_simple", m2n_unpack_spectral},
    {51, "spectral_complex", m2n_unpack_spectral},
    {53, "bifourier_complex", NULL},
    {61, "grid_simple_log_preprocessing", m2n_unpack_logarithm},
    {200, "grid_run_length", m2n_unpack_run_length},
    {40000, "grid_jpeg", m2n_unpack_jpeg},
    {40010, "grid_png", m2n_unpack_png},
    {50001, "grid_second_order", m2n_unpack_second_order_2},
    {50002, "grid_second_order", m2n_unpack_second_order_2},
};

static const char *
second_order_name(guint flags)
{
    static const char *const orders[] = {"grid_second_order_no_SPD", "grid_second_order_SPD1",
                                         "grid_second_order", "grid_second_order_SPD3"};

    if ((flags & 0x40) != 0)
        return "grid_second_order_matrix";
    if ((flags & 0x08) != 0)
        return orders[flags & 3];
    if ((flags & 0x10) == 0)
        return "grid_second_order_constant_width";
    return (flags & 0x20) != 0 ? "grid_second_order_general_grib1" : "grid_second_order_row_by_row";
}

/* GRIB1, table 11 and octet 14 of section 4. */
static M2nUnpacker
find_1(const M2nPacked *p, const char **name)
{
    const gboolean spectral = (p->flags & 0x80) != 0, complex = (p->flags & 0x40) != 0;

    *name = spectral ? complex ? "spectral_complex" : "spectral_simple" : "grid_simple";
    if (spectral)
        return m2n_unpack_spectral;
    if (complex) {
        *name = p->head_size >= 21 ? second_order_name(p->head[13]) : "grid_second_order";
        return m2n_unpack_second_order_1;
    }
    if ((p->flags & 0x10) == 0)
        return m2n_unpack_simple;
    *name = "grid_simple_matrix";
    return NULL;
}

static M2nUnpacker
find_2(const M2nPacked *p, const char **name)
{
    *name = NULL;
    for (gsize i = 0; i < G_N_ELEMENTS(packings); i++)
        if (packings[i].template == p->template) {
            *name = packings[i].name;
            return packings[i].unpack;
        }
    return NULL;
}

void
m2n_grib_packing(int edition, const guint8 *message, gsize length, char *name, gsize size)
{
    M2nPacked p;
    const char *known = NULL;

    if (m2n_packed_locate(&p, edition, message, length, NULL))
        edition == 1 ? find_1(&p, &known) : find_2(&p, &known);
    if (known != NULL)
        g_strlcpy(name, known, size);
    else if (p.head != NULL)
        g_snprintf(name, size, "template 5.%u", p.template);
    else
        g_strlcpy(name, "unknown", size);
}

/* ---- all points ------------------------------------------------------------------------------- */

static gsize
count_coded(const M2nPacked *p)
{
    const gsize n = p->n_points;
    gsize count = 0;

    for (gsize i = 0; i < n / 8; i++)
        count += (gsize)__builtin_popcount(p->bitmap[i]);
    if (n % 8 != 0)
        count += (gsize)__builtin_popcount(p->bitmap[n / 8] >> (8 - n % 8));
    return count;
}

/* The coded values, at the front of out, to their places; from the back, so that none is overwritten. */
static void
spread(const M2nPacked *p, float *out, gsize coded)
{
    for (gsize i = p->n_points; i-- > 0;)
        out[i] = (p->bitmap[i / 8] & (0x80 >> i % 8)) != 0 ? out[--coded] : NAN;
}

/* Every second row the other way round. */
static gboolean
straighten(const M2nPacked *p, float *out, GError **error)
{
    M2nPackedRows r;
    gsize at = 0, length;
    gboolean ok = m2n_packed_rows(p, &r, error);

    for (guint row = 0; ok && row < r.count; row++) {
        if (!(ok = m2n_packed_row(p, &r, row, at, &length, error)))
            break;
        for (gsize i = 0; row % 2 == 1 && i < length / 2; i++) {
            const float v = out[at + i];
            out[at + i] = out[at + length - 1 - i];
            out[at + length - 1 - i] = v;
        }
        at += length;
    }
    m2n_grid_spec_clear(&r.grid);
    return ok;
}

gboolean
m2n_grib_unpack(int edition, const guint8 *message, gsize length, float *out, gsize n,
                GError **error)
{
    M2nPacked p;
    const char *name;

    if (!m2n_packed_locate(&p, edition, message, length, error))
        return FALSE;
    p.n_points = n;
    if (p.bitmap != NULL && p.bitmap_size < (n + 7) / 8)
        return m2n_unpack_fail("the bitmap is shorter than the grid", error);
    if (edition == 1 && m2n_octets(p.head + 4, 2) == 0xffff) { /* ECMWF's "all missing" */
        for (gsize i = 0; i < n; i++)
            out[i] = NAN;
        return TRUE;
    }
    const M2nUnpacker unpack = edition == 1 ? find_1(&p, &name) : find_2(&p, &name);
    if (unpack == NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT, "packing %s (%u) is not read",
                    name != NULL ? name : "unknown", p.template);
        return FALSE;
    }
    const gsize coded = p.bitmap != NULL ? count_coded(&p) : n;
    if (!unpack(&p, out, coded, error))
        return FALSE;
    if (p.bitmap != NULL)
        spread(&p, out, coded);
    return !p.boustrophedonic || straighten(&p, out, error);
}
