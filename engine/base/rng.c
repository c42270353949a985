#include "engine/base/rng.h"

#include <math.h>

guint64
m2n_splitmix64(guint64 *state)
{
    guint64 z = *state += 0x9E3779B97F4A7C15u;

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

void
m2n_rng_seed(M2nRng *r, guint64 seed)
{
    for (guint i = 0; i < 4; i++)
        r->s[i] = m2n_splitmix64(&seed);
}

static inline guint64
rotate_left(guint64 x, guint k)
{
    return (x << k) | (x >> (64 - k));
}

guint64
m2n_rng_next(M2nRng *r)
{
    const guint64 result = rotate_left(r->s[1] * 5, 7) * 9, t = r->s[1] << 17;

    r->s[2] ^= r->s[0];
    r->s[3] ^= r->s[1];
    r->s[1] ^= r->s[2];
    r->s[0] ^= r->s[3];
    r->s[2] ^= t;
    r->s[3] = rotate_left(r->s[3], 45);
    return result;
}

double
m2n_rng_uniform(M2nRng *r)
{
    return (double)(m2n_rng_next(r) >> 11) * 0x1p-53;
}

/* Box-Muller, the cosine half alone: keeping the sine for the next call would be hidden state. */
double
m2n_rng_normal(M2nRng *r)
{
    const double u = 1.0 - m2n_rng_uniform(r); /* (0, 1]: its logarithm is finite */
    const double v = m2n_rng_uniform(r);

    return sqrt(-2.0 * log(u)) * cos(2.0 * G_PI * v);
}

double
m2n_rng_truncated_normal(M2nRng *r)
{
    double x;

    do
        x = m2n_rng_normal(r);
    while (fabs(x) > 2.0);
    return x;
}

guint64
m2n_rng_below(M2nRng *r, guint64 n)
{
    const guint64 first =
        -n % n; /* 2^64 mod n: values under it would make small results likelier */
    guint64 x;

    g_assert(n > 0);
    do
        x = m2n_rng_next(r);
    while (x < first);
    return x % n;
}

void
m2n_rng_permutation(M2nRng *r, guint32 *out, guint32 n)
{
    for (guint32 i = 0; i < n; i++) {
        const guint32 j = (guint32)m2n_rng_below(r, i + 1u);

        out[i] = out[j];
        out[j] = i;
    }
}
