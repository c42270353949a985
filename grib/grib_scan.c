/* Message framing of GRIB 1 and 2.  Source: WMO Manual on Codes, FM 92. */
#include "grib/grib_scan.h"

#include <string.h>

#include "engine/base/error.h"
#include "grib/grib_reader_private.h"

#define WINDOW 65536 /* bytes searched for the next "GRIB" at a time */
#define MAX_MESSAGE (1ULL << 32)
#define MAX_SECTION (1u << 20)    /* of those that headers are made of: what is read of every message */
#define MAX_GRID (1u << 26)       /* row lengths, a bitmap of as many points as are read */

typedef struct {
    M2nSource *source;
    guint64 size, memory; /* bytes that what is known of its fields may take */
    GArray *entries;
} Scan;

static guint64
big_endian(const guint8 *p, int n)
{
    guint64 v = 0;

    for (int i = 0; i < n; i++)
        v = v << 8 | p[i];
    return v;
}

void
m2n_grib_entry_clear(gpointer entry)
{
    g_free(((M2nGribEntry *)entry)->problem);
}

static M2nGribEntry *
add(Scan *s, const M2nGribEntry *like)
{
    g_array_append_val(s->entries, *like);
    M2nGribEntry *e = &g_array_index(s->entries, M2nGribEntry, s->entries->len - 1);
    e->number = s->entries->len;
    return e;
}

/* FALSE: M2N_ERROR_MEMORY, more entries than may be. */
static gboolean
has_room(const Scan *s, guint64 at, GError **error)
{
    const guint64 now = (s->entries->len + 1) * (guint64)M2N_GRIB_FIELD_BYTES;

    if (now <= s->memory)
        return TRUE;
    const double all = (double)now * (double)s->size / (double)MAX(at, 1);
    g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY,
                "%s: %u fields in the first %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
                " bytes: an index of them all takes about %.0f MiB, %" G_GUINT64_FORMAT " MiB are allowed",
                m2n_source_name(s->source), s->entries->len, at, s->size, all / (1 << 20), s->memory >> 20);
    return FALSE;
}

/* The next "GRIB" at or after *at; *found FALSE at the end. */
static gboolean
find_magic(Scan *s, guint64 *at, gboolean *found, GError **error)
{
    guint8 here[4];

    *found = s->size >= 16 && *at <= s->size - 16; /* as a rule it follows at once */
    if (!*found || !m2n_source_read(s->source, *at, here, 4, error))
        return !*found;
    if (memcmp(here, "GRIB", 4) == 0)
        return TRUE;
    *found = FALSE;
    g_autofree guint8 *buffer = g_malloc(WINDOW);
    while (s->size >= 16 && *at <= s->size - 16) {
        const gsize n = (gsize)MIN((guint64)WINDOW, s->size - *at);

        if (!m2n_source_read(s->source, *at, buffer, n, error))
            return FALSE;
        for (const guint8 *p = buffer, *end = buffer + n - 3; p < end; p++) {
            p = memchr(p, 'G', (gsize)(end - p));
            if (p == NULL)
                break;
            if (memcmp(p, "GRIB", 4) == 0) {
                *at += (guint64)(p - buffer);
                *found = TRUE;
                return TRUE;
            }
        }
        if (n < WINDOW)
            break;
        *at += n - 3;
    }
    return TRUE;
}

/* GRIB1 lengths have 24 bits; ECMWF writes longer messages in units of 120 bytes, with the shortfall
 * as the length of section 4. */
static gboolean
length_1(Scan *s, guint64 at, const guint8 *start, guint64 *length, GError **error)
{
    guint8 b[8];
    const guint64 coded = big_endian(start + 4, 3);
    guint64 p = at + 8;

    *length = coded;
    if ((coded & 0x800000) == 0)
        return TRUE;
    if (p + 8 > s->size || !m2n_source_read(s->source, p, b, 8, error))
        return p + 8 > s->size;
    const guint8 flags = b[7];
    p += big_endian(b, 3);
    for (guint8 bit = 0x80; bit >= 0x40; bit >>= 1)
        if ((flags & bit) != 0) {
            if (p + 3 > s->size)
                return TRUE;
            if (!m2n_source_read(s->source, p, b, 3, error))
                return FALSE;
            p += big_endian(b, 3);
        }
    if (p + 3 > s->size)
        return TRUE;
    if (!m2n_source_read(s->source, p, b, 3, error))
        return FALSE;
    const guint64 section4 = big_endian(b, 3);
    if (section4 < 120)
        *length = (coded & 0x7fffff) * 120 - section4 + 4;
    return TRUE;
}

