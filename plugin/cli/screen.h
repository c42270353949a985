/* Progress on stderr, as all tools show it: a line that is rewritten on a terminal, plain lines in a log. */
#pragma once
#include <glib.h>

G_BEGIN_DECLS

typedef struct {
    gboolean quiet, terminal, drawn;
    gint64 start, last; /* when it began, when something was last shown; microseconds */
} M2nScreen;

void m2n_screen_init(M2nScreen *s, gboolean quiet);
/* A state that the next one replaces.  On a terminal ten times a second, in a log every 30 s. */
void m2n_screen_state(M2nScreen *s, const char *line);
/* " 42%  message, 17 s left", which the next one replaces; in a log every 10 s. */
void m2n_screen_progress(M2nScreen *s, double done, const char *message);
/* A line that stays. */
void m2n_screen_line(M2nScreen *s, const char *line);
/* Wipes what the next state would have replaced. */
void m2n_screen_clear(M2nScreen *s);
/* Leaves the cursor below whatever stands there. */
void m2n_screen_end(M2nScreen *s);

/* (transfer full) "[#####.....]" of `width` signs for done in 0..1; "2 h 03 min", "41 s" */
char *m2n_screen_bar(double done, guint width);
char *m2n_screen_duration(double seconds);

G_END_DECLS
