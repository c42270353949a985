/* bench_forecast CONFIG|MODEL.safetensors [--threads N] [--runs N] [--batch N] [--precision P]: seconds of one forecast, with
 * made-up weights or those of a model file.
 *
 * Prints one line a run: "CONFIG threads N cpu SECONDS run SECONDS", processor time (of all threads; the one to
 * look at on a busy machine) and time passed; the first run is printed as "first", with the time
 * to build the model and the session before it as "load".  At the end "peak_kb N" (VmHWM).
 * With --stdin each line read starts one run, so that a script can alternate programs. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "engine/base/peak_memory.h"
#include "engine/nn/session.h"
#include "tests/lib/made_up.h"

static const struct {
    const char *name;
    M2nConfig c;
} configs[] = {
    {"wb_mv4", {12, 4, 32, 64, 32, 256, 2, 8, 0.9, 0.1}},
    {"wb_mv5", {12, 5, 32, 64, 32, 256, 2, 8, 0.9, 0.1}},
    {"wb_mv5_hires", {12, 5, 64, 128, 32, 256, 4, 8, 0.9, 0.1}},
    {"era5_128", {12, 4, 128, 128, 32, 256, 4, 8, 0.9, 0.1}},
};

static gboolean
wait_for_line(void)
{
    int c;

    while ((c = getchar()) != EOF)
        if (c == '\n')
            return TRUE;
    return FALSE;
}

static M2nModel *
made_up_model(const M2nConfig *c, M2nPrecision precision, guint threads, GError **error)
{
    g_autofree float *weights = m2n_made_up_weights(c, 0);

    return m2n_model_new(c, weights, precision, threads, error);
}

static M2nModel *
load_model(const char *path, M2nPrecision precision, guint threads, GError **error)
{
    g_autoptr(M2nSource) source = m2n_source_open_file(path, error);
    g_autoptr(M2nSafetensors) st = source != NULL ? m2n_safetensors_open(source, error) : NULL;

    return st != NULL ? m2n_model_load(st, precision, threads, error) : NULL;
}

int
main(int argc, char **argv)
{
    gint threads = 2, runs = 7, batch = 1;
    gboolean from_stdin = FALSE;
    g_autofree char *precision_name = NULL;
    M2nPrecision precision = M2N_FLOAT32;
    const M2nConfig *c = NULL;
    g_autoptr(GError) error = NULL;
    const GOptionEntry entries[] = {
        {"threads", 't', 0, G_OPTION_ARG_INT, &threads, "Threads [2]", "N"},
        {"runs", 'r', 0, G_OPTION_ARG_INT, &runs, "Runs after the first [7]", "N"},
        {"batch", 'b', 0, G_OPTION_ARG_INT, &batch, "Batch [1]", "N"},
        {"precision", 'p', 0, G_OPTION_ARG_STRING, &precision_name,
         "float32, bf16 or int8 [float32]", "P"},
        {"stdin", 0, 0, G_OPTION_ARG_NONE, &from_stdin, "Wait for a line before each run", NULL},
        G_OPTION_ENTRY_NULL,
    };
    g_autoptr(GOptionContext) context = g_option_context_new("CONFIG");

    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error) || argc != 2 || threads < 1 ||
        batch < 1 ||
        (precision_name != NULL && !m2n_precision_parse(precision_name, &precision, &error))) {
        g_printerr("bench_forecast: %s\n", error != NULL ? error->message : "see --help");
        return 2;
    }
    for (gsize i = 0; i < G_N_ELEMENTS(configs); i++)
        if (strcmp(argv[1], configs[i].name) == 0)
            c = &configs[i].c;
    const gint64 start = g_get_monotonic_time();
    g_autoptr(M2nModel) m = c != NULL ? made_up_model(c, precision, (guint)threads, &error)
                                      : load_model(argv[1], precision, (guint)threads, &error);
    g_autoptr(M2nSession) s =
        m != NULL ? m2n_session_new(m, (guint)batch, (guint)threads, 0, &error) : NULL;
    if (s == NULL) {
        g_printerr("bench_forecast: %s\n", error->message);
        return 1;
    }
    const double load = (double)(g_get_monotonic_time() - start) * 1e-6;
    c = m2n_model_config(m);
    const gsize n = (gsize)batch * c->steps * c->variables * c->height * c->width;
    g_autofree float *x = m2n_made_up_fields(c, (gsize)batch, "x", 0), *y = g_new(float, n);
    printf("%s threads %d load %.4f\n", argv[1], threads, load);
    for (gint i = 0; i <= runs; i++) {
        if (from_stdin && !wait_for_line())
            break;
        const gint64 t0 = g_get_monotonic_time();
        const clock_t c0 = clock();
        m2n_session_run(s, x, y, NULL, NULL, NULL);
        printf("%s threads %d cpu %.4f %s %.4f\n", argv[1], threads,
               (double)(clock() - c0) / CLOCKS_PER_SEC, i == 0 ? "first" : "run",
               (double)(g_get_monotonic_time() - t0) * 1e-6);
        fflush(stdout);
    }
    printf("%s threads %d peak_kb %" G_GUINT64_FORMAT "\n", argv[1], threads,
           m2n_peak_memory() / 1024);
    return 0;
}
