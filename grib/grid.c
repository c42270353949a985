/* Grids: construction, comparison and the coordinates of their points. */
#include "grib/grid.h"

#include <math.h>
#include <string.h>

/* Two grids this close (in cells) are the same: GRIB keeps millionths of a degree. */
#define SAME_CELL 1e-3

M2nGrid *
m2n_grid_alloc(const char *crs, const char *type)
{
    M2nGrid *g = g_new0(M2nGrid, 1);

    g_atomic_ref_count_init(&g->references);
    g->crs = g_strdup(crs);
    g_strlcpy(g->type, type, sizeof g->type);
    g->shape_of_earth = 6;
    return g;
}

M2nGrid *
m2n_grid_new_affine(const char *crs, guint width, guint height, const double geo[6])
{
    g_assert(crs != NULL && width > 0 && height > 0);
    M2nGrid *g = m2n_grid_alloc(crs, "affine");

    g->width = width;
    g->height = height;
    g->n_points = (gsize)width * height;
    memcpy(g->geo, geo, sizeof g->geo);
    if (m2n_grid_is_lonlat(g)) {
        g_strlcpy(g->type, "regular_ll", sizeof g->type);
        g->wraps = fabs(width * geo[1] - 360) < geo[1] * 0.5;
    }
    return g;
}

M2nGrid *
m2n_grid_ref(const M2nGrid *g)
{
    M2nGrid *shared = (M2nGrid *)g;

    g_atomic_ref_count_inc(&shared->references);
    return shared;
}

void
m2n_grid_unref(M2nGrid *g)
{
    if (!g_atomic_ref_count_dec(&g->references))
        return;
    g_free(g->crs);
    g_free(g->no_place);
    g_free(g->row_y);
    g_free(g->row_points);
    g_free(g->row_x0);
    g_free(g->row_dx);
    g_free(g);
}

guint64
m2n_grid_bytes(const M2nGrid *g)
{
    const guint64 row = (g->row_y != NULL) * sizeof *g->row_y + (g->row_points != NULL) * sizeof *g->row_points +
                        (g->row_x0 != NULL) * sizeof *g->row_x0 + (g->row_dx != NULL) * sizeof *g->row_dx;

    return sizeof *g + (g->crs != NULL ? strlen(g->crs) : 0) + row * g->height;
}

gboolean
m2n_grid_is_lonlat(const M2nGrid *g)
{
    static const char *const names[] = {"EPSG:4326", "OGC:CRS84", "CRS84"};

    for (gsize i = 0; g->crs != NULL && i < G_N_ELEMENTS(names); i++)
        if (g_ascii_strcasecmp(g->crs, names[i]) == 0)
            return TRUE;
    return FALSE;
}

gboolean
m2n_grid_is_angular(const M2nGrid *g)
{
    return m2n_grid_is_lonlat(g) || (g->crs != NULL && strstr(g->crs, "+proj=ob_tran") != NULL);
}

gboolean
m2n_grid_has_place(const M2nGrid *g)
{
    return g->crs != NULL;
}

double
m2n_grid_row_y(const M2nGrid *g, guint row)
{
    return g->row_y != NULL ? g->row_y[row] : g->geo[3] + (row + 0.5) * g->geo[5];
}

guint
m2n_grid_row_length(const M2nGrid *g, guint row)
{
    return g->row_points != NULL ? g->row_points[row] : g->width;
}

double
m2n_grid_row_x(const M2nGrid *g, guint row, double column)
{
    if (g->row_points != NULL)
        return g->row_x0[row] + column * g->row_dx[row];
    return g->geo[0] + (column + 0.5) * g->geo[1];
}

/* TRUE when |a - b| is small beside a cell; longitudes may differ by whole turns. */
static gboolean
near(double a, double b, double cell, gboolean degrees)
{
    const double d = a - b;

    return fabs(degrees ? remainder(d, 360) : d) <= SAME_CELL * fabs(cell);
}

static gboolean
same_rows(const M2nGrid *a, const M2nGrid *b)
{
    const gboolean lonlat = m2n_grid_is_lonlat(a);

    for (guint r = 0; r < a->height; r++) {
        const double cell = a->height > 1 ? m2n_grid_row_y(a, 0) - m2n_grid_row_y(a, 1) : 1;

        if (!near(m2n_grid_row_y(a, r), m2n_grid_row_y(b, r), cell, FALSE))
            return FALSE;
        if (a->row_points != NULL &&
            (a->row_points[r] != b->row_points[r] ||
             !near(a->row_x0[r], b->row_x0[r], a->row_dx[r], lonlat) ||
             !near(a->row_dx[r], b->row_dx[r], a->row_dx[r] / a->row_points[r], FALSE)))
            return FALSE;
    }
    return TRUE;
}

gboolean
m2n_grid_equal(const M2nGrid *a, const M2nGrid *b)
{
    if (a == b)
        return TRUE;
    if (a->width != b->width || a->height != b->height || a->n_points != b->n_points ||
        (a->row_points == NULL) != (b->row_points == NULL) || a->crs == NULL || b->crs == NULL)
        return FALSE;
    const gboolean lonlat = m2n_grid_is_lonlat(a);
    if (!(lonlat && m2n_grid_is_lonlat(b)) && !g_str_equal(a->crs, b->crs))
        return FALSE;
    if (a->row_points == NULL && (!near(a->geo[0], b->geo[0], a->geo[1], lonlat) ||
                                  !near(a->geo[1], b->geo[1], a->geo[1] / a->width, FALSE)))
        return FALSE;
    if (a->geo[2] != b->geo[2] || a->geo[4] != b->geo[4])
        return FALSE;
    return same_rows(a, b);
}

static void
append_degrees(GString *s, double v, char plus, char minus)
{
    g_string_append_printf(s, "%g%c", fabs(v), v < 0 ? minus : plus);
}

char *
m2n_grid_describe(const M2nGrid *g)
{
    GString *s = g_string_new(NULL);

    if (!m2n_grid_has_place(g)) {
        g_string_append_printf(s, "%s, %" G_GSIZE_FORMAT " points (%s)", g->type, g->n_points,
                               g->no_place);
        return g_string_free(s, FALSE);
    }
    g_string_append_printf(s, "%s ", g->crs);
    if (g->row_points != NULL)
        g_string_append_printf(s, "%s, %u rows, %" G_GSIZE_FORMAT " points", g->type, g->height,
                               g->n_points);
    else
        g_string_append_printf(s, "%ux%u", g->width, g->height);
    g_string_append(s, " from ");
    const double x = m2n_grid_row_x(g, 0, 0), y = m2n_grid_row_y(g, 0);
    if (m2n_grid_is_lonlat(g)) {
        append_degrees(s, x, 'E', 'W');
        g_string_append_c(s, ' ');
        append_degrees(s, y, 'N', 'S');
    } else {
        g_string_append_printf(s, "%.10g %.10g", x, y);
    }
    if (g->row_points == NULL) {
        g_string_append_printf(s, " step %g", g->geo[1]);
        if (g->row_y == NULL && fabs(g->geo[1] + g->geo[5]) > 1e-9 * g->geo[1])
            g_string_append_printf(s, " x %g", -g->geo[5]);
    }
    return g_string_free(s, FALSE);
}
