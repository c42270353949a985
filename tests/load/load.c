/* Many threads in many processes open, read and close forecasts, with caches too small for all of them,
 * in each precision, while one input is replaced again and again.
 *
 *   load [--seconds N] [--threads N] [--processes N] [--forecasts N]
 *
 * Fails when a band is not what a single thread got, when the bands of one handle come from two versions
 * of the input, when memory or descriptors grow, or when anybody hangs. */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/load/host.h"

/* allowed between a third of the time and its end: allocator arenas settle; ASan keeps what was freed */
#ifdef __SANITIZE_ADDRESS__
#define GROWTH_MB 512
#else
#define GROWTH_MB 48
#endif
#define BANDS 3      /* read of each handle */

static int seconds = 10, n_threads = 16, n_processes = 2, n_forecasts = 8;
static char *folder, **names, **sums; /* [n_forecasts + 1]; the last, moving, has none */
static char *versions[2], *version_sums[2], *moving_input;
static gint64 deadline;
static gint n_reads, n_replaced, n_noticed, wrong;
static _Thread_local char last_error[1024];

static void CPL_STDCALL
on_error(CPLErr kind, CPLErrorNum number, const char *text)
{
    (void)number;
    if (kind >= CE_Failure)
        g_strlcpy(last_error, text, sizeof last_error);
}

static void
report_wrong(const char *what, const char *name)
{
    g_atomic_int_inc(&wrong);
    fprintf(stderr, "load: %s: %s (%s)\n", name, what, last_error);
}

/* ---- the input that changes -------------------------------------------------------------------- */

/* Another analysis of the same times: some bits of each message's data differ. */
static void
write_version(const char *from, const char *to)
{
    g_autofree char *data = NULL;
    gsize n, at = 0;

    if (!g_file_get_contents(from, &data, &n, NULL))
        g_error("%s: cannot be read", from);
    while (at + 16 <= n && memcmp(data + at, "GRIB", 4) == 0) {
        guint64 length;
        memcpy(&length, data + at + 8, 8);
        length = GUINT64_FROM_BE(length);
        if (length < 100 || length > n - at)
            break;
        for (gsize i = 8; i < 40; i += 2)
            data[at + length - 4 - i] ^= 0x20;
        at += length;
    }
    g_assert_cmpuint(at, >, 0);
    if (!g_file_set_contents(to, data, (gssize)n, NULL))
        g_error("%s: cannot be written", to);
}

static void
replace_input(guint which)
{
    g_autofree char *next = g_strconcat(moving_input, ".next", NULL);

    host_copy(versions[which], next);
    if (rename(next, moving_input) != 0)
        g_error("%s: cannot be replaced", moving_input);
}

static gpointer
replacer(gpointer unused)
{
    for (guint i = 0; g_get_monotonic_time() < deadline; i++) {
        g_usleep(150000);
        replace_input(i % 2);
        g_atomic_int_inc(&n_replaced);
    }
    return unused;
}

/* ---- one reader ---------------------------------------------------------------------------------- */

static gboolean
is_notice(void)
{
    return strstr(last_error, "has changed since") != NULL;
}

/* Checks a few bands against the lines of `sums`; of several versions the one that the first band is of. */
static void
check_bands(GDALDatasetH ds, const char *name, char *const *versions_of, guint n_versions,
            GRand *random)
{
    const int n = GDALGetRasterCount(ds);
    gint version = -1;

    for (guint i = 0; i < BANDS; i++) {
        const int band = g_rand_int_range(random, 1, n + 1);
        g_autofree char *sum = host_band_sum(ds, band);
        gint match = -1;
        if (sum == NULL) {
            if (n_versions > 1 && is_notice())
                g_atomic_int_inc(&n_noticed);
            else
                report_wrong("cannot be read", name);
            return;
        }
        for (guint v = 0; v < n_versions; v++)
            if (strncmp(versions_of[v] + 65 * (band - 1), sum, 64) == 0 &&
                (match < 0 || version == (gint)v))
                match = (gint)v;
        if (match < 0)
            report_wrong("other pixels than alone", name);
        else if (version >= 0 && match != version)
            report_wrong("bands of two versions of the input", name);
        version = match;
        g_atomic_int_inc(&n_reads);
    }
}

static gpointer
reader(gpointer seed)
{
    GRand *random = g_rand_new_with_seed(GPOINTER_TO_UINT(seed));

    do { /* once at least, however slow the machine */
        const gint i = g_rand_int_range(random, 0, n_forecasts + 1);
        GDALDatasetH ds = host_open(names[i], NULL);
        if (ds == NULL) {
            report_wrong("cannot be opened", names[i]);
            continue;
        }
        if (i < n_forecasts)
            check_bands(ds, names[i], &sums[i], 1, random);
        else
            check_bands(ds, names[i], version_sums, 2, random);
        GDALClose(ds);
    } while (g_get_monotonic_time() < deadline && g_atomic_int_get(&wrong) < 10);
    g_rand_free(random);
    return NULL;
}

/* ---- one process --------------------------------------------------------------------------------- */

static long
resident_mb(void)
{
    long total = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");

    malloc_trim(0);
    if (f == NULL || fscanf(f, "%ld %ld", &total, &resident) != 2)
        g_error("no /proc");
    fclose(f);
    return resident * sysconf(_SC_PAGESIZE) >> 20;
}

