/* The one file that knows PROJ. */
#define _GNU_SOURCE /* strcasestr */
#include "grib/projection.h"

#include <math.h>
#include <proj.h>
#include <string.h>

#include "engine/base/error.h"

struct M2nProjection {
    PJ_CONTEXT *context;
    PJ *pj; /* NULL: longitude and latitude already */
    double eccentricity2;
};

static PJ_CONTEXT *
context_new(void)
{
    PJ_CONTEXT *c = proj_context_create();

    proj_log_level(c, PJ_LOG_NONE); /* libraries never print */
    proj_context_set_enable_network(c, 0);
    return c;
}

/* +proj=defmodel and tinshift read their file as soon as they are parsed; PROJ takes parameters without the '+'. */
gboolean
m2n_crs_is_harmless(const char *crs)
{
    static const char *const files[] = {"grids", "init=", "PARAMETERFILE", "://",
                                        "+geoc", "file=", "model="};

    for (gsize i = 0; i < G_N_ELEMENTS(files); i++)
        if (strcasestr(crs, files[i]) != NULL)
            return FALSE;
    return TRUE;
}

static PJ *
create_crs(PJ_CONTEXT *c, const char *crs)
{
    if (!m2n_crs_is_harmless(crs))
        return NULL;
    if (strstr(crs, "+proj=") == NULL || strstr(crs, "+type=crs") != NULL)
        return proj_create(c, crs);
    g_autofree char *text = g_strconcat(crs, " +type=crs", NULL);
    return proj_create(c, text);
}

/* The horizontal part of a bound or compound CRS, else `crs` itself; frees what it replaces. */
static PJ *
horizontal(PJ_CONTEXT *c, PJ *crs)
{
    for (int depth = 0; depth < 4; depth++) {
        const PJ_TYPE type = proj_get_type(crs);
        PJ *inner = NULL;

        if (type == PJ_TYPE_BOUND_CRS)
            inner = proj_get_source_crs(c, crs);
        else if (type == PJ_TYPE_COMPOUND_CRS)
            inner = proj_crs_get_sub_crs(c, crs, 0);
        if (inner == NULL)
            return crs;
        proj_destroy(crs);
        crs = inner;
    }
    return crs;
}

static gboolean
is_plain_geographic(PJ_CONTEXT *c, PJ *crs)
{
    const PJ_TYPE type = proj_get_type(crs);

    if (type != PJ_TYPE_GEOGRAPHIC_2D_CRS && type != PJ_TYPE_GEOGRAPHIC_3D_CRS)
        return FALSE;
    PJ *derivation = proj_crs_get_coordoperation(c, crs); /* a rotated pole has one */
    if (derivation == NULL)
        return TRUE;
    proj_destroy(derivation);
    return FALSE;
}

/* The operation lon, lat -> x, y on the CRS's own geodetic base, or NULL. */
static PJ *
operation(PJ_CONTEXT *c, PJ *crs)
{
    PJ *base = proj_get_source_crs(c, crs); /* of a rotated pole: the unrotated one */

    if (base == NULL)
        return NULL;
    PJ *raw = proj_create_crs_to_crs_from_pj(c, base, crs, NULL, NULL);
    proj_destroy(base);
    if (raw == NULL)
        return NULL;
    PJ *pj = proj_normalize_for_visualization(c, raw);
    proj_destroy(raw);
    return pj;
}

static double
eccentricity2(PJ_CONTEXT *c, PJ *crs)
{
    PJ *ellipsoid = proj_get_ellipsoid(c, crs);
    double a = 0, b = 0;

    if (ellipsoid != NULL) {
        proj_ellipsoid_get_parameters(c, ellipsoid, &a, &b, NULL, NULL);
        proj_destroy(ellipsoid);
    }
    return a > 0 ? 1 - b * b / (a * a) : 0;
}

M2nProjection *
m2n_projection_new(const char *crs, GError **error)
{
    g_autoptr(M2nProjection) p = g_new0(M2nProjection, 1);

    p->context = context_new();
    PJ *pj = create_crs(p->context, crs);
    if (pj == NULL || !proj_is_crs(pj)) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT, "%s: PROJ does not know this CRS", crs);
        if (pj != NULL)
            proj_destroy(pj);
        return NULL;
    }
    pj = horizontal(p->context, pj);
    p->eccentricity2 = eccentricity2(p->context, pj);
    if (!is_plain_geographic(p->context, pj)) {
        p->pj = operation(p->context, pj);
        if (p->pj == NULL) {
            proj_destroy(pj);
            g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT,
                        "%s: PROJ has no way from longitude and latitude to this CRS", crs);
            return NULL;
        }
    }
    proj_destroy(pj);
    return g_steal_pointer(&p);
}

void
m2n_projection_free(M2nProjection *p)
{
    if (p->pj != NULL)
        proj_destroy(p->pj);
    proj_context_destroy(p->context);
    g_free(p);
}

double
m2n_projection_eccentricity2(const M2nProjection *p)
{
    return p->eccentricity2;
}

static void
transform(M2nProjection *p, PJ_DIRECTION direction, double *x, double *y, gsize n)
{
    if (p->pj == NULL)
        return;
    proj_trans_generic(p->pj, direction, x, sizeof *x, n, y, sizeof *y, n, NULL, 0, 0, NULL, 0, 0);
    for (gsize i = 0; i < n; i++)
        if (!isfinite(x[i]) || !isfinite(y[i])) /* PROJ says HUGE_VAL */
            x[i] = y[i] = NAN;
}

void
m2n_projection_forward(M2nProjection *p, double *lon_x, double *lat_y, gsize n)
{
    transform(p, PJ_FWD, lon_x, lat_y, n);
}

void
m2n_projection_inverse(M2nProjection *p, double *x_lon, double *y_lat, gsize n)
{
    transform(p, PJ_INV, x_lon, y_lat, n);
}

char *
m2n_projection_parameters(const char *crs, GError **error)
{
    PJ_CONTEXT *c = context_new();
    PJ *pj = create_crs(c, crs);
    char *found = NULL;

    if (pj != NULL) {
        const char *const options[] = {"MULTILINE=NO", NULL};
        pj = horizontal(c, pj);
        const char *text = proj_as_proj_string(c, pj, PJ_PROJ_5, options);
        if (text == NULL)
            text = proj_as_proj_string(c, pj, PJ_PROJ_4, options);
        if (text != NULL) {
            g_auto(GStrv) parts = g_strsplit(text, " +type=crs", 2);
            found = g_strjoinv("", parts);
        }
        proj_destroy(pj);
    }
    proj_context_destroy(c);
    if (found == NULL)
        g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT, "%s: PROJ cannot spell this CRS out", crs);
    return found;
}
