/* A grid as GRIB2 section 3 keys.  Angles in millionths of a degree, lengths in millimetres. */
#include <math.h>
#include <string.h>

#include "engine/base/error.h"
#include "grib/grib_plan.h"
#include "grib/projection.h"

static gboolean
fail(const M2nGrid *g, const char *what, GError **error)
{
    g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT, "GRIB2: %s: %s", g->crs, what);
    return FALSE;
}

/* The number after "+name=", or `otherwise`. */
static double
parameter(const char *proj, const char *name, double otherwise)
{
    g_autofree char *key = g_strdup_printf("+%s=", name);
    const char *p = strstr(proj, key);

    return p != NULL ? g_ascii_strtod(p + strlen(key), NULL) : otherwise;
}

static gboolean
says(const char *proj, const char *name, const char *value)
{
    g_autofree char *key = g_strdup_printf("+%s=%s", name, value);
    const char *p = strstr(proj, key);

    return p != NULL && (p[strlen(key)] == 0 || p[strlen(key)] == ' ');
}

static long
micro(double degrees)
{
    return lrint(degrees * 1e6);
}

static long
longitude(double degrees) /* 0 .. 360 */
{
    const long v = micro(degrees - 360 * floor(degrees / 360));

    return v >= 360000000 ? v - 360000000 : v;
}

/* ---- the earth ------------------------------------------------------------------------------ */

static void
add_axis(M2nGribPlan *plan, const char *factor, const char *value, double metres)
{
    const gboolean whole = fabs(metres - round(metres)) < 1e-6;

    m2n_grib_plan_add(plan, factor, whole ? 0 : 2); /* 32 bits hold centimetres of an axis */
    m2n_grib_plan_add(plan, value, lrint(whole ? metres : metres * 100));
}

static void
add_earth_code(M2nGribPlan *plan, long code, double major, double minor)
{
    m2n_grib_plan_add(plan, "shapeOfTheEarth", code);
    if (code == 1)
        add_axis(plan, "scaleFactorOfRadiusOfSphericalEarth", "scaledValueOfRadiusOfSphericalEarth",
                 major);
    if (code == 7) {
        add_axis(plan, "scaleFactorOfEarthMajorAxis", "scaledValueOfEarthMajorAxis", major);
        add_axis(plan, "scaleFactorOfEarthMinorAxis", "scaledValueOfEarthMinorAxis", minor);
    }
}

/* Of a projected CRS, whose own ellipsoid places the points. */
static void
add_earth_of(M2nGribPlan *plan, const char *proj)
{
    static const struct {
        double radius;
        long code;
    } spheres[] = {{6367470, 0}, {6371229, 6}, {6371200, 8}};
    double a = parameter(proj, "R", NAN), b = a;

    if (isnan(a)) {
        a = parameter(proj, "a", NAN);
        b = parameter(proj, "b", a);
    }
    if (says(proj, "ellps", "GRS80")) {
        add_earth_code(plan, 4, 0, 0);
    } else if (isnan(a)) {
        add_earth_code(plan, 5, 0, 0); /* +datum=WGS84, +ellps=WGS84 */
    } else if (a == b) {
        long code = 1;
        for (gsize i = 0; i < G_N_ELEMENTS(spheres); i++)
            if (spheres[i].radius == a)
                code = spheres[i].code;
        add_earth_code(plan, code, a, a);
    } else {
        add_earth_code(plan, a == 6378160 && b == 6356775 ? 2 : 7, a, b);
    }
}

/* ---- grids ----------------------------------------------------------------------------------- */

