/* From a grid definition to rows and columns: north-up, west to east, in a CRS that PROJ reads. */
#include "grib/grib_place.h"

#include <math.h>
#include <string.h>

#include "engine/base/error.h"
#include "grib/projection.h"

gboolean
m2n_place_fail(const char *what, double value, GError **error)
{
    g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT, "grid: %s: %.10g", what, value);
    return FALSE;
}

void
m2n_place_append(GString *s, const char *name, double value)
{
    char text[G_ASCII_DTOSTR_BUF_SIZE];

    g_ascii_formatd(text, sizeof text, "%.12g", value == 0 ? 0.0 : value);
    g_string_append_printf(s, " +%s=%s", name, text);
}

void
m2n_place_append_earth(GString *s, const M2nGridSpec *g)
{
    if (g->major == g->minor) {
        m2n_place_append(s, "R", g->major);
    } else {
        m2n_place_append(s, "a", g->major);
        m2n_place_append(s, "b", g->minor);
    }
}

/* ---- projections ------------------------------------------------------------------------------- */

static char *
projected_crs(const M2nGridSpec *g)
{
    GString *s = g_string_new(NULL);

    switch (g->kind) {
    case M2N_SPEC_MERCATOR: /* the central meridian at the first column keeps the seam outside */
        g_string_assign(s, "+proj=merc");
        m2n_place_append(s, "lat_ts", g->lad);
        m2n_place_append(s, "lon_0", g->lov);
        break;
    case M2N_SPEC_TRANSVERSE_MERCATOR:
        g_string_assign(s, "+proj=tmerc");
        m2n_place_append(s, "lat_0", g->lad);
        m2n_place_append(s, "lon_0", g->lov);
        m2n_place_append(s, "k", g->scale);
        m2n_place_append(s, "x_0", g->xr);
        m2n_place_append(s, "y_0", g->yr);
        break;
    case M2N_SPEC_POLAR_STEREOGRAPHIC:
        g_string_assign(s, "+proj=stere");
        m2n_place_append(s, "lat_0", g->south ? -90 : 90);
        m2n_place_append(s, "lat_ts", g->south ? -fabs(g->lad) : fabs(g->lad));
        m2n_place_append(s, "lon_0", g->lov);
        break;
    case M2N_SPEC_LAMBERT:
    case M2N_SPEC_ALBERS:
        g_string_assign(s, g->kind == M2N_SPEC_LAMBERT ? "+proj=lcc" : "+proj=aea");
        m2n_place_append(s, "lat_0", fabs(g->lad) < 89.9 ? g->lad : g->latin1);
        m2n_place_append(s, "lon_0", g->lov);
        m2n_place_append(s, "lat_1", g->latin1);
        m2n_place_append(s, "lat_2", g->latin2);
        break;
    case M2N_SPEC_AZIMUTHAL:
        g_string_assign(s, "+proj=laea");
        m2n_place_append(s, "lat_0", g->lad);
        m2n_place_append(s, "lon_0", g->lov);
        break;
    default:
        g_string_assign(s, "+proj=geos");
        m2n_place_append(s, "h", (g->nr - 1) * g->major);
        m2n_place_append(s, "lon_0", g->lov);
        break;
    }
    m2n_place_append_earth(s, g);
    return g_string_free(s, FALSE);
}

/* x, y of the first stored point and the steps, in the CRS. */
static gboolean
first_point(const M2nGridSpec *s, const char *crs, double *x, double *y, double *dx, double *dy,
            GError **error)
{
    *dx = s->di;
    *dy = s->dj;
    if (s->kind == M2N_SPEC_TRANSVERSE_MERCATOR) {
        *x = s->x1;
        *y = s->y1;
        return TRUE;
    }
    if (s->kind == M2N_SPEC_SPACE_VIEW) {
        if (!(s->nr > 1 && s->dx > 0 && s->dy > 0))
            return m2n_place_fail("space view from a height of earth radii", s->nr, error);
        if (s->lad != 0 || (s->angle != 0 && fabs(s->angle) != 180))
            return m2n_place_fail("space view not above the equator or turned", s->lad, error);
        const double size = 2 * asin(1 / s->nr), h = (s->nr - 1) * s->major;
        *dx = h * size / s->dx;
        *dy = h * size / s->dy * s->minor / s->major;
        *x = (s->i_negative ? -1 : 1) * (s->xo - s->xp) * *dx;
        *y = (s->j_positive ? 1 : -1) * (s->yo - s->yp) * *dy;
        return TRUE;
    }
    g_autoptr(M2nProjection) p = m2n_projection_new(crs, error);
    if (p == NULL)
        return FALSE;
    *x = s->lon1;
    *y = s->lat1;
    m2n_projection_forward(p, x, y, 1);
    if (s->kind == M2N_SPEC_MERCATOR && s->angle != 0) { /* often a longitude by mistake */
        double last[2] = {s->lon2, s->lat2};
        m2n_projection_forward(p, &last[0], &last[1], 1);
        if (!(fabs(fabs(last[0] - *x) - (s->ni - 1) * *dx) < *dx) ||
            !(fabs(fabs(last[1] - *y) - (s->nj - 1) * *dy) < *dy))
            return m2n_place_fail("Mercator turned by degrees", s->angle, error);
    }
    return !isnan(*x) ||
           m2n_place_fail("the first point lies outside the projection: latitude", s->lat1, error);
}

