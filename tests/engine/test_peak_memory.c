#include <string.h>

#include "engine/base/peak_memory.h"

/* What was touched counts, and goes on counting after it was freed. */
static void
test_keeps_the_most(void)
{
    const gsize n = 64u << 20;
    const gsize slack = 8u << 20; /* freed before and used again; the system's own counting lags a little */
    const guint64 before = m2n_peak_memory();

    if (before == 0) {
        g_test_skip("the system does not tell");
        return;
    }
    char *block = g_malloc(n);
    memset(block, 1, n);
    const guint64 with = m2n_peak_memory();
    g_free(block);
    g_assert_cmpuint(with, >=, before + n - slack);
    g_assert_cmpuint(m2n_peak_memory(), >=, with - slack);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/base/peak-memory/keeps-the-most", test_keeps_the_most);
    return g_test_run();
}
