#include "engine/nn/model.h"

#include <string.h>

#include "engine/base/cpu.h"
#include "engine/base/error.h"
#include "engine/nn/network.h"
#include "engine/ops/batch_norm.h"

/* ---- weights by role ------------------------------------------------------------------- */

static M2nStage
stage(const M2nModel *m, const M2nParameters *p, const char *prefix, const char *conv)
{
    return (M2nStage){
        .weight = m->weights + m2n_parameters_offset(p, "%s.%s.weight", prefix, conv),
        .bias = m->weights + m2n_parameters_offset(p, "%s.%s.bias", prefix, conv),
        .gamma = m->weights + m2n_parameters_offset(p, "%s.norm.weight", prefix),
        .beta = m->weights + m2n_parameters_offset(p, "%s.norm.bias", prefix),
    };
}

static M2nLinear
linear(const M2nModel *m, const M2nParameters *p, const char *prefix, const char *name)
{
    return (M2nLinear){
        .weight = m->weights + m2n_parameters_offset(p, "%s.%s.weight", prefix, name),
        .bias = m->weights + m2n_parameters_offset(p, "%s.%s.bias", prefix, name),
    };
}

static M2nProjection
projection(const M2nModel *m, const M2nParameters *p, const char *layer, const char *name)
{
    return (M2nProjection){
        .weight = m->weights + m2n_parameters_offset(p, "%s.attn_1.%s.0.weight", layer, name),
        .gamma = m->weights + m2n_parameters_offset(p, "%s.attn_1.%s.1.weight", layer, name),
        .beta = m->weights + m2n_parameters_offset(p, "%s.attn_1.%s.1.bias", layer, name),
    };
}

static void
fold_norm(M2nModel *m, const M2nParameters *p, const char *unit, guint layer, guint which)
{
    const gsize d = m->config.hid_T;
    float *scale = m->folded + (layer * 2 + which) * 2 * d, *shift = scale + d;
    const float *w = m->weights;

    m2n_batch_norm_fold(d, w + m2n_parameters_offset(p, "%s.norm%u.running_mean", unit, which + 1),
                        w + m2n_parameters_offset(p, "%s.norm%u.running_var", unit, which + 1),
                        w + m2n_parameters_offset(p, "%s.norm%u.weight", unit, which + 1),
                        w + m2n_parameters_offset(p, "%s.norm%u.bias", unit, which + 1), scale,
                        shift);
    m->block[layer].scale[which] = scale;
    m->block[layer].shift[which] = shift;
    m->block[layer].layer_scale[which] =
        w + m2n_parameters_offset(p, "%s.layer_scale_%u", unit, which + 1);
}

static void
set_block(M2nModel *m, const M2nParameters *p, guint i)
{
    g_autofree char *layer = g_strdup_printf("hid_q.layers.%u", i);
    g_autofree char *unit = g_strdup_printf("%s.ff.ff1", layer);
    M2nBlock *b = &m->block[i];

    b->norm_1[0] = m->weights + m2n_parameters_offset(p, "%s.norm_1.weight", layer);
    b->norm_1[1] = m->weights + m2n_parameters_offset(p, "%s.norm_1.bias", layer);
    b->norm_2[0] = m->weights + m2n_parameters_offset(p, "%s.norm_2.weight", layer);
    b->norm_2[1] = m->weights + m2n_parameters_offset(p, "%s.norm_2.bias", layer);
    b->q = projection(m, p, layer, "q_Conv");
    b->k = projection(m, p, layer, "k_Conv");
    b->v = projection(m, p, layer, "v_Conv");
    b->post = projection(m, p, layer, "v_post_f");
    fold_norm(m, p, unit, i, 0);
    fold_norm(m, p, unit, i, 1);
    b->proj_1 = linear(m, p, unit, "attn.proj_1");
    b->dw5 = linear(m, p, unit, "attn.spatial_gating_unit.conv0");
    b->dw7 = linear(m, p, unit, "attn.spatial_gating_unit.conv_spatial");
    b->conv1 = linear(m, p, unit, "attn.spatial_gating_unit.conv1");
    b->proj_2 = linear(m, p, unit, "attn.proj_2");
    b->fc1 = linear(m, p, unit, "mlp.fc1");
    b->dw3 = linear(m, p, unit, "mlp.dwconv.dwconv");
    b->fc2 = linear(m, p, unit, "mlp.fc2");
}

static void
set_roles(M2nModel *m, const M2nParameters *p)
{
    const M2nConfig *c = &m->config;

    for (guint v = 0; v < c->variables; v++) {
        g_autofree char *decoder = g_strdup_printf("dec_q_list.%u", v);

        for (guint i = 0; i < c->N_S; i++) {
            const gboolean up = m2n_config_stride(c->N_S - 1 - i) == 2;
            g_autofree char *enc = g_strdup_printf("enc_q_list.%u.enc.%u.conv", v, i);
            g_autofree char *dec = g_strdup_printf("%s.dec.%u.conv", decoder, i);

            m->encoder[v * c->N_S + i] = stage(m, p, enc, "conv");
            m->decoder[v * c->N_S + i] = stage(m, p, dec, up ? "conv.0" : "conv");
        }
        m->readout[v] = linear(m, p, decoder, "readout");
    }
    m->conv1 = linear(m, p, "hid_q", "conv1");
    m->conv2 = linear(m, p, "hid_q", "conv2");
    for (guint i = 0; i < c->N_T; i++)
        set_block(m, p, i);
}

