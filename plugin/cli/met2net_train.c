/* met2net-train: train Met2Net on a data set or straight on archives.
 *
 * Exit status: 0 done, 1 failed, 2 wrong usage, 130 stopped by the user (go on with --resume). */
#include <gdal.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/durable.h"
#include "engine/base/error.h"
#include "engine/train/group_join.h"
#include "plugin/cli/data_options.h"
#include "plugin/cli/tool.h"
#include "plugin/cli/train_screen.h"
#include "plugin/cli/train_start.h"
#include "plugin/source_vsi.h"
#include "plugin/train_report.h"

#define LARGEST_CONFIG (1u << 20) /* bytes */

static volatile sig_atomic_t interrupted;

static void
on_signal(int sig)
{
    interrupted = 1;      /* the trainer finishes its step and writes a checkpoint */
    signal(sig, SIG_DFL); /* a second one ends at once: the last checkpoint is whole */
}

typedef struct {
    M2nDataOptions data;
    GPtrArray *given; /* name, value, name, value ... of settings on the command line */
    char *output, *preset, *config, *init;
    gboolean resume, overwrite, quiet;
} Arguments;

/* ---- options ------------------------------------------------------------------------------------- */

static gboolean
on_setting(const char *option, const char *value, gpointer data, GError **error)
{
    Arguments *a = data;

    (void)error;
    g_ptr_array_add(a->given, g_strdup(option + 2)); /* without "--" */
    g_ptr_array_add(a->given, g_strdup(value));
    return TRUE;
}

static void
add_settings(GOptionGroup *group, GPtrArray *texts)
{
    const M2nSettings defaults = M2N_SETTINGS_DEFAULT;
    static const char *const kinds[] = {"N", "X", "N", "SIZE", "WORD"};

    for (const M2nSettingInfo *i = m2n_setting_infos; i->name; i++) {
        g_autofree char *value = m2n_settings_get(&defaults, i);
        char *text = g_strdup_printf("%s [%s]", i->help, value);
        union { /* GOption keeps callbacks as plain pointers */
            GOptionArgFunc function;
            gpointer pointer;
        } callback = {.function = on_setting};
        const GOptionEntry entry[] = {
            {i->name, 0, 0, G_OPTION_ARG_CALLBACK, callback.pointer, text, kinds[i->kind]},
            G_OPTION_ENTRY_NULL,
        };

        g_ptr_array_add(texts, text);
        g_option_group_add_entries(group, entry);
    }
}

static char *
describe_presets(void)
{
    g_autoptr(GString) s = g_string_new("Presets (the published settings):\n");

    for (const M2nPreset *p = m2n_presets; p->name; p++)
        g_string_append_printf(s, "  %-20s or %-14s %s\n", p->name, p->other_name, p->help);
    g_string_append(
        s,
        "\nDATA is a data set of met2net-prepare, or archives (GRIB, NetCDF, Zarr, folders) "
        "that are\nprepared on the way.  Beside MODEL.safetensors (the best by validation) "
        "come\nMODEL.last.safetensors, MODEL.checkpoint.safetensors, MODEL.log.jsonl and "
        "MODEL.svg.\nA settings file is a JSON object of option names and values: "
        "{\"preset\": \"era5\", \"epochs\": 30}.\n\n--init goes on learning from a finished model: "
        "its sizes, steps, normalisation and target,\nits means and deviations and its variables "
        "stay; "
        "grid, times and all other settings are\nthose of the new run.  "
        "--resume needs no --init; one that is given must be the same model.\n");
    return g_string_free(g_steal_pointer(&s), FALSE);
}

