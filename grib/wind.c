/* The directions of a grid's axes on the earth, by central differences of the inverse projection. */
#include "grib/wind.h"

#include <math.h>
#include <string.h>

#include "engine/base/error.h"
#include "grib/projection.h"
#include "grib/variable.h"

#define DELTA 0.01 /* of a cell: differences of doubles then keep seven digits */
#define RADIANS (G_PI / 180)

struct M2nWind {
    gsize n;
    float *axes; /* [n][4]: unit vectors of x and y: east, north, east, north; NULL: the identity */
};

gboolean
m2n_wind_is_earth_relative(const M2nGrid *g)
{
    if (m2n_grid_is_lonlat(g) || g->crs == NULL)
        return g->crs != NULL;
    if (strstr(g->crs, "+proj=") != NULL)
        return strstr(g->crs, "+proj=merc ") != NULL;
    g_autofree char *parameters = m2n_projection_parameters(g->crs, NULL); /* "EPSG:3857", WKT */
    return parameters != NULL && (strstr(parameters, "+proj=merc ") != NULL ||
                                  strstr(parameters, "+proj=longlat ") != NULL ||
                                  strstr(parameters, "+proj=webmerc ") != NULL);
}

/* Unit vector from point a to point b, both lon, lat in degrees close together.  A degree of longitude is
 * cos(latitude) N(latitude), one of latitude M(latitude), e2 the ellipsoid's squared eccentricity. */
static void
direction(double lon_a, double lat_a, double lon_b, double lat_b, double e2, float *out)
{
    const double lat = 0.5 * (lat_a + lat_b) * RADIANS, s = sin(lat);
    const double m_over_n = (1 - e2) / (1 - e2 * s * s);
    const double east = remainder(lon_b - lon_a, 360) * cos(lat),
                 north = (lat_b - lat_a) * m_over_n;
    const double length = hypot(east, north);

    out[0] = (float)(east / length);
    out[1] = (float)(north / length);
}

/* The axes at the points of one row; `room` holds four times n doubles. */
static void
row_axes(const M2nGrid *g, M2nProjection *p, double e2, guint row, double *room, float *axes)
{
    const guint n = m2n_grid_row_length(g, row);
    const double y = m2n_grid_row_y(g, row), dy = fabs(g->geo[5]) * DELTA;
    double *lon_a = room, *lat_a = room + n, *lon_b = room + 2 * n, *lat_b = room + 3 * n;

    for (int axis = 0; axis < 2; axis++) {
        for (guint c = 0; c < n; c++) {
            const double d = axis == 0 ? DELTA : 0, e = axis == 0 ? 0 : dy;
            lon_a[c] = m2n_grid_row_x(g, row, c - d);
            lon_b[c] = m2n_grid_row_x(g, row, c + d);
            lat_a[c] = y - e;
            lat_b[c] = y + e;
        }
        m2n_projection_inverse(p, lon_a, lat_a, n);
        m2n_projection_inverse(p, lon_b, lat_b, n);
        for (guint c = 0; c < n; c++)
            direction(lon_a[c], lat_a[c], lon_b[c], lat_b[c], e2, axes + 4 * c + 2 * axis);
    }
}

guint64
m2n_wind_memory(const M2nGrid *g)
{
    return 4 * (guint64)g->n_points * sizeof(float);
}

M2nWind *
m2n_wind_new(const M2nGrid *g, GError **error)
{
    if (!m2n_grid_has_place(g)) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT, "grid %s: winds cannot be turned: %s",
                    g->type, g->no_place);
        return NULL;
    }
    g_autoptr(M2nWind) w = g_new0(M2nWind, 1);
    w->n = g->n_points;
    if (m2n_wind_is_earth_relative(g))
        return g_steal_pointer(&w);
    g_autoptr(M2nProjection) p = m2n_projection_new(g->crs, error);
    if (p == NULL)
        return NULL;
    guint longest = 1;
    for (guint r = 0; r < g->height; r++)
        longest = MAX(longest, m2n_grid_row_length(g, r));
    g_autofree double *room = g_try_new(double, 4 * (gsize)longest);
    w->axes = g_try_new(float, 4 * w->n);
    if (room == NULL || w->axes == NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY,
                    "no memory for directions at %" G_GSIZE_FORMAT " points", w->n);
        return NULL;
    }
    const double e2 = m2n_projection_eccentricity2(p);
    gsize start = 0;
    for (guint r = 0; r < g->height; r++) {
        row_axes(g, p, e2, r, room, w->axes + 4 * start);
        start += m2n_grid_row_length(g, r);
    }
    return g_steal_pointer(&w);
}

void
m2n_wind_free(M2nWind *w)
{
    g_free(w->axes);
    g_free(w);
}

void
m2n_wind_to_earth(const M2nWind *w, float *u, float *v)
{
    for (gsize i = 0; w->axes != NULL && i < w->n; i++) {
        const float *a = w->axes + 4 * i;
        const float east = u[i] * a[0] + v[i] * a[2], north = u[i] * a[1] + v[i] * a[3];
        u[i] = east;
        v[i] = north;
    }
}

void
m2n_wind_to_grid(const M2nWind *w, float *u, float *v)
{
    for (gsize i = 0; w->axes != NULL && i < w->n; i++) {
        const float *a = w->axes + 4 * i;
        const float determinant = a[0] * a[3] - a[1] * a[2];
        const float x = (u[i] * a[3] - v[i] * a[2]) / determinant;
        const float y = (v[i] * a[0] - u[i] * a[1]) / determinant;
        u[i] = x;
        v[i] = y;
    }
}

gboolean
m2n_wind_partner(const M2nVariable *v, M2nVariable *other, gboolean *is_u)
{
    const M2nVariableInfo *t = m2n_variable_info(v);

    if (t == NULL || t->discipline != 0 || t->category != 2 || (t->number != 2 && t->number != 3))
        return FALSE;
    *is_u = t->number == 2;
    g_autofree char *name = g_strdup(t->name);
    g_assert(name[0] == 'u' || name[0] == 'v');
    name[0] = *is_u ? 'v' : 'u';
    g_autofree char *full =
        t->level_implied ? g_strdup(name) : g_strdup_printf("%s_%.10g", name, v->level);
    return m2n_variable_from_name(full, other, NULL);
}
