/* From a grid definition to rows and columns: north-up, west to east, in a CRS that PROJ reads. */
#include <math.h>
#include <string.h>

#include "engine/base/error.h"
#include "grib/grib_spec.h"
#include "grib/projection.h"

#define DEGREES (180 / G_PI)

static gboolean
fail(const char *what, double value, GError **error)
{
    g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT, "grid: %s: %.10g", what, value);
    return FALSE;
}

double *
m2n_gaussian_latitudes(guint n)
{
    const guint degree = 2 * n;
    double *lat = g_new(double, degree);

    for (guint i = 0; i < n; i++) { /* Newton from Tricomi's first guess */
        double z = cos(G_PI * (i + 0.75) / (degree + 0.5)), step = 1;

        for (int round = 0; round < 20 && fabs(step) > 1e-15; round++) {
            double p0 = 1, p1 = z;
            for (guint k = 2; k <= degree; k++) {
                const double p2 = ((2.0 * k - 1) * z * p1 - (k - 1.0) * p0) / k;
                p0 = p1;
                p1 = p2;
            }
            step = p1 * (z * z - 1) / (degree * (z * p1 - p0));
            z -= step;
        }
        lat[i] = asin(z) * DEGREES;
        lat[degree - 1 - i] = -lat[i];
    }
    return lat;
}

/* " +name=value", with a point for the decimal whatever the locale. */
static void
append(GString *s, const char *name, double value)
{
    char text[G_ASCII_DTOSTR_BUF_SIZE];

    g_ascii_formatd(text, sizeof text, "%.12g", value == 0 ? 0.0 : value);
    g_string_append_printf(s, " +%s=%s", name, text);
}

static void
append_earth(GString *s, const M2nGridSpec *g)
{
    if (g->major == g->minor) {
        append(s, "R", g->major);
    } else {
        append(s, "a", g->major);
        append(s, "b", g->minor);
    }
}

/* ---- latitude and longitude -------------------------------------------------------------------- */

static char *
lonlat_crs(const M2nGridSpec *g)
{
    if (!g->rotated)
        return g_strdup("EPSG:4326");
    GString *s = g_string_new("+proj=ob_tran +o_proj=longlat");

    append(s, "o_lon_p", -g->angle);
    append(s, "o_lat_p", -g->pole_lat);
    append(s, "lon_0", g->pole_lon);
    append_earth(s, g);
    return g_string_free(s, FALSE);
}

/* The stated increment and the one that first and last point give, each rounded by the file: the latter
 * errs less, unless the last point contradicts. */
static double
increment(double span, guint n, double stated)
{
    const double derived = n > 1 ? span / (n - 1) : NAN;

    if (!(stated > 0 && stated <= 360)) /* some write an odd "missing" here */
        stated = NAN;
    if (isnan(derived) || derived <= 0)
        return isnan(stated) ? 1 : stated;
    if (!isnan(stated) && fabs(derived - stated) * (n - 1) > 0.6 * stated)
        return stated;
    return derived;
}

static gboolean
place_columns(const M2nGridSpec *s, double *west, double *dx, gboolean *wraps, GError **error)
{
    const guint n = s->ni;
    const double first = s->i_negative && !isnan(s->lon2) ? s->lon2 : s->lon1;
    double span = NAN;

    if (!isnan(s->lon2)) {
        span = fmod((s->i_negative ? s->lon1 - s->lon2 : s->lon2 - s->lon1) + 1080, 360);
        if (span < 1e-9 && n > 1)
            span = 360;
    }
    if (s->kind == M2N_SPEC_GAUSSIAN && !isnan(span) &&
        n > 1) /* increments are often wrong there */
        *dx = span / (n - 1);
    else
        *dx = increment(span, n, s->di);
    const double round = n * *dx - 360;
    *wraps = n > 1 && fabs(round) < fmax(2e-3, 0.05 * *dx);
    if (*wraps)
        *dx = 360.0 / n;
    *west = isnan(s->lon2) && s->i_negative ? s->lon1 - (n - 1) * *dx : first;
    if (fabs(*west) > 720 || !(*dx > 0) || n * *dx > 362 + *dx)
        return fail("longitudes go round more than once with step", *dx, error);
    *west -= 360 * floor((*west + 180) / 360);
    return TRUE;
}

