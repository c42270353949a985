/* met2net-convert: a model with its weights in fewer bits, and what that costs in skill.
 *
 * Exit status: 0 done, 1 failed, 2 wrong usage, 130 stopped by the user. */
#include "engine/base/durable.h"
#include "engine/base/error.h"
#include "plugin/batch_inputs.h"
#include "plugin/cli/precision_option.h"
#include "plugin/cli/screen.h"
#include "plugin/cli/span_option.h"
#include "plugin/cli/tool.h"
#include "plugin/model_convert.h"
#include "plugin/quantity.h"
#include "plugin/verify.h"

typedef struct {
    char *output, *weights, *precision_name, *span, **data, **names;
    M2nPrecision precision;
    M2nStore store;
    gint jobs;
    gboolean quiet;
} Arguments;

static void
arguments_clear(Arguments *a)
{
    g_free(a->output);
    g_free(a->weights);
    g_free(a->precision_name);
    g_free(a->span);
    g_strfreev(a->data);
    g_strfreev(a->names);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Arguments, arguments_clear)

/* ---- what it costs ------------------------------------------------------------------------------- */

/* (transfer full) Scores of a model over the data. */
static M2nVerification *
scores(const Arguments *a, const char *const *data, const char *model, M2nPrecision precision,
       GError **error)
{
    M2nVerifyOptions o = M2N_VERIFY_OPTIONS_DEFAULT;
    M2nScreen screen;

    o.model = model;
    o.data = data;
    o.precision = precision;
    o.jobs = (guint)a->jobs;
    o.has_span = a->span != NULL;
    if (o.has_span && !m2n_span_parse("span", a->span, &o.first, &o.last, error))
        return NULL;
    m2n_screen_init(&screen, a->quiet);
    M2nVerification *v = m2n_verify(&o, m2n_tool_progress, &screen, error);
    m2n_screen_clear(&screen);
    return v;
}

static M2nScore
overall(const M2nVerification *v, guint variable)
{
    const M2nContender *forecast = g_ptr_array_index(v->report->contenders, 0);

    return m2n_scores_overall(forecast->scores, variable, M2N_WEIGHTED);
}

static void
print_loss(const M2nReport *r, const M2nVerification *before, const M2nVerification *after,
           const char *what)
{
    g_autofree char *truth = m2n_report_names((const char *const *)r->truth);

    g_print("%u forecasts of %s; RMSE over all lead times, area-weighted:\n", r->n_starts, truth);
    g_print("%-16s %12s %12s %9s\n", "", "before", what, "change");
    for (guint v = 0; v < r->n_variables; v++) {
        const double was = overall(before, v).rmse, is = overall(after, v).rmse;
        g_autofree char *name = g_strdup_printf("%s [%s]", r->variables[v], r->units[v]);

        g_print("%-16s %12.5g %12.5g %+8.2f%%\n", name, was, is, 100.0 * (is / was - 1.0));
    }
}

static gboolean
verify(const Arguments *a, const char *const *names, GError **error)
{
    const char *model = a->names[0], *after = a->output != NULL ? a->output : model;

    g_autoptr(M2nVerification) old = scores(a, names, model, M2N_FLOAT32, error);
    g_autoptr(M2nVerification) new =
        old != NULL ? scores(a, names, after, a->precision, error) : NULL;
    if (new == NULL)
        return FALSE;
    g_autofree char *what = a->output == NULL || a->precision != M2N_FLOAT32
                                ? g_strdup(m2n_precision_name(a->precision))
                                : g_strdup("after");
    print_loss(new->report, old, new, what);
    return TRUE;
}

/* ---- the tool ------------------------------------------------------------------------------------ */

static gboolean
convert(const Arguments *a, GError **error)
{
    M2nConversion c;

    if (!m2n_model_convert(a->names[0], a->output, a->store, &c, error))
        return FALSE;
    g_autofree char *before = m2n_size_format(c.before), *after = m2n_size_format(c.after);
    g_print("%s: %s, %s: %s\n", a->names[0], before, a->output, after);
    return TRUE;
}

