/* Weights of conservative (area-weighted) regridding.
 *
 * The outline of a target cell, its edges followed in steps, goes to the source's coordinates; there the source
 * cells are upright boxes, and the outline is clipped by each of them.  On latitude and longitude the plane is
 * (longitude, sine of latitude), in which areas are those on the sphere; on a projected source areas are taken in
 * its plane, whose scale hardly varies within a cell.  Like first-order conservative remapping of CDO (SCRIP,
 * Jones 1999) but for its treatment of great circles. */
#include <math.h>

#include "grib/projection.h"
#include "grib/regrid_weights.h"

#define STEPS 4           /* pieces an edge is cut into when the two CRS differ */
#define MAX_VERTICES 160  /* outline, poles, and what clipping adds */
#define LEAST_COVERED 0.5 /* of a target cell */
#define RADIANS (G_PI / 180)

typedef struct {
    guint n;
    double x[MAX_VERTICES], y[MAX_VERTICES];
} Polygon;

typedef struct {
    const M2nGrid *grid;
    gsize *start;
    double *edge; /* [height + 1] of the rows, north to south, in the plane */
    gboolean angular;
} Cells;

/* y of the edges of all rows, [height + 1] (transfer full): half way between centres, and at the poles where
 * a global grid ends. */
static double *
row_edges(const M2nGrid *g)
{
    const guint n = g->height;
    double *e = g_new(double, (gsize)n + 1);

    for (guint r = 1; r < n; r++)
        e[r] = 0.5 * (m2n_grid_row_y(g, r - 1) + m2n_grid_row_y(g, r));
    e[0] = m2n_grid_row_y(g, 0) + (n > 1 ? m2n_grid_row_y(g, 0) - e[1] : -g->geo[5] / 2);
    e[n] =
        m2n_grid_row_y(g, n - 1) - (n > 1 ? e[n - 1] - m2n_grid_row_y(g, n - 1) : -g->geo[5] / 2);
    if (!m2n_grid_is_angular(g))
        return e;
    const double reach = n > 1 ? e[0] - e[1] : 0; /* a Gaussian grid's last rows reach the poles */
    for (guint r = 0; r <= n; r++)
        e[r] = CLAMP(e[r], -90, 90);
    if (g->wraps && g->row_y != NULL && e[0] + reach > 90)
        e[0] = 90;
    if (g->wraps && g->row_y != NULL && e[n] - reach < -90)
        e[n] = -90;
    return e;
}

static void
push(Polygon *p, double x, double y)
{
    if (p->n < MAX_VERTICES) {
        p->x[p->n] = x;
        p->y[p->n++] = y;
    }
}

/* Signed, twice over. */
static double
area2(const Polygon *p)
{
    double sum = 0;

    for (guint i = 0, k = p->n - 1; i < p->n; k = i++)
        sum += (p->x[k] - p->x[0]) * p->y[i] - (p->x[i] - p->x[0]) * p->y[k];
    return sum;
}

/* The part of `in` with sign * (coordinate - at) >= 0; coordinate is y when `vertical`.  Source: Sutherland
 * and Hodgman 1974. */
static void
clip(const Polygon *in, Polygon *out, gboolean vertical, double at, double sign)
{
    const double *c = vertical ? in->y : in->x;

    out->n = 0;
    for (guint i = 0, k = in->n - 1; i < in->n; k = i++) {
        const double a = sign * (c[k] - at), b = sign * (c[i] - at);
        if ((a < 0) != (b < 0)) {
            const double t = a / (a - b);
            push(out, vertical ? in->x[k] + t * (in->x[i] - in->x[k]) : at,
                 vertical ? at : in->y[k] + t * (in->y[i] - in->y[k]));
        }
        if (b >= 0)
            push(out, in->x[i], in->y[i]);
    }
}

/* ---- the outline of a target cell ------------------------------------------------------------- */