/* [nj] latitudes north to south, or NULL with M2N_ERROR_FORMAT. */
static double *
place_rows(const M2nGridSpec *s, GError **error)
{
    const double north = isnan(s->lat2) ? s->lat1 + (s->j_positive ? (s->nj - 1) * s->dj : 0)
                                        : fmax(s->lat1, s->lat2);
    g_autofree double *y = g_new(double, s->nj);

    if (!(fabs(s->lat1) <= 90.001) || (!isnan(s->lat2) && !(fabs(s->lat2) <= 90.001))) {
        fail("latitude", fabs(s->lat1) <= 90.001 ? s->lat2 : s->lat1, error);
        return NULL;
    }
    if (s->kind != M2N_SPEC_GAUSSIAN) {
        const double dy = increment(fabs(s->lat1 - s->lat2), s->nj, s->dj);
        for (guint r = 0; r < s->nj; r++)
            y[r] = north - r * dy;
        return g_steal_pointer(&y);
    }
    if (s->n_gaussian == 0 || s->n_gaussian > 10000) {
        fail("Gaussian number", s->n_gaussian, error);
        return NULL;
    }
    g_autofree double *all = m2n_gaussian_latitudes(s->n_gaussian);
    guint k = 0;
    while (k + 1 < 2 * s->n_gaussian && fabs(all[k + 1] - north) < fabs(all[k] - north))
        k++;
    if (k + s->nj > 2 * s->n_gaussian || fabs(all[k] - north) > 0.5 * 90 / s->n_gaussian) {
        fail("no Gaussian rows from latitude", north, error);
        return NULL;
    }
    memcpy(y, all + k, s->nj * sizeof *y);
    return g_steal_pointer(&y);
}

/* Points of a full circle of n that lie in [west, west + span]; *first is the first one's longitude. */
static guint
points_within(guint n, double west, double span, double *first)
{
    const double step = 360.0 / n, slack = 2e-3; /* corners are rounded to thousandths in GRIB1 */
    const double k0 = ceil((west - slack) / step), k1 = floor((west + span + slack) / step);

    *first = k0 * step;
    return k1 < k0 ? 0 : MIN(n, (guint)(k1 - k0 + 1));
}

/* Where each row of a reduced grid begins.  A global row is a whole circle; of an area the list holds
 * either the row's own points or those of the whole circle, which the number of values decides. */
static gboolean
reduce_rows(const M2nGridSpec *s, M2nGrid *g, GError **error)
{
    gsize listed = 0, within = 0;
    guint longest = 1;
    double span = fmod((s->i_negative ? s->lon1 - s->lon2 : s->lon2 - s->lon1) + 1080, 360);
    double west = s->i_negative ? s->lon2 : s->lon1, x;

    for (guint r = 0; r < s->nj; r++) {
        listed += s->row_points[r];
        longest = MAX(longest, s->row_points[r]);
    }
    g->wraps = span < 1e-9 || span + 1.5 * 360.0 / longest > 360;
    west -= 360 * floor((west + 180) / 360);
    for (guint r = 0; r < s->nj; r++)
        if (s->row_points[r] > 0)
            within += points_within(s->row_points[r], west, span, &x);
    const gboolean circles = !g->wraps && s->n_points > 0 && listed != s->n_points;
    if (circles && within != s->n_points)
        return fail("the row lengths do not add up to the number of points", (double)within, error);
    g->row_points = g_new(guint, s->nj);
    g->row_x0 = g_new0(double, s->nj);
    g->row_dx = g_new(double, s->nj);
    g->n_points = 0;
    for (guint r = 0; r < s->nj; r++) {
        const guint n = s->row_points[r];
        g->row_points[r] = n;
        g->row_x0[r] = west;
        g->row_dx[r] = g->wraps ? 360.0 / MAX(1, n) : n > 1 ? span / (n - 1) : 360;
        if (circles && n > 0) {
            g->row_dx[r] = 360.0 / n;
            g->row_points[r] = points_within(n, west, span, &g->row_x0[r]);
        }
        g->n_points += g->row_points[r];
    }
    return TRUE;
}

static void
flip_array(guint *a, guint n)
{
    for (guint i = 0; i < n / 2; i++) {
        const guint t = a[i];
        a[i] = a[n - 1 - i];
        a[n - 1 - i] = t;
    }
}

