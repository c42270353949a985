/* Cases that are processes of their own, in which nothing of ours has run before. */
#pragma once
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/load/host.h"

static const char *samples, *plugin_folder;
static char *folder, *forecast, *other;

/* What each case begins with: GDAL, and two forecasts of the samples in a folder with a cache of its own. */
static inline void
begin(void)
{
    alarm(100); /* a deadlock is a failure, not a hang */
    GDALAllRegister();
    folder = host_folder(samples);
    forecast = host_forecast(folder, "forecast.json", "analysis.grib2", 2, "float32");
    other = host_forecast(folder, "other.json", "analysis.grib2", 3, "float32");
}

static inline void
end(void)
{
    host_remove(folder);
    g_free(folder);
    g_free(forecast);
    g_free(other);
}

static inline void
alone(gconstpointer data)
{
    void (*run)(void);
    int status;

    memcpy(&run, &data, sizeof run);
    const pid_t child = fork(); /* before anything of ours has run in this process */
    if (child == 0) {
        run();
        exit(0);
    }
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        g_test_skip("no such locale on this machine");
    else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        g_error("the host ended with status %d, signal %d", WEXITSTATUS(status),
                WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

/* A case that has run to its end is right; exit(77): not possible on this machine. */
static inline void
add(const char *path, void (*run)(void))
{
    gconstpointer data;

    memcpy(&data, &run, sizeof data);
    g_test_add_data_func(path, data, alone);
}

static inline void
alone_init(int *argc, char ***argv)
{
    g_test_init(argc, argv, NULL);
    samples = g_getenv("M2N_SAMPLES");
    plugin_folder = g_getenv("GDAL_DRIVER_PATH");
    g_assert_true(samples != NULL && plugin_folder != NULL);
}
