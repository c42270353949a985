/* Vertical axes by CF conventions and by the names that the large archives use. */
#include "plugin/gridded_levels.h"

#include <string.h>

#include "plugin/gridded_axis.h"

const char *const m2n_level_names[] = {"level", "pressure_level", "isobaricInhPa", "plev",
                                       "lev",   "pressure",       "height",        NULL};

static gboolean
attribute_is_one_of(GDALMDArrayH array, const char *attribute, const char *const *values)
{
    g_autofree char *text = m2n_array_attribute(array, attribute);

    return text != NULL && g_strv_contains(values, text);
}

gboolean
m2n_is_level(const char *name, GDALMDArrayH coordinate)
{
    static const char *const axes[] = {"Z", NULL}, *const quantities[] = {"height", "air_pressure", NULL};
    gsize n = strlen(name);

    while (n > 0 && g_ascii_isdigit(name[n - 1]))
        n--;
    if (n > 0 && name[n] != 0 && name[n - 1] == '_')
        n--;
    g_autofree char *stem = g_strndup(name, n);
    return g_strv_contains(m2n_level_names, stem) ||
           (coordinate != NULL && (attribute_is_one_of(coordinate, "axis", axes) ||
                                   attribute_is_one_of(coordinate, "standard_name", quantities)));
}

M2nVertical
m2n_vertical_of(GDALMDArrayH coordinate, double *unit)
{
    /* WeatherBench's levels come with "millibars", some files with nothing at all */
    static const char *const hectopascals[] = {"",   "hPa",   "hectopascal", "hectopascals", "mb",
                                               "mbar", "mbars", "millibar",    "millibars",    NULL};
    static const char *const metres[] = {"m", "metre", "metres", "meter", "meters", NULL};
    const char *units = GDALMDArrayGetUnit(coordinate);
    g_autofree char *positive = m2n_array_attribute(coordinate, "positive");

    if (units == NULL)
        units = "";
    *unit = g_str_equal(units, "Pa") ? 0.01 : 1;
    if (g_strv_contains(metres, units))
        return g_strcmp0(positive, "down") == 0 ? M2N_OTHER_LEVELS : M2N_HEIGHTS; /* a depth */
    return g_str_equal(units, "Pa") || g_strv_contains(hectopascals, units) ? M2N_PRESSURES : M2N_OTHER_LEVELS;
}
