/* The variable table.  Source: WMO code table 4.2, eccodes' parameter database, GDAL's degrib tables. */
#include "grib/variable.h"

#include <math.h>
#include <string.h>

#include "engine/base/error.h"

#define HTGL "heightAboveGround"
#define ISBL "isobaricInhPa"

/* clang-format off */
static const M2nVariableInfo table[] = {
    /* name     aliases                 paramIds                 level         units            implied accum  GRIB2     surfaces  GDAL */
    {"t2m",   "2t tas",                 {167, 500011},           HTGL, 2,      "K",             TRUE, M2N_INSTANT,  0, 0, 0,  103, 255, "TMP",   "Temperature", "K"},
    {"d2m",   "2d",                     {168, 500017},           HTGL, 2,      "K",             TRUE, M2N_INSTANT,  0, 0, 6,  103, 255, "DPT",   "Dew point temperature", "K"},
    {"r2",    "2r rh2m",                {260242},                HTGL, 2,      "%",             TRUE, M2N_INSTANT,  0, 1, 1,  103, 255, "RH",    "Relative humidity", "%"},
    {"q2m",   "2sh sh2",                {174096},                HTGL, 2,      "kg kg**-1",     TRUE, M2N_INSTANT,  0, 1, 0,  103, 255, "SPFH",  "Specific humidity", "kg/kg"},
    {"mx2t",  "tmax",                   {201, 121, 237167},      HTGL, 2,      "K",             TRUE, M2N_MAXIMUM,   0, 0, 0,  103, 255, "TMAX",  "Maximum temperature", "K"},
    {"mn2t",  "tmin",                   {202, 122, 238167},      HTGL, 2,      "K",             TRUE, M2N_MINIMUM,   0, 0, 0,  103, 255, "TMIN",  "Minimum temperature", "K"},
    {"u10",   "10u u10m",               {165, 500027},           HTGL, 10,     "m s**-1",       TRUE, M2N_INSTANT,  0, 2, 2,  103, 255, "UGRD",  "u-component of wind", "m/s"},
    {"v10",   "10v v10m",               {166, 500029},           HTGL, 10,     "m s**-1",       TRUE, M2N_INSTANT,  0, 2, 3,  103, 255, "VGRD",  "v-component of wind", "m/s"},
    {"u100",  "100u",                   {228246},                HTGL, 100,    "m s**-1",       TRUE, M2N_INSTANT,  0, 2, 2,  103, 255, "UGRD",  "u-component of wind", "m/s"},
    {"v100",  "100v",                   {228247},                HTGL, 100,    "m s**-1",       TRUE, M2N_INSTANT,  0, 2, 3,  103, 255, "VGRD",  "v-component of wind", "m/s"},
    {"si10",  "10si ws10",              {207},                   HTGL, 10,     "m s**-1",       TRUE, M2N_INSTANT,  0, 2, 1,  103, 255, "WIND",  "Wind speed", "m/s"},
    {"msl",   "prmsl mslp slp pmsl",    {151, 260074, 500002, 260323}, "meanSea", 0,  "Pa",     TRUE, M2N_INSTANT,  0, 3, 1,  101, 255, "PRMSL", "Pressure reduced to MSL", "Pa"},
    {"sp",    "ps",                     {134, 500000},           "surface", 0, "Pa",            TRUE, M2N_INSTANT,  0, 3, 0,  1,   255, "PRES",  "Pressure", "Pa"},
    {"skt",   "",                       {235, 500014},           "surface", 0, "K",             TRUE, M2N_INSTANT,  0, 0, 17, 1,   255, "SKINT", "Skin temperature", "K"},
    {"sst",   "",                       {34, 151159},            "surface", 0, "K",             TRUE, M2N_INSTANT,  10, 3, 0, 1,   255, "WTMP",  "Water temperature", "K"},
    {"tcc",   "clct tcdc",              {164, 228164, 500046},   "surface", 0, "(0 - 1)",       TRUE, M2N_INSTANT,  0, 6, 1,  1,   8,   "TCDC",  "Total cloud cover", "%"},
    {"lcc",   "",                       {186, 3073, 500048},     "surface", 0, "(0 - 1)",       TRUE, M2N_INSTANT,  0, 6, 3,  1,   255, "LCDC",  "Low cloud cover", "%"},
    {"tp",    "tot_prec apcp",          {228, 228228, 500041},   "surface", 0, "m",             TRUE, M2N_ACCUMULATED,   0, 1, 52, 1,   255, "APCP",  "Total precipitation", "kg/(m^2)"},
    {"tcwv",  "pwat",                   {137, 3054},             "surface", 0, "kg m**-2",      TRUE, M2N_INSTANT,  0, 1, 64, 1,   8,   "TCWAT", "Total column integrated water vapour", "kg/(m^2)"},
    {"lsm",   "",                       {172},                   "surface", 0, "(0 - 1)",       TRUE, M2N_INSTANT,  2, 0, 0,  1,   255, "LAND",  "Land cover (0=sea, 1=land)", "Proportion"},
    {"orog",  "",                       {228002},                "surface", 0, "m",             TRUE, M2N_INSTANT,  0, 3, 5,  1,   255, "HGT",   "Geopotential height", "m"},
    {"ssrd",  "",                       {169},                   "surface", 0, "J m**-2",       TRUE, M2N_ACCUMULATED,   0, 4, 7,  1,   255, "DSWRF", "Downward short-wave radiation flux", "J/(m^2)"},
    {"sd",    "",                       {141, 228141},           "surface", 0, "m",             TRUE, M2N_INSTANT,  0, 1, 60, 1,   255, "SDWE",  "Snow depth water equivalent", "kg/(m^2)"},
    {"gust",  "fg10 10fg",              {49, 228029, 260065, 500164, 237318},  HTGL, 10,     "m s**-1",       TRUE, M2N_MAXIMUM,   0, 2, 22, 103, 255, "GUST",  "Wind speed (gust)", "m/s"},
    {"t",     "ta",                     {130, 500014},           ISBL, 0,      "K",             FALSE, M2N_INSTANT,  0, 0, 0,  100, 255, "TMP",   "Temperature", "K"},
    {"r",     "rh hur",                 {157, 500037},           ISBL, 0,      "%",             FALSE, M2N_INSTANT,  0, 1, 1,  100, 255, "RH",    "Relative humidity", "%"},
    {"q",     "hus",                    {133, 500035},           ISBL, 0,      "kg kg**-1",     FALSE, M2N_INSTANT,  0, 1, 0,  100, 255, "SPFH",  "Specific humidity", "kg/kg"},
    {"dpt",   "",                       {3017},                  ISBL, 0,      "K",             FALSE, M2N_INSTANT,  0, 0, 6,  100, 255, "DPT",   "Dew point temperature", "K"},
    {"z",     "phi",                    {129, 500006},           ISBL, 0,      "m**2 s**-2",    FALSE, M2N_INSTANT,  0, 3, 4,  100, 255, "GP",    "Geopotential", "m^2/s^2"},
    {"gh",    "zg hgt",                 {156},                   ISBL, 0,      "gpm",           FALSE, M2N_INSTANT,  0, 3, 5,  100, 255, "HGT",   "Geopotential height", "gpm"},
    {"u",     "ua",                     {131, 500028},           ISBL, 0,      "m s**-1",       FALSE, M2N_INSTANT,  0, 2, 2,  100, 255, "UGRD",  "u-component of wind", "m/s"},
    {"v",     "va",                     {132, 500030},           ISBL, 0,      "m s**-1",       FALSE, M2N_INSTANT,  0, 2, 3,  100, 255, "VGRD",  "v-component of wind", "m/s"},
    {"w",     "omega wap",              {135, 500031},           ISBL, 0,      "Pa s**-1",      FALSE, M2N_INSTANT,  0, 2, 8,  100, 255, "VVEL",  "Vertical velocity (pressure)", "Pa/s"},
    {"d",     "",                       {155},                   ISBL, 0,      "s**-1",         FALSE, M2N_INSTANT,  0, 2, 13, 100, 255, "RELD",  "Relative divergence", "1/s"},
    {"vo",    "",                       {138},                   ISBL, 0,      "s**-1",         FALSE, M2N_INSTANT,  0, 2, 12, 100, 255, "RELV",  "Relative vorticity", "1/s"},
    {"pv",    "",                       {60},                    ISBL, 0,      "K m**2 kg**-1 s**-1", FALSE, M2N_INSTANT, 0, 2, 14, 100, 255, "PVORT", "Potential vorticity", "K*m^2/(kg*s)"},
};
/* clang-format on */

