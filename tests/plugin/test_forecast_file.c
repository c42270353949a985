/* forecast.json: what is read, and where each mistake is. */
#include <glib/gstdio.h>
#include <string.h>

#include "engine/base/error.h"
#include "plugin/forecast_file.h"

typedef struct {
    char *folder, *file;
} Place;

/* A folder with the two files that the texts name. */
static void
set_up(Place *p, gconstpointer data)
{
    (void)data;
    p->folder = g_dir_make_tmp("met2net-XXXXXX", NULL);
    p->file = g_build_filename(p->folder, "forecast.json", NULL);
    for (guint i = 0; i < 2; i++) {
        g_autofree char *path = g_build_filename(p->folder, i == 0 ? "m" : "\xc3\xa4 b", NULL);
        g_assert_true(g_file_set_contents(path, "", 0, NULL));
    }
}

static void
tear_down(Place *p, gconstpointer data)
{
    (void)data;
    for (guint i = 0; i < 2; i++) {
        g_autofree char *path = g_build_filename(p->folder, i == 0 ? "m" : "\xc3\xa4 b", NULL);
        g_unlink(path);
    }
    g_rmdir(p->folder);
    g_free(p->folder);
    g_free(p->file);
}

static M2nForecastSpec *
parse(const Place *p, const char *text, GError **error)
{
    M2nForecastSpec *spec = g_new0(M2nForecastSpec, 1);

    spec->file = g_strdup(p->file);
    spec->latest = TRUE;
    if (m2n_forecast_file_parse(spec, text, strlen(text), error))
        return spec;
    m2n_forecast_spec_free(spec);
    return NULL;
}

static void
test_all_keys(Place *p, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(M2nForecastSpec) spec =
        parse(p,
              "\xef\xbb\xbf{ \"met2net\" : 1, \"model\":\"m\",\"input\": [ \"\\u00e4 b\", \"m\"],\n"
              "\"init_time\": \"2024-01-28T00:00:00Z\", \"lead_time\": \"P5D\",\r\n"
              "\t\"variables\": [\"t2m\", \"u\\u005f10\"], \"initial_state\": "
              "true,\"precision\":\"int8\","
              "\"output\": {\"resampling\": \"nearest\", \"crs\": \"EPSG:3857\"} } \n",
              &error);
    (void)data;

    g_assert_no_error(error);
    g_assert_true(g_str_has_suffix(spec->model, "/m"));
    g_assert_true(g_str_has_suffix(spec->inputs[0], "/\xc3\xa4 b"));
    g_assert_cmpuint(g_strv_length(spec->inputs), ==, 2);
    g_assert_false(spec->latest);
    g_assert_cmpint(spec->init_time, ==, 1706400000);
    g_assert_cmpint(spec->lead_time, ==, 432000);
    g_assert_cmpstr(spec->variables[1], ==, "u_10");
    g_assert_true(spec->initial_state);
    g_assert_cmpint(spec->resampling, ==, M2N_REGRID_NEAREST);
    g_assert_cmpint(spec->precision, ==, M2N_INT8);
    g_assert_cmpstr(spec->crs, ==, "EPSG:3857");
}

static void
test_mistakes_have_a_place(Place *p, gconstpointer data)
{
    static const char *const cases[][2] = {
        {"", ":1:1: expected '{'"},
        {"[]", ":1:1: expected '{'"},
        {"{}", ":1:1: the key \"met2net\" is missing"},
        {"{\"met2net\":1,}", ":1:14: key: expected a name in double quotes"},
        {"{\"met2net\":01}", ":1:12: met2net: expected a whole number"},
        {"{\"met2net\":1e0}", ":1:12: met2net: expected a whole number"},
        {"{\"met2net\":-}", ":1:12: met2net: expected a whole number"},
        {"{\"met2net\":1\n \"model\":\"m\"}", ":2:2: expected ',' or '}'"},
        {"{\"met2net\":1,\n\n  \"modell\":\"m\"}",
         ":3:3: unknown key \"modell\"; did you mean \"model\"?"},
        {"{\"model\":\"a\\qb\"}", ":1:12: wrong escape"},
        {"{\"model\":\"\\ud800\"}", ":1:11: wrong escape"},
        {"{\"model\":\"\\udc00\"}", ":1:11: wrong escape"},
        {"{\"model\":\"\\u0000\"}", ":1:11: wrong escape"},
        {"{\"model\":\"a\nb\"}", ":1:12: control character"},
        {"{\"model\":\"a", ":1:10: string without an end"},
        {"{\"model\":\"\"}", "empty file name"},
        {"{\"model\":null}", ":1:10: model: expected the name of a file"},
        {"{\"initial_state\":truely}", ":1:22: expected ',' or '}'"},
        {"{\"initial_state\":tru}", ":1:18: initial_state: expected true or false"},
        {"{\"variables\":[]}", ":1:14: variables: an empty list; expected names such as"},
        {"{\"variables\":[\"a\",]}", ":1:19: variables: expected names such as"},
        {"{\"output\":{\"output\":{}}}", ":1:12: unknown key \"output\""},
        {"{\"lead_time\":\"24\"}", ":1:14: \"24\" is not a length of time"},
        {"{\"precision\":\"int4\"}", ":1:14: \"int4\": expected float32, bf16 or int8"},
        {"{\"precision\":8}", ":1:14: precision: expected \"float32\", \"bf16\" or \"int8\""},
        {"{/**/\"met2net\":1}", ":1:2: JSON has no comments"},
        {"// of today\n{\"met2net\":1}", ":1:1: JSON has no comments"},
        {"# of today\n{\"met2net\":1}", ":1:1: JSON has no comments"},
        {"{\"met2net\":1, // the format\n}", ":1:15: JSON has no comments"},
        {"{\"met2net\":1}\n/* end */", ":2:1: JSON has no comments"},
        {"/2", ":1:1: expected '{'"},
        {"{\"init_time\":2024}", ":1:14: init_time: expected \"latest\" or a time such as"},
        {"{\"lead_time\":24}", ":1:14: lead_time: expected a length of time such as \"24h\""},
        {"{\"output\":\"EPSG:3857\"}", ":1:11: output: expected an object such as {\"crs\""},
        {"{'met2net':1}", ":1:2: key: expected a name in double quotes"},
    };
    (void)data;

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(M2nForecastSpec) spec = parse(p, cases[i][0], &error);
        g_assert_null(spec);
        g_assert_error(error, M2N_ERROR, M2N_ERROR_FORMAT);
        if (!g_str_has_prefix(error->message, p->file) ||
            strstr(error->message, cases[i][1]) == NULL)
            g_error("%s: \"%s\" is not \"%s\"", cases[i][0], error->message, cases[i][1]);
    }
}

static void
test_not_utf8(Place *p, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(M2nForecastSpec) spec = parse(p, "{\"model\":\"\xff\"}", &error);
    (void)data;

    g_assert_null(spec);
    g_assert_error(error, M2N_ERROR, M2N_ERROR_FORMAT);
    g_assert_nonnull(strstr(error->message, ":1:11: not UTF-8"));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/plugin/forecast-file/all-keys", Place, NULL, set_up, test_all_keys, tear_down);
    g_test_add("/plugin/forecast-file/mistakes-have-a-place", Place, NULL, set_up,
               test_mistakes_have_a_place, tear_down);
    g_test_add("/plugin/forecast-file/not-utf8", Place, NULL, set_up, test_not_utf8, tear_down);
    return g_test_run();
}
