#include "engine/base/suggest.h"

static void
test_suggestions(void)
{
    static const char *const known[] = {"lead_time", "init_time", "model", NULL};

    g_assert_cmpstr(m2n_suggest("led_time", known), ==, "lead_time");
    g_assert_cmpstr(m2n_suggest("LEADTIME", known), ==, "lead_time");
    g_assert_cmpstr(m2n_suggest("modle", known), ==, "model");
    g_assert_null(m2n_suggest("banana", known));
    g_assert_null(m2n_suggest("", known));
    g_assert_null(m2n_suggest("a word that is far longer than any of our keys could be", known));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/engine/suggest/nearest-word", test_suggestions);
    return g_test_run();
}
