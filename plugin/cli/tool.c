#include "plugin/cli/tool.h"

#include <cpl_error.h>
#include <errno.h>
#include <fcntl.h>
#include <gdal.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/error.h"
#include "engine/base/suggest.h"
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

/* As it is: GLib would turn the letters of a file name that the locale lacks into question marks, and a script in
 * the locale C could not find the file. */
static void
put_stdout(const char *text)
{
    fputs(text, stdout);
}

static void
put_stderr(const char *text)
{
    fputs(text, stderr);
}

/* At the end of the program: what did not reach a full disk, say, is a failure.  Who closed standard output wants none. */
static void
finish_stdout(void)
{
    if (fcntl(STDOUT_FILENO, F_GETFD) < 0)
        return;
    const gboolean before = ferror(stdout) != 0;
    errno = 0;
    if (fflush(stdout) == 0 && !before)
        return;
    g_printerr("%s: standard output: %s\n", g_get_prgname(), errno != 0 ? g_strerror(errno) : "a write failed");
    _exit(1);
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

static gboolean
print_version(const char *option, const char *value, gpointer data, GError **error)
{
    (void)option;
    (void)value;
    (void)data;
    (void)error;
    g_print("%s %s\n", g_get_prgname(), MET2NET_VERSION);
    exit(0);
}

static void
add_version(GOptionContext *context)
{
    const GOptionEntry entries[] = {
        {"version", 0, G_OPTION_FLAG_NO_ARG, G_OPTION_ARG_CALLBACK, (gpointer)print_version,
         "Print the version", NULL},
        G_OPTION_ENTRY_NULL,
    };

    g_option_context_add_main_entries(context, entries, NULL);
}

/* (transfer full) "; did you mean --lead-time?" for "... --leadtime", or "".  The names are those of the help. */
static char *
what_was_meant(GOptionContext *context, const char *message)
{
    g_autofree char *help = g_option_context_get_help(context, TRUE, NULL);
    g_auto(GStrv) words = g_strsplit_set(help, " =,\n", -1);
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    const char *typed = strstr(message, " --");

    for (guint i = 0; words[i] != NULL; i++)
        if (g_str_has_prefix(words[i], "--") && words[i][2] != 0)
            g_ptr_array_add(names, words[i]);
    g_ptr_array_add(names, NULL);
    const char *meant =
        typed != NULL ? m2n_suggest(typed + 1, (const char *const *)names->pdata) : NULL;
    return meant != NULL ? g_strdup_printf("; did you mean %s?", meant) : g_strdup("");
}

gboolean
m2n_tool_parse_context(const char *name, GOptionContext *context, int *argc, char ***argv)
{
    g_autoptr(GError) error = NULL;

    atexit(finish_stdout);
    signal(SIGXFSZ, SIG_IGN); /* the write fails and its file is removed */
    setlocale(LC_CTYPE, ""); /* LC_NUMERIC stays "C": 0.001, never 0,001 */
    g_set_print_handler(put_stdout);
    g_set_printerr_handler(put_stderr);
    add_version(context);
    if (g_option_context_parse(context, argc, argv, &error))
        return TRUE;
    const gboolean unknown = g_error_matches(error, G_OPTION_ERROR, G_OPTION_ERROR_UNKNOWN_OPTION);
    g_autofree char *meant = unknown ? what_was_meant(context, error->message) : g_strdup("");
    g_printerr("%s: %s%s\n", name, error->message, meant);
    return FALSE;
}

gboolean
m2n_tool_parse(const M2nTool *t, int *argc, char ***argv)
{
    g_autoptr(GOptionContext) context = make_context(t);

    return m2n_tool_parse_context(t->name, context, argc, argv);
}

int
m2n_tool_help(const M2nTool *t)
{
    g_autoptr(GOptionContext) context = make_context(t);
    add_version(context);
    g_autofree char *help = g_option_context_get_help(context, TRUE, NULL);

    g_printerr("%s\n%s: nothing is named to work on\n", help, t->name);
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
