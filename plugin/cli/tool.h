/* What every tool does around its own work: command line, signals, GDAL, exit status. */
#pragma once
#include <glib.h>

G_BEGIN_DECLS

typedef struct {
    const char *name, *summary, *description;
    const GOptionEntry *entries;
} M2nTool;

/* Sets the locale (LC_NUMERIC stays "C") and reads the command line; --version prints it and ends the program, as
 * --help does.  FALSE: what is wrong was told on stderr in a line, with what may have been meant; the exit status
 * is 2.  From here on, a write beyond ulimit -f is an error and no signal, and a program whose standard output could not be
 * written in the end tells so and ends with 1. */
gboolean m2n_tool_parse(const M2nTool *tool, int *argc, char ***argv);
/* The same for a context of the tool's own. */
gboolean m2n_tool_parse_context(const char *name, GOptionContext *context, int *argc, char ***argv);
/* The help on stderr, for a command line that names nothing to work on; 2. */
int m2n_tool_help(const M2nTool *tool);

/* SIGINT and SIGTERM are noted, GDAL is there. */
void m2n_tool_begin(void);
/* GDAL's messages go to the debug log: ours say it better. */
void m2n_tool_hush_gdal(void);
gboolean m2n_tool_interrupted(void);
/* An M2nProgressFunc: shows it on an M2nScreen; FALSE once interrupted. */
gboolean m2n_tool_progress(double done, const char *message, gpointer screen);

/* Tells the error on stderr; 2 for wrong usage, 130 when stopped, else 1. */
int m2n_tool_failed(const char *name, const GError *error);

G_END_DECLS
