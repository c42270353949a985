/* GRIB 1 grid definitions (section 2), octet by octet.  Source: WMO Manual on Codes, FM 92 GRIB 1, tables
 * 6-8.  Angles in thousandths of a degree, sign and magnitude; a size of 65535 is "missing". */
#include <math.h>
#include <string.h>

#include "grib/grib_spec_private.h"

static double
angle(const guint8 *s, int octet)
{
    return sm(s, octet, 3) * 1e-3;
}

static gboolean
latlon(M2nGridSpec *g, const guint8 *s, gsize n, GError **error)
{
    if (g->rotated && !need(n, 42, error))
        return FALSE;
    g->lat2 = angle(s, 18);
    g->lon2 = angle(s, 21);
    g->di = u(s, 24, 2) != 0xffff && u(s, 24, 2) != 0 ? u(s, 24, 2) * 1e-3 : NAN;
    if (g->kind == M2N_SPEC_GAUSSIAN)
        g->n_gaussian = u(s, 26, 2);
    else
        g->dj = u(s, 26, 2) != 0xffff && u(s, 26, 2) != 0 ? u(s, 26, 2) * 1e-3 : NAN;
    if (g->rotated) {
        g->pole_lat = angle(s, 33);
        g->pole_lon = angle(s, 36);
        g->angle = m2n_octets_ibm32(s + 38);
    }
    if (u(s, 7, 2) != 0xffff)
        return TRUE;
    const gsize list =
        (gsize)s[4] + 4u * s[3]; /* the row lengths follow the vertical coordinates */
    g->ni = 0;
    if (s[4] == 0 || s[4] == 255 || g->nj == 0 || !need(n, list - 1 + 2u * g->nj, error))
        return (error == NULL || *error != NULL) ? FALSE
                                                 : fail("no list of row lengths", s[4], error);
    g->row_points = g_new(guint, g->nj);
    for (guint r = 0; r < g->nj; r++)
        g->row_points[r] = u(s, (int)list + 2 * (int)r, 2);
    return TRUE;
}

static gboolean
projected(M2nGridSpec *g, const guint8 *s, gsize n, GError **error)
{
    if (g->kind == M2N_SPEC_MERCATOR) {
        if (!need(n, 34, error))
            return FALSE;
        g->lad = angle(s, 24);
        g->lov = g->lon1;
        g->di = u(s, 29, 3);
        g->dj = u(s, 32, 3);
        return TRUE;
    }
    g->lov = angle(s, 18);
    g->di = u(s, 21, 3);
    g->dj = u(s, 24, 3);
    g->south = (s[26] & 0x80) != 0;
    g->lad = g->south ? -60 : 60; /* where Dx holds on a polar stereographic grid of edition 1 */
    if (g->kind == M2N_SPEC_POLAR_STEREOGRAPHIC)
        return TRUE;
    if (!need(n, 34, error))
        return FALSE;
    g->latin1 = angle(s, 29);
    g->latin2 = angle(s, 32);
    g->lad = g->latin1;
    return TRUE;
}

static gboolean
space_view(M2nGridSpec *g, const guint8 *s, gsize n, GError **error)
{
    if (!need(n, 38, error))
        return FALSE;
    g->lad = g->lat1;
    g->lov = g->lon1;
    g->dx = u(s, 18, 3);
    g->dy = u(s, 21, 3);
    g->xp = u(s, 24, 2);
    g->yp = u(s, 26, 2);
    g->angle = angle(s, 29);
    g->nr = u(s, 32, 3) * 1e-6;
    g->xo = u(s, 35, 2);
    g->yo = u(s, 37, 2);
    return TRUE;
}

typedef struct {
    guint code;
    M2nSpecKind kind;
    gboolean rotated;
    const char *type, *reduced;
} Type;

static const Type types[] = {
    {0, M2N_SPEC_LATLON, FALSE, "regular_ll", "reduced_ll"},
    {1, M2N_SPEC_MERCATOR, FALSE, "mercator", NULL},
    {3, M2N_SPEC_LAMBERT, FALSE, "lambert", NULL},
    {4, M2N_SPEC_GAUSSIAN, FALSE, "regular_gg", "reduced_gg"},
    {5, M2N_SPEC_POLAR_STEREOGRAPHIC, FALSE, "polar_stereographic", NULL},
    {8, M2N_SPEC_ALBERS, FALSE, "albers", NULL},
    {10, M2N_SPEC_LATLON, TRUE, "rotated_ll", "reduced_rotated_ll"},
    {14, M2N_SPEC_GAUSSIAN, TRUE, "rotated_gg", "reduced_rotated_gg"},
    {50, M2N_SPEC_NO_PLACE, FALSE, "sh", NULL},
    {60, M2N_SPEC_NO_PLACE, TRUE, "rotated_sh", NULL},
    {90, M2N_SPEC_SPACE_VIEW, FALSE, "space_view", NULL},
};

gboolean
m2n_grid_spec_read_1(M2nGridSpec *g, const guint8 *s, gsize n, GError **error)
{
    const Type *t = NULL;
    gboolean ok;

    memset(g, 0, sizeof *g);
    g->di = g->dj = g->lat2 = g->lon2 = NAN;
    if (!need(n, 28, error))
        return FALSE;
    for (gsize i = 0; i < G_N_ELEMENTS(types); i++)
        if (types[i].code == s[5])
            t = &types[i];
    g->kind = t != NULL ? t->kind : M2N_SPEC_NO_PLACE;
    if (t != NULL)
        g_strlcpy(g->type, t->type, sizeof g->type);
    else
        g_snprintf(g->type, sizeof g->type, "grid type %u", s[5]);
    if (g->kind == M2N_SPEC_NO_PLACE)
        return TRUE;
    g->rotated = t->rotated;
    const gboolean oblate = (s[16] & 0x40) != 0; /* IAU 1965 */
    g->shape_of_earth = oblate ? 2 : 0;
    g->major = oblate ? 6378160 : 6367470;
    g->minor = oblate ? 6356775 : 6367470;
    g->uv_relative = (s[16] & 0x08) != 0;
    set_scan(g, s[27]);
    g->ni = u(s, 7, 2) == 0xffff ? 0 : u(s, 7, 2);
    g->nj = u(s, 9, 2);
    g->lat1 = angle(s, 11);
    g->lon1 = angle(s, 14);
    if (g->nj == 0 || (gsize)g->ni * g->nj > MAX_POINTS)
        return fail("Nj", g->nj, error);
    if (g->kind == M2N_SPEC_LATLON || g->kind == M2N_SPEC_GAUSSIAN)
        ok = latlon(g, s, n, error);
    else if (g->kind == M2N_SPEC_SPACE_VIEW)
        ok = space_view(g, s, n, error);
    else
        ok = projected(g, s, n, error);
    if (ok && g->row_points != NULL && t->reduced != NULL)
        g_strlcpy(g->type, t->reduced, sizeof g->type);
    return ok;
}
