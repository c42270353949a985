/* The programs we live in: what they had set stays set, and what they do with processes, threads and
 * libraries does not break us.  Each case is a process of its own. */
#define _GNU_SOURCE
#include <cblas.h>
#include <dlfcn.h>
#include <fenv.h>
#include <fcntl.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include "tests/load/alone.h"

int openblas_get_num_threads(void);
void openblas_set_num_threads(int n);

#define SMALL_STACK ((gsize)128 << 10)

/* ---- state of the host ------------------------------------------------------------------------- */

typedef struct {
    struct sigaction actions[NSIG];
    sigset_t mask;
    fenv_t fp;
    int rounding, blas;
    char *locale;
} State;

static void
state_read(State *s)
{
    memset(s, 0, sizeof *s);
    for (int i = 1; i < NSIG; i++)
        sigaction(i, NULL, &s->actions[i]);
    pthread_sigmask(SIG_SETMASK, NULL, &s->mask);
    fegetenv(&s->fp);
#if defined(__x86_64__)
    s->fp.__mxcsr &=
        ~0x3fu; /* flags raised by any sum, FE_ALL_EXCEPT and denormals; the rest is the host's */
#endif
    s->rounding = fegetround();
    s->blas = openblas_get_num_threads();
    s->locale = g_strdup(setlocale(LC_ALL, NULL));
}

static void
on_signal(int number)
{
    (void)number;
}

static void
state_is_kept(void)
{
    State before, after;

    begin();
    g_free(host_sum("/nonexistent.json", NULL)); /* GDAL's own first time */
    setlocale(LC_ALL, "C.UTF-8");
    signal(SIGUSR1, on_signal);
    signal(SIGFPE, SIG_IGN);
    openblas_set_num_threads(3);
    state_read(&before);
    g_autofree char *sum = host_sum(forecast, "CACHE=NO");
    g_assert_nonnull(sum);
    state_read(&after);
    for (int i = 1; i < NSIG; i++)
        g_assert_true(before.actions[i].sa_handler == after.actions[i].sa_handler);
    g_assert_true(memcmp(&before.mask, &after.mask, sizeof before.mask) == 0);
    g_assert_cmpint(before.rounding, ==, after.rounding);
#if defined(__x86_64__)
    g_assert_cmpuint(before.fp.__mxcsr, ==, after.fp.__mxcsr);
    g_assert_cmpuint(before.fp.__control_word, ==, after.fp.__control_word);
#endif
    g_assert_cmpint(before.blas, ==, after.blas);
    g_assert_cmpstr(before.locale, ==, after.locale);
    g_free(before.locale);
    g_free(after.locale);
    end();
}

/* A comma for the decimal point must not reach a number of ours. */
static void
comma_locale(void)
{
    static const char *const names[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "nl_NL.UTF-8"};
    gboolean found = FALSE;

    begin();
    g_autofree char *plain = host_sum(forecast, "CACHE=NO");
    for (guint i = 0; i < G_N_ELEMENTS(names) && !found; i++)
        found = setlocale(LC_ALL, names[i]) != NULL;
    g_autofree char *comma = host_sum(other, "LEAD_TIME=2h");
    g_assert_nonnull(plain);
    g_assert_cmpstr(plain, ==, comma);
    end();
    if (!found)
        exit(77);
}

/* ---- processes --------------------------------------------------------------------------------- */

static void
expect_child(pid_t child)
{
    int status;

    g_assert_cmpint(child, >, 0);
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_true(WIFEXITED(status));
    g_assert_cmpint(WEXITSTATUS(status), ==, 0);
}

static void
fork_after_reading(void)
{
    begin();
    g_autofree char *here = host_sum(forecast, "CACHE=NO");
    const pid_t child = fork();
    if (child == 0) {
        alarm(60);
        g_autofree char *again = host_sum(forecast, "CACHE=NO"); /* what the parent has computed */
        g_autofree char *fresh = host_sum(other, "CACHE=NO");    /* what it has not */
        _exit(fresh == NULL || g_strcmp0(here, again) != 0);
    }
    expect_child(child);
    end();
}

static int CPL_STDCALL
signal_started(double done, const char *message, void *data)
{
    (void)done;
    (void)message;
    g_atomic_int_set((gint *)data, 1);
    return TRUE;
}

