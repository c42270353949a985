/* What a process may have: the least of machine, control groups and RLIMIT_AS. */
#include "engine/base/memory_limit.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void
put(const char *root, const char *name, const char *text)
{
    g_autofree char *path = g_build_filename(root, name, NULL);
    g_autofree char *folder = g_path_get_dirname(path);

    g_assert_cmpint(g_mkdir_with_parents(folder, 0700), ==, 0);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

static void
test_groups(void)
{
    g_autofree char *root = g_dir_make_tmp("met2net-XXXXXX", NULL);
    g_autofree char *remove = g_strdup_printf("rm -r '%s'", root);
    const guint64 none = G_MAXUINT64;

    g_assert_cmpuint(m2n_memory_limit_of_groups("", root), ==, none);
    g_assert_cmpuint(m2n_memory_limit_of_groups("0::/a/b/c\n", root), ==, none);
    put(root, "a/b/memory.max", "max\n");
    g_assert_cmpuint(m2n_memory_limit_of_groups("0::/a/b/c\n", root), ==, none);
    put(root, "a/b/memory.max", "3000\n");
    g_assert_cmpuint(m2n_memory_limit_of_groups("0::/a/b/c\n", root), ==, 3000);
    put(root, "a/b/c/memory.max", "5000\n");
    g_assert_cmpuint(m2n_memory_limit_of_groups("0::/a/b/c\n", root), ==, 3000);
    g_assert_cmpuint(m2n_memory_limit_of_groups("0::/a/x\n", root), ==, none);
    put(root, "memory.max", "2000\n"); /* as a container sees its own */
    g_assert_cmpuint(m2n_memory_limit_of_groups("0::/\n", root), ==, 2000);
    g_assert_cmpuint(m2n_memory_limit_of_groups("0::/../elsewhere\n", root), ==, 2000);
    put(root, "memory/job/memory.limit_in_bytes", "1000\n");
    g_assert_cmpuint(m2n_memory_limit_of_groups("3:cpu:/job\n4:freezer,memory:/job\n", root), ==, 1000);
    g_assert_cmpuint(m2n_memory_limit_of_groups("3:cpu:/job\nnonsense\n::\n", root), ==, 2000);
    g_assert_cmpint(g_spawn_command_line_sync(remove, NULL, NULL, NULL, NULL), ==, TRUE);
}

static void
test_address_space(void)
{
    const guint64 whole = m2n_memory_limit();
    int status;

    g_assert_cmpuint(whole, >, (guint64)64 << 20);
    g_assert_cmpuint(whole, <=, (guint64)sysconf(_SC_PHYS_PAGES) * (guint64)sysconf(_SC_PAGESIZE));
    g_assert_cmpuint(m2n_memory_default(), ==, whole / 4 * 3);
    const pid_t child = fork();
    if (child == 0) {
        const struct rlimit space = {whole / 2, RLIM_INFINITY};
        setrlimit(RLIMIT_AS, &space);
        _exit(m2n_memory_limit() == whole / 2 ? 0 : 1);
    }
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/base/memory-limit/control-groups", test_groups);
    g_test_add_func("/base/memory-limit/machine-and-address-space", test_address_space);
    return g_test_run();
}
