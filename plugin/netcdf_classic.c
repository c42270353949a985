/* Every length of the header, read as the grammar says and compared with what is left of the file. */
#include "plugin/netcdf_classic.h"

#include "engine/base/error.h"

#define LARGEST_HEADER (64u << 20) /* octets; of a thousand variables with their attributes: some 200 KB */

enum { DIMENSION = 10, VARIABLE = 11, ATTRIBUTE = 12 }; /* tags of lists; 0: an empty one */

typedef struct {
    M2nSource *source;
    guint64 at, end;
    guint count_size, begin_size; /* octets of a count, of an address in the file */
    GError *error;                /* once set, every number is 0 */
} Header;

static void
damaged(Header *h, const char *what)
{
    if (h->error == NULL)
        g_set_error(&h->error, M2N_ERROR, M2N_ERROR_FORMAT, "%s: damaged header of NetCDF: %s at octet %" G_GUINT64_FORMAT,
                    m2n_source_name(h->source), what, h->at);
}

static void
skip(Header *h, guint64 n, guint64 octets_each)
{
    if (n > (h->end - h->at) / octets_each)
        damaged(h, "more is claimed than the file, or a header of 64 MiB, holds");
    else
        h->at += n * octets_each;
}

static guint64
number(Header *h, guint octets)
{
    guint8 b[8] = {0};
    guint64 value = 0;
    const guint64 at = h->at;

    if (h->error == NULL)
        skip(h, 1, octets);
    if (h->error == NULL && m2n_source_read(h->source, at, b, octets, &h->error))
        for (guint i = 0; i < octets; i++)
            value = value << 8 | b[i];
    return value;
}

static void
padded(Header *h, guint64 n, guint64 octets_each)
{
    skip(h, n, octets_each);
    if (h->error == NULL)
        skip(h, (4 - h->at % 4) % 4, 1); /* the header begins at octet 0 */
}

static void
name(Header *h)
{
    padded(h, number(h, h->count_size), 1);
}

/* How many elements follow. */
static guint64
list(Header *h, guint64 tag)
{
    const guint64 found = number(h, 4), n = number(h, h->count_size);

    if (found != tag && (found != 0 || n != 0))
        damaged(h, "another list was expected");
    return h->error == NULL ? n : 0;
}

static void
attributes(Header *h)
{
    static const guint8 octets[] = {[1] = 1, 1, 2, 4, 4, 8, 1, 2, 4, 8, 8}; /* NC_BYTE ... NC_UINT64 */
    const guint64 n = list(h, ATTRIBUTE);

    for (guint64 i = 0; i < n && h->error == NULL; i++) {
        name(h);
        const guint64 type = number(h, 4), values = number(h, h->count_size);
        if (type == 0 || type >= G_N_ELEMENTS(octets))
            damaged(h, "no such type");
        else
            padded(h, values, octets[type]);
    }
}

gboolean
m2n_netcdf_classic_fits(M2nSource *s, GError **error)
{
    Header h = {.source = s, .end = MIN(m2n_source_size(s), LARGEST_HEADER)};
    const guint64 magic = number(&h, 4), version = magic & 0xff;

    if (magic >> 8 != 0x434446 || (version != 1 && version != 2 && version != 5)) /* "CDF" */
        damaged(&h, "not CDF-1, -2 or -5");
    h.count_size = version == 5 ? 8 : 4;
    h.begin_size = version == 1 ? 4 : 8;
    number(&h, h.count_size); /* records */
    const guint64 dimensions = list(&h, DIMENSION);
    for (guint64 i = 0; i < dimensions && h.error == NULL; i++) {
        name(&h);
        number(&h, h.count_size);
    }
    attributes(&h);
    const guint64 variables = list(&h, VARIABLE);
    for (guint64 i = 0; i < variables && h.error == NULL; i++) {
        name(&h);
        skip(&h, number(&h, h.count_size), h.count_size); /* its dimensions */
        attributes(&h);
        number(&h, 4);            /* type */
        number(&h, h.count_size); /* octets of a record */
        number(&h, h.begin_size);
    }
    if (h.error != NULL)
        g_propagate_error(error, h.error);
    return h.error == NULL;
}
