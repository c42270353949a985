/* Names and bounds of the variables that weather models forecast, by their name in grib/variable.h.
 * Sources: ECMWF parameter database, CF standard name table. */
#include "plugin/variable_text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "grib/variable.h"

typedef struct {
    const char *name, *long_name, *standard_name;
    double lower, upper; /* of a proportion, whatever its units */
} Text;

#define ANY -INFINITY, INFINITY
#define NOT_NEGATIVE 0, INFINITY

/* clang-format off */
static const Text texts[] = {
    {"t2m", "2 metre temperature", "air_temperature", ANY},
    {"d2m", "2 metre dewpoint temperature", "dew_point_temperature", ANY},
    {"r2", "2 metre relative humidity", "relative_humidity", NOT_NEGATIVE},
    {"q2m", "2 metre specific humidity", "specific_humidity", NOT_NEGATIVE},
    {"mx2t", "Maximum temperature at 2 metres", "air_temperature", ANY},
    {"mn2t", "Minimum temperature at 2 metres", "air_temperature", ANY},
    {"u10", "10 metre U wind component", "eastward_wind", ANY},
    {"v10", "10 metre V wind component", "northward_wind", ANY},
    {"u100", "100 metre U wind component", "eastward_wind", ANY},
    {"v100", "100 metre V wind component", "northward_wind", ANY},
    {"si10", "10 metre wind speed", "wind_speed", NOT_NEGATIVE},
    {"gust", "10 metre wind gust", "wind_speed_of_gust", NOT_NEGATIVE},
    {"msl", "Mean sea level pressure", "air_pressure_at_mean_sea_level", NOT_NEGATIVE},
    {"sp", "Surface pressure", "surface_air_pressure", NOT_NEGATIVE},
    {"skt", "Skin temperature", "surface_temperature", ANY},
    {"sst", "Sea surface temperature", "sea_surface_temperature", ANY},
    {"tcc", "Total cloud cover", "cloud_area_fraction", 0, 1},
    {"lcc", "Low cloud cover", "low_type_cloud_area_fraction", 0, 1},
    {"tp", "Total precipitation", NULL, NOT_NEGATIVE}, /* CF's name depends on the unit */
    {"tcwv", "Total column water vapour", "atmosphere_mass_content_of_water_vapor", NOT_NEGATIVE},
    {"sd", "Snow depth water equivalent", "lwe_thickness_of_surface_snow_amount", NOT_NEGATIVE},
    {"ssrd", "Surface short-wave radiation downwards", "integral_wrt_time_of_surface_downwelling_shortwave_flux_in_air", NOT_NEGATIVE},
    {"lsm", "Land-sea mask", "land_binary_mask", 0, 1},
    {"orog", "Orography", "surface_altitude", ANY},
    {"t", "Temperature", "air_temperature", ANY},
    {"r", "Relative humidity", "relative_humidity", NOT_NEGATIVE},
    {"q", "Specific humidity", "specific_humidity", NOT_NEGATIVE},
    {"z", "Geopotential", "geopotential", ANY},
    {"gh", "Geopotential height", "geopotential_height", ANY},
    {"u", "U component of wind", "eastward_wind", ANY},
    {"v", "V component of wind", "northward_wind", ANY},
    {"w", "Vertical velocity", "lagrangian_tendency_of_air_pressure", ANY},
    {"d", "Divergence", "divergence_of_wind", ANY},
    {"vo", "Vorticity (relative)", "atmosphere_relative_vorticity", ANY},
    {"pv", "Potential vorticity", "ertel_potential_vorticity", ANY},
};
/* clang-format on */

/* (transfer none) or NULL */
static const Text *
find_text(const M2nVariable *v)
{
    const M2nVariableInfo *known = m2n_variable_info(v);

    for (gsize i = 0; known != NULL && i < G_N_ELEMENTS(texts); i++)
        if (strcmp(texts[i].name, known->name) == 0)
            return &texts[i];
    return NULL;
}

const char *
m2n_variable_long_name(const M2nVariable *v)
{
    const Text *text = find_text(v);
    return text != NULL ? text->long_name : v->name;
}

const char *
m2n_variable_standard_name(const M2nVariable *v)
{
    const Text *text = find_text(v);
    return text != NULL ? text->standard_name : NULL;
}

void
m2n_variable_bounds(const M2nVariable *v, double *lower, double *upper)
{
    const Text *text = find_text(v);
    const double one = strcmp(v->units, "%") == 0 ? 100 : 1;

    *lower = text != NULL ? text->lower : -INFINITY;
    *upper = text != NULL ? text->upper * one : INFINITY;
}

void
m2n_domain_keep_bounds(const M2nDomain *d, float *fields, guint steps)
{
    const gsize points = d->grid->n_points;

    for (guint v = 0; v < d->n_variables; v++) {
        double lower, upper;
        m2n_variable_bounds(&d->variables[v], &lower, &upper);
        if (isinf(lower) && isinf(upper))
            continue;
        for (guint t = 0; t < steps; t++) {
            float *x = fields + ((gsize)t * d->n_variables + v) * points;
            for (gsize i = 0; i < points; i++) /* both comparisons are false for NaN */
                x[i] = x[i] < (float)lower   ? (float)lower
                       : x[i] > (float)upper ? (float)upper
                                             : x[i];
        }
    }
}

char *
m2n_units_text(const char *eccodes_units)
{
    g_auto(GStrv) factors = g_strsplit(eccodes_units, " ", -1);
    g_autoptr(GString) out = g_string_new(NULL);

    if (*eccodes_units == '\0' || *eccodes_units == '(' || *eccodes_units == '~' ||
        g_str_equal(eccodes_units, "Proportion") || g_str_equal(eccodes_units, "Numeric"))
        return g_strdup("1");
    for (guint i = 0; factors[i] != NULL; i++) {
        char *power = strstr(factors[i], "**");
        const int n = power != NULL ? atoi(power + 2) : 1;
        if (power != NULL)
            *power = '\0';
        if (n < 0)
            g_string_append(out, out->len == 0 ? "1/" : "/");
        else if (out->len > 0)
            g_string_append_c(out, ' ');
        g_string_append(out, factors[i]);
        if (abs(n) > 1)
            g_string_append_printf(out, "^%d", abs(n));
    }
    return g_string_free(g_steal_pointer(&out), FALSE);
}

char *
m2n_level_text(const char *type_of_level, double level)
{
    static const struct {
        const char *type, *unit;
    } units[] = {{"heightAboveGround", "m"},   {"heightAboveSea", "m"}, {"isobaricInhPa", "hPa"},
                 {"isobaricInPa", "Pa"},       {"hybrid", "level"},     {"theta", "K"},
                 {"depthBelowLandLayer", "m"}, {"depthBelowSea", "m"},  {"depthBelowLand", "m"}};

    char number
        [G_ASCII_DTOSTR_BUF_SIZE]; /* not printf: the host's locale may have a decimal comma */

    for (gsize i = 0; i < G_N_ELEMENTS(units); i++)
        if (strcmp(units[i].type, type_of_level) == 0)
            return g_strdup_printf("%s %s", g_ascii_formatd(number, sizeof number, "%g", level),
                                   units[i].unit);
    return g_strdup(type_of_level);
}
