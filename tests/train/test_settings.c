#include <string.h>

#include "engine/base/error.h"
#include "engine/train/settings.h"
#include "tests/lib/m2n_test.h"

static void
assert_refused(const char *name, const char *value, const char *part)
{
    M2nSettings s = M2N_SETTINGS_DEFAULT;
    g_autoptr(GError) error = NULL;

    g_assert_false(m2n_settings_set(&s, name, value, "here", &error));
    g_assert_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT);
    g_assert_true(g_str_has_prefix(error->message, "here: "));
    g_assert_nonnull(strstr(error->message, name));
    g_assert_nonnull(strstr(error->message, part));
}

static void
test_refused(void)
{
    assert_refused("learning-rate", "-1", "-1 is outside 1e-12 to 10");
    assert_refused("learning-rate", "nan", "not a number");
    assert_refused("learning-rate", "1e-3x", "not a number");
    assert_refused("learning-rate", "0,001", "not a number");
    assert_refused("learning-rate", "", "not a number");
    assert_refused("epochs", "0", "outside");
    assert_refused("epochs", "2.5", "whole number");
    assert_refused("batch", "-3", "outside");
    assert_refused("drop-path", "1", "outside");
    assert_refused("average-weights", "1", "outside");
    assert_refused("seed", "-1", "whole number");
    assert_refused("max-memory", "6X", "6G");
    assert_refused("max-memory", "-6G", "6G");
    assert_refused("normalisation", "none", "neither zscore nor minmax");
    assert_refused("learning_ratio", "1", "learning-rate?");
    assert_refused("qqq", "1", "no such setting");
}

static void
test_memory(void)
{
    M2nSettings s = M2N_SETTINGS_DEFAULT;

    g_assert_true(m2n_settings_set(&s, "max-memory", "6G", "x", NULL));
    g_assert_cmpuint(s.max_memory, ==, G_GUINT64_CONSTANT(6) << 30);
    g_assert_true(m2n_settings_set(&s, "max_memory", "1.5MiB", "x", NULL));
    g_assert_cmpuint(s.max_memory, ==, 3u << 19);
    g_assert_true(m2n_settings_set(&s, "max-memory", "800mb", "x", NULL));
    g_assert_cmpuint(s.max_memory, ==, 800u << 20);
}

/* What a checkpoint stores must come back bit for bit. */
static void
test_json_round_trip(void)
{
    M2nSettings s = M2N_SETTINGS_DEFAULT, back = M2N_SETTINGS_DEFAULT;
    g_autoptr(GError) error = NULL;

    s.learning_rate = 0.1 + 0.2;
    s.beta2 = 1.0 / 3.0;
    s.seed = G_MAXUINT64 - 1;
    s.minmax = TRUE;
    s.config.hid_T = 96;
    g_autofree char *text = m2n_settings_to_json(&s);
    g_assert_true(m2n_settings_read_json(&back, text, -1, "text", &error));
    g_assert_no_error(error);
    for (const M2nSettingInfo *i = m2n_setting_infos; i->name; i++) {
        g_autofree char *a = m2n_settings_get(&s, i), *b = m2n_settings_get(&back, i);
        g_assert_cmpstr(a, ==, b);
    }
    g_assert_cmpfloat(s.learning_rate, ==, back.learning_rate);
    g_assert_cmpfloat(s.beta2, ==, back.beta2);
}

static void
test_json_errors(void)
{
    static const struct {
        const char *text, *part;
        int code;
    } bad[] = {
        {"[1]", "run.json", M2N_ERROR_FORMAT},
        {"{\"epochs\": }", "run.json", M2N_ERROR_FORMAT},
        {"{\"epochs\": [3]}", "epochs", M2N_ERROR_FORMAT},
        {"{\"epochs\": null}", "epochs", M2N_ERROR_FORMAT},
        {"{\"epohcs\": 3}", "epohcs", M2N_ERROR_ARGUMENT},
        {"{\"learning_rate\": -1}", "learning-rate", M2N_ERROR_ARGUMENT},
        {"{\"preset\": \"imagenet\"}", "weatherbench", M2N_ERROR_ARGUMENT},
    };

    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        M2nSettings s = M2N_SETTINGS_DEFAULT;
        g_autoptr(GError) error = NULL;

        g_assert_false(m2n_settings_read_json(&s, bad[i].text, -1, "run.json", &error));
        g_assert_error(error, M2N_ERROR, bad[i].code);
        g_assert_nonnull(strstr(error->message, bad[i].part));
    }
}

static void
test_presets(void)
{
    for (const M2nPreset *p = m2n_presets; p->name; p++) {
        M2nSettings a = M2N_SETTINGS_DEFAULT, b = M2N_SETTINGS_DEFAULT;
        g_autofree char *loud = g_ascii_strup(p->other_name, -1);

        g_assert_true(m2n_settings_preset(&a, p->name, "x", NULL));
        g_assert_true(m2n_settings_preset(&b, loud, "x", NULL));
        g_autofree char *ta = m2n_settings_to_json(&a), *tb = m2n_settings_to_json(&b);
        g_assert_cmpstr(ta, ==, tb);
        g_assert_true(m2n_settings_check(&a, "x", NULL));
    }
    M2nSettings s = M2N_SETTINGS_DEFAULT;
    /* the table of the paper: ERA5 crop */
    g_assert_true(m2n_settings_preset(&s, "ERA5-128", "x", NULL));
    g_assert_cmpfloat(s.learning_rate, ==, 5e-4);
    g_assert_cmpuint(s.epochs, ==, 200);
    g_assert_cmpuint(s.config.N_S, ==, 4);
    g_assert_true(s.minmax);
    /* in a JSON file the preset yields to single values, wherever it stands */
    s = (M2nSettings)M2N_SETTINGS_DEFAULT;
    g_assert_true(
        m2n_settings_read_json(&s, "{\"epochs\": 3, \"preset\": \"era5\"}", -1, "x", NULL));
    g_assert_cmpuint(s.epochs, ==, 3);
}

static void
test_rules_between(void)
{
    M2nSettings s = M2N_SETTINGS_DEFAULT;
    g_autoptr(GError) error = NULL;

    s.final_learning_rate = 0.1;
    g_assert_false(m2n_settings_check(&s, "x", &error));
    g_assert_nonnull(strstr(error->message, "final-learning-rate"));
    g_clear_error(&error);
    s = (M2nSettings)M2N_SETTINGS_DEFAULT;
    s.warmup_epochs = s.epochs;
    g_assert_false(m2n_settings_check(&s, "x", &error));
    g_assert_nonnull(strstr(error->message, "warmup-epochs"));
    g_clear_error(&error);
    s = (M2nSettings)M2N_SETTINGS_DEFAULT;
    s.config.hid_T = 60;
    g_assert_false(m2n_settings_check(&s, "x", &error));
    g_assert_nonnull(strstr(error->message, "hid-T: 60"));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/train/settings/refused", test_refused);
    g_test_add_func("/train/settings/memory", test_memory);
    g_test_add_func("/train/settings/json-round-trip", test_json_round_trip);
    g_test_add_func("/train/settings/json-errors", test_json_errors);
    g_test_add_func("/train/settings/presets", test_presets);
    g_test_add_func("/train/settings/rules-between", test_rules_between);
    return g_test_run();
}