static GOptionContext *
make_context(Arguments *a, GPtrArray *texts)
{
    GOptionContext *context = g_option_context_new("DATA...");
    GOptionGroup *group = g_option_group_new("main", "", "", a, NULL);
    guint n;
    g_autofree GOptionEntry *data = m2n_data_option_entries(&a->data, &n);
    g_autofree char *presets = describe_presets();
    const GOptionEntry own[] = {
        {"output", 'o', 0, G_OPTION_ARG_FILENAME, &a->output, "Model to write", "MODEL.safetensors"},
        {"preset", 'p', 0, G_OPTION_ARG_STRING, &a->preset, "Published settings, see below",
         "NAME"},
        {"config", 'c', 0, G_OPTION_ARG_FILENAME, &a->config, "Settings from a JSON file", "FILE"},
        {"init", 0, 0, G_OPTION_ARG_FILENAME, &a->init,
         "Begin with the weights of this model (fine-tuning), see below", "MODEL.safetensors"},
        {"resume", 'r', 0, G_OPTION_ARG_NONE, &a->resume, "Go on from the checkpoint", NULL},
        {"overwrite", 0, 0, G_OPTION_ARG_NONE, &a->overwrite, "Replace an earlier run", NULL},
        {"quiet", 'q', 0, G_OPTION_ARG_NONE, &a->quiet, "No progress", NULL},
        G_OPTION_ENTRY_NULL,
    };

    g_option_group_add_entries(group, own);
    add_settings(group, texts);
    for (guint i = 0; i < n; i++) {
        const GOptionEntry one[] = {data[i], G_OPTION_ENTRY_NULL};

        g_option_group_add_entries(group, one);
    }
    g_option_context_set_main_group(context, group);
    g_option_context_set_summary(context, "Train Met2Net (arXiv:2507.17189), both stages in one step.");
    g_option_context_set_description(context, presets);
    return context;
}

/* Preset, then file, then options: later ones win. */
static gboolean
read_settings(const Arguments *a, M2nSettings *s, GError **error)
{
    g_autofree char *text = NULL;
    gsize length = 0;

    if (a->preset != NULL && !m2n_settings_preset(s, a->preset, "--preset", error))
        return FALSE;
    if (a->config != NULL) {
        if (!m2n_vsi_text(a->config, LARGEST_CONFIG, &text, &length, error))
            return FALSE;
        if (text == NULL) {
            g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT, "%s: more than %u bytes of settings", a->config, LARGEST_CONFIG);
            return FALSE;
        }
        if (!m2n_settings_read_json(s, text, (gssize)length, a->config, error))
            return FALSE;
    }
    for (guint i = 0; i < a->given->len; i += 2)
        if (!m2n_settings_set(s, a->given->pdata[i], a->given->pdata[i + 1], "command line", error))
            return FALSE;
    return m2n_settings_check(s, "settings", error);
}

/* A resumed run keeps its settings; one that is given again must be the same. */
static gboolean
read_resumed_settings(const Arguments *a, const char *checkpoint, M2nSettings *s, GError **error)
{
    M2nSettings before = M2N_SETTINGS_DEFAULT;

    if (!m2n_checkpoint_settings(checkpoint, &before, error))
        return FALSE;
    *s = before;
    if (!read_settings(a, s, error))
        return FALSE;
    for (const M2nSettingInfo *i = m2n_setting_infos; i->name; i++) {
        g_autofree char *x = m2n_settings_get(&before, i), *y = m2n_settings_get(s, i);

        if (i->affects_result && strcmp(x, y) != 0) {
            g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT,
                        "--resume: %s: the run has %s, given is %s", i->name, x, y);
            return FALSE;
        }
    }
    return TRUE;
}

/* ---- data ---------------------------------------------------------------------------------------- */

static gboolean
show_preparing(double done, const char *message, gpointer user_data)
{
    g_autofree char *bar = m2n_screen_bar(done, 30);
    g_autofree char *line = g_strdup_printf("preparing %s %3.0f%% %s", bar, 100 * done, message);

    m2n_screen_state(user_data, line);
    return !interrupted;
}

static gboolean
is_prepared(const char *const *inputs)
{
    return inputs[1] == NULL && g_str_has_suffix(inputs[0], ".safetensors");
}

/* (transfer full) The data set to read: DATA itself, or what is prepared from it beside the model. */
static char *
data_path(const Arguments *a, const char *const *inputs)
{
    const gsize cut = g_str_has_suffix(a->output, ".safetensors") ? strlen(".safetensors") : 0;
    g_autofree char *stem = g_strndup(a->output, strlen(a->output) - cut);

    return is_prepared(inputs) ? g_strdup(inputs[0]) : g_strconcat(stem, ".data.safetensors", NULL);
}

