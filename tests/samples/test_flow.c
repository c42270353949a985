#include <string.h>

#include "samples/weather/flow.h"
#include "tests/lib/m2n_test.h"

#define A M2N_EARTH_RADIUS
#define DAY 86400.0

static const M2nFlowOptions unforced = {.stretching = 1 / (7.0e5 * 7.0e5)};

/* psi of both layers from a function of mu and longitude. */
static void
set_psi(M2nFlow *f, double (*function)(double mu, double longitude, int layer))
{
    const M2nSphere *s = f->sphere;
    g_autofree double *grid = g_new(double, (gsize)s->rows * s->columns);

    for (int layer = 0; layer < 2; layer++) {
        for (gsize i = 0; i < (gsize)s->rows * s->columns; i++)
            grid[i] = function(s->mu[i / s->columns],
                               2 * G_PI * (double)(i % s->columns) / s->columns, layer);
        m2n_sphere_analysis(s, grid, f->psi[layer]);
    }
    m2n_flow_from_psi(f);
}

/* The Rossby-Haurwitz wave number 4 of Williamson et al. (1992), test 6: in a flow without divergence it
 * turns around the globe at (R (3 + R) w - 2 rotation) / ((1 + R) (2 + R)) and keeps its shape. */
#define R 4
#define W 7.848e-6

static double
rossby_haurwitz(double mu, double longitude, int layer)
{
    (void)layer;
    return A * A * W * (-mu + pow(1 - mu * mu, 0.5 * R) * mu * cos(R * longitude));
}

static void
test_rossby_haurwitz(void)
{
    g_autoptr(M2nSphere) s = m2n_sphere_new(21);
    g_autoptr(M2nFlow) f = m2n_flow_new(s, &unforced);
    const guint k = s->first[R] + 1; /* n = R + 1 */
    const double speed = (R * (3 + R) * W - 2 * M2N_EARTH_ROTATION) / ((1.0 + R) * (2 + R));
    const double days = 8;

    set_psi(f, rossby_haurwitz);
    const M2nComplex before = f->psi[0][k];
    for (int i = 0; i < (int)(days * 48); i++)
        m2n_flow_step(f, 1800);
    const M2nComplex want = before * cexp(-I * R * speed * days * DAY);
    g_assert_cmpfloat(fabs(R * speed * days * DAY), >, 1.5); /* it moved far enough to be told */
    for (int layer = 0; layer < 2; layer++)
        g_assert_cmpfloat(cabs(f->psi[layer][k] - want), <, 1e-4 * cabs(before));
    for (guint i = 0; i < s->n_coefficients; i++)
        if (i != k && i != 1)
            g_assert_cmpfloat(cabs(f->psi[0][i]), <, 1e-4 * cabs(before));
}

static double
jets(double mu, double longitude, int layer)
{
    (void)longitude;
    return -A * (layer == 0 ? 30 : 10) * (mu + 0.4 * mu * mu * mu + 0.2 * mu * mu);
}

static void
test_zonal_flow_is_steady(void)
{
    g_autoptr(M2nSphere) s = m2n_sphere_new(21);
    g_autoptr(M2nFlow) f = m2n_flow_new(s, &unforced);

    set_psi(f, jets);
    g_autofree M2nComplex *before = g_memdup2(f->psi[0], s->n_coefficients * sizeof *before);
    for (int i = 0; i < 5 * 48; i++)
        m2n_flow_step(f, 1800);
    for (guint k = 1; k < s->n_coefficients; k++) /* 0 is a constant, which moves nothing */
        g_assert_cmpfloat(cabs(f->psi[0][k] - before[k]), <, 1e-6 * cabs(before[1]));
}

