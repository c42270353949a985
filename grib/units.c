/* Every unit as a multiple of one base unit of its kind. */
#include "grib/units.h"

#include "engine/base/error.h"

typedef struct {
    const char *unit, *base;
    double scale, offset; /* base = scale * unit + offset */
} Unit;

/* clang-format off */
static const Unit units[] = {
    {"K", "K", 1, 0},              {"degC", "K", 1, 273.15},      {"C", "K", 1, 273.15},
    {"deg C", "K", 1, 273.15},     {"Celsius", "K", 1, 273.15},   {"degree_Celsius", "K", 1, 273.15},
    {"degF", "K", 5.0 / 9, 459.67 * 5 / 9},
    {"Pa", "Pa", 1, 0},            {"hPa", "Pa", 100, 0},         {"mb", "Pa", 100, 0},
    {"mbar", "Pa", 100, 0},        {"kPa", "Pa", 1000, 0},
    {"m/s", "m/s", 1, 0},          {"km/h", "m/s", 1 / 3.6, 0},   {"knot", "m/s", 1852.0 / 3600, 0},
    {"knots", "m/s", 1852.0 / 3600, 0}, {"kt", "m/s", 1852.0 / 3600, 0}, {"cm/s", "m/s", 0.01, 0},
    {"Pa/s", "Pa/s", 1, 0},        {"hPa/s", "Pa/s", 100, 0},
    {"%", "1", 0.01, 0},             {"(0-1)", "1", 1, 0},          {"1", "1", 1, 0},
    {"Proportion", "1", 1, 0},     {"proportion", "1", 1, 0},     {"fraction", "1", 1, 0},
    {"Fraction", "1", 1, 0},       {"Numeric", "1", 1, 0},        {"dimensionless", "1", 1, 0},
    {"kg/kg", "kg/kg", 1, 0},      {"g/kg", "kg/kg", 1e-3, 0},
    {"m", "m", 1, 0},              {"cm", "m", 0.01, 0},          {"mm", "m", 1e-3, 0},
    {"mofwaterequivalent", "m", 1, 0},
    {"kg/m2", "m", 1e-3, 0},       /* of water: the only such fields we read */
    {"kg/(m2)", "m", 1e-3, 0},     {"km", "m", 1000, 0},
    {"gpm", "m2/s2", 9.80665, 0},  {"gpdam", "m2/s2", 98.0665, 0}, {"m2/s2", "m2/s2", 1, 0},
    {"J/m2", "J/m2", 1, 0},        {"W/m2", "W/m2", 1, 0},
};
/* clang-format on */

/* "m s**-1" and "m s-1" to "m/s", "m**2 s**-2" and "m^2/s^2" to "m2/s2", blanks away. */
static char *
canonical(const char *unit)
{
    static const char *const spellings[][2] = {
        {"m**2s**-2", "m2/s2"},
        {"m2s-2", "m2/s2"},
        {"m^2/s^2", "m2/s2"},
        {"ms**-1", "m/s"},
        {"ms-1", "m/s"},
        {"m/sec", "m/s"},
        {"Pas**-1", "Pa/s"},
        {"Pas-1", "Pa/s"},
        {"kgkg**-1", "kg/kg"},
        {"kgkg-1", "kg/kg"},
        {"gkg**-1", "g/kg"},
        {"kgm**-2", "kg/m2"},
        {"kgm-2", "kg/m2"},
        {"kg/(m^2)", "kg/m2"},
        {"kg/m^2", "kg/m2"},
        {"Jm**-2", "J/m2"},
        {"Wm**-2", "W/m2"},
        {"W/(m^2)", "W/m2"},
        {"J/(m^2)", "J/m2"},
        {"Code(0-1)", "(0-1)"},
        {"hPas**-1", "hPa/s"},
        {"kmh**-1", "km/h"},
        {"~", "1"},
        {"", "1"},
        {"s**-1", "1/s"},
        {"s-1", "1/s"},
        {"Km**2kg**-1s**-1", "K*m^2/(kg*s)"},
    };
    GString *s = g_string_new(NULL);

    for (const char *p = unit; *p != 0; p++)
        if (!g_ascii_isspace(*p))
            g_string_append_c(s, *p);
    for (gsize i = 0; i < G_N_ELEMENTS(spellings); i++)
        if (g_str_equal(s->str, spellings[i][0]))
            g_string_assign(s, spellings[i][1]);
    return g_string_free(s, FALSE);
}

static const Unit *
find(const char *unit)
{
    for (gsize i = 0; i < G_N_ELEMENTS(units); i++)
        if (g_str_equal(units[i].unit, unit))
            return &units[i];
    return NULL;
}

gboolean
m2n_units_conversion(const char *stated, const char *wanted, double *scale, double *offset,
                     GError **error)
{
    g_autofree char *a = canonical(stated), *b = canonical(wanted);

    *scale = 1;
    *offset = 0;
    if (g_str_equal(a, b))
        return TRUE;
    const Unit *from = find(a), *to = find(b);
    if (from == NULL || to == NULL || !g_str_equal(from->base, to->base)) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_UNITS, "unit %s is not %s and does not become it",
                    stated, wanted);
        return FALSE;
    }
    *scale = from->scale / to->scale;
    *offset = (from->offset - to->offset) / to->scale;
    return TRUE;
}
