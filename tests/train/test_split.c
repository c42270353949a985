#include "engine/base/error.h"
#include "grib/split.h"
#include "tests/lib/m2n_test.h"

/* 2024-01-01T00:00:00Z */
#define START G_GINT64_CONSTANT(1704067200)
#define HOUR 3600

static void
test_span_text(void)
{
    static const struct {
        const char *text;
        gint64 first, last;
    } good[] = {
        {"2024-01-01", START, START + 86399},
        {"2024", START, START + 366 * 86400 - 1},
        {"2024-01/2024-02", START, START + (31 + 29) * 86400 - 1},
        {"2024-01-01T06/2024-01-01T07", START + 6 * HOUR, START + 8 * HOUR - 1},
        {"2024-01-01T00:30Z/2024-01-01T01:00:00Z", START + 1800, START + HOUR},
    };
    static const char *const bad[] = {"",         "2024-13",   "2024-02-30",    "20240101",
                                      "2024-1-1", "2024/2023", "a/b",           "2024/2025/1",
                                      "2024-",    "/2024",     "2024-01-01T25", "2024-01-01T06:",
                                      "-5"};

    for (guint i = 0; i < G_N_ELEMENTS(good); i++) {
        M2nTimeSpan s, back;

        g_assert_true(m2n_time_span_parse(good[i].text, "x", &s, NULL));
        g_assert_cmpint(s.first, ==, good[i].first);
        g_assert_cmpint(s.last, ==, good[i].last);
        g_autofree char *text = m2n_time_span_format(&s);
        g_assert_true(m2n_time_span_parse(text, "x", &back, NULL));
        g_assert_cmpint(back.first, ==, s.first);
        g_assert_cmpint(back.last, ==, s.last);
    }
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        M2nTimeSpan s;

        g_assert_false(m2n_time_span_parse(bad[i], "--train", &s, &error));
        g_assert_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT);
        g_assert_true(g_str_has_prefix(error->message, "--train: "));
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/grib/split/span-text", test_span_text);
    return g_test_run();
}
