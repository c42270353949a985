/* Names of CDS, WeatherBench and CF files. */
#include "plugin/gridded_names.h"

#include <string.h>

#include "grib/variable.h"

/* Long names of WeatherBench's folders and WeatherBench 2's arrays, and CF standard names, to the short names of
 * grib/variable.h; where they depend on the level, of pressure levels. */
static const char *const long_names[][2] = {
    {"10m_u_component_of_wind", "u10"},
    {"10m_v_component_of_wind", "v10"},
    {"2m_temperature", "t2m"},
    {"2m_dewpoint_temperature", "d2m"},
    {"mean_sea_level_pressure", "msl"},
    {"surface_pressure", "sp"},
    {"total_cloud_cover", "tcc"},
    {"total_precipitation", "tp"},
    {"sea_surface_temperature", "sst"},
    {"geopotential", "z"},
    {"temperature", "t"},
    {"u_component_of_wind", "u"},
    {"v_component_of_wind", "v"},
    {"specific_humidity", "q"},
    {"relative_humidity", "r"},
    {"vertical_velocity", "w"},
    {"vorticity", "vo"},
    {"potential_vorticity", "pv"},
    {"geopotential_height", "gh"},
};
static const char *const standard_names[][2] = {
    {"air_pressure_at_mean_sea_level", "msl"},
    {"surface_air_pressure", "sp"},
    {"cloud_area_fraction", "tcc"},
    {"air_temperature", "t"},
    {"dew_point_temperature", "dpt"},
    {"eastward_wind", "u"},
    {"northward_wind", "v"},
    {"sea_surface_temperature", "sst"},
    {"geopotential", "z"},
    {"geopotential_height", "gh"},
    {"specific_humidity", "q"},
    {"relative_humidity", "r"},
    {"lagrangian_tendency_of_air_pressure", "w"},
};

/* The name without digits at its end ("geopotential_500"), which go to *level. (transfer full) */
static char *
split_level(const char *name, double *level)
{
    gsize n = strlen(name);

    while (n > 0 && g_ascii_isdigit(name[n - 1]))
        n--;
    *level = n > 0 && name[n] != 0 ? g_ascii_strtod(name + n, NULL) : 0;
    if (*level > 0 && name[n - 1] == '_')
        n--;
    return *level > 0 ? g_strndup(name, n) : g_strdup(name);
}

static const char *
short_name(const char *const (*table)[2], gsize n, const char *name)
{
    for (gsize i = 0; i < n; i++)
        if (g_str_equal(table[i][0], name))
            return table[i][1];
    return NULL;
}

/* "t2m", or "t" at a level. */
static gboolean
from_short_name(const char *name, double pressure, double height, M2nVariable *v)
{
    if (height > 0 && m2n_variable_at_height(name, height, v))
        return TRUE;
    if (pressure > 0) {
        char number[G_ASCII_DTOSTR_BUF_SIZE];
        g_autofree char *at =
            g_strconcat(name, "_", g_ascii_formatd(number, sizeof number, "%g", pressure), NULL);
        return m2n_variable_from_name(at, v, NULL);
    }
    return m2n_variable_from_name(name, v, NULL);
}

static gboolean
from_name(const M2nArrayLabels *l, M2nVariable *v)
{
    double level;
    g_autofree char *stem = split_level(l->name, &level);
    g_autofree char *lower = g_ascii_strdown(stem, -1), *whole = g_ascii_strdown(l->name, -1);
    const double pressure = l->pressure > 0 ? l->pressure : level;
    const char *known = short_name(long_names, G_N_ELEMENTS(long_names), whole);

    if (from_short_name(known != NULL ? known : whole, l->pressure, l->height, v))
        return TRUE;
    known = short_name(long_names, G_N_ELEMENTS(long_names), lower);
    if (pressure > 0 && from_short_name(known != NULL ? known : lower, pressure, l->height, v))
        return TRUE;
    known = l->standard_name != NULL
                ? short_name(standard_names, G_N_ELEMENTS(standard_names), l->standard_name)
                : NULL;
    return known != NULL && from_short_name(known, pressure, l->height, v);
}

void
m2n_array_identify(const M2nArrayLabels *l, M2nVariable *v)
{
    memset(v, 0, sizeof *v);
    if (l->param_id <= 0 && from_name(l, v))
        return;
    g_strlcpy(v->name, l->name, sizeof v->name);
    v->param_id = MAX(l->param_id, 0);
    if (l->pressure > 0) {
        g_strlcpy(v->type_of_level, "isobaricInhPa", sizeof v->type_of_level);
        v->level = l->pressure;
    } else if (l->height > 0) {
        g_strlcpy(v->type_of_level, "heightAboveGround", sizeof v->type_of_level);
        v->level = l->height;
    } else {
        g_strlcpy(v->type_of_level, l->type_of_level != NULL ? l->type_of_level : "surface",
                  sizeof v->type_of_level);
        v->level = l->level;
    }
}
