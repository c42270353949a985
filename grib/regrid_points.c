/* Weights of bilinear and nearest regridding.
 *
 * A target point goes to longitude and latitude, thence to the source's coordinates; there the two rows about
 * it and in each row the two columns, which also serves rows of different length.  Beyond the last row of a
 * global grid the neighbour is the same row on the other side of the pole. */
#include <math.h>

#include "grib/projection.h"
#include "grib/regrid_weights.h"

#define SNAP 1e-4 /* of a cell: nearer than this is on the point, so that equal grids copy */
#define REACH (0.5 + 1e-6) /* cells beyond the outermost centres that still belong to the grid */

typedef struct {
    const M2nGrid *grid;
    gsize *start;
    gboolean angular, nearest;
    double top, bottom; /* y of the first and last row */
} From;

/* (lower row, weight of the next one); may be the row beyond a pole. */
typedef struct {
    guint row[2];
    double turn[2]; /* degrees to add to the longitude: 180 across a pole */
    double weight[2];
} Rows;

static double
snap(double f)
{
    const double r = round(f);

    return fabs(f - r) < SNAP ? r : f;
}

/* The fractional row of y; outside it is below 0 or above height - 1, in cells of the outermost row. */
static double
fractional_row(const M2nGrid *g, double y)
{
    if (g->row_y == NULL || g->height == 1)
        return (m2n_grid_row_y(g, 0) - y) / -g->geo[5];
    guint lo = 0, hi = g->height - 1;
    if (y >= g->row_y[0])
        return (g->row_y[0] - y) / (g->row_y[0] - g->row_y[1]);
    if (y <= g->row_y[hi])
        return hi + (g->row_y[hi] - y) / (g->row_y[hi - 1] - g->row_y[hi]);
    while (hi - lo > 1) {
        const guint mid = (lo + hi) / 2;
        if (g->row_y[mid] >= y)
            lo = mid;
        else
            hi = mid;
    }
    return lo + (g->row_y[lo] - y) / (g->row_y[lo] - g->row_y[hi]);
}

/* TRUE when the next row after `row` would lie beyond the pole. */
static gboolean
faces_pole(const From *f, guint row)
{
    const M2nGrid *g = f->grid;
    const double y = m2n_grid_row_y(g, row), next = row == 0 ? 1 : -1;
    const double step = g->height > 1 ? fabs(y - m2n_grid_row_y(g, row == 0 ? 1 : row - 1)) : 180;

    return f->angular && g->wraps && next * y + step >= 90 - 1e-6;
}

static gboolean
find_rows(const From *f, double y, Rows *rows)
{
    const guint last = f->grid->height - 1;
    const double r = snap(fractional_row(f->grid, y));

    *rows = (Rows){{0, 0}, {0, 0}, {1, 0}};
    if (f->nearest && r > -REACH && r < last + REACH) {
        rows->row[0] = (guint)CLAMP(lrint(r), 0, (long)last);
        return TRUE;
    }
    if (r >= 0 && r <= last) {
        rows->row[0] = (guint)r;
        rows->row[1] = MIN(rows->row[0] + 1, last);
        rows->weight[1] = r - rows->row[0];
        rows->weight[0] = 1 - rows->weight[1];
        return TRUE;
    }
    const guint edge = r < 0 ? 0 : last;
    const double edge_y = r < 0 ? f->top : f->bottom;
    rows->row[0] = rows->row[1] = edge;
    if (faces_pole(f, edge)) {
        rows->turn[1] = 180;
        rows->weight[1] = f->nearest ? 0 : fabs(y - edge_y) / (180 - 2 * fabs(edge_y));
        rows->weight[0] = 1 - rows->weight[1];
        return TRUE;
    }
    return r > -REACH && r < last + REACH;
}

