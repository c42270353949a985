/* The octets of one field: all of them, or those that a header is made of.  Source: WMO Manual on Codes, FM 92. */
#include <string.h>

#include "engine/base/error.h"
#include "grib/grib_packed.h"
#include "grib/grib_scan.h"

#define FIRST_READ 4096u /* most GRIB1 headers are shorter */

static const guint8 no_bitmap[6] = {0, 0, 0, 6, 6, 255}, no_values[5] = {0, 0, 0, 5, 7};

static void
put_big_endian(guint8 *p, guint64 v, int n)
{
    for (int i = n - 1; i >= 0; i--, v >>= 8)
        p[i] = (guint8)(v & 0xff);
}

static gpointer
no_memory(M2nSource *source, const M2nGribEntry *e, guint64 bytes, GError **error)
{
    g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY, "%s: message %u: no memory for %" G_GUINT64_FORMAT " bytes",
                m2n_source_name(source), e->number, bytes);
    return NULL;
}

static gboolean
allow(M2nSource *source, const M2nGribEntry *e, guint64 bytes, guint64 most, GError **error)
{
    if (bytes <= most)
        return TRUE;
    g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY,
                "%s: message %u: its header takes %" G_GUINT64_FORMAT " MiB, %" G_GUINT64_FORMAT " MiB are allowed",
                m2n_source_name(source), e->number, (bytes >> 20) + 1, most >> 20);
    return FALSE;
}

/* ---- GRIB2 -------------------------------------------------------------------------------------- */

/* What stands for a section without values; NULL: itself. */
static const guint8 *
instead(int id, gboolean values, const M2nGribEntry *e, gsize *n)
{
    *n = e->size[id];
    if (values || *n == 0 || id < 6)
        return NULL;
    *n = id == 6 ? sizeof no_bitmap : sizeof no_values;
    return id == 6 ? no_bitmap : no_values;
}

/* Sections put together anew. */
static guint8 *
assemble(M2nSource *source, const M2nGribEntry *e, gboolean values, guint64 most, gsize *length, GError **error)
{
    guint64 total = 16 + 4;
    gsize n;

    for (int id = 1; id <= 7; id++) {
        instead(id, values, e, &n);
        total += n;
    }
    if (!allow(source, e, total, most, error))
        return NULL;
    g_autofree guint8 *m = g_try_malloc(total);
    if (m == NULL)
        return no_memory(source, e, total, error);
    if (!m2n_source_read(source, e->offset, m, 16, error))
        return NULL;
    guint8 *p = m + 16;
    put_big_endian(m + 8, total, 8);
    for (int id = 1; id <= 7; id++, p += n) {
        const guint8 *other = instead(id, values, e, &n);

        if (other != NULL)
            memcpy(p, other, n);
        else if (n > 0 && !m2n_source_read(source, e->offset + e->at[id], p, n, error))
            return NULL;
    }
    memcpy(p, "7777", 4);
    *length = (gsize)total;
    return g_steal_pointer(&m);
}

/* ---- GRIB1 -------------------------------------------------------------------------------------- */

/* How many octets at the front have to be there, as far as the first `have` tell; sections that do not fit end it. */
static gsize
head_1_needs(const guint8 *m, gsize have, gsize length)
{
    gsize at = 8;
    guint8 flags = 0;

    for (int id = 1; id <= 4; id++) {
        if ((id == 2 && (flags & 0x80) == 0) || (id == 3 && (flags & 0x40) == 0))
            continue;
        if (id == 4 || have < at + M2N_GRIB_HEAD_1)
            break;
        const gsize size = m2n_octets(m + at, 3);
        if (id == 1)
            flags = m[at + 7];
        if (size < 4 || size > length - at)
            break;
        at += size;
    }
    return MIN(at + M2N_GRIB_HEAD_1, length);
}

static guint8 *
head_1(M2nSource *source, const M2nGribEntry *e, guint64 most, gsize *length, GError **error)
{
    gsize have = 0, need = (gsize)MIN(e->length, FIRST_READ);
    g_autofree guint8 *m = NULL;

    while (have < need) {
        if (!allow(source, e, need, most, error))
            return NULL;
        guint8 *grown = g_try_realloc(m, need);
        if (grown == NULL)
            return no_memory(source, e, need, error);
        m = grown;
        if (!m2n_source_read(source, e->offset + have, m + have, need - have, error))
            return NULL;
        have = need;
        need = head_1_needs(m, have, (gsize)e->length);
    }
    *length = (gsize)e->length;
    return g_steal_pointer(&m);
}

/* ---- both --------------------------------------------------------------------------------------- */

guint8 *
m2n_grib_head(M2nSource *source, const M2nGribEntry *e, guint64 most, gsize *length, GError **error)
{
    return e->edition == 1 ? head_1(source, e, most, length, error) : assemble(source, e, FALSE, most, length, error);
}

guint8 *
m2n_grib_message(M2nSource *source, const M2nGribEntry *e, gsize *length, GError **error)
{
    if (e->edition == 2 && e->shared)
        return assemble(source, e, TRUE, G_MAXUINT64, length, error);
    g_autofree guint8 *m = g_try_malloc((gsize)e->length);
    if (m == NULL)
        return no_memory(source, e, e->length, error);
    if (!m2n_source_read(source, e->offset, m, (gsize)e->length, error))
        return NULL;
    *length = (gsize)e->length;
    return g_steal_pointer(&m);
}
