/* Small files for tests: a folder that is gone afterwards, and error codes checked with their text. */
#pragma once
#include <glib.h>
#include <glib/gstdio.h>

/* (transfer full) a path in a new folder; free with m2n_test_file_free(). */
static inline char *
m2n_test_file_new(const char *name, gconstpointer data, gsize n)
{
    GError *error = NULL;
    char *folder = g_dir_make_tmp("met2net-test-XXXXXX", &error);
    g_assert_no_error(error);
    char *path = g_build_filename(folder, name, NULL);

    if (data != NULL)
        g_file_set_contents(path, (const char *)data, (gssize)n, &error);
    g_assert_no_error(error);
    g_free(folder);
    return path;
}

/* Removes the file and its folder; fails when anything else was left in the folder. */
static inline void
m2n_test_file_free(char *path)
{
    char *folder = g_path_get_dirname(path);

    g_unlink(path);
    g_assert_cmpint(g_rmdir(folder), ==, 0);
    g_free(folder);
    g_free(path);
}

typedef char M2nTestFile;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(M2nTestFile, m2n_test_file_free)

/* The code matches, and the message is one line that holds `text`. */
#define m2n_assert_error(error, code_, text)                                                       \
    do {                                                                                           \
        g_assert_error((error), M2N_ERROR, (int)(code_));                                          \
        g_assert_null(strchr((error)->message, '\n'));                                             \
        if (strstr((error)->message, (text)) == NULL)                                              \
            g_error("%s:%d: \"%s\" does not say \"%s\"", __FILE__, __LINE__, (error)->message,     \
                    (text));                                                                       \
    } while (0)