/* Adds the columns about x of one row.  FALSE when x is outside the row. */
static gboolean
add_columns(const From *f, guint row, double x, double weight, M2nWeights *w, gboolean *memory)
{
    const M2nGrid *g = f->grid;
    const guint n = m2n_grid_row_length(g, row);
    const double x0 = m2n_grid_row_x(g, row, 0), dx = m2n_grid_row_x(g, row, 1) - x0;
    const gsize start = f->start[row];
    double c = x - x0;

    if (n == 0)
        return FALSE;
    if (f->angular) {
        c -= 360 * floor(c / 360);
        if (!g->wraps && c / dx > n - 1 && 360 - c < c - (n - 1) * dx)
            c -= 360; /* nearer to the first column, from the west */
    }
    c = snap(c / dx);
    if (!g->wraps && (c < -REACH || c > n - 1 + REACH))
        return FALSE;
    if (!g->wraps)
        c = CLAMP(c, 0, n - 1.0);
    if (f->nearest)
        c = round(c);
    const double low = floor(c), t = c - low;
    const gsize left = (gsize)low % n, right = (left + 1) % n;
    *memory = m2n_weights_add(w, start + left, weight * (1 - t)) &&
              (t == 0 || m2n_weights_add(w, start + right, weight * t));
    return TRUE;
}

/* The weights of one target point at source coordinates x, y. */
static gboolean
add_point(const From *f, double x, double y, M2nWeights *w)
{
    const gsize before = w->used;
    gboolean memory = TRUE, inside = TRUE;
    Rows rows;

    if (isnan(x) || !find_rows(f, y, &rows))
        return TRUE;
    for (int k = 0; k < 2 && inside && memory; k++)
        if (rows.weight[k] > 0)
            inside = add_columns(f, rows.row[k], x + rows.turn[k], rows.weight[k], w, &memory);
    if (!inside)
        w->used = before;
    return memory;
}

void
m2n_grid_row_lonlat(const M2nGrid *g, M2nProjection *p, guint row, double first, guint n,
                    double *lon, double *lat)
{
    for (guint c = 0; c < n; c++) {
        lon[c] = m2n_grid_row_x(g, row, first + c);
        lat[c] = m2n_grid_row_y(g, row);
    }
    m2n_projection_inverse(p, lon, lat, n);
}

gsize *
m2n_grid_row_starts(const M2nGrid *g)
{
    gsize *start = g_new(gsize, (gsize)g->height + 1);

    start[0] = 0;
    for (guint r = 0; r < g->height; r++)
        start[r + 1] = start[r] + m2n_grid_row_length(g, r);
    return start;
}

gboolean
m2n_weights_points(M2nWeights *w, const M2nGrid *from, const M2nGrid *to, gboolean nearest,
                   GError **error)
{
    g_autoptr(M2nProjection) source = m2n_projection_new(from->crs, error);
    g_autoptr(M2nProjection) target = source != NULL ? m2n_projection_new(to->crs, error) : NULL;
    /* all at once: what is not written takes no memory */
    gboolean memory = m2n_weights_reserve(w, (nearest ? 1u : 4u) * to->n_points);
    gsize k = 0;
    guint longest = 1;

    if (target == NULL)
        return FALSE;
    for (guint r = 0; r < to->height; r++)
        longest = MAX(longest, m2n_grid_row_length(to, r));
    g_autofree double *x = g_new(double, longest), *y = g_new(double, longest);
    g_autofree gsize *start = m2n_grid_row_starts(from);
    const From f = {from,
                    start,
                    m2n_grid_is_angular(from),
                    nearest,
                    m2n_grid_row_y(from, 0),
                    m2n_grid_row_y(from, from->height - 1)};
    const gboolean same = g_str_equal(from->crs, to->crs); /* spares two projections */
    for (guint r = 0; r < to->height && memory; r++) {
        const guint n = m2n_grid_row_length(to, r);
        if (same) {
            for (guint c = 0; c < n; c++) {
                x[c] = m2n_grid_row_x(to, r, c);
                y[c] = m2n_grid_row_y(to, r);
            }
        } else {
            m2n_grid_row_lonlat(to, target, r, 0, n, x, y);
            m2n_projection_forward(source, x, y, n);
        }
        for (guint c = 0; c < n && memory; c++) {
            w->start[k++] = w->used;
            memory = add_point(&f, x[c], y[c], w);
        }
    }
    w->start[k] = w->used;
    return memory || m2n_weights_fail(w, error);
}
