/* Maps of error: RMSE and bias of each cell, as SVG. */
#include <math.h>

#include "plugin/verify_chart.h"
#include "plugin/verify_svg.h"

#define MAP_W 340.0
#define GAP 16.0
#define LEFT 24.0
#define HEAD 74.0
#define ROW_HEAD 30.0
#define BAR_W 12.0
#define BAR_ROOM 78.0
#define INK "#1d2733"
#define FAINT "#6b7683"

typedef struct {
    double squared, sum;
    guint32 n;
} Cell;

struct M2nErrorMaps {
    guint n_variables, n_leads;
    guint *leads;
    gsize n_points;
    Cell *cells; /* [n_variables][n_leads][n_points] */
};

guint64
m2n_error_maps_memory(guint n_variables, guint n_leads, gsize n_points)
{
    return (guint64)n_variables * n_leads * n_points * sizeof(Cell);
}

M2nErrorMaps *
m2n_error_maps_new(guint n_variables, const guint *leads, guint n_leads, gsize n_points)
{
    g_autoptr(M2nErrorMaps) m = g_new0(M2nErrorMaps, 1);

    m->n_variables = n_variables;
    m->n_leads = n_leads;
    m->leads = g_memdup2(leads, n_leads * sizeof *leads);
    m->n_points = n_points;
    m->cells = g_try_new0(Cell, n_variables *n_leads *n_points);
    return m->cells != NULL ? g_steal_pointer(&m) : NULL;
}

void
m2n_error_maps_free(M2nErrorMaps *m)
{
    g_free(m->leads);
    g_free(m->cells);
    g_free(m);
}

static Cell *
cells_at(const M2nErrorMaps *m, guint variable, guint slot)
{
    return &m->cells[((gsize)variable * m->n_leads + slot) * m->n_points];
}

void
m2n_error_maps_add(M2nErrorMaps *m, guint variable, guint lead, const float *forecast,
                   const float *truth)
{
    guint slot = 0;

    while (slot < m->n_leads && m->leads[slot] != lead)
        slot++;
    if (slot == m->n_leads)
        return;
    Cell *cell = cells_at(m, variable, slot);
    for (gsize i = 0; i < m->n_points; i++) {
        const double e = (double)forecast[i] - truth[i];
        if (isnan(e))
            continue;
        cell[i].squared += e * e;
        cell[i].sum += e;
        cell[i].n++;
    }
}

static double
cell_value(const Cell *c, M2nMapKind kind)
{
    if (c->n == 0)
        return NAN;
    return kind == M2N_MAP_RMSE ? sqrt(c->squared / c->n) : c->sum / c->n;
}

/* The scale's end for one variable: the largest magnitude on any of its maps. */
static double
scale_of(const M2nErrorMaps *m, guint variable, M2nMapKind kind)
{
    double top = 0;

    for (guint slot = 0; slot < m->n_leads; slot++)
        for (gsize i = 0; i < m->n_points; i++)
            top = fmax(top, fabs(cell_value(&cells_at(m, variable, slot)[i], kind)));
    return top > 0 && isfinite(top) ? top : 1;
}

/* Light to dark through one family of hues, so that more is darker in print too. */
static const guint8 error_ramp[][3] = {{255, 250, 235}, {254, 227, 166}, {253, 187, 99},
                                       {240, 128, 62},  {205, 70, 60},   {140, 30, 72},
                                       {68, 10, 68}};
/* Blue below, white at zero, red above: after ColorBrewer's RdBu. */
static const guint8 bias_ramp[][3] = {{33, 102, 172},  {103, 169, 207}, {209, 229, 240},
                                      {250, 250, 250}, {253, 219, 199}, {239, 138, 98},
                                      {178, 24, 43}};

/* t in 0..1 */
static void
colour_of(M2nMapKind kind, double t, guint8 *rgb)
{
    const guint8(*ramp)[3] = kind == M2N_MAP_RMSE ? error_ramp : bias_ramp;
    const guint last = G_N_ELEMENTS(error_ramp) - 1;

    if (isnan(t)) {
        rgb[0] = rgb[1] = rgb[2] = 200;
        return;
    }
    const double at = CLAMP(t, 0, 1) * last;
    const guint i = MIN((guint)at, last - 1);
    for (guint c = 0; c < 3; c++)
        rgb[c] = (guint8)lround(ramp[i][c] + (at - i) * (ramp[i + 1][c] - ramp[i][c]));
}

static double
to_unit(M2nMapKind kind, double v, double top)
{
    return kind == M2N_MAP_RMSE ? v / top : 0.5 + 0.5 * v / top;
}