static gboolean
understand(Arguments *a, GError **error)
{
    const char *wrong = NULL;

    if (a->names == NULL || a->names[1] != NULL)
        wrong = "expected one MODEL; see --help";
    else if (a->output == NULL && a->data == NULL)
        wrong = "say what to do: --output FILE, --verify DATA, or both";
    else if (a->output == NULL && a->weights != NULL)
        wrong = "--weights needs --output FILE";
    else if (a->data == NULL && (a->precision_name != NULL || a->span != NULL))
        wrong = "--precision and --span are for --verify DATA; a model file is the same for all "
                "precisions";
    else if (a->jobs < 1 || a->jobs > 1024)
        wrong = "--jobs: expected 1 to 1024";
    if (wrong != NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT, "%s", wrong);
        return FALSE;
    }
    if (a->weights != NULL && !m2n_store_parse(a->weights, &a->store, error)) {
        g_prefix_error(error, "--weights ");
        return FALSE;
    }
    return m2n_precision_option(a->precision_name, a->quiet, &a->precision, error);
}

static const char summary[] =
    "Stores the weights of a model in fewer bits, and says what that, or computing in fewer bits, "
    "costs in skill.";
static const char description[] =
    "  met2net-convert -w bf16 -o small.safetensors model.safetensors\n"
    "  met2net-convert -w f16 -o small.safetensors --verify era5.nc --span 2024-01-27/2024-01-31 "
    "model.safetensors\n"
    "  met2net-convert --precision int8 --verify era5.nc model.safetensors\n\n"
    "Computing in int8 needs no file of its own and no calibration: steps are found at run time "
    "(PRECISION=int8 of the driver, --precision of met2net-forecast).\n"
    "Exit status: 0 done, 1 failed, 2 wrong usage, 130 stopped.";

static int
run(Arguments *a)
{
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) data = NULL;

    if (!understand(a, &error))
        return m2n_tool_failed("met2net-convert", error);
    if (a->data != NULL)
        data = m2n_inputs_expand((const char *const *)a->data, &error);
    const char *const *names = (const char *const *)data;
    if (error == NULL && (a->output == NULL || names == NULL || m2n_durable_is_no_input(a->output, names, &error)) &&
        (a->output == NULL || convert(a, &error)) && (names == NULL || verify(a, names, &error)))
        return 0;
    return m2n_tool_failed("met2net-convert", error);
}

int
main(int argc, char **argv)
{
    g_auto(Arguments) a = {.jobs = (gint)MIN(g_get_num_processors(), 64), .store = M2N_STORE_BF16};
    const GOptionEntry entries[] = {
        {"output", 'o', 0, G_OPTION_ARG_FILENAME, &a.output, "The new model", "FILE"},
        {"weights", 'w', 0, G_OPTION_ARG_STRING, &a.weights, "float32, f16 or bf16 [bf16]", "TYPE"},
        {"verify", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &a.data,
         "Compare RMSE before and after on these data; may be given again", "DATA"},
        {"span", 's', 0, G_OPTION_ARG_STRING, &a.span,
         "Only forecasts all of whose input and truth lie in here", "FIRST/LAST"},
        {"precision", 'p', 0, G_OPTION_ARG_STRING, &a.precision_name,
         "Compute the second time in float32, bf16 or int8 [float32]", "NAME"},
        {"jobs", 'j', 0, G_OPTION_ARG_INT, &a.jobs, "Forecasts at once [one per CPU]", "N"},
        {"quiet", 'q', 0, G_OPTION_ARG_NONE, &a.quiet, "No progress", NULL},
        {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &a.names, NULL, "MODEL"},
        G_OPTION_ENTRY_NULL,
    };

    const M2nTool tool = {"met2net-convert", summary, description, entries};

    if (!m2n_tool_parse(&tool, &argc, &argv))
        return 2;
    m2n_tool_begin();
    m2n_tool_hush_gdal();
    return run(&a);
}
