/* M2nBits: numbers of 0 to 32 bits, most significant first, one after the other out of a run of octets.
 *
 * Reading never touches an octet outside of the run: beyond its end there are zeros.  Whoever must tell the end
 * from zeros asks m2n_bits_has() once before a loop.  Private to the unpackers. */
#pragma once
#include <glib.h>
#include <string.h>

G_BEGIN_DECLS

typedef struct {
    const guint8 *data;
    gsize size; /* octets, at most 2^40 */
    guint64 at; /* bits taken so far */
} M2nBits;

/* Whether n more numbers of `width` bits are there; n at most 2^40, width at most 64. */
static inline gboolean
m2n_bits_has(const M2nBits *b, guint64 n, guint width)
{
    const guint64 all = (guint64)b->size * 8;

    return b->at <= all && n * width <= all - b->at;
}

static inline guint32
m2n_bits_take(M2nBits *b, guint width)
{
    const guint64 octet = b->at / 8;
    guint64 window = 0;

    if (octet + 8 <= b->size) {
        memcpy(&window, b->data + octet, 8);
        window = GUINT64_FROM_BE(window);
    } else {
        for (guint64 i = octet; i < octet + 8; i++)
            window = window << 8 | (i < b->size ? b->data[i] : 0);
    }
    window = window << b->at % 8 >> 1 >> (63 - width); /* in two steps: width may be 0 */
    b->at += width;
    return (guint32)window;
}

/* On to the next octet. */
static inline void
m2n_bits_align(M2nBits *b)
{
    b->at = (b->at + 7) / 8 * 8;
}

static inline M2nBits
m2n_bits(const guint8 *data, gsize size)
{
    const M2nBits b = {data, size, 0};

    return b;
}

G_END_DECLS
