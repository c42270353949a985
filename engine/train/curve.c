/* The loss curves of a run as an SVG picture. */
#include <math.h>

#include "engine/base/durable.h"
#include "engine/train/log.h"

#define WIDTH 720.0
#define HEIGHT 420.0
#define LEFT 70.0
#define RIGHT 20.0
#define TOP 40.0
#define BOTTOM 50.0

typedef struct {
    const char *label, *colour;
    gsize offset; /* of a double in M2nTrainRecord */
} Curve;

/* Colours of Okabe and Ito: told apart by colour-blind eyes too. */
static const Curve curves[] = {
    {"reconstruction", "#E69F00", G_STRUCT_OFFSET(M2nTrainRecord, loss_reconstruction)},
    {"latent", "#009E73", G_STRUCT_OFFSET(M2nTrainRecord, loss_latent)},
    {"prediction", "#56B4E9", G_STRUCT_OFFSET(M2nTrainRecord, loss_prediction)},
    {"validation", "#D55E00", G_STRUCT_OFFSET(M2nTrainRecord, validation_mse)},
};

typedef struct {
    double low, high; /* decimal logarithms */
    double last;      /* epoch at the right edge */
} Axes;

static double
value(const GArray *records, guint i, const Curve *c)
{
    return G_STRUCT_MEMBER(double, &g_array_index(records, M2nTrainRecord, i), c->offset);
}

static Axes
find_axes(const GArray *records)
{
    Axes a = {INFINITY, -INFINITY, 2};

    for (guint i = 0; i < records->len; i++) {
        a.last = MAX(a.last, g_array_index(records, M2nTrainRecord, i).epoch);
        for (guint c = 0; c < G_N_ELEMENTS(curves); c++) {
            const double v = value(records, i, &curves[c]);

            if (isfinite(v) && v > 0) {
                a.low = MIN(a.low, log10(v));
                a.high = MAX(a.high, log10(v));
            }
        }
    }
    if (!(a.low <= a.high))
        a.low = -1, a.high = 0;
    a.low = floor(10 * a.low) / 10;
    a.high = MAX(ceil(10 * a.high) / 10, a.low + 0.1);
    return a;
}

static double
x_of(const Axes *a, double epoch)
{
    return LEFT + (WIDTH - LEFT - RIGHT) * (epoch - 1) / (a->last - 1);
}

static double
y_of(const Axes *a, double loss)
{
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (log10(loss) - a->low) / (a->high - a->low);
}

/* printf with "%.1f" would follow the locale of a host that set one. */
static void
append_point(GString *out, const char *before, double x, double y)
{
    char bx[G_ASCII_DTOSTR_BUF_SIZE], by[G_ASCII_DTOSTR_BUF_SIZE];

    g_string_append_printf(out, "%s%s,%s", before, g_ascii_formatd(bx, sizeof bx, "%.1f", x),
                           g_ascii_formatd(by, sizeof by, "%.1f", y));
}

static void
append_grid(GString *out, const Axes *a)
{
    static const double marks[] = {1, 2, 5};
    char label[G_ASCII_DTOSTR_BUF_SIZE];

    for (int power = (int)floor(a->low); power <= (int)ceil(a->high); power++)
        for (guint m = 0; m < G_N_ELEMENTS(marks); m++) {
            const double loss = marks[m] * pow(10, power);

            if (log10(loss) < a->low - 1e-9 || log10(loss) > a->high + 1e-9)
                continue;
            append_point(out, "<path class='grid' d='M", LEFT, y_of(a, loss));
            append_point(out, " L", WIDTH - RIGHT, y_of(a, loss));
            g_ascii_formatd(label, sizeof label, "%g", loss);
            g_string_append_printf(out, "'/><text x='%d' y='%d' text-anchor='end'>%s</text>\n",
                                   (int)LEFT - 8, (int)y_of(a, loss) + 4, label);
        }
    const guint each = MAX(1, (guint)ceil(a->last / 12));
    for (guint e = 1; e <= (guint)a->last; e += each)
        g_string_append_printf(out, "<text x='%d' y='%d' text-anchor='middle'>%u</text>\n",
                               (int)x_of(a, e), (int)(HEIGHT - BOTTOM) + 20, e);
    g_string_append_printf(out, "<text x='%d' y='%d' text-anchor='middle'>epoch</text>\n",
                           (int)(LEFT + WIDTH - RIGHT) / 2, (int)HEIGHT - 10);
}

static void
append_curve(GString *out, const Axes *a, const GArray *records, const Curve *c, guint place)
{
    gboolean pen_down = FALSE;

    g_string_append_printf(out, "<path fill='none' stroke='%s' stroke-width='2' d='", c->colour);
    for (guint i = 0; i < records->len; i++) {
        const double v = value(records, i, c);

        if (isfinite(v) && v > 0)
            append_point(out, pen_down ? " L" : " M",
                         x_of(a, g_array_index(records, M2nTrainRecord, i).epoch), y_of(a, v));
        pen_down = isfinite(v) && v > 0;
    }
    g_string_append_printf(out, "'/><text x='%u' y='24' fill='%s'>%s</text>\n",
                           (guint)LEFT + 150 * place, c->colour, c->label);
}

gboolean
m2n_train_log_draw(const char *path, const GArray *records, GError **error)
{
    const Axes a = find_axes(records);
    g_autoptr(GString) out = g_string_new(NULL);

    g_string_append_printf(
        out,
        "<svg xmlns='http://www.w3.org/2000/svg' width='%d' height='%d' "
        "font-family='sans-serif' font-size='13'>\n<title>Training losses</title>\n"
        "<style>.grid{stroke:#ddd;fill:none}</style>\n"
        "<rect width='100%%' height='100%%' fill='white'/>\n",
        (int)WIDTH, (int)HEIGHT);
    append_grid(out, &a);
    for (guint c = 0; c < G_N_ELEMENTS(curves); c++)
        append_curve(out, &a, records, &curves[c], c);
    for (guint i = 0; i < records->len; i++) {
        const M2nTrainRecord *r = &g_array_index(records, M2nTrainRecord, i);

        if (r->best && r->validation_mse > 0)
            g_string_append_printf(out, "<circle cx='%d' cy='%d' r='3' fill='#D55E00'/>\n",
                                   (int)x_of(&a, r->epoch), (int)y_of(&a, r->validation_mse));
    }
    g_string_append(out, "</svg>\n");
    return m2n_durable_write(path, out, error);
}
