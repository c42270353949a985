/* check_vectors [--threads N] FILE...: compares the engine with files of test vectors.
 *
 * A file names a network (`config`) and a seed; weights and inputs are recomputed from them (made_up.h), the
 * forward pass runs, and where the file holds `losses` training steps too (check_steps.c), and the largest
 * difference of each group of tensors is printed.
 *
 * Exit status: 0 within tolerance, 1 beyond it or a file not readable, 2 wrong usage, 77 when
 * --if-present was given and a file is not there (Meson's code for a skipped test). */
#include <stdio.h>

#include "engine/base/cpu.h"
#include "engine/base/error.h"
#include "engine/nn/session.h"
#include "tests/check_steps.h"
#include "tests/lib/made_up.h"

/* Full-size networks add some hundred numbers where small ones add some tens. */
static double
tolerance(const M2nConfig *c)
{
    return c->hid_T >= 128 ? 1e-4 : 2e-5;
}

/* Largest |a - b|; infinity when any is NaN or nothing was compared. */
static double
largest_difference(const float *a, const float *b, gsize n)
{
    double largest = n > 0 ? 0.0 : INFINITY;

    for (gsize i = 0; i < n; i++) {
        const double d = fabs((double)a[i] - (double)b[i]);
        if (!(d <= largest))
            largest = isnan(d) ? INFINITY : d;
    }
    return largest;
}

static gboolean
report(const char *group, double difference, double allowed)
{
    const gboolean ok = difference <= allowed;

    printf("  %-24s %.3g %s %.3g%s\n", group, difference, ok ? "<=" : ">", allowed,
           ok ? "" : "  FAILED");
    return ok;
}

/* (transfer full) the tensor's values; NULL when reading fails. */
static float *
read_tensor(const M2nSafetensors *st, const M2nTensorInfo *t, GError **error)
{
    g_autofree float *values = g_new(float, t->elements + 1);

    return m2n_safetensors_read_f32(st, t, 0, t->elements, values, error) ? g_steal_pointer(&values)
                                                                          : NULL;
}

static gboolean
check_forecast(const M2nSafetensors *st, const M2nConfig *c, guint64 seed, guint threads,
               gboolean *ok, GError **error)
{
    const gsize item = (gsize)c->steps * c->variables * c->height * c->width;
    const M2nTensorInfo *fields = m2n_safetensors_find(st, "forecast/fields");

    if (fields == NULL)
        fields = m2n_safetensors_find(st, "fields");
    if (fields == NULL || fields->elements == 0 || fields->elements % item != 0) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT, "no fields, or not whole batches of them");
        return FALSE;
    }
    const guint batch = (guint)(fields->elements / item);
    g_autofree float *weights = m2n_made_up_weights(c, seed);
    g_autofree float *x = m2n_made_up_fields(c, batch, "x", seed);
    g_autofree float *got = g_new(float, fields->elements);
    g_autofree float *want = read_tensor(st, fields, error);
    g_autoptr(M2nModel) model =
        want != NULL ? m2n_model_new(c, weights, M2N_FLOAT32, threads, error) : NULL;
    g_autoptr(M2nSession) session =
        model != NULL ? m2n_session_new(model, batch, threads, 0, error) : NULL;

    if (session == NULL || !m2n_session_run(session, x, got, NULL, NULL, error))
        return FALSE;
    *ok &= report(fields->name, largest_difference(got, want, fields->elements), tolerance(c));
    return TRUE;
}

static gboolean
check_file(const char *path, guint threads, gboolean recompute, gboolean *ok, GError **error)
{
    g_autoptr(M2nSource) source = m2n_source_open_file(path, error);
    g_autoptr(M2nSafetensors) st = source != NULL ? m2n_safetensors_open(source, error) : NULL;
    M2nConfig config;

    if (st == NULL || !m2n_config_read(st, &config, error))
        return FALSE;
    const char *text = m2n_safetensors_metadata(st, "seed");
    guint64 seed;
    if (!g_ascii_string_to_unsigned(text != NULL ? text : "", 10, 0, G_MAXUINT64, &seed, error))
        return FALSE;
    return check_forecast(st, &config, seed, threads, ok, error) &&
           check_steps(st, &config, seed, threads, recompute, ok, error);
}

int
main(int argc, char **argv)
{
    gint threads = 2;
    gboolean ok = TRUE, if_present = FALSE, recompute = FALSE;
    g_autoptr(GError) usage = NULL;
    const GOptionEntry entries[] = {
        {"threads", 't', 0, G_OPTION_ARG_INT, &threads, "Threads [2]", "N"},
        {"if-present", 0, 0, G_OPTION_ARG_NONE, &if_present, "Skip when a file is absent", NULL},
        {"recompute", 0, 0, G_OPTION_ARG_NONE, &recompute, "Training in the least memory", NULL},
        G_OPTION_ENTRY_NULL,
    };
    g_autoptr(GOptionContext) context = g_option_context_new("FILE...");

    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &usage) || argc < 2 || threads < 1) {
        g_printerr("check_vectors: %s\n", usage != NULL ? usage->message : "see --help");
        return 2;
    }
    for (int i = 1; i < argc; i++) {
        g_autoptr(GError) error = NULL;

        if (if_present && !g_file_test(argv[i], G_FILE_TEST_EXISTS)) {
            g_print("%s is not there\n", argv[i]);
            return 77;
        }
        printf("%s (%s, %d threads)\n", argv[i], m2n_isa_name(m2n_isa()), threads);
        if (!check_file(argv[i], (guint)threads, recompute, &ok, &error)) {
            g_printerr("check_vectors: %s\n", error->message);
            ok = FALSE;
        }
    }
    return ok ? 0 : 1;
}
