/* Random numbers of a run: a generator per purpose and place, all from one seed, so that a resumed run asks
 * for the same generator again instead of restoring one. */
#pragma once
#include "engine/base/rng.h"

typedef enum {
    M2N_STREAM_WEIGHTS,  /* index: parameter */
    M2N_STREAM_ORDER,    /* index: epoch */
    M2N_STREAM_KEEP_KEY, /* index: step; drop path */
    M2N_STREAM_KEEP_QUERY,
} M2nStream;

static inline M2nRng
m2n_stream(guint64 seed, M2nStream purpose, guint64 index)
{
    M2nRng r;
    guint64 state = seed;

    /* mixed one into the next: neighbouring seeds and indices must not overlap */
    state = m2n_splitmix64(&state) + (guint64)purpose;
    state = m2n_splitmix64(&state) + index;
    m2n_rng_seed(&r, m2n_splitmix64(&state));
    return r;
}
