/* The unpackers alone: a message of either edition, unpacked to the number of points its header promises and to
 * others.  No eccodes, so that a case takes microseconds. */
#include "grib/grib_bare.h"
#include "grib/grib_packed.h"
#include "grib/grib_unpack.h"
#include "tests/fuzz/fuzz.h"

#define MOST_POINTS (1u << 18)

static gsize
promised(int edition, const uint8_t *data, size_t size)
{
    M2nPacked p;

    if (edition == 1 && m2n_packed_locate(&p, 1, data, size, NULL)) {
        const gsize stated =
            p.grid_size >= 10 ? (gsize)m2n_octets(p.grid + 6, 2) * m2n_octets(p.grid + 8, 2) : 0;
        return stated > 0 && stated <= MOST_POINTS ? stated : m2n_grib_count_1(data, size);
    }
    if (edition == 2 && m2n_packed_locate(&p, 2, data, size, NULL))
        return p.grid_size >= 10 ? m2n_octets(p.grid + 6, 4) : 0;
    return 0;
}

static void
unpack(int edition, const uint8_t *data, size_t size, gsize n)
{
    g_autoptr(GError) error = NULL;
    g_autofree float *out = g_new(float, n);
    const gboolean ok = m2n_grib_unpack(edition, data, size, out, n, &error);

    if (ok)
        fuzz_use(out, n * sizeof *out);
    fuzz_check(ok, &error);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char name[64];

    for (int edition = 1; edition <= 2; edition++) {
        if (size >= 8 && data[7] != edition)
            continue; /* of fewer octets both */
        const gsize n = MIN(promised(edition, data, size), MOST_POINTS);
        m2n_grib_packing(edition, data, size, name, sizeof name);
        unpack(edition, data, size, n);
        unpack(edition, data, size, n / 2 + 1);
    }
    return 0;
}
