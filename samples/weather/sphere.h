/* M2nSphere: spherical harmonics with triangular truncation on a Gaussian grid.
 *
 *   f(lon, mu) = c[0][n] P_n0(mu) summed over n  +  2 Re sum over m > 0 of c[m][n] P_nm(mu) exp(i m lon)
 *
 * mu = sin(latitude); the P_nm are scaled so that the mean of P_nm^2 over mu is 1.  The grid is large
 * enough for the product of two fields to be analysed without aliasing (rows >= (3n+1)/2, columns
 * >= 3n+1), which is what makes the flow's Jacobian conserve energy and enstrophy.
 * Row 0 is the northernmost, column 0 lies at longitude 0.  Immutable once made. */
#pragma once
#include <complex.h>
#include <glib.h>

typedef double complex M2nComplex;

typedef struct {
    guint truncation, rows, columns, n_coefficients;
    guint *first;          /* [truncation + 1] index of coefficient (m, n = m) */
    guint *degree;         /* [n_coefficients] n of each coefficient */
    double *latitude;      /* [rows] radians, descending */
    double *mu;            /* [rows] sin(latitude) */
    double *weight;        /* [rows] Gaussian weights, sum 2 */
    double *legendre;      /* [rows][n_coefficients] P_nm(mu) */
    double *derivative;    /* [rows][n_coefficients] (1 - mu^2) dP_nm/dmu */
    double *cosine, *sine; /* [truncation + 1][columns] of m * longitude */
} M2nSphere;

/* What synthesis() adds up. */
typedef enum { M2N_VALUE, M2N_BY_LONGITUDE, M2N_BY_MU } M2nTerm; /* f, df/dlon, (1 - mu^2) df/dmu */

/* (transfer full) truncation 5 .. 170 */
M2nSphere *m2n_sphere_new(guint truncation);
void m2n_sphere_free(M2nSphere *s);

/* coefficients [n_coefficients] -> grid [rows][columns] */
void m2n_sphere_synthesis(const M2nSphere *s, M2nTerm term, const M2nComplex *c, double *grid);
/* grid [rows][columns] -> coefficients [n_coefficients] */
void m2n_sphere_analysis(const M2nSphere *s, const double *grid, M2nComplex *c);
/* Mean over the area of the sphere. */
double m2n_sphere_mean(const M2nSphere *s, const double *grid);

/* How the value at one point follows from the 16 grid points around it: cubic in both directions, across
 * the seam and the poles. */
typedef struct {
    guint32 index[4][4]; /* [1..2][1..2] are the four nearest */
    double weight[4][4];
} M2nStencil;

/* Angles in radians, any longitude. */
M2nStencil m2n_sphere_stencil(const M2nSphere *s, double latitude, double longitude);
/* `bounded` keeps it within the four nearest points. */
double m2n_stencil_value(const M2nStencil *stencil, const double *grid, gboolean bounded);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(M2nSphere, m2n_sphere_free)
