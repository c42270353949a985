#include "samples/weather/sphere.h"
#include "tests/lib/m2n_test.h"

/* Value at a point, in radians. */
static double
value_at(const M2nSphere *s, const double *grid, double latitude, double longitude,
         gboolean bounded)
{
    const M2nStencil stencil = m2n_sphere_stencil(s, latitude, longitude);
    return m2n_stencil_value(&stencil, grid, bounded);
}

static gsize
n_points(const M2nSphere *s)
{
    return (gsize)s->rows * s->columns;
}

static void
assert_near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        g_error("got %.17g, wanted %.17g within %g", got, want, tolerance);
}

static void
test_there_and_back(void)
{
    static const guint truncations[] = {5, 21, 31, 42};

    for (gsize t = 0; t < G_N_ELEMENTS(truncations); t++) {
        g_autoptr(M2nSphere) s = m2n_sphere_new(truncations[t]);
        g_autofree M2nComplex *c = g_new(M2nComplex, s->n_coefficients);
        g_autofree M2nComplex *back = g_new(M2nComplex, s->n_coefficients);
        g_autofree double *grid = g_new(double, n_points(s));

        for (guint k = 0; k < s->n_coefficients; k++) {
            const double re = g_test_rand_double_range(-1, 1), im = g_test_rand_double_range(-1, 1);
            c[k] = k <= s->truncation ? re : re + im * I; /* m = 0 is real */
        }
        m2n_sphere_synthesis(s, M2N_VALUE, c, grid);
        m2n_sphere_analysis(s, grid, back);
        for (guint k = 0; k < s->n_coefficients; k++)
            assert_near(cabs(back[k] - c[k]), 0, 1e-12);
    }
}

/* f = mu cos(lat)^2 cos(2 lon): its derivatives and mean by hand. */
static void
test_derivatives(void)
{
    g_autoptr(M2nSphere) s = m2n_sphere_new(21);
    g_autofree M2nComplex *c = g_new(M2nComplex, s->n_coefficients);
    g_autofree double *grid = g_new(double, n_points(s));

    for (gsize i = 0; i < n_points(s); i++) {
        const double mu = s->mu[i / s->columns];
        const double lon = 2 * G_PI * (double)(i % s->columns) / s->columns;
        grid[i] = mu * (1 - mu * mu) * cos(2 * lon) + 3;
    }
    assert_near(m2n_sphere_mean(s, grid), 3, 1e-12);
    m2n_sphere_analysis(s, grid, c);
    m2n_sphere_synthesis(s, M2N_BY_LONGITUDE, c, grid);
    for (gsize i = 0; i < n_points(s); i++) {
        const double mu = s->mu[i / s->columns];
        const double lon = 2 * G_PI * (double)(i % s->columns) / s->columns;
        assert_near(grid[i], -2 * mu * (1 - mu * mu) * sin(2 * lon), 1e-12);
    }
    m2n_sphere_synthesis(s, M2N_BY_MU, c, grid);
    for (gsize i = 0; i < n_points(s); i++) {
        const double mu = s->mu[i / s->columns];
        const double lon = 2 * G_PI * (double)(i % s->columns) / s->columns;
        assert_near(grid[i], (1 - mu * mu) * (1 - 3 * mu * mu) * cos(2 * lon), 1e-12);
    }
}

/* Interpolation of a smooth, asymmetric function: at grid points, between them, across seam and poles. */
static double
smooth_function(double latitude, double longitude)
{
    const double x = cos(latitude) * cos(longitude), y = cos(latitude) * sin(longitude);
    return x + 2 * y * sin(latitude) + x * x * y + 0.5 * sin(latitude);
}

static void
test_interpolation(void)
{
    g_autoptr(M2nSphere) s = m2n_sphere_new(31);
    g_autofree double *grid = g_new(double, n_points(s));

    for (gsize i = 0; i < n_points(s); i++)
        grid[i] = smooth_function(s->latitude[i / s->columns],
                                  2 * G_PI * (double)(i % s->columns) / s->columns);
    for (gsize i = 0; i < n_points(s); i += 7)
        assert_near(value_at(s, grid, s->latitude[i / s->columns],
                             2 * G_PI * (double)(i % s->columns) / s->columns, FALSE),
                    grid[i], 1e-12);
    for (double latitude = -89.99; latitude < 90; latitude += 3.7)
        for (double longitude = -359; longitude < 720; longitude += 11.3) {
            const double y = latitude * G_PI / 180, x = longitude * G_PI / 180;
            assert_near(value_at(s, grid, y, x, FALSE), smooth_function(y, x), 2e-4);
        }
}

static void
test_bounded_interpolation(void)
{
    g_autoptr(M2nSphere) s = m2n_sphere_new(21);
    g_autofree double *grid = g_new0(double, n_points(s));
    gboolean free_overshoots = FALSE;

    grid[10 * s->columns + 20] = 1;
    for (double longitude = 0; longitude < 2 * G_PI; longitude += 0.01) {
        const double y = 0.5 * (s->latitude[10] + s->latitude[11]);
        const double value = value_at(s, grid, y, longitude, TRUE);
        free_overshoots |= value_at(s, grid, y, longitude, FALSE) < -0.01;
        g_assert_true(value >= 0 && value <= 1);
    }
    g_assert_true(free_overshoots);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/samples/sphere/there-and-back", test_there_and_back);
    g_test_add_func("/samples/sphere/derivatives-by-hand", test_derivatives);
    g_test_add_func("/samples/sphere/interpolation", test_interpolation);
    g_test_add_func("/samples/sphere/bounded-stays-within", test_bounded_interpolation);
    return g_test_run();
}
