/* Where each weight of the network lies in the array of all weights. */
#include "engine/nn/learner_private.h"

static M2nLinearAt
linear(const M2nParameters *p, const char *prefix, const char *name)
{
    return (M2nLinearAt){
        .weight = m2n_parameters_offset(p, "%s.%s.weight", prefix, name),
        .bias = m2n_parameters_offset(p, "%s.%s.bias", prefix, name),
    };
}

static M2nStageAt
stage(const M2nParameters *p, const char *prefix, const char *conv)
{
    return (M2nStageAt){
        .weight = m2n_parameters_offset(p, "%s.%s.weight", prefix, conv),
        .bias = m2n_parameters_offset(p, "%s.%s.bias", prefix, conv),
        .gamma = m2n_parameters_offset(p, "%s.norm.weight", prefix),
        .beta = m2n_parameters_offset(p, "%s.norm.bias", prefix),
    };
}

static M2nProjectionAt
projection(const M2nParameters *p, const char *layer, const char *name)
{
    return (M2nProjectionAt){
        .weight = m2n_parameters_offset(p, "%s.attn_1.%s.0.weight", layer, name),
        .gamma = m2n_parameters_offset(p, "%s.attn_1.%s.1.weight", layer, name),
        .beta = m2n_parameters_offset(p, "%s.attn_1.%s.1.bias", layer, name),
    };
}

static M2nBatchNormAt
batch_norm(const M2nParameters *p, const char *unit, guint number)
{
    return (M2nBatchNormAt){
        .gamma = m2n_parameters_offset(p, "%s.norm%u.weight", unit, number),
        .beta = m2n_parameters_offset(p, "%s.norm%u.bias", unit, number),
        .mean = m2n_parameters_offset(p, "%s.norm%u.running_mean", unit, number),
        .variance = m2n_parameters_offset(p, "%s.norm%u.running_var", unit, number),
    };
}

static M2nBlockAt
block(const M2nParameters *p, guint i)
{
    g_autofree char *layer = g_strdup_printf("hid_q.layers.%u", i);
    g_autofree char *unit = g_strdup_printf("%s.ff.ff1", layer);
    g_autofree char *prefix = g_strdup_printf("%s.", layer);
    M2nBlockAt b = {
        .q = projection(p, layer, "q_Conv"),
        .k = projection(p, layer, "k_Conv"),
        .v = projection(p, layer, "v_Conv"),
        .post = projection(p, layer, "v_post_f"),
        .norm_1 = {m2n_parameters_offset(p, "%s.norm_1.weight", layer),
                   m2n_parameters_offset(p, "%s.norm_1.bias", layer)},
        .norm_2 = {m2n_parameters_offset(p, "%s.norm_2.weight", layer),
                   m2n_parameters_offset(p, "%s.norm_2.bias", layer)},
        .batch_norm = {batch_norm(p, unit, 1), batch_norm(p, unit, 2)},
        .layer_scale = {m2n_parameters_offset(p, "%s.layer_scale_1", unit),
                        m2n_parameters_offset(p, "%s.layer_scale_2", unit)},
        .proj_1 = linear(p, unit, "attn.proj_1"),
        .dw5 = linear(p, unit, "attn.spatial_gating_unit.conv0"),
        .dw7 = linear(p, unit, "attn.spatial_gating_unit.conv_spatial"),
        .conv1 = linear(p, unit, "attn.spatial_gating_unit.conv1"),
        .proj_2 = linear(p, unit, "attn.proj_2"),
        .fc1 = linear(p, unit, "mlp.fc1"),
        .dw3 = linear(p, unit, "mlp.dwconv.dwconv"),
        .fc2 = linear(p, unit, "mlp.fc2"),
        .begin = G_MAXSIZE,
    };

    for (guint n = 0; n < p->n; n++)
        if (g_str_has_prefix(p->list[n].name, prefix)) {
            b.begin = MIN(b.begin, p->list[n].offset);
            b.end = MAX(b.end, p->list[n].offset + p->list[n].elements);
        }
    return b;
}

void
m2n_places_init(M2nPlaces *places, const M2nConfig *c, const M2nParameters *p)
{
    *places = (M2nPlaces){
        .encoder = g_new(M2nStageAt, c->variables * c->N_S),
        .decoder = g_new(M2nStageAt, c->variables * c->N_S),
        .readout = g_new(M2nLinearAt, c->variables),
        .block = g_new(M2nBlockAt, c->N_T),
        .conv1 = linear(p, "hid_q", "conv1"),
        .conv2 = linear(p, "hid_q", "conv2"),
    };
    for (guint v = 0; v < c->variables; v++) {
        g_autofree char *decoder = g_strdup_printf("dec_q_list.%u", v);

        for (guint i = 0; i < c->N_S; i++) {
            const gboolean up = m2n_config_stride(c->N_S - 1 - i) == 2;
            g_autofree char *enc = g_strdup_printf("enc_q_list.%u.enc.%u.conv", v, i);
            g_autofree char *dec = g_strdup_printf("%s.dec.%u.conv", decoder, i);

            places->encoder[v * c->N_S + i] = stage(p, enc, "conv");
            places->decoder[v * c->N_S + i] = stage(p, dec, up ? "conv.0" : "conv");
        }
        places->readout[v] = linear(p, decoder, "readout");
    }
    for (guint i = 0; i < c->N_T; i++)
        places->block[i] = block(p, i);
    places->translator = m2n_parameters_offset(p, "hid_q.conv1.weight");
}

void
m2n_places_clear(M2nPlaces *places)
{
    g_clear_pointer(&places->encoder, g_free);
    g_clear_pointer(&places->decoder, g_free);
    g_clear_pointer(&places->readout, g_free);
    g_clear_pointer(&places->block, g_free);
}
