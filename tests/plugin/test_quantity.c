/* Times, lengths of time and sizes as text. */
#include <string.h>

#include "engine/base/error.h"
#include "plugin/quantity.h"

static void
test_times(void)
{
    static const struct {
        const char *text;
        gint64 time;
    } good[] = {{"1970-01-01", 0},
                {"2024-01-28", 1706400000},
                {"2024-01-28T06", 1706421600},
                {"2024-01-28 06:30", 1706423400},
                {"2024-01-28T06:30:15Z", 1706423415},
                {"1969-12-31T23:59:59Z", -1}};
    static const char *const bad[] = {"",
                                      "now",
                                      "2024-1-28",
                                      "2024-02-30",
                                      "2024-01-28T",
                                      "2024-01-28T6",
                                      "2024-01-28T06:30+01:00",
                                      "2024-01-28Z ",
                                      "2024-01-28T24:00:00Z",
                                      "20240128"};
    gint64 t;

    for (gsize i = 0; i < G_N_ELEMENTS(good); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_true(m2n_time_parse(good[i].text, &t, &error));
        g_assert_no_error(error);
        g_assert_cmpint(t, ==, good[i].time);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_false(m2n_time_parse(bad[i], &t, &error));
        g_assert_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT);
        g_assert_nonnull(strstr(error->message, bad[i]));
    }
    g_autofree char *text = m2n_time_format(1706423415);
    g_assert_cmpstr(text, ==, "2024-01-28T06:30:15Z");
}

static void
test_durations(void)
{
    static const struct {
        const char *text;
        gint64 seconds;
    } good[] = {{"24h", 86400},    {"PT24H", 86400}, {"P5D", 432000},   {"5d", 432000},
                {"90m", 5400},     {"20s", 20},      {"1d12h", 129600}, {"P1DT12H", 129600},
                {"PT1H30M", 5400}, {"120H", 432000}, {"100d", 8640000}};
    static const char *const bad[] = {
        "",     "24",   "h",     "-24h", "24 h", "24hours", "1.5h", "1h1d",
        "1h1h", "P",    "PT",    "P1M",  "P24H", "PT1D",    "0h",   "99999999999999999999h",
        "1e3h", "P1DT", "40000d"};
    gint64 s;

    for (gsize i = 0; i < G_N_ELEMENTS(good); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_true(m2n_duration_parse(good[i].text, &s, &error));
        g_assert_cmpint(s, ==, good[i].seconds);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        if (m2n_duration_parse(bad[i], &s, &error))
            g_error("\"%s\" was taken for %" G_GINT64_FORMAT " s", bad[i], s);
        g_assert_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT);
    }
    g_autofree char *hours = m2n_duration_format(129600), *minutes = m2n_duration_format(5400);
    g_assert_cmpstr(hours, ==, "36 h");
    g_assert_cmpstr(minutes, ==, "90 min");
}

static void
test_sizes(void)
{
    static const struct {
        const char *text;
        guint64 bytes;
    } good[] = {
        {"512MB", 512u << 20}, {"2G", 2147483648u}, {"1.5kB", 1536}, {"100", 100}, {"7B", 7}};
    static const char *const bad[] = {"",     "MB",     "-1MB", "0",   "2XB",
                                      "2 GB", "1e30GB", "2GBB", "nan", "inf"};
    guint64 n;

    for (gsize i = 0; i < G_N_ELEMENTS(good); i++) {
        g_assert_true(m2n_size_parse(good[i].text, &n, NULL));
        g_assert_cmpuint(n, ==, good[i].bytes);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        if (m2n_size_parse(bad[i], &n, &error))
            g_error("\"%s\" was taken for %" G_GUINT64_FORMAT " bytes", bad[i], n);
        g_assert_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT);
    }
    g_autofree char *small = m2n_size_format(1536), *large = m2n_size_format((guint64)300 << 20);
    g_assert_cmpstr(small, ==, "1.5 kB");
    g_assert_cmpstr(large, ==, "300 MB");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/plugin/quantity/times", test_times);
    g_test_add_func("/plugin/quantity/durations", test_durations);
    g_test_add_func("/plugin/quantity/sizes", test_sizes);
    return g_test_run();
}