static M2nGrid *
place_projected(const M2nGridSpec *s, GError **error)
{
    g_autofree char *crs = projected_crs(s);
    g_autoptr(M2nGrid) g = m2n_grid_alloc(crs, s->type);
    double x, y, dx, dy;

    if (s->ni == 0) {
        m2n_place_fail("Nx", 0, error);
        return NULL;
    }
    if (!first_point(s, crs, &x, &y, &dx, &dy, error))
        return NULL;
    if (!(dx > 0) || !(dy > 0)) {
        m2n_place_fail("step in metres", dx > 0 ? dy : dx, error);
        return NULL;
    }
    g->width = s->ni;
    g->height = s->nj;
    g->n_points = (gsize)s->ni * s->nj;
    const double west = s->i_negative ? x - (s->ni - 1) * dx : x;
    const double north = s->j_positive ? y + (s->nj - 1) * dy : y;
    const double geo[6] = {west - dx / 2, dx, 0, north + dy / 2, 0, -dy};
    memcpy(g->geo, geo, sizeof geo);
    return g_steal_pointer(&g);
}

/* NCEP's rotated grid states its corner and its centre in unrotated latitude and longitude. */
static M2nGrid *
place_about_centre(const M2nGridSpec *s, GError **error)
{
    M2nGridSpec r = *s;

    r.centre_stated = FALSE;
    r.pole_lat = s->lat2 - 90;
    r.pole_lon = s->lon2;
    r.angle = 0;
    g_autofree char *crs = m2n_place_lonlat_crs(&r);
    g_autoptr(M2nProjection) p = m2n_projection_new(crs, error);
    if (p == NULL)
        return NULL;
    m2n_projection_forward(p, &r.lon1, &r.lat1, 1);
    r.lon2 = s->x1;
    r.lat2 = s->y1;
    m2n_projection_forward(p, &r.lon2, &r.lat2, 1);
    r.di = r.dj = NAN; /* in odd units at times; the corners suffice */
    return m2n_place_lonlat(&r, error);
}

/* What the values are instead of rows and columns, and what makes such of them. */
static const struct {
    const char *type; /* the end of eccodes' name */
    const char *reason;
} without_rows[] = {
    {"sh", "its values are spherical harmonics; cdo -sp2gpl makes a Gaussian grid of them"},
    {"unstructured_grid", "its points form an unstructured mesh whose coordinates are in another file; "
                          "cdo -remapdis,r360x180 -setgrid,MESH makes rows and columns of them"},
    {"healpix", "its points are the cells of a HEALPix mesh; regrid them first"},
};

static const char *
why_without_rows(const M2nGridSpec *s)
{
    for (gsize i = 0; i < G_N_ELEMENTS(without_rows); i++)
        if (g_str_has_suffix(s->type, without_rows[i].type))
            return without_rows[i].reason;
    return "its points are not in rows and columns";
}

/* Values in stored order, for a reason. */
static M2nGrid *
without_place(const M2nGridSpec *s, const char *reason)
{
    M2nGrid *g = m2n_grid_alloc(NULL, s->type);

    g->no_place = g_strdup(reason);
    g->height = 1;
    g->n_points = s->n_points > 0 ? s->n_points : (gsize)s->ni * s->nj;
    g->width = (guint)g->n_points;
    return g;
}

M2nGrid *
m2n_grid_spec_place(const M2nGridSpec *s)
{
    g_autoptr(GError) error = NULL;
    M2nGrid *g;

    if (s->kind == M2N_SPEC_NO_PLACE)
        return without_place(s, why_without_rows(s));
    if (s->kind != M2N_SPEC_LATLON && s->kind != M2N_SPEC_GAUSSIAN)
        g = place_projected(s, &error);
    else
        g = s->centre_stated ? place_about_centre(s, &error) : m2n_place_lonlat(s, &error);
    if (g == NULL)
        return without_place(s, error->message);
    if (s->n_points > 0 && g->n_points != s->n_points) {
        g_autofree char *reason = g_strdup_printf(
            "%u columns, %u rows and %" G_GSIZE_FORMAT " points", g->width, g->height, s->n_points);
        m2n_grid_unref(g);
        return without_place(s, reason);
    }
    g->shape_of_earth = s->shape_of_earth;
    if (s->shape_of_earth == 1 || s->shape_of_earth == 3 || s->shape_of_earth == 7) {
        g->earth_major = s->major;
        g->earth_minor = s->minor;
    }
    return g;
}