static gboolean
has_param(const M2nVariableInfo *t, long param_id)
{
    for (gsize i = 0; i < G_N_ELEMENTS(t->param_id) && t->param_id[i] != 0; i++)
        if (t->param_id[i] == param_id)
            return TRUE;
    return FALSE;
}

static const M2nVariableInfo *
by_param(long param_id, const char *type_of_level)
{
    for (gsize i = 0; param_id != 0 && i < G_N_ELEMENTS(table); i++)
        if (has_param(&table[i], param_id) &&
            (table[i].level_implied || g_str_equal(table[i].type_of_level, type_of_level)))
            return &table[i];
    return NULL;
}

/* What a quantity of pressure levels is called at a height above ground. */
static const M2nVariableInfo *
at_height(const M2nVariableInfo *generic, double height)
{
    for (gsize i = 0; generic != NULL && i < G_N_ELEMENTS(table); i++) {
        const M2nVariableInfo *t = &table[i];

        if (t->level_implied && t->surface1 == 103 && t->statistics == M2N_INSTANT && t->level == height &&
            generic->category == t->category && generic->number == t->number && generic->discipline == t->discipline)
            return t;
    }
    return NULL;
}

/* 10 m winds of centres whose tables know only "u": the generic row at the implied level. */
static const M2nVariableInfo *
by_generic(long param_id, const char *type_of_level, double level)
{
    return g_str_equal(type_of_level, HTGL) ? at_height(by_param(param_id, ISBL), level) : NULL;
}

