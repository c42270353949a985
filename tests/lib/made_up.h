/* Weights and fields that every implementation can recompute from their names: what the test vectors were
 * made with.  Element i of a tensor follows from its name and a seed alone. */
#pragma once
#include <math.h>
#include <string.h>

#include "engine/base/rng.h"
#include "engine/nn/parameters.h"

/* n values in [-1, 1): state FNV-1a-64(name) ^ seed, one splitmix64 step each, 24 bits of it. */
static inline void
m2n_splitmix_uniform(const char *name, guint64 seed, float *out, gsize n)
{
    guint64 state = 0xCBF29CE484222325u;

    for (const char *c = name; *c != '\0'; c++)
        state = (state ^ (guchar)*c) * 0x100000001B3u;
    state ^= seed;
    for (gsize i = 0; i < n; i++)
        out[i] = (float)((double)(m2n_splitmix64(&state) >> 40) * (2.0 / (1 << 24)) - 1.0);
}

/* Gains around 1, running variances around 1, layer scales around 0.5: see the oracle's made_up_state(). */
static inline void
m2n_made_up_parameter(const M2nParameter *p, guint64 seed, float *out)
{
    double scale = 0.1, shift = 0.0;

    if (p->rank == 4) {
        scale = sqrt(3.0 / (double)(p->shape[1] * p->shape[2] * p->shape[3]));
    } else if (g_str_has_suffix(p->name, "running_var")) {
        scale = 0.5, shift = 1.0;
    } else if (strstr(p->name, "layer_scale") != NULL) {
        scale = 0.25, shift = 0.5;
    } else if (g_str_has_suffix(p->name, "weight")) {
        scale = 0.25, shift = 1.0;
    }
    m2n_splitmix_uniform(p->name, seed, out, p->elements);
    for (gsize i = 0; i < p->elements; i++)
        out[i] = (float)shift + (float)scale * out[i];
}

/* (transfer full) all weights, laid out as m2n_parameters_new(). */
static inline float *
m2n_made_up_weights(const M2nConfig *config, guint64 seed)
{
    g_autoptr(M2nParameters) p = m2n_parameters_new(config);
    float *weights = g_new(float, p->total);

    for (guint i = 0; i < p->n; i++)
        m2n_made_up_parameter(&p->list[i], seed, weights + p->list[i].offset);
    return weights;
}

/* (transfer full) [batch][T][V][H][W] in [-1.5, 1.5); name: "x", "x0", "y0" ... */
static inline float *
m2n_made_up_fields(const M2nConfig *c, gsize batch, const char *name, guint64 seed)
{
    const gsize n = batch * c->steps * c->variables * c->height * c->width;
    float *x = g_new(float, n);

    m2n_splitmix_uniform(name, seed, x, n);
    for (gsize i = 0; i < n; i++)
        x[i] *= 1.5f;
    return x;
}
