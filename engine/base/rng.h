/* M2nRng: random numbers for initialisation, shuffling and drop path.  The struct is the whole
 * state: copy it, or write its four words to a checkpoint, and the sequence goes on where it was.
 *
 * Not for secrets.  One thread at a time.
 * source  xoshiro256** 1.0 and splitmix64, Blackman and Vigna, "Scrambled linear pseudorandom
 * number generators", 2018 (written from the paper) */
#pragma once
#include <glib.h>

G_BEGIN_DECLS

typedef struct {
    guint64 s[4];
} M2nRng;

void m2n_rng_seed(M2nRng *r, guint64 seed); /* any seed, 0 too */
guint64 m2n_rng_next(M2nRng *r);            /* all 64 bits uniform */
double m2n_rng_uniform(M2nRng *r);          /* [0, 1), 53 bits */
double m2n_rng_normal(M2nRng *r);           /* mean 0, standard deviation 1 */
/* Normal cut at +-2 standard deviations, not rescaled (PyTorch's trunc_normal_ with std << 2). */
double m2n_rng_truncated_normal(M2nRng *r);
guint64 m2n_rng_below(M2nRng *r, guint64 n); /* 0 .. n-1 without bias; n > 0 */
/* A random order of 0 .. n-1. */
void m2n_rng_permutation(M2nRng *r, guint32 *out, guint32 n);

/* One step of splitmix64: advances *state, returns 64 well mixed bits. */
guint64 m2n_splitmix64(guint64 *state);

G_END_DECLS
