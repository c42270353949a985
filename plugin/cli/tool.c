#include "plugin/cli/tool.h"

#include <cpl_error.h>
#include <gdal.h>
#include <locale.h>
#include <signal.h>

#include "engine/base/error.h"
#include "plugin/cli/screen.h"

static volatile sig_atomic_t interrupted;

static void
on_signal(int sig)
{
    (void)sig;
    interrupted = 1; /* files in the making are removed, complete ones stay */
}

static void
on_gdal_error(CPLErr level, CPLErrorNum number, const char *message)
{
    (void)level;
    (void)number;
    g_debug("GDAL: %s", message);
}

static GOptionContext *
make_context(const M2nTool *t)
{
    GOptionContext *context = g_option_context_new(NULL);

    g_option_context_set_summary(context, t->summary);
    g_option_context_set_description(context, t->description);
    g_option_context_add_main_entries(context, t->entries, NULL);
    return context;
}

gboolean
m2n_tool_parse(const M2nTool *t, int *argc, char ***argv)
{
    g_autoptr(GOptionContext) context = make_context(t);
    g_autoptr(GError) error = NULL;

    setlocale(LC_CTYPE, "");
    if (g_option_context_parse(context, argc, argv, &error))
        return TRUE;
    g_printerr("%s: %s\n", t->name, error->message);
    return FALSE;
}

int
m2n_tool_help(const M2nTool *t)
{
    g_autoptr(GOptionContext) context = make_context(t);
    g_autofree char *help = g_option_context_get_help(context, TRUE, NULL);

    g_printerr("%s", help);
    return 2;
}

void
m2n_tool_begin(void)
{
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    GDALAllRegister();
}

void
m2n_tool_hush_gdal(void)
{
    CPLSetErrorHandler(on_gdal_error);
}

gboolean
m2n_tool_interrupted(void)
{
    return interrupted;
}

gboolean
m2n_tool_progress(double done, const char *message, gpointer screen)
{
    m2n_screen_progress(screen, done, message);
    return !interrupted;
}

int
m2n_tool_failed(const char *name, const GError *error)
{
    g_printerr("%s: %s\n", name, error->message);
    if (g_error_matches(error, M2N_ERROR, M2N_ERROR_CANCELLED))
        return 130;
    return g_error_matches(error, M2N_ERROR, M2N_ERROR_ARGUMENT) ? 2 : 1;
}