static void
test_wind_of_solid_rotation(void)
{
    g_autoptr(M2nSphere) s = m2n_sphere_new(21);
    g_autoptr(M2nFlow) f = m2n_flow_new(s, &unforced);
    g_autofree double *u = g_new(double, (gsize)s->rows * s->columns);
    g_autofree double *v = g_new(double, (gsize)s->rows * s->columns);

    f->psi[1][1] = -A * 20 / sqrt(3); /* 20 m/s eastward at the equator */
    m2n_flow_wind(f, 1, u, v);
    for (gsize i = 0; i < (gsize)s->rows * s->columns; i++) {
        g_assert_cmpfloat_with_epsilon(u[i], 20 * cos(s->latitude[i / s->columns]), 1e-9);
        g_assert_cmpfloat_with_epsilon(v[i], 0, 1e-9);
    }
}

static M2nFlow *
turbulent(const M2nSphere *s, guint64 seed)
{
    M2nFlow *f = m2n_flow_new(s, &unforced);

    set_psi(f, jets);
    m2n_flow_disturb(f, seed, 8);
    return f;
}

static void
test_conservation(void)
{
    g_autoptr(M2nSphere) s = m2n_sphere_new(21);
    g_autoptr(M2nFlow) f = turbulent(s, 3);
    const M2nComplex eddy = f->psi[0][s->first[5] + 3];
    const double energy = m2n_flow_energy(f), enstrophy = m2n_flow_enstrophy(f);

    for (int i = 0; i < 10 * 48; i++)
        m2n_flow_step(f, 1800);
    g_test_message("energy %g, enstrophy %g relative drift in 10 days",
                   m2n_flow_energy(f) / energy - 1, m2n_flow_enstrophy(f) / enstrophy - 1);
    g_assert_cmpfloat(fabs(m2n_flow_energy(f) / energy - 1), <, 1e-4);
    g_assert_cmpfloat(fabs(m2n_flow_enstrophy(f) / enstrophy - 1), <, 1e-4);
    /* it was no standstill */
    g_assert_cmpfloat(cabs(f->psi[0][s->first[5] + 3] - eddy), >, 0.5 * cabs(eddy));
}

/* Halving the step must gain a factor near 16. */
static void
test_fourth_order(void)
{
    g_autoptr(M2nSphere) s = m2n_sphere_new(15);
    double error[2] = {0, 0};
    g_autoptr(M2nFlow) exact = turbulent(s, 3);

    for (int i = 0; i < 96; i++)
        m2n_flow_step(exact, 450);
    for (int k = 0; k < 2; k++) {
        g_autoptr(M2nFlow) f = turbulent(s, 3);
        const int steps = k == 0 ? 6 : 12;
        for (int i = 0; i < steps; i++)
            m2n_flow_step(f, 43200.0 / steps);
        for (guint i = 0; i < s->n_coefficients; i++)
            error[k] = MAX(error[k], cabs(f->psi[0][i] - exact->psi[0][i]));
    }
    g_test_message("error ratio %g", error[0] / error[1]);
    g_assert_cmpfloat(error[0] / error[1], >, 11);
    g_assert_cmpfloat(error[0] / error[1], <, 24);
}

static void
test_seed(void)
{
    g_autoptr(M2nSphere) s = m2n_sphere_new(15);
    g_autoptr(M2nFlow) a = turbulent(s, 11), b = turbulent(s, 11), c = turbulent(s, 12);
    const gsize bytes = s->n_coefficients * sizeof(M2nComplex);

    for (int i = 0; i < 48; i++) {
        m2n_flow_step(a, 1800);
        m2n_flow_step(b, 1800);
        m2n_flow_step(c, 1800);
    }
    g_assert_cmpint(memcmp(a->psi[1], b->psi[1], bytes), ==, 0);
    g_assert_cmpint(memcmp(a->psi[1], c->psi[1], bytes), !=, 0);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/samples/flow/rossby-haurwitz-wave-turns-at-its-speed", test_rossby_haurwitz);
    g_test_add_func("/samples/flow/zonal-flow-is-steady", test_zonal_flow_is_steady);
    g_test_add_func("/samples/flow/wind-of-solid-rotation", test_wind_of_solid_rotation);
    g_test_add_func("/samples/flow/energy-and-enstrophy-are-kept", test_conservation);
    g_test_add_func("/samples/flow/fourth-order-in-time", test_fourth_order);
    g_test_add_func("/samples/flow/same-seed-same-bits", test_seed);
    return g_test_run();
}
