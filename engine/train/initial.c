#include "engine/train/initial.h"

#include <math.h>
#include <string.h>

#include "engine/nn/model_match.h"
#include "engine/train/streams.h"

static gboolean
is_norm(const char *name)
{
    return strstr(name, "norm") != NULL || strstr(name, "_Conv.1.") != NULL ||
           strstr(name, ".v_post_f.1.") != NULL;
}

static void
fill(float *w, gsize n, float value)
{
    for (gsize i = 0; i < n; i++)
        w[i] = value;
}

static void
fill_normal(M2nRng *r, float *w, gsize n, double deviation)
{
    for (gsize i = 0; i < n; i++)
        w[i] = (float)(deviation * m2n_rng_normal(r));
}

/* Inputs of one output of the convolution that this weight or bias belongs to. */
static double
fan_in(const M2nParameters *all, const M2nParameter *p)
{
    if (p->rank == 4)
        return (double)(p->shape[1] * p->shape[2] * p->shape[3]);
    g_assert(g_str_has_suffix(p->name, ".bias"));
    g_autofree char *stem = g_strndup(p->name, strlen(p->name) - strlen("bias"));
    g_autofree char *weight = g_strconcat(stem, "weight", NULL);
    return fan_in(all, m2n_parameters_find(all, weight));
}

static void
initialise(const M2nParameters *all, const M2nParameter *p, M2nRng *r, float *w)
{
    const char *name = p->name;
    const gboolean unit = strstr(name, ".ff.") != NULL;
    const gboolean stage = strstr(name, ".enc.") != NULL || strstr(name, ".dec.") != NULL;
    const gboolean bias = g_str_has_suffix(name, ".bias");

    if (strstr(name, "layer_scale") != NULL) {
        fill(w, p->elements, 0.01f);
    } else if (is_norm(name)) {
        const gboolean one = g_str_has_suffix(name, ".weight") || g_str_has_suffix(name, "_var");
        fill(w, p->elements, one ? 1.0f : 0.0f);
    } else if (bias && (unit || stage)) {
        fill(w, p->elements, 0.0f);
    } else if (stage) {
        fill_normal(r, w, p->elements, 0.02);
    } else if (unit) {
        const guint64 out = p->shape[1] == 1 ? 1 : p->shape[0]; /* depthwise: one per group */
        fill_normal(r, w, p->elements, sqrt(2.0 / (double)(p->shape[2] * p->shape[3] * out)));
    } else {
        const double bound = 1.0 / sqrt(fan_in(all, p));
        for (gsize i = 0; i < p->elements; i++)
            w[i] = (float)(bound * (2.0 * m2n_rng_uniform(r) - 1.0));
    }
}

void
m2n_initial_weights(const M2nParameters *p, guint64 seed, float *weights)
{
    for (guint i = 0; i < p->n; i++) {
        M2nRng r = m2n_stream(seed, M2N_STREAM_WEIGHTS, i);

        initialise(p, &p->list[i], &r, weights + p->list[i].offset);
    }
}

gboolean
m2n_initial_from_model(const M2nParameters *p, const M2nSafetensors *model, float *weights,
                       GError **error)
{
    g_autofree const M2nTensorInfo **tensor = g_new0(const M2nTensorInfo *, p->n);

    if (!m2n_model_match(model, p, tensor, error))
        return FALSE;
    for (guint i = 0; i < p->n; i++)
        if (!m2n_safetensors_read_f32(model, tensor[i], 0, p->list[i].elements,
                                      weights + p->list[i].offset, error))
            return FALSE;
    return TRUE;
}
