#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/folder.h"

static int until_failure = -1; /* names that readdir() tells before it fails; -1: it does not */

/* Stands in for the C library's. */
struct dirent *
readdir(DIR *dir)
{
    static struct dirent *(*real)(DIR *);

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "readdir");
    if (until_failure == 0) {
        errno = EIO;
        return NULL;
    }
    until_failure -= until_failure > 0;
    return real(dir);
}

static char *
make_folder(const char *const *files)
{
    char *folder = g_dir_make_tmp("folder-XXXXXX", NULL);

    for (; *files != NULL; files++) {
        g_autofree char *path = g_build_filename(folder, *files, NULL);
        g_assert_true(g_file_set_contents(path, "", 0, NULL));
    }
    return folder;
}

static void
remove_folder(const char *folder, const char *const *files)
{
    for (; *files != NULL; files++) {
        g_autofree char *path = g_build_filename(folder, *files, NULL);
        g_assert_true(g_unlink(path) == 0);
    }
    g_assert_true(g_rmdir(folder) == 0);
}

static void
test_sorted(void)
{
    const char *const files[] = {"b", ".hidden", "a", NULL}, *const sorted[] = {".hidden", "a", "b", NULL};
    g_autofree char *folder = make_folder(files);
    g_auto(GStrv) names = m2n_folder_names(folder, NULL);

    g_assert_true(g_strv_equal((const char *const *)names, sorted));
    remove_folder(folder, files);
    g_assert_true(g_mkdir(folder, 0700) == 0);
    g_auto(GStrv) none = m2n_folder_names(folder, NULL);
    g_assert_true(none != NULL && none[0] == NULL);
    g_assert_true(g_rmdir(folder) == 0);
}

static void
test_missing(void)
{
    const char *const files[] = {"a", NULL};
    g_autofree char *folder = make_folder(files), *file = g_build_filename(folder, "a", NULL),
                    *none = g_build_filename(folder, "none", NULL);
    const char *const names[] = {file, none};

    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(m2n_folder_names(names[i], &error));
        g_assert_error(error, M2N_ERROR, M2N_ERROR_MISSING);
        g_assert_true(g_str_has_prefix(error->message, names[i]));
    }
    remove_folder(folder, files);
}

static void
test_failure(void)
{
    const char *const files[] = {"a", "b", "c", NULL};
    g_autofree char *folder = make_folder(files);

    for (int n = 0; n <= 5; n++) { /* with "." and "..", and at its end */
        g_autoptr(GError) error = NULL;
        until_failure = n;
        g_assert_null(m2n_folder_names(folder, &error));
        until_failure = -1;
        g_assert_error(error, M2N_ERROR, M2N_ERROR_IO);
        g_assert_true(g_str_has_prefix(error->message, folder));
    }
    remove_folder(folder, files);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/base/folder/sorted", test_sorted);
    g_test_add_func("/base/folder/missing", test_missing);
    g_test_add_func("/base/folder/a-failure-is-not-the-end", test_failure);
    return g_test_run();
}
