/* weather: GRIB2 analyses of a small made-up atmosphere, as many as wanted.
 *
 * Exit status: 0 done, 1 failed, 2 wrong usage, 130 stopped by the user. */
#include <glib/gstdio.h>
#include <locale.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "engine/base/durable.h"
#include "engine/base/error.h"
#include "grib/grib_writer.h"
#include "grib/variable.h"
#include "plugin/quantity.h"
#include "samples/weather/air.h"

static volatile sig_atomic_t interrupted;

static void
on_sigint(int sig)
{
    (void)sig;
    interrupted = 1;
}

typedef struct {
    gint64 start, hours, every, spin_up; /* start: UTC seconds; every: hours; spin_up: days */
    guint64 seed;
    guint truncation, width, height;
    double north, west, south, east;
    gboolean quiet;
} Options;

static const char *const names[M2N_N_WEATHER] = {"u10", "v10", "t2m", "tcc", "r1000"};

/* (transfer full) What the GRIB writer needs to know of our fields. */
static M2nDomain *
describe(const Options *o, GError **error)
{
    g_autoptr(M2nDomain) d = g_new0(M2nDomain, 1);

    d->n_variables = M2N_N_WEATHER;
    d->variables = g_new0(M2nVariable, M2N_N_WEATHER);
    d->time_step = o->every * 3600;
    for (guint k = 0; k < M2N_N_WEATHER; k++)
        if (!m2n_variable_from_name(names[k], &d->variables[k], error))
            return NULL;
    d->grid = m2n_grid_new_affine("EPSG:4326", o->width, o->height,
                                  (double[]){o->west, (o->east - o->west) / o->width, 0, o->north,
                                             0, (o->south - o->north) / o->height});
    return g_steal_pointer(&d);
}

/* (transfer full) Where each cell centre lies on the sphere's own grid. */
static M2nStencil *
place(const Options *o, const M2nSphere *s)
{
    const double degree = G_PI / 180;
    M2nStencil *stencils = g_new(M2nStencil, (gsize)o->width * o->height);

    for (guint j = 0; j < o->height; j++)
        for (guint i = 0; i < o->width; i++) {
            const double y = o->north - (j + 0.5) * (o->north - o->south) / o->height;
            const double x = o->west + (i + 0.5) * (o->east - o->west) / o->width;
            stencils[(gsize)j * o->width + i] = m2n_sphere_stencil(s, y * degree, x * degree);
        }
    return stencils;
}

/* All variables of the present moment, one message each, appended to the file. */
static gboolean
write_moment(const M2nAir *air, const M2nStencil *stencils, gsize n, M2nGribWriter *writer,
             FILE *file, GError **error)
{
    const M2nSphere *s = m2n_air_flow(air)->sphere;
    g_autofree double *grid = g_new(double, (gsize)s->rows * s->columns);
    g_autofree float *values = g_new(float, n);
    const gint64 now = m2n_air_time(air);

    for (guint k = 0; k < M2N_N_WEATHER; k++) {
        m2n_air_observe(air, (M2nWeather)k, grid);
        for (gsize i = 0; i < n; i++)
            values[i] = (float)m2n_stencil_value(&stencils[i], grid, TRUE);
        g_autoptr(GBytes) message = m2n_grib_writer_message(writer, k, now, now, values, error);
        if (message == NULL)
            return FALSE;
        gsize size;
        const void *bytes = g_bytes_get_data(message, &size);
        if (fwrite(bytes, 1, size, file) != size) {
            g_set_error(error, M2N_ERROR, M2N_ERROR_IO, "%s", g_strerror(errno));
            return FALSE;
        }
    }
    return TRUE;
}

static void
report(const Options *o, double done, gint64 time)
{
    if (o->quiet || !isatty(STDERR_FILENO))
        return;
    g_autofree char *text = m2n_time_format(time);
    g_printerr("\r%3.0f%%  %s\033[K%s", 100 * done, text, done >= 1 ? "\n" : "");
}

static gboolean
integrate(const Options *o, FILE *file, GError **error)
{
    const gint64 steps_before = o->spin_up * 86400 / M2N_AIR_STEP;
    const gint64 steps = (o->hours - 1) / o->every * o->every * 3600 / M2N_AIR_STEP;
    g_autoptr(M2nDomain) domain = describe(o, error);
    if (domain == NULL)
        return FALSE;
    M2nGribWriterOptions options = M2N_GRIB_WRITER_OPTIONS_DEFAULT;
    options.generating_type = 0; /* analyses */
    g_autoptr(M2nGribWriter) writer = m2n_grib_writer_new(domain, &options, error);
    if (writer == NULL)
        return FALSE;
    g_autoptr(M2nAir) air = m2n_air_new(o->truncation, o->seed, o->start - o->spin_up * 86400);
    g_autofree M2nStencil *stencils = place(o, m2n_air_flow(air)->sphere);

    for (gint64 i = -steps_before;; i++) {
        if (i >= 0 && i % (o->every * 3600 / M2N_AIR_STEP) == 0 &&
            !write_moment(air, stencils, (gsize)o->width * o->height, writer, file, error))
            return FALSE;
        if (i % 48 == 0 || i == steps)
            report(o, (double)(i + steps_before) / (double)MAX(1, steps + steps_before),
                   m2n_air_time(air));
        if (i == steps)
            return TRUE;
        if (interrupted) {
            g_set_error(error, M2N_ERROR, M2N_ERROR_CANCELLED, "stopped");
            return FALSE;
        }
        m2n_air_step(air);
    }
}

