/* Rows and columns on latitude and longitude: even, Gaussian, reduced, about a turned pole. */
#include <math.h>
#include <string.h>

#include "grib/grib_place.h"

#define DEGREES (180 / G_PI)

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

char *
m2n_place_lonlat_crs(const M2nGridSpec *g)
{
    if (!g->rotated)
        return g_strdup("EPSG:4326");
    GString *s = g_string_new("+proj=ob_tran +o_proj=longlat");

    m2n_place_append(s, "o_lon_p", -g->angle);
    m2n_place_append(s, "o_lat_p", -g->pole_lat);
    m2n_place_append(s, "lon_0", g->pole_lon);
    m2n_place_append_earth(s, g);
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
        return m2n_place_fail("longitudes go round more than once with step", *dx, error);
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
        m2n_place_fail("latitude", fabs(s->lat1) <= 90.001 ? s->lat2 : s->lat1, error);
        return NULL;
    }
    if (s->kind != M2N_SPEC_GAUSSIAN) {
        const double dy = increment(fabs(s->lat1 - s->lat2), s->nj, s->dj);
        for (guint r = 0; r < s->nj; r++)
            y[r] = north - r * dy;
        return g_steal_pointer(&y);
    }
    if (s->n_gaussian == 0 || s->n_gaussian > 10000) {
        m2n_place_fail("Gaussian number", s->n_gaussian, error);
        return NULL;
    }
    g_autofree double *all = m2n_gaussian_latitudes(s->n_gaussian);
    guint k = 0;
    while (k + 1 < 2 * s->n_gaussian && fabs(all[k + 1] - north) < fabs(all[k] - north))
        k++;
    if (k + s->nj > 2 * s->n_gaussian || fabs(all[k] - north) > 0.5 * 90 / s->n_gaussian) {
        m2n_place_fail("no Gaussian rows from latitude", north, error);
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
        return m2n_place_fail("the row lengths do not add up to the number of points", (double)within, error);
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

M2nGrid *
m2n_place_lonlat(const M2nGridSpec *s, GError **error)
{
    g_autofree char *crs = m2n_place_lonlat_crs(s);
    g_autoptr(M2nGrid) g = m2n_grid_alloc(crs, s->type);
    g_autofree double *y = place_rows(s, error);
    double west = 0, dx = 0;

    if (y == NULL)
        return NULL;
    g->height = s->nj;
    if (s->row_points != NULL && s->j_consecutive) {
        m2n_place_fail("columns one after the other in rows of unequal length, scanning mode", 0x20,
                       error);
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
            m2n_place_fail("Ni missing and no row lengths", 0, error);
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