static gint started;

static gpointer
compute_slowly(gpointer name)
{
    for (guint i = 0; i < 3; i++) {
        char option[32];
        GDALRasterIOExtraArg extra;
        float value;
        g_snprintf(option, sizeof option, "LEAD_TIME=%uh", 40 + i);
        GDALDatasetH ds = host_open(name, option);
        g_assert_nonnull(ds);
        INIT_RASTERIO_EXTRA_ARG(extra);
        extra.pfnProgress = signal_started;
        extra.pProgressData = &started;
        g_assert_cmpint(GDALRasterIOEx(GDALGetRasterBand(ds, 1), GF_Read, 0, 0, 1, 1, &value, 1, 1,
                                       GDT_Float32, 0, 0, &extra),
                        ==, CE_None);
        GDALClose(ds);
    }
    return NULL;
}

/* The child has the parent's locks as they were, and none of its threads. */
G_GNUC_UNUSED static void
fork_while_another_thread_computes(void)
{
    begin();
    CPLSetConfigOption("MET2NET_CACHE", "NO");
    g_autofree char *here = host_sum(forecast, NULL);
    GThread *thread = g_thread_new("computing", compute_slowly, forecast);
    while (!g_atomic_int_get(&started))
        g_usleep(100);
    for (guint i = 0; i < 10; i++) {
        const pid_t child = fork();
        if (child == 0) {
            alarm(30);
            g_autofree char *again = host_sum(other, "LEAD_TIME=2h");
            _exit(g_strcmp0(here, again) != 0);
        }
        g_usleep(3000);
        expect_child(child);
    }
    g_thread_join(thread);
    end();
}

/* ---- libraries --------------------------------------------------------------------------------- */

static void
dlopen_and_dlclose(void)
{
    g_autofree char *library = g_build_filename(plugin_folder, "libmet2net.so", NULL);

    begin();
    for (guint i = 0; i < 20; i++) {
        void *(*open_forecast)(const char *, const char *const *, void *);
        void (*close_forecast)(void *);
        int (*compute)(void *, void *, void *, void *);
        void *so = dlopen(library, RTLD_NOW | RTLD_LOCAL);
        g_assert_nonnull(so);
        *(void **)&open_forecast = dlsym(so, "met2net_open");
        *(void **)&close_forecast = dlsym(so, "met2net_close");
        *(void **)&compute = dlsym(so, "met2net_compute");
        void *handle = open_forecast(forecast, NULL, NULL);
        g_assert_nonnull(handle);
        g_assert_cmpint(compute(handle, NULL, NULL, NULL), ==, 1);
        close_forecast(handle);
        g_assert_null(open_forecast("/nonexistent", NULL, NULL)); /* an error, with its domain */
        dlclose(so);
    }
    end();
}

static void
driver_manager_destroyed(void)
{
    g_autofree char *first = NULL;

    begin();
    for (guint i = 0; i < 5; i++) {
        g_autofree char *sum = host_sum(forecast, NULL);
        g_assert_nonnull(sum);
        g_assert_true(first == NULL || g_str_equal(first, sum));
        if (first == NULL)
            first = g_steal_pointer(&sum);
        GDALDestroyDriverManager();
        GDALAllRegister();
    }
    end();
}

/* ---- threads ----------------------------------------------------------------------------------- */

static gpointer
sum_of_forecast(gpointer name)
{
    return host_sum(name, "CACHE=NO");
}

static void
small_stack(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    void *sum;

    begin();
    pthread_attr_init(&attributes);
    g_assert_cmpint(pthread_attr_setstacksize(&attributes, SMALL_STACK), ==, 0);
    g_assert_cmpint(pthread_create(&thread, &attributes, sum_of_forecast, forecast), ==, 0);
    pthread_join(thread, &sum);
    g_autofree char *here = host_sum(other, "LEAD_TIME=2h");
    g_assert_nonnull(sum);
    g_assert_cmpstr(sum, ==, here);
    g_free(sum);
    end();
}