static gboolean
prepare(const Arguments *a, const char *const *inputs, const char *path, M2nScreen *screen,
        GError **error)
{
    M2nPrepareOptions options;
    M2nPrepareResult result;

    if (!m2n_durable_is_no_input(a->output, inputs, error))
        return FALSE;
    if (is_prepared(inputs))
        return m2n_data_options_none(&a->data, inputs[0], error);
    if (a->resume && g_file_test(path, G_FILE_TEST_EXISTS))
        return TRUE;
    if (!m2n_data_options_read(&a->data, inputs, &options, error))
        return FALSE;
    if (options.variables == NULL && options.like == NULL)
        options.like = a->init;
    for (const M2nPreset *p = m2n_presets; p->name && a->preset; p++)
        if (options.variables == NULL && options.like == NULL &&
            (g_ascii_strcasecmp(p->name, a->preset) == 0 ||
             g_ascii_strcasecmp(p->other_name, a->preset) == 0))
            options.variables = p->variables;
    if (!m2n_prepare(&options, path, &result, show_preparing, screen, error))
        return FALSE;
    g_autofree char *line =
        g_strdup_printf("prepared %s: %zu times on %s", path, result.times, result.grid);
    m2n_screen_line(screen, line);
    if (result.cut != NULL)
        m2n_screen_line(screen, result.cut);
    if (result.note != NULL)
        m2n_screen_line(screen, result.note);
    g_free(result.grid);
    g_free(result.cut);
    g_free(result.note);
    return TRUE;
}

static M2nDataset *
open_data(const Arguments *a, const char *path, GError **error)
{
    g_autoptr(M2nSource) source = m2n_source_open_file(path, error);
    g_autoptr(M2nDataset) d = source ? m2n_dataset_open(source, error) : NULL;
    const char *const spans[] = {a->data.spans[0], a->data.spans[1], a->data.spans[2]};
    M2nSplit split;

    if (d == NULL)
        return NULL;
    if ((spans[0] || spans[1] || spans[2]) &&
        (!m2n_prepare_split(spans, &split, error) || !m2n_dataset_set_split(d, &split, error)))
        return NULL;
    return g_steal_pointer(&d);
}

/* ---- the run ------------------------------------------------------------------------------------- */

static gboolean
on_state(const M2nTrainState *s, gpointer user_data)
{
    m2n_train_show(user_data, s);
    return !interrupted;
}

/* What the run has to say at its end, on stdout. */
static gboolean
conclude(const Arguments *a, const M2nTrainer *t, M2nDataset *d, const M2nWindows *w,
         GError **error)
{
    const M2nTrainPlace *place = m2n_trainer_place(t);
    const M2nBatchSource *source = m2n_windows_source(w);
    const M2nSpan span = source->n_windows[M2N_SPAN_TEST] > 0 ? M2N_SPAN_TEST : M2N_SPAN_VALIDATION;

    if (place->stopped_early || place->best_epoch < place->epoch)
        printf("best epoch %u of %u\n", place->best_epoch, place->epoch);
    if (source->n_windows[span] == 0)
        return TRUE;
    g_autofree char *report =
        m2n_train_report(a->output, d, w, span, m2n_trainer_settings(t)->threads, error);
    if (report != NULL)
        printf("%s", report);
    return report != NULL;
}

/* Rank 0 decides. */
static gboolean
decide_settings(const Arguments *a, M2nTrainStart *start, M2nSettings *s, GError **error)
{
    g_autofree char *checkpoint = m2n_run_file(a->output, M2N_RUN_CHECKPOINT);
    const gboolean there = g_file_test(checkpoint, G_FILE_TEST_EXISTS);

    if (!m2n_durable_may_replace(a->output, error)) /* before the work, not after it */
        return FALSE;
    if (there && !a->resume && !a->overwrite) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT,
                    "%s: an earlier run is there; --resume goes on, --overwrite begins again",
                    checkpoint);
        return FALSE;
    }
    if (a->init != NULL && !m2n_train_start_open(start, a->init, a->output, error))
        return FALSE;
    if (a->resume)
        return read_resumed_settings(a, checkpoint, s, error) &&
               m2n_train_start_resume(start, checkpoint, error);
    if (a->init == NULL)
        return read_settings(a, s, error);
    return m2n_train_start_settings(start, s, error) && read_settings(a, s, error) &&
           m2n_train_start_check(start, s, error);
}

