#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/durable.h"
#include "engine/base/error.h"

static void
test_rename(void)
{
    g_autofree char *folder = g_dir_make_tmp("durable-XXXXXX", NULL);
    g_autofree char *from = g_build_filename(folder, "from", NULL),
                    *to = g_build_filename(folder, "to", NULL);
    g_autofree char *nowhere = g_build_filename(folder, "none", "to", NULL), *text = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_true(g_file_set_contents(from, "new", -1, NULL) &&
                  g_file_set_contents(to, "old", -1, NULL));
    g_assert_false(m2n_durable_rename(from, nowhere, &error));
    g_assert_error(error, M2N_ERROR, M2N_ERROR_IO);
    g_assert_nonnull(strstr(error->message, nowhere));
    g_assert_true(m2n_durable_rename(from, to, NULL));
    g_assert_true(g_file_get_contents(to, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, "new");
    g_assert_false(g_file_test(from, G_FILE_TEST_EXISTS));
    g_assert_true(g_unlink(to) == 0 && g_rmdir(folder) == 0);
}

/* rename() would: it needs but a folder that may be written. */
static void
test_devices(void)
{
    g_autofree char *folder = g_dir_make_tmp("durable-XXXXXX", NULL);
    g_autofree char *from = g_build_filename(folder, "from", NULL), *to = g_build_filename(folder, "to", NULL);
    g_autoptr(GString) text = g_string_new("new");

    g_assert_true(g_file_set_contents(from, "new", -1, NULL));
    for (guint i = 0; i < 4; i++) {
        g_autoptr(GError) error = NULL, why = NULL;
        struct stat before, after;

        g_assert_true(i == 0   ? mkfifo(to, 0600) == 0
                      : i == 1 ? g_mkdir(to, 0700) == 0
                               : symlink(i == 2 ? "/dev/null" : "/proc/self/fd/77", to) == 0);
        g_assert_true(lstat(to, &before) == 0);
        g_assert_false(m2n_durable_rename(from, to, &error));
        g_assert_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT);
        g_assert_nonnull(strstr(error->message, to));
        g_assert_false(m2n_durable_write(to, text, &why));
        g_assert_true(lstat(to, &after) == 0 && before.st_ino == after.st_ino);
        g_assert_true(g_remove(to) == 0);
    }
    g_assert_true(m2n_durable_may_replace(to, NULL) && m2n_durable_may_replace(from, NULL));
    g_assert_true(g_unlink(from) == 0 && g_rmdir(folder) == 0);
}

static void
test_sync(void)
{
    g_autofree char *folder = g_dir_make_tmp("durable-XXXXXX", NULL);
    g_autofree char *inner = g_build_filename(folder, "a", NULL),
                    *file = g_build_filename(inner, "b", NULL);
    g_autofree char *dangling = g_build_filename(inner, "c", NULL);
    g_autoptr(GError) error = NULL;

    g_assert_true(g_mkdir(inner, 0700) == 0 && g_file_set_contents(file, "x", -1, NULL));
    g_assert_true(m2n_durable_sync(folder, NULL) && m2n_durable_sync(file, NULL));
    g_assert_true(symlink("nowhere", dangling) == 0); /* what cannot be synced, deep inside */
    g_assert_false(m2n_durable_sync(folder, &error));
    g_assert_error(error, M2N_ERROR, M2N_ERROR_IO);
    g_assert_nonnull(strstr(error->message, dangling));
    g_assert_true(g_unlink(dangling) == 0 && g_unlink(file) == 0 && g_rmdir(inner) == 0 &&
                  g_rmdir(folder) == 0);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/base/durable/rename-replaces-or-leaves", test_rename);
    g_test_add_func("/base/durable/a-device-is-not-replaced", test_devices);
    g_test_add_func("/base/durable/sync-goes-into-folders", test_sync);
    return g_test_run();
}