static void
openmp_host(void)
{
    gint wrong = 0;

    begin();
    g_autofree char *expected = host_sum(forecast, NULL);
#pragma omp parallel for num_threads(8)
    for (int i = 0; i < 32; i++) {
        g_autofree char *sum =
            host_sum(i % 2 == 0 ? forecast : other, i % 2 == 0 ? NULL : "LEAD_TIME=2h");
        if (g_strcmp0(sum, expected) != 0)
            g_atomic_int_inc(&wrong);
    }
    g_assert_cmpint(wrong, ==, 0);
    end();
}

static gint stop;

/* The host's own use of BLAS goes on beside ours and stays right. */
static gpointer
multiply(gpointer data)
{
    enum { N = 96 };
    g_autofree double *a = g_new(double, N *N), *b = g_new(double, N *N), *c = g_new(double, N *N);

    for (int i = 0; i < N * N; i++) {
        a[i] = i % 13;
        b[i] = i / N == i % N;
    }
    while (!g_atomic_int_get(&stop)) {
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, N, N, N, 1, a, N, b, N, 0, c, N);
        for (int i = 0; i < N * N; i++)
            if (c[i] != a[i])
                g_atomic_int_inc((gint *)data);
    }
    return NULL;
}

static void
openblas_host(void)
{
    gint wrong = 0;

    begin();
    openblas_set_num_threads(2);
    GThread *thread = g_thread_new("host's BLAS", multiply, &wrong);
    g_autofree char *first = host_sum(forecast, "CACHE=NO");
    g_autofree char *second = host_sum(other, "LEAD_TIME=2h");
    g_atomic_int_set(&stop, 1);
    g_thread_join(thread);
    g_assert_cmpint(wrong, ==, 0);
    g_assert_nonnull(first);
    g_assert_cmpstr(first, ==, second);
    g_assert_cmpint(openblas_get_num_threads(), ==, 2);
    end();
}

/* ---- limits of the host ------------------------------------------------------------------------ */

/* eccodes remembers a table it could not open as one that does not exist: so few descriptors must not get as far. */
static void
few_descriptors(void)
{
    const struct rlimit few = {64, 64};
    int held[64];

    for (int left = 0; left < 16; left++) {
        const pid_t child = fork(); /* in which eccodes has read nothing yet */
        int status;
        guint n = 0;

        if (child == 0) {
            begin();
            setrlimit(RLIMIT_NOFILE, &few);
            while (n < 64 && (held[n] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
                n++;
            for (int i = 0; i < left; i++)
                close(held[--n]);
            g_autofree char *first = host_sum(forecast, "CACHE=NO");
            g_autofree char *why = g_strdup(CPLGetLastErrorMsg());
            while (n > 0)
                close(held[--n]);
            g_autofree char *second = host_sum(forecast, "CACHE=NO");
            if (first == NULL && strstr(why, "Too many open files") == NULL)
                g_error("%d descriptors: %s", left, why);
            if (second == NULL || (first != NULL && strcmp(first, second) != 0))
                g_error("%d descriptors, then many: %s", left, CPLGetLastErrorMsg());
            end();
            _exit(0);
        }
        g_assert_cmpint(waitpid(child, &status, 0), ==, child);
        g_assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
}

/* A write beyond ulimit -f ends the process: nothing is kept on disk then. */
static void
small_files(void)
{
    const struct rlimit small = {1024, 1024};

    begin();
    setrlimit(RLIMIT_FSIZE, &small);
    g_autofree char *sum = host_sum(forecast, NULL);
    g_assert_nonnull(sum);
    end();
}

int
main(int argc, char **argv)
{
    alone_init(&argc, &argv);
    add("/host/state-is-kept", state_is_kept);
    add("/host/comma-locale", comma_locale);
    add("/host/fork-after-reading", fork_after_reading);
#ifndef __SANITIZE_ADDRESS__ /* its own allocator's lock may be held when another thread forks */
    add("/host/fork-while-another-thread-computes", fork_while_another_thread_computes);
#endif
    add("/host/dlopen-and-dlclose", dlopen_and_dlclose);
    add("/host/driver-manager-destroyed", driver_manager_destroyed);
    add("/host/small-stack", small_stack);
    add("/host/openmp", openmp_host);
    add("/host/openblas", openblas_host);
    add("/host/few-descriptors", few_descriptors);
    add("/host/small-files", small_files);
    return g_test_run();
}
