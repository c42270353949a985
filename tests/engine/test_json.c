#include <string.h>

#include "engine/base/error.h"
#include "engine/base/json.h"
#include "tests/lib/m2n_files.h"

static void
test_good(void)
{
    static const char *const good[] = {
        "{}",
        " [ ] ",
        "null",
        "true",
        "-0",
        "0.5e-3",
        "12E+4",
        "9223372036854775807",
        "-9223372036854775807",
        "18446744073709551617.0",
        "100000000000000000000e0",
        "\"\\u00e9\\ud83d\\ude00\\n\"",
        "{\"a\":[1,{\"a\":2}],\"b\":\"\"}",
        "\"\xc3\xa9\"",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(good); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_true(m2n_json_check(good[i], strlen(good[i]), "x", &error));
        g_assert_no_error(error);
    }
}

static void
test_each_error(void)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"", "digit"},
        {"{\"a\":1,\"a\":2}", "duplicate key"},
        {"{\"a\":1,\"\\u0061\":2}", "duplicate key"},
        {"{\"a\" 1}", "':' is expected"},
        {"{a:1}", "a string is expected"},
        {"[1,]", "digit"},
        {"[1 2]", "',' or ']'"},
        {"{} {}", "something follows"},
        {"// x\n{}", "digit"},
        {"\"a", "unfinished string"},
        {"\"\n\"", "control character"},
        {"\"\\x\"", "bad escape"},
        {"\"\\u0000\"", "bad escape"},
        {"\"\\ud800x\"", "bad escape"},
        {"\"\\udc00\"", "bad escape"},
        {"\"\xff\"", "not UTF-8"},
        {"01", "something follows"},
        {"1.", "digit"},
        {"tru", "value is expected"},
        {"NaN", "digit"},
        {"9223372036854775808", "does not fit 64 bits"},
        {"[18446744073709551617, 2]", "does not fit 64 bits"},
        {"-10000000000000000000000", "does not fit 64 bits"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_false(m2n_json_check(bad[i].text, strlen(bad[i].text), "x.json", &error));
        m2n_assert_error(error, M2N_ERROR_FORMAT, bad[i].says);
        m2n_assert_error(error, M2N_ERROR_FORMAT, "x.json: ");
    }
}

static void
test_depth_and_count(void)
{
    g_autoptr(GString) deep = g_string_new(NULL), many = g_string_new("[0");
    g_autoptr(GError) too_deep = NULL, too_many = NULL;

    for (guint i = 0; i < M2N_JSON_MAX_DEPTH; i++)
        g_string_append_c(deep, '[');
    for (guint i = 0; i < M2N_JSON_MAX_DEPTH; i++)
        g_string_append_c(deep, ']');
    g_assert_true(m2n_json_check(deep->str, deep->len, "x", NULL));
    g_string_prepend_c(deep, '[');
    g_string_append_c(deep, ']');
    g_assert_false(m2n_json_check(deep->str, deep->len, "x", &too_deep));
    m2n_assert_error(too_deep, M2N_ERROR_FORMAT, "nested too deep");

    for (guint i = 0; i < M2N_JSON_MAX_VALUES; i++)
        g_string_append(many, ",0");
    g_string_append_c(many, ']');
    g_assert_false(m2n_json_check(many->str, many->len, "x", &too_many));
    m2n_assert_error(too_many, M2N_ERROR_FORMAT, "too many values");
}

/* Keys that all hash alike: with two million of them a check of 50 MB would take days. */
static void
test_colliding_keys(void)
{
    g_autoptr(GString) text = g_string_new("{");
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i <= M2N_JSON_MAX_KEYS; i++) {
        g_string_append(text, i > 0 ? ",\"" : "\"");
        for (guint bit = 0; bit < 20; bit++) /* 33 * 'a' + 'B' = 33 * 'b' + '!' */
            g_string_append(text, i >> bit & 1 ? "aB" : "b!");
        g_string_append(text, "\":0");
    }
    g_string_append_c(text, '}');
    g_assert_false(m2n_json_check(text->str, text->len, "x", &error));
    m2n_assert_error(error, M2N_ERROR_FORMAT, "too many keys");
}

static void
test_parse_object(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(JsonNode) node = m2n_json_parse_object("{\"a\":7}", 7, "x", &error);

    g_assert_no_error(error);
    g_assert_cmpint(json_object_get_int_member(json_node_get_object(node), "a"), ==, 7);
    g_assert_null(m2n_json_parse_object("[7]", 3, "x", &error));
    m2n_assert_error(error, M2N_ERROR_FORMAT, "an object is expected");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/engine/json/good", test_good);
    g_test_add_func("/engine/json/each-error", test_each_error);
    g_test_add_func("/engine/json/depth-and-count", test_depth_and_count);
    g_test_add_func("/engine/json/colliding-keys", test_colliding_keys);
    g_test_add_func("/engine/json/parse-object", test_parse_object);
    return g_test_run();
}
