#include <string.h>

#include "samples/weather/air.h"
#include "samples/weather/earth.h"
#include "tests/lib/m2n_test.h"

#define JANUARY 1577836800 /* 2020-01-01T00:00:00Z */
#define JULY 1593561600    /* 2020-07-01 */
#define DAY 86400

static void
run(M2nAir *air, int hours)
{
    for (int i = 0; i < hours * 3600 / M2N_AIR_STEP; i++)
        m2n_air_step(air);
}

static double *
observed(const M2nAir *air, M2nWeather variable)
{
    const M2nSphere *s = m2n_air_flow(air)->sphere;
    double *grid = g_new(double, (gsize)s->rows * s->columns);

    m2n_air_observe(air, variable, grid);
    return grid;
}

static double
temperature_at(const M2nAir *air, double latitude, double longitude)
{
    g_autofree double *t = observed(air, M2N_T2M);
    const M2nStencil stencil = m2n_sphere_stencil(m2n_air_flow(air)->sphere, latitude * G_PI / 180,
                                                  longitude * G_PI / 180);
    return m2n_stencil_value(&stencil, t, TRUE);
}

/* 400 days at a coarse truncation: what a year and its seasons do, every field at every fifth day. */
static void
test_a_year_stays_in_range(void)
{
    static const double low[] = {-60, -60, 190, 0, 0}, high[] = {60, 60, 330, 1, 100};
    static const double mean_low[] = {-3, -3, 275, 0.25, 55}, mean_high[] = {4, 3, 292, 0.7, 90};
    g_autoptr(M2nAir) air = m2n_air_new(11, 5, JANUARY);
    const M2nSphere *s = m2n_air_flow(air)->sphere;

    for (int day = 0; day < 400; day += 5) {
        run(air, 5 * 24);
        for (int k = 0; k < M2N_N_WEATHER; k++) {
            g_autofree double *x = observed(air, (M2nWeather)k);
            for (gsize i = 0; i < (gsize)s->rows * s->columns; i++)
                if (!(x[i] >= low[k] && x[i] <= high[k]))
                    g_error("day %d: variable %d is %g", day + 5, k, x[i]);
            const double mean = m2n_sphere_mean(s, x);
            if (!(mean >= mean_low[k] && mean <= mean_high[k]))
                g_error("day %d: variable %d has mean %g", day + 5, k, mean);
        }
    }
    g_assert_cmpint(m2n_air_time(air), ==, JANUARY + 400 * DAY);
}

/* Winds of a few m/s whose pattern changes in days, not in hours: weather, neither noise nor standstill. */
static void
test_systems_move(void)
{
    g_autoptr(M2nAir) air = m2n_air_new(21, 5, JANUARY);
    const M2nSphere *s = m2n_air_flow(air)->sphere;
    const gsize n = (gsize)s->rows * s->columns;
    double change[3], spread = 0;

    run(air, 40 * 24);
    g_autofree double *start = observed(air, M2N_V10);
    static const int hours[] = {6, 48, 240};
    for (int k = 0, done = 0; k < 3; done = hours[k++]) {
        run(air, hours[k] - done);
        g_autofree double *now = observed(air, M2N_V10), *squared = g_new(double, n);
        for (gsize i = 0; i < n; i++)
            squared[i] = (now[i] - start[i]) * (now[i] - start[i]);
        change[k] = sqrt(m2n_sphere_mean(s, squared));
        for (gsize i = 0; i < n; i++)
            squared[i] = now[i] * now[i];
        spread = sqrt(m2n_sphere_mean(s, squared));
    }
    g_test_message("v10: %.2f m/s; changed by %.2f in 6 h, %.2f in 48 h, %.2f in 240 h", spread,
                   change[0], change[1], change[2]);
    g_assert_cmpfloat(spread, >, 2.5);
    g_assert_cmpfloat(spread, <, 8);
    g_assert_cmpfloat(change[0], >, 0.05 * spread);
    g_assert_cmpfloat(change[0], <, 0.6 * spread);
    g_assert_cmpfloat(change[1], >, change[0]);
    g_assert_cmpfloat(change[2], >, 0.9 * spread);
}

/* Kinetic energy by size, at all times of a month: most in systems some thousands of km wide, ever less in
 * smaller ones, and no pile at the smallest that would tell of noise. */
static void
test_spectrum_falls(void)
{
    g_autoptr(M2nAir) air = m2n_air_new(31, 5, JANUARY);
    const M2nFlow *f = m2n_air_flow(air);
    double energy[32] = {0};

    run(air, 25 * 24);
    for (int day = 0; day < 10; day++) {
        run(air, 24);
        for (guint k = 0; k < f->sphere->n_coefficients; k++) {
            const guint n = f->sphere->degree[k];
            const double amplitude = cabs(f->psi[1][k]);
            energy[n] += n * (n + 1.0) * amplitude * amplitude;
        }
    }
    double large = 0, middle = 0, small = 0;
    for (int n = 3; n <= 9; n++)
        large += energy[n] / 7;
    for (int n = 14; n <= 20; n++)
        middle += energy[n] / 7;
    for (int n = 25; n <= 31; n++)
        small += energy[n] / 7;
    g_test_message("energy per degree: %.3g, %.3g, %.3g", large, middle, small);
    g_assert_cmpfloat(large, >, 4 * middle);
    g_assert_cmpfloat(middle, >, 4 * small);
    g_assert_cmpfloat(energy[31], <, energy[27]);
}