static const M2nVariableInfo *
lookup(long param_id, const char *type_of_level, double level)
{
    const M2nVariableInfo *t = by_param(param_id, type_of_level);

    return t != NULL ? t : by_generic(param_id, type_of_level, level);
}

const M2nVariableInfo *
m2n_variable_info(const M2nVariable *v)
{
    return lookup(v->param_id, v->type_of_level, v->level);
}

static M2nStatistics
statistics_of(const char *step_type)
{
    static const struct {
        const char *name;
        M2nStatistics statistics;
    } kinds[] = {{"avg", M2N_AVERAGED},
                 {"accum", M2N_ACCUMULATED},
                 {"max", M2N_MAXIMUM},
                 {"min", M2N_MINIMUM}};

    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (g_str_equal(kinds[i].name, step_type))
            return kinds[i].statistics;
    return M2N_INSTANT;
}

gboolean
m2n_variable_matches(const M2nVariable *v, long param_id, const char *type_of_level, double level,
                     const char *step_type)
{
    const M2nVariableInfo *a = lookup(v->param_id, v->type_of_level, v->level);
    const M2nVariableInfo *b = lookup(param_id, type_of_level, level);
    const M2nStatistics kind = statistics_of(step_type);
    const gboolean same_level =
        g_str_equal(v->type_of_level, type_of_level) && fabs(v->level - level) < 1e-6;

    if (a == NULL)
        return v->param_id == param_id && v->param_id != 0 && same_level;
    if (a->statistics == M2N_INSTANT && kind != M2N_INSTANT)
        return FALSE; /* the day's maximum of t2m is not t2m */
    if (!a->level_implied)
        return has_param(a, param_id) && same_level;
    if (a == b)
        return TRUE;
    /* "mx2t" may come as the maximum of "2t" */
    return b != NULL && a->statistics == kind && a->discipline == b->discipline &&
           a->category == b->category && a->number == b->number && a->surface1 == b->surface1 &&
           a->level == b->level;
}

static gboolean
is_named(const M2nVariableInfo *t, const char *name, gsize n)
{
    if (strlen(t->name) == n && strncmp(t->name, name, n) == 0)
        return TRUE;
    g_auto(GStrv) aliases = g_strsplit(t->aliases, " ", -1);
    for (char **a = aliases; *a != NULL; a++)
        if (strlen(*a) == n && n > 0 && strncmp(*a, name, n) == 0)
            return TRUE;
    return FALSE;
}

static void
fill(const M2nVariableInfo *t, const char *name, double level, M2nVariable *v)
{
    memset(v, 0, sizeof *v);
    g_strlcpy(v->name, name, sizeof v->name);
    v->param_id = t->param_id[0];
    g_strlcpy(v->type_of_level, t->type_of_level, sizeof v->type_of_level);
    v->level = level;
    g_strlcpy(v->units, t->units, sizeof v->units);
}

gboolean
m2n_variable_from_name(const char *name, M2nVariable *v, GError **error)
{
    for (gsize i = 0; i < G_N_ELEMENTS(table); i++)
        if (table[i].level_implied && is_named(&table[i], name, strlen(name))) {
            fill(&table[i], table[i].name, table[i].level, v);
            return TRUE;
        }
    const gsize n = strcspn(name, "_0123456789"); /* "t850", "z_500" */
    const char *digits = name + n + (name[n] == '_');
    char *end;
    const double level = g_ascii_strtod(digits, &end);
    for (gsize i = 0; i < G_N_ELEMENTS(table); i++)
        if (!table[i].level_implied && *end == 0 && g_ascii_isdigit(*digits) && level > 0 &&
            level <= 1100 && is_named(&table[i], name, n)) {
            fill(&table[i], name, level, v);
            return TRUE;
        }
    g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT,
                "%s: not a variable we know (t2m, u10, msl, tcc, ..., t850, z500, ...)", name);
    return FALSE;
}

gboolean
m2n_variable_at_height(const char *name, double height, M2nVariable *v)
{
    for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
        const M2nVariableInfo *t =
            !table[i].level_implied && is_named(&table[i], name, strlen(name)) ? at_height(&table[i], height) : NULL;
        if (t != NULL) {
            fill(t, t->name, t->level, v);
            return TRUE;
        }
    }
    return FALSE;
}

char *
m2n_variable_gdal_level(const M2nVariable *v)
{
    const M2nVariableInfo *t = m2n_variable_info(v);
    char number[G_ASCII_DTOSTR_BUF_SIZE];
    const int surface = t != NULL                             ? t->surface1
                        : g_str_equal(v->type_of_level, ISBL) ? 100
                        : g_str_equal(v->type_of_level, HTGL) ? 103
                                                              : 1;
    const double level = t != NULL && t->level_implied ? t->level : v->level;

    g_ascii_formatd(number, sizeof number, "%.10g", surface == 100 ? level * 100 : level);
    return g_strdup_printf("%s-%s", number,
                           surface == 100   ? "ISBL"
                           : surface == 103 ? "HTGL"
                           : surface == 101 ? "MSL"
                                            : "SFC");
}
