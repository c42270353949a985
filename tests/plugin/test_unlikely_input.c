/* Which fields are doubted: wrong units are, other seasons, places and weather are not. */
#include <math.h>

#include "plugin/unlikely_input.h"

static const char *const one[] = {"a.grib2", NULL}, *const three[] = {"a.nc", "b.nc", "c.nc", NULL};

/* What is said of a field of that mean, with a hole. */
static char *
said(const M2nVariable *v, double mean)
{
    const float field[4] = {(float)(mean * 0.9), NAN, (float)(mean * 1.1), (float)mean};

    return m2n_unlikely_input(v, one, field, 4);
}

static void
test_doubted(void)
{
    static const struct {
        M2nVariable v;
        double mean;
    } cases[] = {
        {{.mean = 278.9, .std = 20.1}, 14.2},                                    /* degrees Celsius */
        {{.mean = 278.9, .std = 20.1, .min = 200, .max = 325}, 57.2},            /* Fahrenheit */
        {{.min = 200, .max = 325}, 14.2},                                        /* normalised by these alone */
        {{.mean = 54100, .std = 3350, .min = 46000, .max = 59000}, 5515},        /* geopotential height */
        {{.mean = 101000, .std = 1300, .min = 93000, .max = 107000}, 1010},      /* hPa */
        {{.mean = 96600, .std = 9600, .min = 48000, .max = 106000}, 966},        /* hPa, mountains */
        {{.mean = 0.6, .std = 0.36, .min = 0, .max = 1}, 60},                    /* per cent */
        {{.mean = 0.0001, .std = 0.0006, .min = 0, .max = 0.04}, 0.1},           /* mm for m */
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = said(&cases[i].v, cases[i].mean);
        g_assert_nonnull(text);
    }
}

static void
test_trusted(void)
{
    static const struct {
        M2nVariable v;
        double mean;
    } cases[] = {
        {{.mean = 278.9, .std = 20.1}, 230},                                  /* a polar night */
        {{.mean = 278, .std = 3, .min = 265, .max = 290}, 305},               /* a winter's model in summer */
        {{.mean = 286, .std = 1, .min = 283, .max = 289}, 299},               /* and at sea */
        {{.mean = 0.0001, .std = 0.0006, .min = 0, .max = 0.04}, 0.03},       /* a cloudburst everywhere */
        {{.mean = 0.0001, .std = 0.0006}, 0.03},                              /* of which the model knows less */
        {{.mean = 0.3, .std = 4}, 30},                                        /* a storm */
        {{.min = 200, .max = 325}, 190},
        {{.mean = 0.6, .std = 0.36, .min = 0, .max = 1}, 1},
        {{.mean = 278.9, .std = 20.1}, NAN},
        {{.std = 0}, 14.2}, /* a domain of a file, that nothing was trained on */
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = said(&cases[i].v, cases[i].mean);
        g_assert_cmpstr(text, ==, NULL);
    }
}

static void
test_words(void)
{
    const M2nVariable t2m = {.name = "t2m", .units = "K", .mean = 278.9, .std = 20.1};
    const M2nVariable z = {.name = "z500", .units = "m**2 s**-2", .mean = 54100, .std = 3350};
    const float field[2] = {14, 14.4f};
    g_autofree char *first = m2n_unlikely_input(&t2m, one, field, 2);
    g_autofree char *second = m2n_unlikely_input(&z, three, field, 2);

    g_assert_cmpstr(first, ==,
                    "t2m of a.grib2: mean 14.2 K is 13 standard deviations from what the model was trained on "
                    "(278.9 K +- 20.1): wrong units?");
    g_assert_cmpstr(second, ==,
                    "z500 of a.nc and 2 more: mean 14.2 m^2/s^2 is 16 standard deviations from what the model was "
                    "trained on (5.41e+04 m^2/s^2 +- 3350): wrong units?");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/plugin/unlikely_input/doubted", test_doubted);
    g_test_add_func("/plugin/unlikely_input/trusted", test_trusted);
    g_test_add_func("/plugin/unlikely_input/words", test_words);
    return g_test_run();
}