/* The sections of one GRIB2 message; an entry at every section 7. */
static gboolean
walk_2(Scan *s, const M2nGribEntry *message, GError **error)
{
    M2nGribEntry e = *message;
    guint64 p = 16, bitmap_at = 0;
    guint32 bitmap_size = 0;
    const guint first = s->entries->len;
    guint8 b[6];

    while (p + 4 < e.length) {
        const gsize n = (gsize)MIN((guint64)6, e.length - p);
        if (!m2n_source_read(s->source, e.offset + p, b, n, error))
            return FALSE;
        const guint64 size = big_endian(b, 4);
        const guint id = b[4];
        if (id < 1 || id > 7 || size < 5 || size > e.length - 4 - p) {
            add(s, message)->problem =
                g_strdup_printf("section %u at byte %" G_GUINT64_FORMAT ": %" G_GUINT64_FORMAT
                                " bytes do not fit the message",
                                id, p, size);
            return TRUE;
        }
        if (id < 7 && size > (id == 3 || id == 6 ? MAX_GRID : MAX_SECTION)) {
            add(s, message)->problem = g_strdup_printf(
                "section %u at byte %" G_GUINT64_FORMAT ": %" G_GUINT64_FORMAT " bytes, more than it can mean", id, p, size);
            return TRUE;
        }
        e.at[id] = p;
        e.size[id] = (guint32)size;
        if (id == 6 && b[5] == 254) { /* the bitmap of an earlier field again */
            e.at[6] = bitmap_at;
            e.size[6] = bitmap_size;
        } else if (id == 6) {
            bitmap_at = p;
            bitmap_size = (guint32)size;
        }
        if (id == 7 && !has_room(s, e.offset + p, error))
            return FALSE;
        if (id == 7)
            add(s, &e);
        p += size;
    }
    for (guint i = first; s->entries->len - first > 1 && i < s->entries->len; i++)
        g_array_index(s->entries, M2nGribEntry, i).shared = TRUE;
    for (guint i = first; i < s->entries->len; i++) {
        M2nGribEntry *f = &g_array_index(s->entries, M2nGribEntry, i);
        for (guint id = 1; id <= 7; id++)
            if (id != 2 && f->size[id] == 0 && f->problem == NULL)
                f->problem = g_strdup_printf("section %u is missing", id);
    }
    if (s->entries->len == first)
        add(s, message)->problem = g_strdup("no data section");
    return TRUE;
}

/* The message at `at`; *next is where to go on looking. */
static gboolean
take_message(Scan *s, guint64 at, guint64 *next, GError **error)
{
    M2nGribEntry e = {.offset = at};
    guint8 b[16], end[4];

    *next = at + 4;
    if (!m2n_source_read(s->source, at, b, sizeof b, error))
        return FALSE;
    e.edition = b[7];
    if (e.edition != 1 && e.edition != 2)
        return TRUE; /* four letters in some other data */
    e.length = big_endian(b + 8, 8);
    if (e.edition == 1 && !length_1(s, at, b, &e.length, error))
        return FALSE;
    if (e.length > s->size - at) {
        add(s, &e)->problem =
            g_strdup_printf("truncated: %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " bytes",
                            s->size - at, e.length);
        return TRUE;
    }
    if (e.length < 20 || e.length > MAX_MESSAGE) {
        add(s, &e)->problem = g_strdup_printf("impossible length %" G_GUINT64_FORMAT, e.length);
        return TRUE;
    }
    if (!m2n_source_read(s->source, at + e.length - 4, end, 4, error))
        return FALSE;
    if (memcmp(end, "7777", 4) != 0) {
        add(s, &e)->problem =
            g_strdup_printf("wrong length: no 7777 after %" G_GUINT64_FORMAT " bytes", e.length);
        return TRUE;
    }
    *next = at + e.length;
    if (e.edition == 2)
        return walk_2(s, &e, error);
    add(s, &e);
    return TRUE;
}

/* What people give for GRIB by mistake. */
static const char *
what_instead(M2nSource *source)
{
    char start[16] = {0};

    if (m2n_source_size(source) < sizeof start ||
        !m2n_source_read(source, 0, start, sizeof start, NULL))
        return "";
    return memcmp(start, "II*", 4) == 0 || memcmp(start, "MM\0*", 4) == 0 ||
                   memcmp(start, "II+", 4) == 0
               ? "; it is a TIFF, which is not read: forecasts and fields come as GRIB, NetCDF or "
                 "Zarr"
           : memcmp(start, "CDF", 3) == 0 || memcmp(start + 1, "HDF", 3) == 0
               ? "; it is NetCDF or HDF5"
           : memcmp(start, "PK\3\4", 4) == 0
               ? "; it is a zip file: /vsizip/FILE/NAME reads what is in it"
           : memcmp(start, "\x1f\x8b", 2) == 0
               ? "; it is compressed: /vsigzip/FILE reads what is in it"
           : start[8] == '{' && start[7] == 0 ? "; it is safetensors, a model perhaps"
                                              : "";
}

GArray *
m2n_grib_scan(M2nSource *source, guint64 memory, GError **error)
{
    Scan s = {.source = source, .size = m2n_source_size(source), .memory = memory};
    g_autoptr(GArray) entries = g_array_new(FALSE, TRUE, sizeof(M2nGribEntry));
    guint64 at = 0;
    gboolean found = TRUE;

    g_array_set_clear_func(entries, m2n_grib_entry_clear);
    s.entries = entries;
    while (found) {
        if (!find_magic(&s, &at, &found, error) ||
            (found && (!has_room(&s, at, error) || !take_message(&s, at, &at, error))))
            return NULL;
    }
    if (entries->len == 0) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT,
                    "%s: no GRIB message in %" G_GUINT64_FORMAT " bytes%s", m2n_source_name(source),
                    s.size, what_instead(source));
        return NULL;
    }
    return g_steal_pointer(&entries);
}
