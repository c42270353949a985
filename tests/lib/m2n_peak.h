/* What a process holds at most, measured in one that has held nothing else. */
#pragma once
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/m2n_files.h"

#define M2N_CANNOT_FORGET 77

/* The peak starts anew; ends the process where the system cannot. */
static inline void
m2n_forget_peak(void)
{
    const int f = g_open("/proc/self/clear_refs", O_WRONLY, 0);

    if (f < 0 || write(f, "5", 1) != 1)
        exit(M2N_CANNOT_FORGET);
    close(f);
}

typedef void (*M2nApart)(gconstpointer data, const char *path);

/* One process writes a file, another reads it: what a library left free after writing would serve the reader. */
static inline void
m2n_write_and_read_apart(M2nApart write_file, M2nApart read_file, gconstpointer data)
{
    g_autoptr(M2nTestFile) path = m2n_test_file_new("a.grib", NULL, 0);
    int status;

    for (int i = 0; i < 2; i++) {
        const pid_t child = fork();
        if (child == 0) {
            (i == 0 ? write_file : read_file)(data, path);
            exit(0);
        }
        g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == M2N_CANNOT_FORGET)
        g_test_skip("this system does not forget a peak");
    else
        g_assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