static gboolean
add_lonlat(M2nGribPlan *plan, const M2nGrid *g, const char *proj, GError **error)
{
    const double south = m2n_grid_row_y(g, g->height - 1), north = m2n_grid_row_y(g, 0);

    if (north > 90 + 1e-6 || south < -90 - 1e-6)
        return fail(g, "rows beyond a pole", error);
    m2n_grib_plan_add(plan, "gridDefinitionTemplateNumber", proj != NULL ? 1 : 0);
    if (proj != NULL)
        add_earth_of(plan, proj);
    else
        add_earth_code(plan, g->shape_of_earth == 3 ? 7 : g->shape_of_earth, g->earth_major,
                       g->earth_minor);
    m2n_grib_plan_add(plan, "Ni", g->width);
    m2n_grib_plan_add(plan, "Nj", g->height);
    m2n_grib_plan_add(plan, "latitudeOfFirstGridPoint", micro(north));
    m2n_grib_plan_add(plan, "longitudeOfFirstGridPoint", longitude(m2n_grid_row_x(g, 0, 0)));
    m2n_grib_plan_add(plan, "latitudeOfLastGridPoint", micro(south));
    m2n_grib_plan_add(plan, "longitudeOfLastGridPoint",
                      longitude(m2n_grid_row_x(g, 0, g->width - 1)));
    m2n_grib_plan_add(plan, "iDirectionIncrement", micro(g->geo[1]));
    m2n_grib_plan_add(plan, "jDirectionIncrement", micro(-g->geo[5]));
    if (proj != NULL) {
        m2n_grib_plan_add(plan, "latitudeOfSouthernPole", micro(-parameter(proj, "o_lat_p", 90)));
        m2n_grib_plan_add(plan, "longitudeOfSouthernPole", longitude(parameter(proj, "lon_0", 0)));
        m2n_grib_plan_add(plan, "angleOfRotation", lrint(-parameter(proj, "o_lon_p", 0)));
        if (fabs(parameter(proj, "o_lon_p", 0)) > 1e-9)
            return fail(g, "a turned rotated pole", error);
    }
    m2n_grib_plan_add(plan, "resolutionAndComponentFlags", 48);
    m2n_grib_plan_add(plan, "scanningMode", 0);
    return TRUE;
}

/* Size and steps; the first point is the south-western one, as most such files have it. */
static gboolean
add_projected(M2nGribPlan *plan, const M2nGrid *g, const char *proj, const char *const keys[4],
              GError **error)
{
    g_autoptr(M2nProjection) p = m2n_projection_new(g->crs, error);
    double x = m2n_grid_row_x(g, 0, 0), y = m2n_grid_row_y(g, g->height - 1);

    if (p == NULL)
        return FALSE;
    if (strstr(proj, "+units=") != NULL && !says(proj, "units", "m"))
        return fail(g, "a CRS that does not count in metres", error);
    m2n_projection_inverse(p, &x, &y, 1);
    if (isnan(x))
        return fail(g, "the first point lies outside the projection", error);
    add_earth_of(plan, proj);
    m2n_grib_plan_add(plan, keys[0], g->width);
    m2n_grib_plan_add(plan, keys[1], g->height);
    m2n_grib_plan_add(plan, "latitudeOfFirstGridPoint", micro(y));
    m2n_grib_plan_add(plan, "longitudeOfFirstGridPoint", longitude(x));
    m2n_grib_plan_add(plan, keys[2], lrint(g->geo[1] * 1e3));
    m2n_grib_plan_add(plan, keys[3], lrint(-g->geo[5] * 1e3));
    m2n_grib_plan_add(plan, "resolutionAndComponentFlags", 48);
    m2n_grib_plan_add(plan, "scanningMode", 64);
    plan->south_up = TRUE;
    return TRUE;
}

static gboolean
add_mercator(M2nGribPlan *plan, const M2nGrid *g, const char *proj, GError **error)
{
    static const char *const keys[] = {"Ni", "Nj", "Di", "Dj"};
    g_autoptr(M2nProjection) p = m2n_projection_new(g->crs, error);
    double x = m2n_grid_row_x(g, 0, g->width - 1), y = m2n_grid_row_y(g, 0);

    if (p == NULL)
        return FALSE;
    m2n_grib_plan_add(plan, "gridDefinitionTemplateNumber", 10);
    m2n_grib_plan_add(plan, "LaD", micro(parameter(proj, "lat_ts", 0)));
    m2n_projection_inverse(p, &x, &y, 1);
    if (isnan(x))
        return fail(g, "the last point lies outside the projection", error);
    m2n_grib_plan_add(plan, "latitudeOfLastGridPoint", micro(y));
    m2n_grib_plan_add(plan, "longitudeOfLastGridPoint", longitude(x));
    m2n_grib_plan_add(plan, "orientationOfTheGrid", 0);
    if (parameter(proj, "k", parameter(proj, "k_0", 1)) != 1)
        return fail(g, "Mercator with a scale factor", error);
    return add_projected(plan, g, proj, keys, error);
}

