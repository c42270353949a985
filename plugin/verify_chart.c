/* RMSE by lead time, as SVG. */
#include "plugin/verify_chart.h"

#include <math.h>

#include "plugin/verify_svg.h"

#define PANEL_W 400.0
#define PANEL_H 280.0
#define LEFT 56.0
#define RIGHT 16.0
#define TOP 34.0
#define BOTTOM 42.0
#define HEAD 84.0 /* title, subtitle and legend */
#define INK "#1d2733"
#define FAINT "#6b7683"
#define RULE "#e4e8ec"

/* Apart for colour-blind readers too (after Okabe and Ito); the judged forecast is the heavy one. */
static const struct {
    const char *colour, *dash;
    double width;
} styles[] = {{"#0b5fa5", NULL, 2.6},
              {"#8a94a0", NULL, 1.6},
              {"#d55e00", "6 3", 1.6},
              {"#009e73", "2 3", 1.8},
              {"#cc79a7", NULL, 1.6}};

typedef struct {
    double x0, y0, x1, y1; /* plot area in the picture: left, bottom, right, top */
    double hours, top;     /* data at the right and upper end */
} Panel;

static const M2nContender *
contender(const M2nReport *r, guint i)
{
    return g_ptr_array_index(r->contenders, i);
}

static double
rmse(const M2nReport *r, guint i, guint v, guint lead, M2nWeighting weighting)
{
    return m2n_scores_get(contender(r, i)->scores, v, lead, weighting).rmse;
}

static double
to_x(const Panel *p, double hours)
{
    return p->x0 + (p->x1 - p->x0) * hours / p->hours;
}

static double
to_y(const Panel *p, double v)
{
    return p->y0 + (p->y1 - p->y0) * v / p->top;
}

/* Hours people think in. */
static double
hour_step(double hours)
{
    static const double steps[] = {1, 2, 3, 6, 12, 24, 48, 96, 120, 240};

    for (guint i = 0; i < G_N_ELEMENTS(steps); i++)
        if (hours / steps[i] <= 8.0)
            return steps[i];
    return m2n_svg_nice_step(hours, 8);
}

static void
draw_axes(GString *svg, const Panel *p, const char *title)
{
    const double dy = m2n_svg_nice_step(p->top, 5), dx = hour_step(p->hours);

    for (double v = 0; v <= p->top * (1 + 1e-9); v += dy) {
        g_autofree char *label = m2n_svg_tick(v, dy);
        m2n_svg_line(svg, p->x0, to_y(p, v), p->x1, to_y(p, v), v > 0 ? RULE : FAINT, 1, NULL);
        m2n_svg_text(svg, p->x0 - 7, to_y(p, v) + 4, 11, FAINT, M2N_SVG_END, label);
    }
    for (double h = 0; h <= p->hours * (1 + 1e-9); h += dx) {
        g_autofree char *label = m2n_svg_tick(h, dx);
        m2n_svg_line(svg, to_x(p, h), p->y0, to_x(p, h), p->y0 + 4, FAINT, 1, NULL);
        m2n_svg_text(svg, to_x(p, h), p->y0 + 17, 11, FAINT, M2N_SVG_MIDDLE, label);
    }
    m2n_svg_text(svg, (p->x0 + p->x1) / 2, p->y0 + 34, 11, FAINT, M2N_SVG_MIDDLE,
                 "lead time, hours");
    m2n_svg_text(svg, p->x0, p->y1 - 12, 13, INK, M2N_SVG_START, title);
}

static void
draw_contender(GString *svg, const Panel *p, const M2nReport *r, guint i, guint v,
               M2nWeighting weighting)
{
    const guint style = MIN(i, (guint)G_N_ELEMENTS(styles) - 1);
    g_autofree double *x = g_new(double, r->n_leads), *y = g_new(double, r->n_leads);

    for (guint lead = 0; lead < r->n_leads; lead++) {
        x[lead] = to_x(p, (double)r->leads[lead] / 3600);
        y[lead] = to_y(p, rmse(r, i, v, lead, weighting));
    }
    m2n_svg_path(svg, x, y, r->n_leads, styles[style].colour, styles[style].width,
                 styles[style].dash);
    if (i == 0 && r->n_leads <= 30)
        for (guint lead = 0; lead < r->n_leads; lead++)
            if (isfinite(y[lead]))
                m2n_svg_circle(svg, x[lead], y[lead], 3, styles[0].colour);
}

static void
draw_panel(GString *svg, const M2nReport *r, guint v, M2nWeighting weighting, double x, double y)
{
    Panel p = {
        .x0 = x + LEFT, .y0 = y + PANEL_H - BOTTOM, .x1 = x + PANEL_W - RIGHT, .y1 = y + TOP};
    g_autofree char *title = g_strdup_printf("%s, RMSE [%s]", r->variables[v], r->units[v]);

    p.hours = (double)r->leads[r->n_leads - 1] / 3600;
    for (guint i = 0; i < r->contenders->len; i++)
        for (guint lead = 0; lead < r->n_leads; lead++)
            p.top = fmax(p.top, rmse(r, i, v, lead, weighting)); /* fmax passes over NaN */
    if (!(p.top > 0) || !isfinite(p.top))
        p.top = 1;
    p.top *= 1.06;
    draw_axes(svg, &p, title);
    for (guint i = r->contenders->len; i-- > 0;) /* the judged one last, on top */
        draw_contender(svg, &p, r, i, v, weighting);
}

static void
draw_legend(GString *svg, const M2nReport *r, double x, double y)
{
    for (guint i = 0; i < r->contenders->len; i++) {
        const guint style = MIN(i, (guint)G_N_ELEMENTS(styles) - 1);
        const char *name = contender(r, i)->name;
        m2n_svg_line(svg, x, y - 4, x + 26, y - 4, styles[style].colour, styles[style].width,
                     styles[style].dash);
        m2n_svg_text(svg, x + 32, y, 12, INK, M2N_SVG_START, name);
        x += 52 + 7.4 * (double)g_utf8_strlen(name, -1);
    }
}

char *
m2n_report_chart(const M2nReport *r, M2nWeighting weighting)
{
    const guint columns = r->n_variables == 4 ? 2 : MIN(r->n_variables, 3);
    const guint rows = (r->n_variables + columns - 1) / columns;
    const double width = fmax(columns * PANEL_W, 640);
    GString *svg = m2n_svg_new(width, HEAD + rows * PANEL_H);
    g_autofree char *forecast = g_path_get_basename(r->forecast);
    g_autofree char *title = g_strdup_printf("Error by lead time: %s", forecast);
    g_autofree char *about = g_strdup_printf("%u forecast%s, %s means over the grid", r->n_starts,
                                             r->n_starts == 1 ? "" : "s",
                                             weighting == M2N_WEIGHTED ? "area-weighted" : "plain");

    m2n_svg_text(svg, 20, 28, 16, INK, M2N_SVG_START, title);
    m2n_svg_text(svg, 20, 48, 12, FAINT, M2N_SVG_START, about);
    draw_legend(svg, r, 20, 74);
    for (guint v = 0; v < r->n_variables; v++)
        draw_panel(svg, r, v, weighting, (v % columns) * PANEL_W, HEAD + (v / columns) * PANEL_H);
    return m2n_svg_finish(svg);
}
