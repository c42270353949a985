/* Grid definitions, octet by octet.  Source: WMO Manual on Codes, FM 92 GRIB 1 (tables 6-8) and GRIB 2
 * (templates 3.x); angles and coordinates are sign and magnitude throughout. */
#include "grib/grib_spec.h"

#include <math.h>
#include <string.h>

#include "grib/grib_spec_private.h"

#define MAX_SIDE 1000000u

static double
ieee(const guint8 *s, int octet)
{
    return (double)m2n_octets_ieee32(s + octet - 1);
}

/* ---- the earth ----------------------------------------------------------------------------- */

static gboolean
plausible_radius(double r)
{
    return r > 6.2e6 && r < 6.5e6; /* of the earth, in metres */
}

static double
scaled(const guint8 *s, int octet, double unit)
{
    if (s[octet - 1] == 0xff || u(s, octet + 1, 4) == 0xffffffff)
        return NAN;
    return sm(s, octet + 1, 4) * pow(10, -sm(s, octet, 1)) * unit;
}

/* Code table 3.2.  A code that needs axes and has none that an earth could have is read as code 6. */
static void
read_earth(M2nGridSpec *g, const guint8 *s)
{
    static const struct {
        double major, minor;
    } fixed[] = {{6367470, 6367470},     {0, 0},
                 {6378160, 6356775},     {0, 0},
                 {6378137, 6356752.314}, {6378137, 6356752.3142},
                 {6371229, 6371229},     {0, 0},
                 {6371200, 6371200},     {6377563.396, 6356256.909}};
    const guint code = s[14];

    g->shape_of_earth = (long)code;
    if (code < G_N_ELEMENTS(fixed)) {
        g->major = fixed[code].major;
        g->minor = fixed[code].minor;
    }
    if (code == 1)
        g->major = g->minor = scaled(s, 16, 1);
    if (code == 3 || code == 7) {
        const double unit = code == 3 ? 1000 : 1;
        g->major = scaled(s, 21, unit);
        g->minor = scaled(s, 26, unit);
    }
    if (!plausible_radius(g->major) || !plausible_radius(g->minor)) {
        g->shape_of_earth = 6;
        g->major = g->minor = 6371229;
    }
}

/* ---- GRIB2 ----------------------------------------------------------------------------------- */

/* Points per row, after the template, at octet `list`. */
static gboolean
read_rows(M2nGridSpec *g, const guint8 *s, gsize n, int list, int width, GError **error)
{
    if (width < 1 || width > 4 || !need(n, (gsize)list - 1 + (gsize)width * g->nj, error))
        return width >= 1 && width <= 4 ? FALSE : fail("octets per row length", width, error);
    g->row_points = g_new(guint, g->nj);
    for (guint r = 0; r < g->nj; r++)
        g->row_points[r] = u(s, list + (int)r * width, width);
    return TRUE;
}

static gboolean
check_size(M2nGridSpec *g, GError **error)
{
    if (g->ni > MAX_SIDE)
        return fail("Ni", g->ni, error);
    if (g->nj == 0 || g->nj > MAX_SIDE)
        return fail("Nj", g->nj, error);
    if ((gsize)g->ni * g->nj > MAX_POINTS || g->n_points > MAX_POINTS)
        return fail("number of points", (double)MAX((gsize)g->ni * g->nj, g->n_points), error);
    return TRUE;
}

/* Templates 3.0, 3.1, 3.40, 3.41 and NCEP's 32769. */
static gboolean
latlon_2(M2nGridSpec *g, const guint8 *s, gsize n, guint template, GError **error)
{
    const gboolean gaussian = template == 40 || template == 41;

    g->rotated = template == 1 || template == 41 || template == 32769;
    g->centre_stated = template == 32769;
    if (!need(n, template == 1 || template == 41 ? 84 : g->centre_stated ? 80 : 72, error))
        return FALSE;
    const guint32 basic = u(s, 39, 4), parts = u(s, 43, 4);
    const double unit = basic == 0 || basic == 0xffffffff || parts == 0 || parts == 0xffffffff
                            ? 1e-6
                            : (double)basic / parts;
    g->lat1 = sm(s, 47, 4) * unit;
    g->lon1 = sm(s, 51, 4) * unit;
    g->lat2 = sm(s, 56, 4) * unit;
    g->lon2 = sm(s, 60, 4) * unit;
    const gboolean given = u(s, 64, 4) != 0xffffffff && u(s, 64, 4) != 0;
    g->di = given ? u(s, 64, 4) * unit : NAN;
    if (gaussian)
        g->n_gaussian = u(s, 68, 4);
    else
        g->dj = u(s, 68, 4) != 0xffffffff && u(s, 68, 4) != 0 ? u(s, 68, 4) * unit : NAN;
    g->uv_relative = (s[54] & 0x08) != 0;
    set_scan(g, s[71]);
    if (g->rotated && !g->centre_stated) {
        g->pole_lat = sm(s, 73, 4) * unit;
        g->pole_lon = sm(s, 77, 4) * unit;
        g->angle = ieee(s, 81);
    }
    if (g->centre_stated) {
        g->y1 = sm(s, 73, 4) * unit;
        g->x1 = sm(s, 77, 4) * unit;
    }
    if (u(s, 31, 4) == 0xffffffff) {
        g->ni = 0;
        return check_size(g, error) && read_rows(g, s, n, g->rotated ? 85 : 73, s[10], error);
    }
    return TRUE;
}

