/* Random numbers that are the same on every machine (splitmix64). */
#pragma once
#include <glib.h>

/* Uniform in [-1, 1); advances *state. */
static inline double
m2n_random(guint64 *state)
{
    guint64 z = *state += 0x9E3779B97F4A7C15u;

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-52 - 1;
}