static M2nGrid *
place_lonlat(const M2nGridSpec *s, GError **error)
{
    g_autofree char *crs = lonlat_crs(s);
    g_autoptr(M2nGrid) g = m2n_grid_alloc(crs, s->type);
    g_autofree double *y = place_rows(s, error);
    double west = 0, dx = 0;

    if (y == NULL)
        return NULL;
    g->height = s->nj;
    if (s->row_points != NULL && s->j_consecutive) {
        fail("columns one after the other in rows of unequal length, scanning mode", 0x20, error);
        return NULL;
    }
    if (s->row_points != NULL) {
        M2nGridSpec north_up = *s;
        north_up.row_points = g_memdup2(s->row_points, s->nj * sizeof *s->row_points);
        if (s->j_positive)
            flip_array(north_up.row_points, s->nj);
        const gboolean ok = reduce_rows(&north_up, g, error);
        g_free(north_up.row_points);
        if (!ok)
            return NULL;
    } else {
        if (s->ni == 0) {
            fail("Ni missing and no row lengths", 0, error);
            return NULL;
        }
        if (!place_columns(s, &west, &dx, &g->wraps, error))
            return NULL;
        g->width = s->ni;
        g->n_points = (gsize)s->ni * s->nj;
    }
    const double dy = s->nj > 1                    ? (y[0] - y[s->nj - 1]) / (s->nj - 1)
                      : isnan(s->dj) || s->dj <= 0 ? fmax(dx, 1e-6)
                                                   : s->dj;
    const double geo[6] = {west - dx / 2, dx, 0, y[0] + dy / 2, 0, -dy};
    memcpy(g->geo, geo, sizeof geo);
    if (s->kind == M2N_SPEC_GAUSSIAN || s->row_points != NULL)
        g->row_y = g_steal_pointer(&y);
    return g_steal_pointer(&g);
}

/* ---- projections ------------------------------------------------------------------------------- */

static char *
projected_crs(const M2nGridSpec *g)
{
    GString *s = g_string_new(NULL);

    switch (g->kind) {
    case M2N_SPEC_MERCATOR: /* the central meridian at the first column keeps the seam outside */
        g_string_assign(s, "+proj=merc");
        append(s, "lat_ts", g->lad);
        append(s, "lon_0", g->lov);
        break;
    case M2N_SPEC_TRANSVERSE_MERCATOR:
        g_string_assign(s, "+proj=tmerc");
        append(s, "lat_0", g->lad);
        append(s, "lon_0", g->lov);
        append(s, "k", g->scale);
        append(s, "x_0", g->xr);
        append(s, "y_0", g->yr);
        break;
    case M2N_SPEC_POLAR_STEREOGRAPHIC:
        g_string_assign(s, "+proj=stere");
        append(s, "lat_0", g->south ? -90 : 90);
        append(s, "lat_ts", g->south ? -fabs(g->lad) : fabs(g->lad));
        append(s, "lon_0", g->lov);
        break;
    case M2N_SPEC_LAMBERT:
    case M2N_SPEC_ALBERS:
        g_string_assign(s, g->kind == M2N_SPEC_LAMBERT ? "+proj=lcc" : "+proj=aea");
        append(s, "lat_0", fabs(g->lad) < 89.9 ? g->lad : g->latin1);
        append(s, "lon_0", g->lov);
        append(s, "lat_1", g->latin1);
        append(s, "lat_2", g->latin2);
        break;
    case M2N_SPEC_AZIMUTHAL:
        g_string_assign(s, "+proj=laea");
        append(s, "lat_0", g->lad);
        append(s, "lon_0", g->lov);
        break;
    default:
        g_string_assign(s, "+proj=geos");
        append(s, "h", (g->nr - 1) * g->major);
        append(s, "lon_0", g->lov);
        break;
    }
    append_earth(s, g);
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
            return fail("space view from a height of earth radii", s->nr, error);
        if (s->lad != 0 || (s->angle != 0 && fabs(s->angle) != 180))
            return fail("space view not above the equator or turned", s->lad, error);
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
            return fail("Mercator turned by degrees", s->angle, error);
    }
    return !isnan(*x) ||
           fail("the first point lies outside the projection: latitude", s->lat1, error);
}

static M2nGrid *
place_projected(const M2nGridSpec *s, GError **error)
{
    g_autofree char *crs = projected_crs(s);
    g_autoptr(M2nGrid) g = m2n_grid_alloc(crs, s->type);
    double x, y, dx, dy;

    if (s->ni == 0) {
        fail("Nx", 0, error);
        return NULL;
    }
    if (!first_point(s, crs, &x, &y, &dx, &dy, error))
        return NULL;
    if (!(dx > 0) || !(dy > 0)) {
        fail("step in metres", dx > 0 ? dy : dx, error);
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
    g_autofree char *crs = lonlat_crs(&r);
    g_autoptr(M2nProjection) p = m2n_projection_new(crs, error);
    if (p == NULL)
        return NULL;
    m2n_projection_forward(p, &r.lon1, &r.lat1, 1);
    r.lon2 = s->x1;
    r.lat2 = s->y1;
    m2n_projection_forward(p, &r.lon2, &r.lat2, 1);
    r.di = r.dj = NAN; /* in odd units at times; the corners suffice */
    return place_lonlat(&r, error);
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
        g = s->centre_stated ? place_about_centre(s, &error) : place_lonlat(s, &error);
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