/* The file appears under its name when it is complete. */
static gboolean
save(const Options *o, const char *path, GError **error)
{
    g_autofree char *part = g_strconcat(path, ".part", NULL);
    FILE *file = g_fopen(part, "wb");

    if (file == NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_IO, "%s: %s", part, g_strerror(errno));
        return FALSE;
    }
    gboolean ok = integrate(o, file, error);
    if (!ok)
        g_prefix_error(error, "%s: ", path);
    if (fclose(file) != 0 && ok) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_IO, "%s: %s", path, g_strerror(errno));
        ok = FALSE;
    }
    ok = ok && m2n_durable_sync(part, error) && m2n_durable_rename(part, path, error);
    if (!ok)
        g_unlink(part);
    return ok;
}

/* ---- command line ------------------------------------------------------------------------------- */

static gboolean
parse_texts(Options *o, const char *start, const char *grid, const char *area, GError **error)
{
    char rest;

    if (!m2n_time_parse(start, &o->start, error)) {
        g_prefix_error(error, "--start: ");
        return FALSE;
    }
    if (sscanf(grid, "%ux%u%c", &o->width, &o->height, &rest) != 2 || o->width < 2 ||
        o->height < 2 || o->width > 8192 || o->height > 8192) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT,
                    "--grid: \"%s\" is not columns x rows like 64x32, 2 to 8192 each", grid);
        return FALSE;
    }
    if (sscanf(area, "%lf/%lf/%lf/%lf%c", &o->north, &o->west, &o->south, &o->east, &rest) != 4 ||
        !(o->north <= 90 && o->south >= -90 && o->north > o->south && o->east > o->west &&
          o->west >= -180 && o->east <= 360 && o->east - o->west <= 360)) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT,
                    "--area: \"%s\" is not north/west/south/east in degrees like 60/-10/35/30",
                    area);
        return FALSE;
    }
    return TRUE;
}

static gboolean
in_range(const char *name, gint64 value, gint64 low, gint64 high, GError **error)
{
    if (value >= low && value <= high)
        return TRUE;
    g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT,
                "--%s: %" G_GINT64_FORMAT " is not between %" G_GINT64_FORMAT
                " and %" G_GINT64_FORMAT,
                name, value, low, high);
    return FALSE;
}

static gboolean
parse(int *argc, char ***argv, Options *o, char **out, GError **error)
{
    gint64 hours = 24, every = 1, spin_up = 60, seed = 1, truncation = 31;
    g_autofree char *start = NULL, *grid = NULL, *area = NULL;
    const GOptionEntry entries[] = {
        {"output", 'o', 0, G_OPTION_ARG_FILENAME, out, "GRIB2 file to write", "FILE"},
        {"start", 0, 0, G_OPTION_ARG_STRING, &start, "First time, UTC [2020-01-01T00:00Z]", "TIME"},
        {"hours", 0, 0, G_OPTION_ARG_INT64, &hours, "Length [24]", "N"},
        {"every", 0, 0, G_OPTION_ARG_INT64, &every, "Hours between fields [1]", "N"},
        {"grid", 0, 0, G_OPTION_ARG_STRING, &grid, "Columns x rows [64x32]", "WxH"},
        {"area", 0, 0, G_OPTION_ARG_STRING, &area, "Outer edges, degrees [90/-180/-90/180]",
         "N/W/S/E"},
        {"seed", 0, 0, G_OPTION_ARG_INT64, &seed, "Which weather [1]", "N"},
        {"truncation", 0, 0, G_OPTION_ARG_INT64, &truncation, "Waves around the globe [31]", "N"},
        {"spin-up", 0, 0, G_OPTION_ARG_INT64, &spin_up, "Days before the first time [60]", "DAYS"},
        {"quiet", 'q', 0, G_OPTION_ARG_NONE, &o->quiet, "No progress", NULL},
        G_OPTION_ENTRY_NULL,
    };

    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_option_context_set_summary(context,
                                 "GRIB2 analyses of a small made-up atmosphere: wind at 10 m, "
                                 "temperature at 2 m,\ncloud cover and relative humidity at "
                                 "1000 hPa.  The same seed gives the same weather.");
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, argc, argv, error))
        return FALSE;
    if (*argc != 1 || *out == NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT, "%s",
                    *argc != 1 ? "too many arguments" : "no --output");
        return FALSE;
    }
    o->hours = hours;
    o->every = every;
    o->spin_up = spin_up;
    o->seed = (guint64)seed;
    o->truncation = (guint)truncation;
    return in_range("hours", hours, 1, 1000000, error) &&
           in_range("every", every, 1, 10000, error) &&
           in_range("spin-up", spin_up, 0, 10000, error) &&
           in_range("truncation", truncation, 5, 170, error) &&
           parse_texts(o, start ? start : "2020-01-01T00:00Z", grid ? grid : "64x32",
                       area ? area : "90/-180/-90/180", error);
}

int
main(int argc, char **argv)
{
    Options options = {0};
    g_autofree char *out = NULL;
    g_autoptr(GError) error = NULL;

    setlocale(LC_CTYPE, "");
    if (!parse(&argc, &argv, &options, &out, &error)) {
        g_printerr("weather: %s; see weather --help\n", error->message);
        return 2;
    }
    signal(SIGINT, on_sigint);
    signal(SIGTERM, on_sigint);
    if (save(&options, out, &error))
        return 0;
    g_printerr("weather: %s\n", error->message);
    return g_error_matches(error, M2N_ERROR, M2N_ERROR_CANCELLED) ? 130 : 1;
}
