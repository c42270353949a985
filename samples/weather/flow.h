/* M2nFlow: two layers of quasi-geostrophic air on the sphere.
 *
 *   q1 = lap psi1 + f - F (psi1 - psi2)                    upper layer, about 300 hPa
 *   q2 = lap psi2 + f + F (psi1 - psi2) + f h / H          lower layer, about 700 hPa
 *   dq/dt = -J(psi, q) + relaxation of psi1 - psi2 to the sun's - drag of layer 2 - diffusion
 *
 * Unequal heating makes a westerly jet in each hemisphere, the jet is unstable, and its lows and highs
 * grow, move and decay for ever: weather.  Without forcing energy and potential enstrophy are conserved,
 * and with psi1 = psi2 the flow is the barotropic vorticity equation.
 * Source: Marshall and Molteni (1993), J. Atmos. Sci. 50, reduced to two levels; spherical harmonics and
 * the classical Runge-Kutta scheme as in any textbook.
 * SI units; streamfunctions in m2/s. */
#pragma once
#include "samples/weather/sphere.h"

#define M2N_EARTH_RADIUS 6371229.0     /* m, GRIB's shape 6 */
#define M2N_EARTH_ROTATION 7.292115e-5 /* rad/s */
#define M2N_LAYER_DEPTH 5000.0         /* m */

typedef struct {
    double stretching; /* F, 1/m2 */
    double relaxation; /* time scale of heating, s; 0: none */
    double drag;       /* time scale of drag in the lower layer, s; 0: none */
    double diffusion;  /* e-folding time of the smallest scale, s; 0: none */
} M2nFlowOptions;

#define M2N_FLOW_OPTIONS_DEFAULT                                                                   \
    {                                                                                              \
        .stretching = 1 / (7.0e5 * 7.0e5), .relaxation = 20 * 86400.0, .drag = 2 * 86400.0,        \
        .diffusion = 4 * 3600.0                                                                    \
    }

typedef struct {
    M2nFlowOptions options;
    const M2nSphere *sphere; /* not owned */
    M2nComplex *q[2];        /* q without f and orography */
    M2nComplex *psi[2];      /* of q, kept current */
    M2nComplex *heating;     /* psi1 - psi2 that heating drives at; set by the caller */
    M2nComplex *orography;   /* f h / H; set by the caller */
    M2nComplex *scratch;
    double *grid;
} M2nFlow;

/* (transfer full) At rest, no heating, flat. */
M2nFlow *m2n_flow_new(const M2nSphere *s, const M2nFlowOptions *options);
void m2n_flow_free(M2nFlow *f);

/* q from psi (after the caller changed psi), and back. */
void m2n_flow_from_psi(M2nFlow *f);
void m2n_flow_invert(M2nFlow *f);
/* Adds seeded random eddies, root mean square about `speed` m/s, to both layers. */
void m2n_flow_disturb(M2nFlow *f, guint64 seed, double speed);
void m2n_flow_step(M2nFlow *f, double seconds);

/* Wind of a layer (0 upper, 1 lower) on the grid, m/s, eastward and northward. */
void m2n_flow_wind(const M2nFlow *f, guint layer, double *u, double *v);
/* -J(psi, q)-like advection of any coefficients: grid of u.grad q by the stream function given. */
void m2n_flow_advection(const M2nFlow *f, const M2nComplex *psi, const M2nComplex *q, double *grid);

/* Mean kinetic + potential energy per mass (m2/s2) and mean squared q of both layers (1/s2), f and
 * orography included: what the unforced flow keeps. */
double m2n_flow_energy(const M2nFlow *f);
double m2n_flow_enstrophy(const M2nFlow *f);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(M2nFlow, m2n_flow_free)
