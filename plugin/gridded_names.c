/* Names of CDS, WeatherBench and CF files; units as people spell them. */
#include "plugin/gridded_names.h"

#include <string.h>

#include "engine/base/error.h"

/* Sources: the ECMWF parameter database (paramId, cfVarName), WeatherBench's and WeatherBench 2's
 * files, the CF standard name table. */
static const struct {
    long param;
    const char *names[4];
    const char *standard_name; /* only where it does not depend on the level */
} table[] = {
    {165, {"u10", "10u", "10m_u_component_of_wind", "U10"}, NULL},
    {166, {"v10", "10v", "10m_v_component_of_wind", "V10"}, NULL},
    {167, {"t2m", "2t", "2m_temperature", "T2M"}, NULL},
    {168, {"d2m", "2d", "2m_dewpoint_temperature", "D2M"}, "dew_point_temperature"},
    {151, {"msl", "MSL", "mean_sea_level_pressure", "prmsl"}, "air_pressure_at_mean_sea_level"},
    {134, {"sp", "SP", "surface_pressure", NULL}, "surface_air_pressure"},
    {164, {"tcc", "TCC", "total_cloud_cover", "clt"}, "cloud_area_fraction"},
    {228, {"tp", "TP", "total_precipitation", NULL}, NULL},
    {34, {"sst", "SST", "sea_surface_temperature", NULL}, "sea_surface_temperature"},
    {129, {"z", "Z", "geopotential", NULL}, "geopotential"},
    {130, {"t", "T", "temperature", "ta"}, NULL},
    {131, {"u", "U", "u_component_of_wind", "ua"}, "eastward_wind"},
    {132, {"v", "V", "v_component_of_wind", "va"}, "northward_wind"},
    {133, {"q", "Q", "specific_humidity", "hus"}, "specific_humidity"},
    {135, {"w", "W", "vertical_velocity", "wap"}, "lagrangian_tendency_of_air_pressure"},
    {157, {"r", "R", "relative_humidity", "hur"}, "relative_humidity"},
    {138, {"vo", "VO", "vorticity", NULL}, NULL},
    {60, {"pv", "PV", "potential_vorticity", NULL}, NULL},
    {212, {"tisr", "TISR", "toa_incident_solar_radiation", NULL}, NULL},
    {156, {"gh", "GH", "geopotential_height", "zg"}, "geopotential_height"},
};

static long
param_of(const char *name)
{
    for (gsize i = 0; i < G_N_ELEMENTS(table); i++)
        for (gsize j = 0; j < 4 && table[i].names[j] != NULL; j++)
            if (g_str_equal(table[i].names[j], name))
                return table[i].param;
    return 0;
}

long
m2n_gridded_param(const char *name, const char *standard_name, double *level)
{
    const gsize n = strlen(name);
    gsize digits = 0;

    *level = 0;
    const long whole = param_of(name);
    if (whole != 0)
        return whole;
    while (digits < n && g_ascii_isdigit(name[n - 1 - digits]))
        digits++;
    if (digits >= 1 && digits <= 4 && digits < n) { /* "t850", "geopotential_500" */
        const gsize end = name[n - digits - 1] == '_' ? n - digits - 1 : n - digits;
        g_autofree char *stem = g_strndup(name, end);
        const long param = param_of(stem);
        if (param != 0) {
            *level = (double)g_ascii_strtoll(name + n - digits, NULL, 10);
            return param;
        }
    }
    for (gsize i = 0; standard_name != NULL && i < G_N_ELEMENTS(table); i++)
        if (table[i].standard_name != NULL && g_str_equal(table[i].standard_name, standard_name))
            return table[i].param;
    return 0;
}

gboolean
m2n_same_param(long a, long b)
{
    static const long pairs[][2] = {{164, 228164}, {151, 260074}, {228, 228228}};

    for (gsize i = 0; i < G_N_ELEMENTS(pairs); i++)
        if ((a == pairs[i][0] && b == pairs[i][1]) || (a == pairs[i][1] && b == pairs[i][0]))
            return TRUE;
    return a == b;
}

/* (transfer full) one spelling: "m/s", "m s**-1", "m s^-1" -> "m s-1" */
static char *
canonical(const char *units)
{
    static const char *const same[][2] = {
        {"m/s", "m s-1"},   {"m2/s2", "m2 s-2"}, {"kg/kg", "kg kg-1"},
        {"g/kg", "g kg-1"}, {"(0-1)", "1"},      {"(0 - 1)", "1"},
        {"~", "1"},         {"fraction", "1"},   {"0-1", "1"},
        {"percent", "%"},   {"Kelvin", "K"},     {"kelvin", "K"},
        {"degK", "K"},      {"degC", "Celsius"}, {"celsius", "Celsius"},
        {"C", "Celsius"},   {"pascal", "Pa"},    {"mb", "hPa"},
        {"mbar", "hPa"},    {"millibar", "hPa"}, {"millibars", "hPa"},
        {"metre", "m"},     {"meters", "m"},     {"gpm", "m"},
    };
    GString *s = g_string_new(units);

    g_string_replace(s, "**", "", 0);
    g_string_replace(s, "^", "", 0);
    g_autofree char *plain = g_string_free(s, FALSE);
    g_strstrip(plain);
    for (gsize i = 0; i < G_N_ELEMENTS(same); i++)
        if (g_str_equal(plain, same[i][0]))
            return g_strdup(same[i][1]);
    return g_steal_pointer(&plain);
}

gboolean
m2n_unit_conversion(const char *from, const char *to, double *factor, double *offset,
                    GError **error)
{
    static const struct {
        const char *from, *to;
        double factor, offset;
    } known[] = {{"Celsius", "K", 1, 273.15}, {"hPa", "Pa", 100, 0},          {"%", "1", 0.01, 0},
                 {"1", "%", 100, 0},          {"g kg-1", "kg kg-1", 1e-3, 0}, {"mm", "m", 1e-3, 0},
                 {"Pa", "hPa", 0.01, 0}};
    g_autofree char *a = canonical(from), *b = canonical(to);

    *factor = 1;
    *offset = 0;
    if (*a == 0 || *b == 0 || g_str_equal(a, b))
        return TRUE;
    for (gsize i = 0; i < G_N_ELEMENTS(known); i++)
        if (g_str_equal(a, known[i].from) && g_str_equal(b, known[i].to)) {
            *factor = known[i].factor;
            *offset = known[i].offset;
            return TRUE;
        }
    g_set_error(error, M2N_ERROR, M2N_ERROR_UNITS, "units \"%s\", needed \"%s\"", from, to);
    return FALSE;
}
