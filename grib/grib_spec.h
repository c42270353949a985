/* M2nGridSpec: a GRIB grid definition as its octets say, both editions alike, and the way from there to an
 * M2nGrid.  Private to the reader's files. */
#pragma once
#include "grib/grid.h"

G_BEGIN_DECLS

typedef enum {
    M2N_SPEC_LATLON,
    M2N_SPEC_GAUSSIAN,
    M2N_SPEC_MERCATOR,
    M2N_SPEC_TRANSVERSE_MERCATOR,
    M2N_SPEC_POLAR_STEREOGRAPHIC,
    M2N_SPEC_LAMBERT,
    M2N_SPEC_ALBERS,
    M2N_SPEC_AZIMUTHAL,
    M2N_SPEC_SPACE_VIEW,
    M2N_SPEC_NO_PLACE, /* spherical harmonics, unstructured, HEALPix, unknown */
} M2nSpecKind;

typedef struct {
    M2nSpecKind kind;
    char type[32];  /* as eccodes calls it */
    gsize n_points; /* 0: not stated */
    guint ni, nj;   /* ni 0: reduced */
    gboolean i_negative, j_positive, j_consecutive, alternating;
    gboolean uv_relative; /* u along the rows, v along the columns, not east and north */
    long shape_of_earth;
    double major, minor;           /* metres */
    double lat1, lon1, lat2, lon2; /* degrees; lat2, lon2 NaN: not stated */
    double di, dj;                 /* degrees or metres, > 0; NaN: not stated */
    gboolean rotated;
    /* lat1, lon1 and x1, y1 (last point) unrotated, lat2, lon2 the centre (NCEP) */
    gboolean centre_stated;
    double pole_lat, pole_lon, angle;  /* southern pole of rotation, degrees */
    guint n_gaussian;                  /* parallels between a pole and the equator */
    guint *row_points;                 /* [nj] or NULL, owned */
    gboolean south;                    /* the south pole is the projection's centre */
    double lad, lov, latin1, latin2;   /* degrees */
    double scale, xr, yr, x1, y1;      /* transverse Mercator, metres */
    double xp, yp, dx, dy, nr, xo, yo; /* space view, as the template says, nr in earth radii */
} M2nGridSpec;

/* From the grid section of a message (GRIB1 section 2, GRIB2 section 3), n bytes.  FALSE:
 * M2N_ERROR_FORMAT: one line without file name.  Clear `spec` with _clear() in either case. */
gboolean m2n_grid_spec_read_1(M2nGridSpec *spec, const guint8 *section, gsize n, GError **error);
gboolean m2n_grid_spec_read_2(M2nGridSpec *spec, const guint8 *section, gsize n, GError **error);
void m2n_grid_spec_clear(M2nGridSpec *spec);

/* (transfer full) North-up, west to east; without a place, and the reason in `no_place`, where that cannot be
 * (unknown kind, sizes that contradict each other, a projection PROJ refuses). */
M2nGrid *m2n_grid_spec_place(const M2nGridSpec *spec);

/* The Gaussian latitudes north to south, degrees, [2 n] (transfer full): the roots of the Legendre
 * polynomial of degree 2 n, to the last bits of a double. */
double *m2n_gaussian_latitudes(guint n);

G_END_DECLS
