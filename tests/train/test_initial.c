#include "engine/train/initial.h"
#include "tests/lib/m2n_test.h"

static void
assert_spread(const M2nParameters *p, const float *w, const char *name, double mean,
              double deviation)
{
    const M2nParameter *one = m2n_parameters_find(p, name);
    double sum = 0, square = 0;

    for (gsize i = 0; i < one->elements; i++) {
        sum += (double)w[one->offset + i];
        square += (double)w[one->offset + i] * (double)w[one->offset + i];
    }
    sum /= (double)one->elements;
    square = sqrt(square / (double)one->elements - sum * sum);
    const double slack = 5 * deviation / sqrt((double)one->elements);
    g_assert_cmpfloat_with_epsilon(sum, mean, slack + 1e-7);
    g_assert_cmpfloat_with_epsilon(square, deviation, slack + 1e-7);
}

static void
test_initial(void)
{
    const M2nConfig c = {.steps = 4,
                         .variables = 2,
                         .height = 8,
                         .width = 16,
                         .hid_S = 8,
                         .hid_T = 64,
                         .N_S = 2,
                         .N_T = 1};
    g_autoptr(M2nParameters) p = m2n_parameters_new(&c);
    g_autofree float *w = g_new(float, p->total);

    m2n_initial_weights(p, 3, w);
    assert_spread(p, w, "enc_q_list.1.enc.1.conv.conv.weight", 0, 0.02);
    assert_spread(p, w, "dec_q_list.0.dec.0.conv.conv.0.weight", 0, 0.02);
    assert_spread(p, w, "enc_q_list.1.enc.1.conv.conv.bias", 0, 0);
    assert_spread(p, w, "enc_q_list.1.enc.1.conv.norm.weight", 1, 0);
    assert_spread(p, w, "enc_q_list.1.enc.1.conv.norm.bias", 0, 0);
    assert_spread(p, w, "dec_q_list.1.readout.weight", 0, 1 / sqrt(8.0) / sqrt(3.0));
    assert_spread(p, w, "hid_q.conv1.weight", 0, 1 / sqrt(32.0) / sqrt(3.0));
    assert_spread(p, w, "hid_q.conv1.bias", 0, 1 / sqrt(32.0) / sqrt(3.0));
    assert_spread(p, w, "hid_q.layers.0.attn_1.q_Conv.0.weight", 0, 1 / 8.0 / sqrt(3.0));
    assert_spread(p, w, "hid_q.layers.0.attn_1.k_Conv.1.weight", 1, 0);
    assert_spread(p, w, "hid_q.layers.0.attn_1.v_post_f.1.bias", 0, 0);
    assert_spread(p, w, "hid_q.layers.0.norm_2.weight", 1, 0);
    const char *unit = "hid_q.layers.0.ff.ff1";
    static const struct {
        const char *name;
        double mean, deviation;
    } in_unit[] = {
        {"layer_scale_2", 0.01, 0},
        {"norm1.running_var", 1, 0},
        {"norm2.running_mean", 0, 0},
        {"attn.proj_1.weight", 0, 0.17677669529663687}, /* sqrt(2/64) */
        {"attn.proj_1.bias", 0, 0},
        {"attn.spatial_gating_unit.conv_spatial.weight", 0, 0.20203050891044}, /* sqrt(2/49) */
        {"mlp.fc1.weight", 0, 0.08838834764831845},                            /* sqrt(2/256) */
        {"mlp.dwconv.dwconv.weight", 0, 0.4714045207910317},                   /* sqrt(2/9) */
    };
    for (guint i = 0; i < G_N_ELEMENTS(in_unit); i++) {
        g_autofree char *name = g_strdup_printf("%s.%s", unit, in_unit[i].name);
        assert_spread(p, w, name, in_unit[i].mean, in_unit[i].deviation);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/train/initial/spread-of-every-kind", test_initial);
    return g_test_run();
}
