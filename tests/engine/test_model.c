/* Loading a model: names as published, and each way in which a file can be wrong. */
#include <string.h>

#include "engine/base/error.h"
#include "engine/nn/session.h"
#include "tests/lib/m2n_files.h"
#include "tests/lib/m2n_test.h"
#include "tests/lib/made_up.h"

static const M2nConfig tiny = {.steps = 2,
                               .variables = 2,
                               .height = 4,
                               .width = 6,
                               .hid_S = 4,
                               .hid_T = 8,
                               .N_S = 2,
                               .N_T = 1,
                               .momentum_ema = 0.9,
                               .drop_path = 0.1};

typedef struct {
    const char *prefix;    /* before every name */
    const char *without;   /* parameter left out */
    const char *reshaped;  /* parameter with one more row */
    const char *extra;     /* one more tensor of this name, 3 x 1 */
    const char *config;    /* metadata instead of the right one; "" for none */
    const char *variables; /* metadata, or NULL */
} Variation;

static M2nModel *
load_varied(const Variation *how, GError **error)
{
    g_autoptr(M2nTestFile) path = m2n_test_file_new("m.safetensors", NULL, 0);
    g_autoptr(M2nParameters) p = m2n_parameters_new(&tiny);
    g_autofree float *weights = m2n_made_up_weights(&tiny, 0);
    g_autoptr(GByteArray) data = g_byte_array_new();
    g_autoptr(M2nSafetensorsWriter) w = m2n_safetensors_writer_new(path, error);
    g_autofree char *right = m2n_config_to_json(&tiny);
    const char *config = how->config != NULL ? how->config : right;
    const guint64 extra_shape[2] = {3, 1};

    if (*config != '\0')
        m2n_safetensors_writer_metadata(w, "config", config);
    if (how->variables != NULL)
        m2n_safetensors_writer_metadata(w, "variables", how->variables);
    for (guint i = 0; i < p->n; i++) {
        const M2nParameter *t = &p->list[i];
        g_autofree char *name = g_strconcat(how->prefix, t->name, NULL);
        guint64 shape[4];

        if (g_strcmp0(t->name, how->without) == 0)
            continue;
        memcpy(shape, t->shape, sizeof shape);
        shape[0] += g_strcmp0(t->name, how->reshaped) == 0 ? 1 : 0;
        m2n_safetensors_writer_declare(w, name, "F32", shape, t->rank);
        g_byte_array_append(data, (const guint8 *)(weights + t->offset),
                            (guint)(t->elements * sizeof(float)));
        if (shape[0] != t->shape[0])
            g_byte_array_append(data, (const guint8 *)weights,
                                (guint)(t->elements / t->shape[0] * sizeof(float)));
    }
    if (how->extra != NULL) {
        m2n_safetensors_writer_declare(w, how->extra, "F32", extra_shape, 2);
        g_byte_array_append(data, (const guint8 *)weights, 3 * sizeof(float));
    }
    g_assert_true(m2n_safetensors_writer_append(w, data->data, data->len, error));
    g_assert_true(m2n_safetensors_writer_finish(w, error));
    g_autoptr(M2nSource) source = m2n_source_open_file(path, error);
    g_autoptr(M2nSafetensors) st = m2n_safetensors_open(source, error);
    return m2n_model_load(st, M2N_FLOAT32, 2, error);
}

static void
run(M2nModel *m, float *y)
{
    g_autofree float *x = m2n_made_up_fields(&tiny, 1, "x", 0);
    g_autoptr(M2nSession) s = m2n_session_new(m, 1, 1, 0, NULL);

    g_assert_true(m2n_session_run(s, x, y, NULL, NULL, NULL));
}

/* Every accepted spelling gives the model that the weights themselves give. */
static void
test_accepted(void)
{
    static const Variation good[] = {
        {.prefix = ""},
        {.prefix = "model."},
        {.prefix = "", .extra = "hid_k.conv1.weight"},
        {.prefix = "", .extra = "model.enc_k_list.0.enc.0.conv.conv.weight"},
        {.prefix = "", .extra = "hid_q.layers.0.ff.ff1.attn.spatial_gating_unit.fc.0.weight"},
        {.prefix = "", .extra = "hid_q.layers.0.ff.ff1.norm1.num_batches_tracked"},
        {.prefix = "", .variables = "[{},{}]"},
        {.prefix = "",
         .variables = "[{},{}]",
         .config = "{\"steps\":2,\"height\":4,\"width\":6,\"hid_S\":4,\"hid_T\":8,\"N_S\":2,"
                   "\"N_T\":1}"},
    };
    enum { N = 2 * 2 * 4 * 6 };
    g_autofree float *weights = m2n_made_up_weights(&tiny, 0);
    g_autoptr(M2nModel) direct = m2n_model_new(&tiny, weights, M2N_FLOAT32, 1, NULL);
    float want[N], got[N];

    run(direct, want);
    for (gsize i = 0; i < G_N_ELEMENTS(good); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(M2nModel) m = load_varied(&good[i], &error);

        g_assert_no_error(error);
        g_assert_cmpuint(m2n_model_config(m)->variables, ==, 2);
        run(m, got);
        g_assert_cmpint(memcmp(got, want, sizeof got), ==, 0);
    }
}