static gboolean
add_polar(M2nGribPlan *plan, const M2nGrid *g, const char *proj, GError **error)
{
    static const char *const keys[] = {"Nx", "Ny", "Dx", "Dy"};
    const double centre = parameter(proj, "lat_0", 0);

    if (fabs(centre) != 90)
        return fail(g, "stereographic but not about a pole", error);
    if (parameter(proj, "k", parameter(proj, "k_0", 1)) != 1)
        return fail(g, "polar stereographic with a scale factor instead of a latitude", error);
    m2n_grib_plan_add(plan, "gridDefinitionTemplateNumber", 20);
    m2n_grib_plan_add(plan, "LaD", micro(parameter(proj, "lat_ts", centre)));
    m2n_grib_plan_add(plan, "orientationOfTheGrid", longitude(parameter(proj, "lon_0", 0)));
    m2n_grib_plan_add(plan, "projectionCentreFlag", centre < 0 ? 128 : 0);
    return add_projected(plan, g, proj, keys, error);
}

static gboolean
add_lambert(M2nGribPlan *plan, const M2nGrid *g, const char *proj, GError **error)
{
    static const char *const keys[] = {"Nx", "Ny", "Dx", "Dy"};
    const double lat0 = parameter(proj, "lat_0", 0), lat1 = parameter(proj, "lat_1", lat0);
    const double lat2 = parameter(proj, "lat_2", lat1);

    if (parameter(proj, "k_0", parameter(proj, "k", 1)) != 1)
        return fail(g, "Lambert with a scale factor instead of two latitudes", error);
    m2n_grib_plan_add(plan, "gridDefinitionTemplateNumber", 30);
    m2n_grib_plan_add(plan, "LaD", micro(lat0));
    m2n_grib_plan_add(plan, "LoV", longitude(parameter(proj, "lon_0", 0)));
    m2n_grib_plan_add(plan, "Latin1", micro(lat1));
    m2n_grib_plan_add(plan, "Latin2", micro(lat2));
    m2n_grib_plan_add(plan, "projectionCentreFlag", lat1 < 0 ? 128 : 0);
    return add_projected(plan, g, proj, keys, error);
}

gboolean
m2n_grib_plan_grid(M2nGribPlan *plan, const M2nGrid *g, GError **error)
{
    if (!m2n_grid_has_place(g) || g->row_y != NULL || g->row_points != NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT, "GRIB2: a %s grid is not written", g->type);
        return FALSE;
    }
    m2n_grib_plan_add(plan, "numberOfDataPoints", (long)g->n_points);
    if (m2n_grid_is_lonlat(g))
        return add_lonlat(plan, g, NULL, error);
    g_autofree char *proj = m2n_projection_parameters(g->crs, error);
    if (proj == NULL)
        return FALSE;
    if (says(proj, "proj", "longlat"))
        return add_lonlat(plan, g, NULL, error);
    if (says(proj, "proj", "ob_tran") && says(proj, "o_proj", "longlat"))
        return add_lonlat(plan, g, proj, error);
    if (says(proj, "proj", "merc"))
        return add_mercator(plan, g, proj, error);
    if (says(proj, "proj", "stere"))
        return add_polar(plan, g, proj, error);
    if (says(proj, "proj", "lcc"))
        return add_lambert(plan, g, proj, error);
    return fail(g, "not a projection this writer has a GRIB2 template for", error);
}
