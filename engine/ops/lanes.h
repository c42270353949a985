/* Sixteen floats at a time in plain C: the compiler makes one AVX-512, two AVX2 or four SSE registers of
 * them, according to the target of the function they are used in.  For the bodies of variants alone. */
#pragma once
#include <glib.h>
#include <string.h>

#define M2N_LANES 16u

typedef float M2nLanes __attribute__((vector_size(64)));
typedef float M2nLoad __attribute__((vector_size(64), aligned(4), may_alias));

/* Bodies are written once and compiled per instruction set: always inlined into a function that carries the
 * target attribute. */
#define M2N_BODY static inline __attribute__((always_inline))

#define M2N_LOAD(p) ((M2nLanes) * (const M2nLoad *)(gconstpointer)(p))
#define M2N_STORE(p, v) (*(M2nLoad *)(gpointer)(p) = (M2nLoad)(v))

M2N_BODY double
m2n_lanes_sum(const M2nLanes *v)
{
    double sum = 0.0;

    for (guint i = 0; i < M2N_LANES; i++)
        sum += (double)(*v)[i];
    return sum;
}