static void
test_each_error(void)
{
    static const struct {
        Variation how;
        M2nError code;
        const char *says;
    } bad[] = {
        {{.without = "hid_q.conv1.bias"}, M2N_ERROR_FORMAT, "hid_q.conv1.bias is missing"},
        {{.extra = "hid_q.conv3.bias"}, M2N_ERROR_FORMAT, "hid_q.conv3.bias is not part"},
        {{.extra = "model.hid_q.conv1.bias"}, M2N_ERROR_FORMAT, "hid_q.conv1.bias is there twice"},
        {{.reshaped = "hid_q.conv1.weight"},
         M2N_ERROR_SHAPE,
         "hid_q.conv1.weight: expected shape (8, 8, 1, 1), found (9, 8, 1, 1)"},
        {{.config = ""}, M2N_ERROR_FORMAT, "no config"},
        {{.config = "{"}, M2N_ERROR_FORMAT, "config: JSON"},
        {{.config = "{\"steps\":2}"}, M2N_ERROR_FORMAT, "height is missing"},
        {{.config = "{\"steps\":2.5}"}, M2N_ERROR_FORMAT, "steps is not a whole number"},
        {{.config = "{\"steps\":2,\"height\":4,\"width\":6,\"hid_S\":4,\"hid_T\":8,\"N_S\":2,"
                    "\"N_T\":1}"},
         M2N_ERROR_FORMAT,
         "variables is missing"},
        {{.variables = "[{}]"}, M2N_ERROR_FORMAT, "variables is 2, but 1 are listed"},
        {{.variables = "{}"}, M2N_ERROR_FORMAT, "not a list"},
        {{.variables = "[],\"variables\":[{},{}]"}, M2N_ERROR_FORMAT, "duplicate key"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        Variation how = bad[i].how;

        how.prefix = "";
        g_assert_null(load_varied(&how, &error));
        m2n_assert_error(error, bad[i].code, bad[i].says);
        m2n_assert_error(error, bad[i].code, "m.safetensors: ");
    }
}

static void
test_config_ranges(void)
{
    static const struct {
        M2nConfig c;
        const char *says;
    } bad[] = {
        {{.steps = 0}, "steps is 0"},
        {{.steps = 1, .variables = 65}, "variables is 65"},
        {{.steps = 1, .variables = 1, .height = 8, .width = 8, .hid_S = 3, .hid_T = 8, .N_S = 1},
         "hid_S is 3, expected an even"},
        {{.steps = 1, .variables = 1, .height = 8, .width = 8, .hid_S = 2, .hid_T = 12, .N_S = 1},
         "hid_T is 12, expected a multiple"},
        {{.steps = 1, .variables = 1, .height = 8, .width = 6, .hid_S = 2, .hid_T = 8, .N_S = 4},
         "grid is 6 x 8, expected multiples of 4"},
        {{.steps = 1024,
          .variables = 64,
          .height = 1 << 15,
          .width = 1 << 15,
          .hid_S = 2,
          .hid_T = 8,
          .N_S = 1},
         "too large"},
        {{.steps = 1,
          .variables = 1,
          .height = 8,
          .width = 8,
          .hid_S = 2,
          .hid_T = 8,
          .N_S = 1,
          .drop_path = 1},
         "drop_path is 1"},
        {{.steps = 1,
          .variables = 1,
          .height = 8,
          .width = 8,
          .hid_S = 2,
          .hid_T = 8,
          .N_S = 1,
          .momentum_ema = NAN},
         "momentum_ema"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_false(m2n_config_check(&bad[i].c, "x", &error));
        m2n_assert_error(error, M2N_ERROR_SHAPE, bad[i].says);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/engine/model/accepted", test_accepted);
    g_test_add_func("/engine/model/each-error", test_each_error);
    g_test_add_func("/engine/model/config-ranges", test_config_ranges);
    return g_test_run();
}