/* (transfer full) with room for the weights; NULL: M2N_ERROR_MEMORY or _ARGUMENT */
static M2nModel *
new_model(const M2nConfig *c, const M2nParameters *p, const char *where, GError **error)
{
    if (!m2n_isa_check(error))
        return NULL;
    g_autoptr(M2nModel) m = g_new0(M2nModel, 1);

    g_atomic_ref_count_init(&m->refs);
    m->config = *c;
    m->weights = g_try_new(float, p->total);
    m->folded = g_try_new(float, 4 * (gsize)c->N_T * c->hid_T + 1);
    if (m->weights == NULL || m->folded == NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY, "%s: weights need %" G_GSIZE_FORMAT " MiB",
                    where, p->total * sizeof(float) >> 20);
        return NULL;
    }
    m->encoder = g_new0(M2nStage, c->variables * c->N_S);
    m->decoder = g_new0(M2nStage, c->variables * c->N_S);
    m->readout = g_new0(M2nLinear, c->variables);
    m->block = g_new0(M2nBlock, c->N_T);
    return g_steal_pointer(&m);
}

M2nModel *
m2n_model_new(const M2nConfig *config, const float *weights, GError **error)
{
    g_autoptr(M2nParameters) p = m2n_parameters_new(config);
    M2nModel *m = new_model(config, p, "model", error);

    if (m == NULL)
        return NULL;
    memcpy(m->weights, weights, p->total * sizeof(float));
    set_roles(m, p);
    return m;
}

/* ---- from a file ----------------------------------------------------------------------- */

static char *
shape_text(const guint64 *shape, guint rank)
{
    GString *s = g_string_new("(");

    for (guint i = 0; i < rank; i++)
        g_string_append_printf(s, "%s%" G_GUINT64_FORMAT, i > 0 ? ", " : "", shape[i]);
    g_string_append_c(s, ')');
    return g_string_free(s, FALSE);
}

static gboolean
check_shape(const char *where, const M2nParameter *want, const M2nTensorInfo *t, GError **error)
{
    if (t->rank == want->rank && memcmp(t->shape, want->shape, t->rank * sizeof *t->shape) == 0)
        return TRUE;
    g_autofree char *expected = shape_text(want->shape, want->rank);
    g_autofree char *found = shape_text(t->shape, t->rank);
    g_set_error(error, M2N_ERROR, M2N_ERROR_SHAPE, "%s: tensor %s: expected shape %s, found %s",
                where, t->name, expected, found);
    return FALSE;
}

/* Which tensor of the file holds each parameter: checks names and shapes before anything is read. */
static gboolean
match_tensors(const M2nSafetensors *st, const M2nParameters *p, const M2nTensorInfo **tensor,
              GError **error)
{
    const char *where = m2n_source_name(m2n_safetensors_source(st));

    for (guint i = 0; i < m2n_safetensors_count(st); i++) {
        const M2nTensorInfo *t = m2n_safetensors_nth(st, i);
        const char *name = m2n_parameter_canonical_name(t->name);
        const M2nParameter *want = name != NULL ? m2n_parameters_find(p, name) : NULL;

        if (name == NULL)
            continue;
        if (want == NULL || tensor[want - p->list] != NULL) {
            g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT, "%s: tensor %s is %s", where, t->name,
                        want == NULL ? "not part of this network" : "there twice");
            return FALSE;
        }
        if (!check_shape(where, want, t, error))
            return FALSE;
        tensor[want - p->list] = t;
    }
    for (guint i = 0; i < p->n; i++)
        if (tensor[i] == NULL) {
            g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT, "%s: tensor %s is missing", where,
                        p->list[i].name);
            return FALSE;
        }
    return TRUE;
}

M2nModel *
m2n_model_load(const M2nSafetensors *st, GError **error)
{
    M2nConfig c;

    if (!m2n_config_read(st, &c, error))
        return NULL;
    g_autoptr(M2nParameters) p = m2n_parameters_new(&c);
    g_autofree const M2nTensorInfo **tensor = g_new0(const M2nTensorInfo *, p->n);
    if (!match_tensors(st, p, tensor, error))
        return NULL;
    g_autoptr(M2nModel) m = new_model(&c, p, m2n_source_name(m2n_safetensors_source(st)), error);
    if (m == NULL)
        return NULL;
    for (guint i = 0; i < p->n; i++)
        if (!m2n_safetensors_read_f32(st, tensor[i], 0, p->list[i].elements,
                                      m->weights + p->list[i].offset, error))
            return NULL;
    set_roles(m, p);
    return g_steal_pointer(&m);
}

M2nModel *
m2n_model_ref(M2nModel *m)
{
    g_atomic_ref_count_inc(&m->refs);
    return m;
}

void
m2n_model_unref(M2nModel *m)
{
    if (!g_atomic_ref_count_dec(&m->refs))
        return;
    g_free(m->weights);
    g_free(m->folded);
    g_free(m->encoder);
    g_free(m->decoder);
    g_free(m->readout);
    g_free(m->block);
    g_free(m);
}

const M2nConfig *
m2n_model_config(const M2nModel *m)
{
    return &m->config;
}