static guint
descriptors(void)
{
    g_autoptr(GDir) dir = g_dir_open("/proc/self/fd", 0, NULL);
    guint n = 0;

    while (g_dir_read_name(dir) != NULL)
        n++;
    return n;
}

static int
process(guint number)
{
    g_autofree GThread **threads = g_new(GThread *, (gsize)n_threads);
    const gint64 start = g_get_monotonic_time();

    GDALAllRegister();
    CPLSetErrorHandler(on_error);
    deadline = start + (gint64)seconds * G_USEC_PER_SEC;
    alarm((guint)seconds + 240);
    GThread *replacing = number == 0 ? g_thread_new("replacer", replacer, NULL) : NULL;
    g_free(host_sum(names[0], NULL)); /* GDAL and PROJ keep files of their own open from then on */
    const guint fds = descriptors();
    for (int i = 0; i < n_threads; i++)
        threads[i] = g_thread_new("reader", reader, GUINT_TO_POINTER(number * 1000 + (guint)i));
    g_usleep((gulong)seconds * G_USEC_PER_SEC / 3);
    const long early = resident_mb();
    for (int i = 0; i < n_threads; i++)
        g_thread_join(threads[i]);
    if (replacing != NULL)
        g_thread_join(replacing);
    const long late = resident_mb();
    printf("load: process %u: %d bands read, %d replacements, %d noticed by a reader, %ld MB then "
           "%ld MB, "
           "%u descriptors then %u, %d wrong\n",
           number, n_reads, n_replaced, n_noticed, early, late, fds, descriptors(), wrong);
    fflush(stdout);
    if (late > early + GROWTH_MB)
        report_wrong("memory grows", "the process");
    if (descriptors() > fds)
        report_wrong("descriptors are left open", "the process");
    return wrong == 0 && n_reads > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- the whole ----------------------------------------------------------------------------------- */

/* In a process of its own, so that the readers start without anything of ours. */
static void
learn_sums(void)
{
    GDALAllRegister();
    for (int i = 0; i <= n_forecasts + 1; i++) {
        g_autofree char *to = g_strdup_printf("%s/sum%d", folder, i);
        if (i >= n_forecasts)
            replace_input((guint)(i - n_forecasts));
        g_autofree char *sum = host_sum(names[MIN(i, n_forecasts)], "CACHE=NO");
        if (sum == NULL || !g_file_set_contents(to, sum, -1, NULL))
            g_error("%s: no result to compare with", names[MIN(i, n_forecasts)]);
    }
}

static void
wait_for(pid_t child)
{
    int status;

    if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fprintf(stderr, "load: a process ended with status %d\n", status);
        g_atomic_int_inc(&wrong);
    }
}

static void
prepare(void)
{
    static const char *const precisions[] = {"float32", "int8", "bf16"}; /* of each length: not to be taken for each other */

    folder = host_folder(g_getenv("M2N_SAMPLES"));
    g_setenv("MET2NET_CACHE_MEMORY", "1MB", TRUE); /* a few results: the rest is evicted */
    g_setenv("MET2NET_CACHE_SIZE", "2MB", TRUE);
    names = g_new0(char *, (gsize)n_forecasts + 1);
    sums = g_new0(char *, (gsize)n_forecasts);
    for (int i = 0; i < n_forecasts; i++) {
        g_autofree char *name = g_strdup_printf("forecast%d.json", i);
        names[i] = host_forecast(folder, name, "analysis.grib2", 1 + 2 * (i / 3), precisions[i % 3]);
    }
    names[n_forecasts] = host_forecast(folder, "moving.json", "moving.grib2", 2, "int8");
    moving_input = g_build_filename(folder, "moving.grib2", NULL);
    versions[0] = g_build_filename(folder, "analysis.grib2", NULL);
    versions[1] = g_build_filename(folder, "second.grib2", NULL);
    write_version(versions[0], versions[1]);

    const pid_t child = fork();
    if (child == 0) {
        learn_sums();
        exit(0);
    }
    wait_for(child);
    for (int i = 0; i <= n_forecasts + 1; i++) {
        g_autofree char *from = g_strdup_printf("%s/sum%d", folder, i);
        char **to = i < n_forecasts ? &sums[i] : &version_sums[i - n_forecasts];
        if (!g_file_get_contents(from, to, NULL, NULL))
            g_error("nothing to compare with");
    }
    g_assert_cmpstr(version_sums[0], !=, version_sums[1]);
}

int
main(int argc, char **argv)
{
    const GOptionEntry entries[] = {
        {"seconds", 0, 0, G_OPTION_ARG_INT, &seconds, "How long", "N"},
        {"threads", 0, 0, G_OPTION_ARG_INT, &n_threads, "Threads of each process", "N"},
        {"processes", 0, 0, G_OPTION_ARG_INT, &n_processes, "Processes", "N"},
        {"forecasts", 0, 0, G_OPTION_ARG_INT, &n_forecasts, "Different forecasts", "N"},
        {0}};
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_autoptr(GError) error = NULL;

    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error)) {
        fprintf(stderr, "load: %s\n", error->message);
        return 2;
    }
    prepare();
    g_autofree pid_t *children = g_new(pid_t, (gsize)n_processes);
    for (int i = 0; i < n_processes; i++) {
        children[i] = fork();
        if (children[i] == 0)
            exit(process((guint)i));
    }
    for (int i = 0; i < n_processes; i++)
        wait_for(children[i]);
    host_remove(folder);
    return wrong == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
