/* Units, names and bounds of variables. */
#include <math.h>
#include <string.h>

#include "grib/variable.h"
#include "plugin/field_metadata.h"
#include "plugin/variable_text.h"

static void
test_units(void)
{
    static const char *const pairs[][2] = {{"K", "K"},
                                           {"m s**-1", "m/s"},
                                           {"m**2 s**-2", "m^2/s^2"},
                                           {"kg kg**-1", "kg/kg"},
                                           {"s**-1", "1/s"},
                                           {"(0 - 1)", "1"},
                                           {"%", "%"},
                                           {"Proportion", "1"},
                                           {"~", "1"},
                                           {"kg m**-2 s**-1", "kg/m^2/s"},
                                           {"", "1"},
                                           {"K m**2 kg**-1 s**-1", "K m^2/kg/s"}};

    for (gsize i = 0; i < G_N_ELEMENTS(pairs); i++) {
        g_autofree char *text = m2n_units_text(pairs[i][0]);
        g_assert_cmpstr(text, ==, pairs[i][1]);
    }
}

static void
test_levels(void)
{
    g_autofree char *height = m2n_level_text("heightAboveGround", 2);
    g_autofree char *pressure = m2n_level_text("isobaricInhPa", 850);
    g_autofree char *ground = m2n_level_text("surface", 0);

    g_assert_cmpstr(height, ==, "2 m");
    g_assert_cmpstr(pressure, ==, "850 hPa");
    g_assert_cmpstr(ground, ==, "surface");
}

/* Cut at the bounds of the unit, NaN kept, other variables untouched. */
static void
test_bounds(void)
{
    const double geo[6] = {0, 1, 0, 1, 0, -1};
    g_autoptr(M2nGrid) grid = m2n_grid_new_affine("EPSG:4326", 4, 1, geo);
    M2nVariable v[3];
    float x[2][3][4] = {{{-1, 0.5f, 2, NAN}, {-5, 50, 150, NAN}, {-1e9f, 0, 1e9f, NAN}},
                        {{0, 1, 1.0001f, -0.f}, {0, 100, 101, -1}, {1, 2, 3, 4}}};
    const float want[2][3][4] = {{{0, 0.5f, 1, NAN}, {0, 50, 100, NAN}, {-1e9f, 0, 1e9f, NAN}},
                                 {{0, 1, 1, 0}, {0, 100, 100, 0}, {1, 2, 3, 4}}};

    g_assert_true(m2n_variable_from_name("tcc", &v[0], NULL));
    g_assert_true(m2n_variable_from_name("tcc", &v[1], NULL));
    g_strlcpy(v[1].units, "%", sizeof v[1].units);
    g_assert_true(m2n_variable_from_name("t2m", &v[2], NULL));
    const M2nDomain d = {.n_variables = 3, .variables = v, .grid = grid};
    m2n_domain_keep_bounds(&d, &x[0][0][0], 2);
    for (guint i = 0; i < 24; i++) {
        const float got = (&x[0][0][0])[i], expected = (&want[0][0][0])[i];
        g_assert_true(isnan(expected) ? isnan(got) : got == expected);
    }
}

static const char *
item(char **items, const char *key)
{
    for (guint i = 0; items[i] != NULL; i++)
        if (g_str_has_prefix(items[i], key) && items[i][strlen(key)] == '=')
            return items[i] + strlen(key) + 1;
    return NULL;
}

/* Octets against code tables 4.2 and 4.5, written out by hand. */
static void
test_grib_template(void)
{
    static const struct {
        const char *name;
        gint64 lead;
        const char *numbers;
    } cases[] = {
        {"t2m", 3600, "0 0 2 0 255 0 0 0 1 0 0 0 1 103 0 0 0 0 2 255 255 255 255 255 255"},
        {"t850", 432000, "0 0 2 0 255 0 0 0 1 0 0 0 120 100 0 0 1 76 8 255 255 255 255 255 255"},
        {"u10", 5400, "2 2 2 0 255 0 0 0 0 0 0 0 90 103 0 0 0 0 10 255 255 255 255 255 255"},
        {"msl", 3600000,
         "3 1 2 0 255 0 0 0 1 0 0 3 232 101 255 255 255 255 255 255 255 255 255 255 255"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        M2nVariable v;
        const M2nFieldTime time = {.init_time = 1706400000, .lead = cases[i].lead, .centre = 98};
        g_assert_true(m2n_variable_from_name(cases[i].name, &v, NULL));
        g_auto(GStrv) items = m2n_field_metadata(&v, &time);
        g_assert_cmpstr(item(items, "GRIB_PDS_TEMPLATE_NUMBERS"), ==, cases[i].numbers);
        g_assert_cmpstr(item(items, "GRIB_REF_TIME"), ==, "1706400000");
    }
}

/* A field in another unit than its code means must not be written under that code. */
static void
test_no_code_for_another_unit(void)
{
    M2nVariable v;
    const M2nFieldTime time = {.lead = 3600};

    g_assert_true(m2n_variable_from_name("tcc", &v, NULL));
    g_auto(GStrv) fraction = m2n_field_metadata(&v, &time);
    g_assert_null(item(fraction, "GRIB_PDS_TEMPLATE_NUMBERS"));
    g_assert_cmpstr(item(fraction, "GRIB_UNIT"), ==, "[1]");
    g_strlcpy(v.units, "%", sizeof v.units);
    g_auto(GStrv) percent = m2n_field_metadata(&v, &time);
    g_assert_nonnull(item(percent, "GRIB_PDS_TEMPLATE_NUMBERS"));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/plugin/variable-text/units", test_units);
    g_test_add_func("/plugin/variable-text/levels", test_levels);
    g_test_add_func("/plugin/variable-text/bounds", test_bounds);
    g_test_add_func("/plugin/field-metadata/grib-template", test_grib_template);
    g_test_add_func("/plugin/field-metadata/no-code-for-another-unit",
                    test_no_code_for_another_unit);
    return g_test_run();
}
