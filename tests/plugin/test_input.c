/* Stamps of inputs: what a cached forecast is known by. */
#include "plugin/input.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/stat.h>

/* As rsync -t and cp -p leave it: another content, the same name, size and time. */
static void
test_folder_rewritten_in_place(void)
{
    g_autofree char *folder = g_dir_make_tmp("met2net-input-XXXXXX", NULL);
    g_autofree char *chunk = g_build_filename(folder, "0.0.0", NULL);
    const char *const names[] = {folder, NULL};
    struct stat st;

    g_assert_true(g_file_set_contents(chunk, "first", -1, NULL));
    g_autofree char *before = m2n_input_stamp(names, NULL);
    g_autofree char *again = m2n_input_stamp(names, NULL);
    g_assert_cmpint(stat(chunk, &st), ==, 0);
    g_assert_true(
        g_file_set_contents_full(chunk, "other", -1, G_FILE_SET_CONTENTS_NONE, 0644, NULL));
    const struct timespec times[2] = {st.st_atim, st.st_mtim};
    g_assert_cmpint(utimensat(AT_FDCWD, chunk, times, 0), ==, 0);
    g_autofree char *after = m2n_input_stamp(names, NULL);
    g_remove(chunk);
    g_rmdir(folder);
    g_assert_nonnull(before);
    g_assert_cmpstr(before, ==, again);
    g_assert_cmpstr(before, !=, after);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/plugin/input/folder-rewritten-in-place", test_folder_rewritten_in_place);
    return g_test_run();
}