static gboolean
draw_map(GString *svg, const Cell *cell, const M2nGrid *grid, M2nMapKind kind, double top, double x,
         double y, double height, GError **error)
{
    g_autofree guint8 *rgb = g_new(guint8, grid->n_points * 3);

    for (gsize i = 0; i < grid->n_points; i++)
        colour_of(kind, to_unit(kind, cell_value(&cell[i], kind), top), rgb + 3 * i);
    if (!m2n_svg_image(svg, x, y, MAP_W, height, rgb, grid->width, grid->height, error))
        return FALSE;
    m2n_svg_rect(svg, x, y, MAP_W, height, "none", FAINT);
    return TRUE;
}

static gboolean
draw_bar(GString *svg, M2nMapKind kind, double top, const char *units, double x, double y,
         double height, GError **error)
{
    guint8 rgb[128 * 3];
    const double low = kind == M2N_MAP_RMSE ? 0 : -top, step = m2n_svg_nice_step(top - low, 4);

    for (guint i = 0; i < 128; i++)
        colour_of(kind, 1 - (i + 0.5) / 128, rgb + 3 * i);
    if (!m2n_svg_image(svg, x, y, BAR_W, height, rgb, 1, 128, error))
        return FALSE;
    m2n_svg_rect(svg, x, y, BAR_W, height, "none", FAINT);
    for (double v = ceil(low / step - 1e-9) * step; v <= top * (1 + 1e-9); v += step) {
        const double at = y + height * (1 - (v - low) / (top - low));
        g_autofree char *label = m2n_svg_tick(fabs(v) < step / 2 ? 0 : v, step);
        m2n_svg_line(svg, x + BAR_W, at, x + BAR_W + 4, at, FAINT, 1, NULL);
        m2n_svg_text(svg, x + BAR_W + 7, at + 4, 10, FAINT, M2N_SVG_START, label);
    }
    m2n_svg_text(svg, x, y - 8, 11, FAINT, M2N_SVG_START, units);
    return TRUE;
}

static gboolean
draw_row(const M2nErrorMaps *m, const M2nReport *r, const M2nGrid *grid, M2nMapKind kind, guint v,
         double y, double height, GString *svg, GError **error)
{
    const double top = scale_of(m, v, kind);

    for (guint slot = 0; slot < m->n_leads; slot++) {
        const double x = LEFT + slot * (MAP_W + GAP);
        g_autofree char *label = g_strdup_printf("%s, %+.0f h", r->variables[v],
                                                 (double)r->leads[m->leads[slot]] / 3600);
        m2n_svg_text(svg, x, y + ROW_HEAD - 9, 12, INK, M2N_SVG_START, label);
        if (!draw_map(svg, cells_at(m, v, slot), grid, kind, top, x, y + ROW_HEAD, height, error))
            return FALSE;
    }
    return draw_bar(svg, kind, top, r->units[v], LEFT + m->n_leads * (MAP_W + GAP), y + ROW_HEAD,
                    height, error);
}

char *
m2n_error_maps_draw(const M2nErrorMaps *m, const M2nReport *r, const M2nGrid *grid, M2nMapKind kind,
                    GError **error)
{
    const double shape = fabs(grid->geo[5]) * grid->height / (fabs(grid->geo[1]) * grid->width);
    const double height = MAP_W * CLAMP(shape, 0.25, 2.0);
    const double row = ROW_HEAD + height + 12;
    GString *svg =
        m2n_svg_new(LEFT + m->n_leads * (MAP_W + GAP) + BAR_ROOM, HEAD + m->n_variables * row);
    g_autofree char *name = g_path_get_basename(r->forecast), *where = m2n_grid_describe(grid);
    g_autofree char *title = g_strdup_printf(
        "%s: %s",
        kind == M2N_MAP_RMSE ? "RMSE of each cell" : "Bias of each cell, forecast - truth", name);
    g_autofree char *about =
        g_strdup_printf("%u forecast%s on %s", r->n_starts, r->n_starts == 1 ? "" : "s", where);

    m2n_svg_text(svg, LEFT, 30, 16, INK, M2N_SVG_START, title);
    m2n_svg_text(svg, LEFT, 52, 12, FAINT, M2N_SVG_START, about);
    for (guint v = 0; v < m->n_variables; v++)
        if (!draw_row(m, r, grid, kind, v, HEAD + v * row, height, svg, error)) {
            g_string_free(svg, TRUE);
            return NULL;
        }
    return m2n_svg_finish(svg);
}
