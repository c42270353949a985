/* Sixteen floats at a time in plain C: the compiler makes one AVX-512, two AVX2 or four SSE registers of
 * them, according to the target of the function they are used in.  For the bodies of variants alone. */
#pragma once
#include <glib.h>
#include <string.h>

#define M2N_LANES 16u

typedef float M2nLanes __attribute__((vector_size(64)));
typedef float M2nLanesLoad __attribute__((vector_size(64), aligned(4), may_alias));
typedef float M2nLanes8 __attribute__((vector_size(32)));
typedef float M2nLanes8Load __attribute__((vector_size(32), aligned(4), may_alias));

/* Bodies are written once and compiled per instruction set: always inlined into a function that carries the
 * target attribute. */
#define M2N_BODY static inline __attribute__((always_inline))

#define M2N_LOAD(p) ((M2nLanes) * (const M2nLanesLoad *)(gconstpointer)(p))
#define M2N_STORE(p, v) (*(M2nLanesLoad *)(gpointer)(p) = (M2nLanesLoad)(v))

typedef double M2nDoubles8 __attribute__((vector_size(64)));
typedef double M2nDoubles4 __attribute__((vector_size(32)));

/* As doubles, by halves: one lane after the other would wait sixteen times for an addition. */
M2N_BODY double
m2n_lanes_sum(const M2nLanes *v)
{
    const M2nDoubles8 eight =
        __builtin_convertvector(__builtin_shufflevector(*v, *v, 0, 1, 2, 3, 4, 5, 6, 7), M2nDoubles8) +
        __builtin_convertvector(__builtin_shufflevector(*v, *v, 8, 9, 10, 11, 12, 13, 14, 15), M2nDoubles8);
    const M2nDoubles4 four = __builtin_shufflevector(eight, eight, 0, 1, 2, 3) +
                             __builtin_shufflevector(eight, eight, 4, 5, 6, 7);

    return (four[0] + four[2]) + (four[1] + four[3]);
}