/* Templates 3.10, 3.20, 3.30, 3.31: the first point in latitude and longitude, steps in millimetres. */
static gboolean
projected_2(M2nGridSpec *g, const guint8 *s, gsize n, guint template, GError **error)
{
    if (!need(n, template == 10 ? 72 : template == 20 ? 65 : 81, error))
        return FALSE;
    g->lat1 = sm(s, 39, 4) * 1e-6;
    g->lon1 = sm(s, 43, 4) * 1e-6;
    g->uv_relative = (s[46] & 0x08) != 0;
    g->lad = sm(s, 48, 4) * 1e-6;
    if (template == 10) {
        set_scan(g, s[59]);
        g->lov = g->lon1;
        g->di = u(s, 65, 4) * 1e-3;
        g->dj = u(s, 69, 4) * 1e-3;
        g->lat2 = sm(s, 52, 4) * 1e-6;
        g->lon2 = sm(s, 56, 4) * 1e-6;
        g->angle = u(s, 61, 4) == 0xffffffff ? 0 : sm(s, 61, 4) * 1e-6;
        return TRUE;
    }
    g->lov = sm(s, 52, 4) * 1e-6;
    g->di = u(s, 56, 4) * 1e-3;
    g->dj = u(s, 60, 4) * 1e-3;
    g->south = (s[63] & 0x80) != 0;
    set_scan(g, s[64]);
    if (template != 20) {
        g->latin1 = sm(s, 66, 4) * 1e-6;
        g->latin2 = sm(s, 70, 4) * 1e-6;
    }
    return TRUE;
}

static gboolean
transverse_2(M2nGridSpec *g, const guint8 *s, gsize n, GError **error)
{
    if (!need(n, 84, error))
        return FALSE;
    g->lad = sm(s, 39, 4) * 1e-6;
    g->lov = sm(s, 43, 4) * 1e-6;
    g->uv_relative = (s[46] & 0x08) != 0;
    g->scale = ieee(s, 48);
    g->xr = sm(s, 52, 4) * 1e-2;
    g->yr = sm(s, 56, 4) * 1e-2;
    set_scan(g, s[59]);
    g->di = u(s, 61, 4) * 1e-2;
    g->dj = u(s, 65, 4) * 1e-2;
    g->x1 = sm(s, 69, 4) * 1e-2;
    g->y1 = sm(s, 73, 4) * 1e-2;
    return TRUE;
}

static gboolean
azimuthal_2(M2nGridSpec *g, const guint8 *s, gsize n, GError **error)
{
    if (!need(n, 64, error))
        return FALSE;
    g->lat1 = sm(s, 39, 4) * 1e-6;
    g->lon1 = sm(s, 43, 4) * 1e-6;
    g->lad = sm(s, 47, 4) * 1e-6;
    g->lov = sm(s, 51, 4) * 1e-6;
    g->uv_relative = (s[54] & 0x08) != 0;
    g->di = u(s, 56, 4) * 1e-3;
    g->dj = u(s, 60, 4) * 1e-3;
    set_scan(g, s[63]);
    return TRUE;
}

static gboolean
space_view_2(M2nGridSpec *g, const guint8 *s, gsize n, GError **error)
{
    if (!need(n, 80, error))
        return FALSE;
    g->lad = sm(s, 39, 4) * 1e-6;
    g->lov = sm(s, 43, 4) * 1e-6;
    g->uv_relative = (s[46] & 0x08) != 0;
    g->dx = u(s, 48, 4);
    g->dy = u(s, 52, 4);
    g->xp = u(s, 56, 4) * 1e-3;
    g->yp = u(s, 60, 4) * 1e-3;
    set_scan(g, s[63]);
    g->angle = sm(s, 65, 4) * 1e-6;
    g->nr = u(s, 69, 4) * 1e-6;
    g->xo = u(s, 73, 4);
    g->yo = u(s, 77, 4);
    return TRUE;
}

