#include "plugin/cli/screen.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

void
m2n_screen_init(M2nScreen *s, gboolean quiet)
{
    *s = (M2nScreen){
        .quiet = quiet, .terminal = isatty(STDERR_FILENO) != 0, .start = g_get_monotonic_time()};
}

/* Shows the line unless the last one has stood for less than `log_pause` seconds; on a terminal 0.1. */
static void
show(M2nScreen *s, gint64 log_pause, const char *line)
{
    const gint64 now = g_get_monotonic_time();
    const gint64 pause = s->terminal ? G_USEC_PER_SEC / 10 : log_pause * G_USEC_PER_SEC;

    if (s->quiet || (s->last != 0 && now - s->last < pause))
        return;
    s->last = now;
    s->drawn = s->terminal;
    g_printerr(s->terminal ? "\r%s\033[K" : "%s\n", line);
}

void
m2n_screen_state(M2nScreen *s, const char *line)
{
    show(s, 30, line);
}

void
m2n_screen_progress(M2nScreen *s, double done, const char *message)
{
    const double elapsed = (double)(g_get_monotonic_time() - s->start) / G_USEC_PER_SEC;
    g_autofree char *line = g_strdup_printf("%3.0f%%  %s, %.0f s left", 100 * done, message,
                                            done > 0 ? elapsed / done - elapsed : 0);

    if (s->last == 0)
        s->last = s->start; /* what is over at once shows nothing */
    show(s, 10, line);
}

void
m2n_screen_clear(M2nScreen *s)
{
    if (s->drawn)
        g_printerr("\r\033[K");
    s->drawn = FALSE;
}

void
m2n_screen_line(M2nScreen *s, const char *line)
{
    if (s->quiet)
        return;
    m2n_screen_clear(s);
    g_printerr("%s\n", line);
}

void
m2n_screen_end(M2nScreen *s)
{
    if (s->drawn)
        g_printerr("\n");
    s->drawn = FALSE;
}

char *
m2n_screen_bar(double done, guint width)
{
    char *bar = g_malloc(width + 3);
    const guint full = (guint)floor(CLAMP(done, 0.0, 1.0) * width);

    bar[0] = '[';
    memset(bar + 1, '#', full);
    memset(bar + 1 + full, '.', width - full);
    bar[width + 1] = ']';
    bar[width + 2] = '\0';
    return bar;
}

char *
m2n_screen_duration(double seconds)
{
    const guint64 s = (guint64)CLAMP(seconds, 0.0, 1e12), minutes = s / 60, hours = minutes / 60;

    if (hours >= 48)
        return g_strdup_printf("%" G_GUINT64_FORMAT " days", hours / 24);
    if (hours > 0)
        return g_strdup_printf("%" G_GUINT64_FORMAT " h %02u min", hours, (guint)(minutes % 60));
    if (minutes > 0)
        return g_strdup_printf("%" G_GUINT64_FORMAT " min %02u s", minutes, (guint)(s % 60));
    return g_strdup_printf("%u s", (guint)s);
}
