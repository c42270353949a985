#include "engine/nn/parameters.h"

#include <string.h>

typedef struct {
    GArray *list;
    gsize total;
} Builder;

G_GNUC_PRINTF(4, 5)
static void
add(Builder *b, guint rank, const guint64 *shape, const char *format, ...)
{
    M2nParameter p = {.rank = rank, .elements = 1, .offset = b->total};
    va_list args;

    va_start(args, format);
    p.name = g_strdup_vprintf(format, args);
    va_end(args);
    for (guint i = 0; i < rank; i++) {
        p.shape[i] = shape[i];
        p.elements *= shape[i];
    }
    b->total += p.elements;
    g_array_append_val(b->list, p);
}

/* <prefix>.weight and <prefix>.bias, both vectors of n */
static void
add_pair(Builder *b, const char *prefix, const char *name, guint64 n)
{
    add(b, 1, &n, "%s.%s.weight", prefix, name);
    add(b, 1, &n, "%s.%s.bias", prefix, name);
}

static void
add_conv(Builder *b, const char *prefix, const char *name, guint64 out, guint64 in, guint64 k)
{
    const guint64 shape[4] = {out, in, k, k};

    add(b, 4, shape, "%s.%s.weight", prefix, name);
    add(b, 1, shape, "%s.%s.bias", prefix, name);
}

static void
add_encoder(Builder *b, const M2nConfig *c, guint variable)
{
    for (guint i = 0; i < c->N_S; i++) {
        g_autofree char *p = g_strdup_printf("enc_q_list.%u.enc.%u.conv", variable, i);

        add_conv(b, p, "conv", c->hid_S, i == 0 ? 1 : c->hid_S, 3);
        add_pair(b, p, "norm", c->hid_S);
    }
}

static void
add_decoder(Builder *b, const M2nConfig *c, guint variable)
{
    g_autofree char *decoder = g_strdup_printf("dec_q_list.%u", variable);

    for (guint i = 0; i < c->N_S; i++) {
        const gboolean up = m2n_config_stride(c->N_S - 1 - i) == 2;
        g_autofree char *p = g_strdup_printf("%s.dec.%u.conv", decoder, i);

        add_conv(b, p, up ? "conv.0" : "conv", up ? 4 * c->hid_S : c->hid_S, c->hid_S, 3);
        add_pair(b, p, "norm", c->hid_S);
    }
    add_conv(b, decoder, "readout", 1, c->hid_S, 1);
}

static void
add_attention(Builder *b, const char *layer, guint64 d)
{
    static const char *const names[] = {"q_Conv", "v_Conv", "k_Conv", "v_post_f"};

    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        const guint64 shape[4] = {d, d, 1, 1};
        g_autofree char *p = g_strdup_printf("%s.attn_1.%s", layer, names[i]);

        add(b, 4, shape, "%s.0.weight", p);
        add_pair(b, p, "1", d);
    }
}

static void
add_temporal_unit(Builder *b, const char *layer, guint64 d)
{
    g_autofree char *p = g_strdup_printf("%s.ff.ff1", layer);

    add(b, 1, &d, "%s.layer_scale_1", p);
    add(b, 1, &d, "%s.layer_scale_2", p);
    for (guint i = 1; i <= 2; i++) {
        g_autofree char *norm = g_strdup_printf("norm%u", i);

        add_pair(b, p, norm, d);
        add(b, 1, &d, "%s.%s.running_mean", p, norm);
        add(b, 1, &d, "%s.%s.running_var", p, norm);
    }
    add_conv(b, p, "attn.proj_1", d, d, 1);
    add_conv(b, p, "attn.spatial_gating_unit.conv0", d, 1, 5);
    add_conv(b, p, "attn.spatial_gating_unit.conv_spatial", d, 1, 7);
    add_conv(b, p, "attn.spatial_gating_unit.conv1", d, d, 1);
    add_conv(b, p, "attn.proj_2", d, d, 1);
    add_conv(b, p, "mlp.fc1", 4 * d, d, 1);
    add_conv(b, p, "mlp.dwconv.dwconv", 4 * d, 1, 3);
    add_conv(b, p, "mlp.fc2", d, 4 * d, 1);
}

M2nParameters *
m2n_parameters_new(const M2nConfig *c)
{
    Builder b = {.list = g_array_new(FALSE, FALSE, sizeof(M2nParameter))};
    M2nParameters *p = g_new0(M2nParameters, 1);

    for (guint v = 0; v < c->variables; v++)
        add_encoder(&b, c, v);
    for (guint v = 0; v < c->variables; v++)
        add_decoder(&b, c, v);
    add_conv(&b, "hid_q", "conv1", c->hid_T, (guint64)c->steps * c->hid_S, 1);
    for (guint i = 0; i < c->N_T; i++) {
        g_autofree char *layer = g_strdup_printf("hid_q.layers.%u", i);

        add_pair(&b, layer, "norm_1", c->hid_T);
        add_pair(&b, layer, "norm_2", c->hid_T);
        add_attention(&b, layer, c->hid_T);
        add_temporal_unit(&b, layer, c->hid_T);
    }
    add_conv(&b, "hid_q", "conv2", (guint64)c->steps * c->hid_S, c->hid_T, 1);

    p->n = b.list->len;
    p->list = (M2nParameter *)(void *)g_array_free(b.list, FALSE);
    p->total = b.total;
    p->by_name = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < p->n; i++)
        g_hash_table_insert(p->by_name, p->list[i].name, &p->list[i]);
    return p;
}

void
m2n_parameters_free(M2nParameters *p)
{
    g_hash_table_unref(p->by_name);
    for (guint i = 0; i < p->n; i++)
        g_free(p->list[i].name);
    g_free(p->list);
    g_free(p);
}

const M2nParameter *
m2n_parameters_find(const M2nParameters *p, const char *name)
{
    return g_hash_table_lookup(p->by_name, name);
}

gsize
m2n_parameters_offset(const M2nParameters *p, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *name = g_strdup_vprintf(format, args);
    va_end(args);
    const M2nParameter *found = m2n_parameters_find(p, name);
    g_assert(found != NULL);
    return found->offset;
}

gboolean
m2n_parameter_trainable(const M2nParameter *p)
{
    return strstr(p->name, ".running_") == NULL;
}

const char *
m2n_parameter_canonical_name(const char *name)
{
    if (g_str_has_prefix(name, "model."))
        name += strlen("model.");
    if (g_str_has_prefix(name, "enc_k_list.") || g_str_has_prefix(name, "dec_k_list.") ||
        g_str_has_prefix(name, "hid_k.") || g_str_has_suffix(name, ".num_batches_tracked") ||
        strstr(name, ".spatial_gating_unit.fc.") != NULL)
        return NULL;
    return name;
}