static void
test_day_and_night(void)
{
    g_autoptr(M2nAir) air = m2n_air_new(21, 5, JULY);
    double coldest = 1000, warmest = 0;
    int coldest_hour = -1, warmest_hour = -1;

    run(air, 10 * 24);
    for (int hour = 1; hour <= 24; hour++) { /* the Sahara at 15 E: local time is UTC + 1 */
        run(air, 1);
        const double t = temperature_at(air, 23, 15);
        if (t < coldest)
            coldest = t, coldest_hour = hour;
        if (t > warmest)
            warmest = t, warmest_hour = hour;
    }
    g_test_message("Sahara: %.1f K at %d UTC, %.1f K at %d UTC", coldest, coldest_hour, warmest,
                   warmest_hour);
    g_assert_cmpfloat(warmest - coldest, >, 4);
    g_assert_cmpint(warmest_hour, >=, 11);
    g_assert_cmpint(warmest_hour, <=, 17);
    g_assert_cmpint(coldest_hour, >=, 2);
    g_assert_cmpint(coldest_hour, <=, 7);
}

static void
test_seasons(void)
{
    g_autoptr(M2nAir) january = m2n_air_new(15, 5, JANUARY - 20 * DAY);
    g_autoptr(M2nAir) july = m2n_air_new(15, 5, JULY - 20 * DAY);

    run(january, 30 * 24);
    run(july, 30 * 24);
    /* Siberia, Antarctica, and the equatorial Pacific, where nothing much happens */
    g_assert_cmpfloat(temperature_at(july, 62, 100), >, temperature_at(january, 62, 100) + 20);
    g_assert_cmpfloat(temperature_at(january, -80, 60), >, temperature_at(july, -80, 60) + 10);
    g_assert_cmpfloat(fabs(temperature_at(january, 0, -140) - temperature_at(july, 0, -140)), <, 5);
    g_assert_cmpfloat(temperature_at(january, 0, -140), >, 290);
}

static void
test_seed(void)
{
    g_autoptr(M2nAir) a = m2n_air_new(15, 1, JANUARY), b = m2n_air_new(15, 1, JANUARY);
    g_autoptr(M2nAir) c = m2n_air_new(15, 2, JANUARY);
    const M2nSphere *s = m2n_air_flow(a)->sphere;
    const gsize bytes = (gsize)s->rows * s->columns * sizeof(double);

    run(a, 48);
    run(b, 48);
    run(c, 48);
    for (int k = 0; k < M2N_N_WEATHER; k++) {
        g_autofree double *x = observed(a, (M2nWeather)k), *y = observed(b, (M2nWeather)k);
        g_autofree double *z = observed(c, (M2nWeather)k);
        g_assert_cmpint(memcmp(x, y, bytes), ==, 0);
        g_assert_cmpint(memcmp(x, z, bytes), !=, 0);
    }
}

static void
test_earth(void)
{
    const double degree = G_PI / 180;

    g_assert_cmpfloat(m2n_earth_land(23 * degree, 10 * degree), ==, 1);   /* Sahara */
    g_assert_cmpfloat(m2n_earth_land(-25 * degree, 133 * degree), ==, 1); /* Australia */
    g_assert_cmpfloat(m2n_earth_land(0, -140 * degree), ==, 0);           /* Pacific */
    g_assert_cmpfloat(m2n_earth_land(-88 * degree, 400 * degree), ==, 1); /* Antarctica */
    g_assert_cmpfloat(m2n_earth_height(33 * degree, 88 * degree), >, 4000);
    /* noon at Greenwich on the June solstice: overhead at the northern tropic */
    g_assert_cmpfloat(m2n_earth_sun(1592654400, 23.44 * degree, 0), >, 0.999);
    g_assert_cmpfloat(m2n_earth_sun(1592654400, 23.44 * degree, G_PI), ==, 0);
    g_assert_cmpfloat(m2n_earth_sun(1592654400 + 6 * 3600, 0, -90 * degree), >,
                      0.9); /* noon at 90 W */
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/samples/air/a-year-stays-in-range", test_a_year_stays_in_range);
    g_test_add_func("/samples/air/systems-move", test_systems_move);
    g_test_add_func("/samples/air/spectrum-falls", test_spectrum_falls);
    g_test_add_func("/samples/air/day-and-night", test_day_and_night);
    g_test_add_func("/samples/air/seasons", test_seasons);
    g_test_add_func("/samples/air/same-seed-same-bits", test_seed);
    g_test_add_func("/samples/air/earth-and-sun", test_earth);
    return g_test_run();
}