static gboolean
at_pole(double latitude)
{
    return fabs(latitude) > 90 - 1e-7;
}

/* Longitudes made continuous.  A vertex at a pole, whose longitude means nothing, becomes two, so that the
 * outline follows the pole's line in the plane; an outline round a pole is closed along that line. */
static void
unwrap(const double *x, const double *y, guint n, Polygon *p)
{
    guint s = 0;
    double sum_y = 0;

    p->n = 0;
    while (s < n && at_pole(y[s]))
        s++;
    if (s == n)
        return;
    double last = x[s];
    push(p, last, y[s]);
    for (guint i = 1; i < n; i++) {
        const guint k = (s + i) % n;
        sum_y += y[k];
        if (!at_pole(y[k])) {
            last += remainder(x[k] - last, 360);
            push(p, last, y[k]);
            continue;
        }
        guint next = (k + 1) % n;
        while (at_pole(y[next]))
            next = (next + 1) % n;
        push(p, last, y[k]);
        push(p, last + remainder(x[next] - last, 360), y[k]);
    }
    const double turn = last + remainder(x[s] - last, 360) - x[s]; /* 0 or all the way round */
    if (fabs(turn) > 180) {
        push(p, x[s] + turn, y[s]);
        push(p, x[s] + turn, sum_y > 0 ? 90 : -90);
        push(p, x[s], sum_y > 0 ? 90 : -90);
    }
}

typedef struct {
    const M2nGrid *to;
    const double *edge;
    M2nProjection *target, *source;
    gboolean same;
    const Cells *cells;
} Outliner;

/* The outline of cell (row, column) in the source's plane; no vertices when it has no place there. */
static void
outline(const Outliner *o, guint row, guint column, Polygon *p)
{
    double x[4 * STEPS], y[4 * STEPS];
    const guint steps = o->same ? 1 : STEPS;
    const double left = m2n_grid_row_x(o->to, row, column - 0.5);
    const double right = m2n_grid_row_x(o->to, row, column + 0.5);
    const double top = o->edge[row], bottom = o->edge[row + 1];
    const double corner[5][2] = {
        {left, bottom}, {right, bottom}, {right, top}, {left, top}, {left, bottom}};
    guint n = 0;

    for (guint side = 0; side < 4; side++)
        for (guint s = 0; s < steps; s++) {
            const double t = (double)s / steps;
            x[n] = corner[side][0] + t * (corner[side + 1][0] - corner[side][0]);
            y[n++] = corner[side][1] + t * (corner[side + 1][1] - corner[side][1]);
        }
    if (!o->same) {
        m2n_projection_inverse(o->target, x, y, n);
        m2n_projection_forward(o->source, x, y, n);
    }
    p->n = 0;
    guint kept = 0;
    for (guint i = 0; i < n; i++)
        if (!isnan(x[i])) {
            x[kept] = x[i];
            y[kept++] = y[i];
        }
    if (kept < 3)
        return;
    if (o->same || !o->cells->angular)
        for (guint i = 0; i < kept; i++)
            push(p, x[i], y[i]);
    else
        unwrap(x, y, kept, p);
    for (guint i = 0; o->cells->angular && i < p->n; i++)
        p->y[i] = sin(p->y[i] * RADIANS);
}

/* ---- weights ------------------------------------------------------------------------------------ */