typedef struct {
    guint template;
    M2nSpecKind kind;
    const char *type, *reduced;
} Template;

static const Template templates[] = {
    {0, M2N_SPEC_LATLON, "regular_ll", "reduced_ll"},
    {1, M2N_SPEC_LATLON, "rotated_ll", "reduced_rotated_ll"},
    {10, M2N_SPEC_MERCATOR, "mercator", NULL},
    {12, M2N_SPEC_TRANSVERSE_MERCATOR, "transverse_mercator", NULL},
    {20, M2N_SPEC_POLAR_STEREOGRAPHIC, "polar_stereographic", NULL},
    {30, M2N_SPEC_LAMBERT, "lambert", NULL},
    {31, M2N_SPEC_ALBERS, "albers", NULL},
    {40, M2N_SPEC_GAUSSIAN, "regular_gg", "reduced_gg"},
    {41, M2N_SPEC_GAUSSIAN, "rotated_gg", "reduced_rotated_gg"},
    {50, M2N_SPEC_NO_PLACE, "sh", NULL},
    {51, M2N_SPEC_NO_PLACE, "rotated_sh", NULL},
    {52, M2N_SPEC_NO_PLACE, "stretched_sh", NULL},
    {53, M2N_SPEC_NO_PLACE, "stretched_rotated_sh", NULL},
    {90, M2N_SPEC_SPACE_VIEW, "space_view", NULL},
    {100, M2N_SPEC_NO_PLACE, "triangular_grid", NULL},
    {101, M2N_SPEC_NO_PLACE, "unstructured_grid", NULL},
    {140, M2N_SPEC_AZIMUTHAL, "lambert_azimuthal_equal_area", NULL},
    {150, M2N_SPEC_NO_PLACE, "healpix", NULL},
    {32769, M2N_SPEC_LATLON, "ncep_32769", NULL},
};

static const Template *
find_template(guint template)
{
    for (gsize i = 0; i < G_N_ELEMENTS(templates); i++)
        if (templates[i].template == template)
            return &templates[i];
    return NULL;
}

gboolean
m2n_grid_spec_read_2(M2nGridSpec *g, const guint8 *s, gsize n, GError **error)
{
    gboolean ok = TRUE;

    memset(g, 0, sizeof *g);
    g->di = g->dj = g->lat2 = g->lon2 = NAN;
    if (!need(n, 14, error))
        return FALSE;
    const guint template = u(s, 13, 2);
    const Template *t = find_template(template);
    g->n_points = u(s, 7, 4);
    g->kind = t != NULL ? t->kind : M2N_SPEC_NO_PLACE;
    if (t != NULL)
        g_strlcpy(g->type, t->type, sizeof g->type);
    else
        g_snprintf(g->type, sizeof g->type, "template 3.%u", template);
    if (g->kind == M2N_SPEC_NO_PLACE)
        return g->n_points <= MAX_POINTS || fail("number of points", (double)g->n_points, error);
    if (!need(n, 38, error))
        return FALSE;
    read_earth(g, s);
    g->ni = u(s, 31, 4) == 0xffffffff ? 0 : u(s, 31, 4);
    g->nj = u(s, 35, 4);
    if (g->kind == M2N_SPEC_LATLON || g->kind == M2N_SPEC_GAUSSIAN)
        ok = latlon_2(g, s, n, template, error);
    else if (g->kind == M2N_SPEC_TRANSVERSE_MERCATOR)
        ok = transverse_2(g, s, n, error);
    else if (g->kind == M2N_SPEC_AZIMUTHAL)
        ok = azimuthal_2(g, s, n, error);
    else if (g->kind == M2N_SPEC_SPACE_VIEW)
        ok = space_view_2(g, s, n, error);
    else
        ok = projected_2(g, s, n, template, error);
    if (ok && g->row_points != NULL && t->reduced != NULL)
        g_strlcpy(g->type, t->reduced, sizeof g->type);
    return ok && check_size(g, error);
}

void
m2n_grid_spec_clear(M2nGridSpec *g)
{
    g_clear_pointer(&g->row_points, g_free);
}