/* Weights and place before the first step of this process.  Collective. */
static gboolean
begin(const Arguments *a, M2nTrainer *t, const M2nTrainStart *start, GError **error)
{
    if (a->resume)
        return m2n_trainer_resume(t, error);
    return a->init == NULL || m2n_trainer_begin_with(t, start->model, &start->origin, error);
}

/* Collective over the group, as all it calls. */
static gboolean
train(const Arguments *a, const char *const *inputs, M2nGroup *group, M2nScreen *screen,
      GError **error)
{
    g_auto(M2nTrainStart) start = {0};
    const gboolean first = m2n_group_rank(group) == 0;
    M2nSettings s = M2N_SETTINGS_DEFAULT;
    g_autofree char *path = data_path(a, inputs);
    gboolean ok = !first || (decide_settings(a, &start, &s, error) &&
                             prepare(a, inputs, path, screen, error));

    m2n_group_wait(group);
    if (!m2n_group_agree(group, ok, error))
        return FALSE;
    m2n_group_broadcast(group, 0, &s, sizeof s);
    g_autoptr(M2nDataset) d = open_data(a, path, error);
    if (!m2n_group_agree(group, d != NULL, error) ||
        !m2n_train_start_statistics(&start, d, group, error))
        return FALSE;
    g_autoptr(M2nWindows) w =
        m2n_windows_new(d, s.config.steps, s.minmax ? M2N_MINMAX : M2N_ZSCORE,
                        s.change ? M2N_TARGET_CHANGE : M2N_TARGET_FIELD, error);
    if (!m2n_group_agree(group, w != NULL, error))
        return FALSE;
    const M2nBatchSource *source = m2n_windows_source(w);
    g_autoptr(M2nTrainer) t = m2n_trainer_new(&s, source, a->output, group, error);
    if (t == NULL || !begin(a, t, &start, error))
        return FALSE;
    m2n_train_show_plan(screen, t, source, group);
    ok = m2n_trainer_run(t, on_state, screen, error) && (!first || conclude(a, t, d, w, error));
    m2n_group_wait(group);
    return m2n_group_agree(group, ok, error);
}

static int
run(Arguments *a, int argc, char **argv)
{
    M2nScreen screen;
    M2nGroup *group;
    g_autoptr(GError) error = NULL;

    if (argc < 2 || a->output == NULL) {
        g_printerr("met2net-train: %s; see --help\n",
                   argc < 2 ? "no data named" : "--output is missing");
        return 2;
    }
    gboolean ok = m2n_group_join(&group, &error);
    const gboolean first = m2n_group_rank(group) == 0;
    m2n_screen_init(&screen, a->quiet || !first);
    GDALAllRegister();
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    if (group != NULL)
        signal(SIGUSR1, on_signal); /* mpirun hands it on and does not end us itself */
    ok = ok && train(a, (const char *const *)argv + 1, group, &screen, &error);
    m2n_screen_end(&screen);
    m2n_group_leave(group);
    if (ok || !first) /* the error is everybody's: rank 0 tells it */
        return 0;
    return m2n_tool_failed("met2net-train", error);
}

int
main(int argc, char **argv)
{
    Arguments a = {.given = g_ptr_array_new_with_free_func(g_free)};
    g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GOptionContext) context = make_context(&a, texts);
    int status = 2;

    if (m2n_tool_parse_context("met2net-train", context, &argc, &argv))
        status = run(&a, argc, argv);
    m2n_data_options_clear(&a.data);
    g_ptr_array_unref(a.given);
    g_free(a.output);
    g_free(a.preset);
    g_free(a.config);
    g_free(a.init);
    return status;
}