/* The cells of one source row that the band of the outline within the row covers. */
static gboolean
add_row(const Cells *c, guint row, const Polygon *band, double *covered, M2nWeights *w)
{
    const M2nGrid *g = c->grid;
    const guint n = m2n_grid_row_length(g, row);
    double low = INFINITY, high = -INFINITY;
    Polygon a, b;

    for (guint i = 0; i < band->n; i++) {
        low = fmin(low, band->x[i]);
        high = fmax(high, band->x[i]);
    }
    if (n == 0)
        return TRUE;
    const double left = m2n_grid_row_x(g, row, -0.5), right = m2n_grid_row_x(g, row, n - 0.5);
    const double dx = (right - left) / n;
    const double turn0 = c->angular ? floor((low - left) / 360) : 0;
    const double turns = c->angular ? floor((high - left) / 360) : 0;
    for (double turn = turn0; turn <= turns; turn++) {
        const double shift = 360 * turn; /* the row's copy in this turn */
        const double k0 = fmax(0, floor((low - shift - left) / dx));
        const double k1 = fmin(n - 1.0, floor((high - shift - left) / dx));
        for (double k = k0; k <= k1; k++) {
            clip(band, &a, FALSE, left + shift + k * dx, 1);
            if (a.n < 3)
                continue;
            clip(&a, &b, FALSE, left + shift + (k + 1) * dx, -1);
            const double part = b.n < 3 ? 0 : fabs(area2(&b));
            if (part <= 0)
                continue;
            *covered += part;
            if (!m2n_weights_add(w, c->start[row] + (gsize)k, part))
                return FALSE;
        }
    }
    return TRUE;
}

/* First row whose southern edge lies below y. */
static guint
row_below(const Cells *c, double y)
{
    guint lo = 0, hi = c->grid->height;

    while (lo < hi) {
        const guint mid = (lo + hi) / 2;
        if (c->edge[mid + 1] >= y)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static gboolean
add_cell(const Cells *c, const Polygon *p, M2nWeights *w)
{
    const gsize before = w->used;
    double low = INFINITY, high = -INFINITY, covered = 0;
    Polygon a, band;

    for (guint i = 0; i < p->n; i++) {
        low = fmin(low, p->y[i]);
        high = fmax(high, p->y[i]);
    }
    for (guint r = row_below(c, high); r < c->grid->height && c->edge[r] > low; r++) {
        clip(p, &a, TRUE, c->edge[r], -1);
        if (a.n < 3)
            continue;
        clip(&a, &band, TRUE, c->edge[r + 1], 1);
        if (band.n >= 3 && !add_row(c, r, &band, &covered, w))
            return FALSE;
    }
    if (p->n < 3 || covered < LEAST_COVERED * fabs(area2(p)))
        w->used = before;
    for (gsize e = before; e < w->used; e++)
        w->weight[e] = (float)((double)w->weight[e] / covered);
    return TRUE;
}

gboolean
m2n_weights_areas(M2nWeights *w, const M2nGrid *from, const M2nGrid *to, GError **error)
{
    g_autoptr(M2nProjection) source = m2n_projection_new(from->crs, error);
    g_autoptr(M2nProjection) target = source != NULL ? m2n_projection_new(to->crs, error) : NULL;
    /* rows and columns of both: (a + b)^2 <= 2 (a^2 + b^2); what is not written takes no memory */
    gboolean memory = m2n_weights_reserve(w, 2 * (from->n_points + to->n_points));
    gsize k = 0;

    if (target == NULL)
        return FALSE;
    g_autofree gsize *start = m2n_grid_row_starts(from);
    g_autofree double *edge = row_edges(from), *to_edge = row_edges(to);
    const Cells cells = {from, start, edge, m2n_grid_is_angular(from)};
    const gboolean same =
        m2n_grid_is_lonlat(from) ? m2n_grid_is_lonlat(to) : g_str_equal(from->crs, to->crs);
    const Outliner o = {to, to_edge, target, source, same, &cells};
    for (guint r = 0; cells.angular && r <= from->height; r++)
        edge[r] = sin(edge[r] * RADIANS);
    for (guint r = 0; r < to->height && memory; r++)
        for (guint c = 0; c < m2n_grid_row_length(to, r) && memory; c++) {
            Polygon p;
            w->start[k++] = w->used;
            outline(&o, r, c, &p);
            memory = add_cell(&cells, &p, w);
        }
    w->start[k] = w->used;
    return memory || m2n_weights_fail(w, error);
}
