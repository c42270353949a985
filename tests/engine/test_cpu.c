#include "engine/base/cpu.h"
#include "engine/base/error.h"
#include "tests/lib/m2n_files.h"

static void
test_names(void)
{
    for (M2nIsa i = M2N_ISA_SCALAR; i < M2N_N_ISA; i++) {
        g_autoptr(GError) error = NULL;
        g_setenv("M2N_ISA", m2n_isa_name(i), TRUE);
        g_assert_true(m2n_isa_check(&error));
        g_assert_no_error(error);
    }
    g_unsetenv("M2N_ISA");
    g_assert_true(m2n_isa_check(NULL));
}

static void
test_typo_is_an_error(void)
{
    g_autoptr(GError) error = NULL;

    g_setenv("M2N_ISA", "axv2", TRUE);
    g_assert_false(m2n_isa_check(&error));
    m2n_assert_error(error, M2N_ERROR_ARGUMENT, "M2N_ISA=axv2");
    g_assert_true(m2n_isa_runs(m2n_isa())); /* and does not stop the host */
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/engine/cpu/names", test_names);
    g_test_add_func("/engine/cpu/typo-is-an-error", test_typo_is_an_error);
    return g_test_run();
}
