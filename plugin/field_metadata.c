/* GRIB_* band metadata, worded as GDAL's GRIB driver does. */
#include "plugin/field_metadata.h"

#include <math.h>
#include <string.h>

#include "grib/variable.h"
#include "plugin/quantity.h"
#include "plugin/variable_text.h"

static void G_GNUC_PRINTF(2, 3) add(GPtrArray *items, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_ptr_array_add(items, g_strdup_vprintf(format, args));
    va_end(args);
}

static const char *
centre_name(long centre)
{
    switch (centre) {
    case 7:
        return "(US-NCEP)";
    case 78:
        return "(Offenbach)";
    case 98:
        return "(ECMWF)";
    default:
        return "";
    }
}

/* TRUE when the fields are in the unit that their GRIB2 code means ("kg/(m^2)" is GDAL's "kg/m^2"). */
static gboolean
has_code_units(const M2nVariableInfo *known, const char *units)
{
    g_auto(GStrv) parts = g_strsplit_set(known->gdal_unit, "()", -1);
    g_autofree char *plain = g_strjoinv("", parts);

    return strcmp(plain, units) == 0;
}

/* Octets 10 to 34 of product definition template 4.0. */
static void
add_template(GPtrArray *items, const M2nVariableInfo *known, double level, gint64 lead)
{
    /* code table 4.4: hours where they are exact, else minutes, else seconds */
    const int unit = lead % 3600 == 0 ? 1 : lead % 60 == 0 ? 0 : 13;
    const guint32 time = (guint32)(lead / (unit == 1 ? 3600 : unit == 0 ? 60 : 1));
    const gboolean has_level = known->surface1 >= 100 && known->surface1 != 101;
    const double value = known->surface1 == 100 ? level * 100 : level; /* hPa to Pa */
    const gboolean whole = value == floor(value);
    const guint32 scaled = (guint32)lround(whole ? value : value * 100);
    g_autoptr(GString) out = g_string_new(NULL);

    /* type of generating process 2: forecast; 255: the process is not registered */
    g_string_append_printf(out, "%d %d 2 0 255 0 0 0 %d", known->category, known->number, unit);
    for (int shift = 24; shift >= 0; shift -= 8)
        g_string_append_printf(out, " %u", time >> shift & 255u);
    g_string_append_printf(out, " %d %d", known->surface1, !has_level ? 255 : whole ? 0 : 2);
    for (int shift = 24; shift >= 0; shift -= 8)
        g_string_append_printf(out, " %u", has_level ? scaled >> shift & 255u : 255u);
    g_string_append_printf(out, " %d 255 255 255 255 255", known->surface2);
    add(items, "GRIB_PDS_TEMPLATE_NUMBERS=%s", out->str);
}

static void
add_code(GPtrArray *items, const M2nVariable *v, const M2nVariableInfo *known,
         const M2nFieldTime *time)
{
    static const char *const disciplines[] = {"(Meteorological)", "(Hydrological)",
                                              "(Land_Surface)"};
    g_autofree char *reference = m2n_time_format(time->init_time);

    add(items, "GRIB_DISCIPLINE=%d%s", known->discipline,
        known->discipline <= 2    ? disciplines[known->discipline]
        : known->discipline == 10 ? "(Oceanographic)"
                                  : "");
    add(items,
        "GRIB_IDS=CENTER=%ld%s SUBCENTER=0 MASTER_TABLE=28 LOCAL_TABLE=0 "
        "SIGNF_REF_TIME=1(Start_of_Forecast) REF_TIME=%s PROD_STATUS=2(Research) TYPE=1(Forecast)",
        time->centre, centre_name(time->centre), reference);
    add(items, "GRIB_PDS_PDTN=0");
    add_template(items, known, v->level, time->lead);
}

char **
m2n_field_metadata(const M2nVariable *v, const M2nFieldTime *time)
{
    const M2nVariableInfo *known = m2n_variable_info(v);
    g_autofree char *units = m2n_units_text(v->units);
    g_autofree char *level = m2n_variable_gdal_level(v);
    GPtrArray *items = g_ptr_array_new();

    add(items, "GRIB_COMMENT=%s [%s]", known != NULL ? known->comment : v->name, units);
    add(items, "GRIB_ELEMENT=%s", known != NULL ? known->element : v->name);
    add(items, "GRIB_FORECAST_SECONDS=%" G_GINT64_FORMAT, time->lead);
    add(items, "GRIB_REF_TIME=%" G_GINT64_FORMAT, time->init_time);
    add(items, "GRIB_SHORT_NAME=%s", level);
    add(items, "GRIB_UNIT=[%s]", units);
    add(items, "GRIB_VALID_TIME=%" G_GINT64_FORMAT, time->init_time + time->lead);
    add(items, "MET2NET_VARIABLE=%s", v->name);
    /* accumulations need another template (4.8) than this one */
    if (known != NULL && known->statistics == M2N_INSTANT && has_code_units(known, units))
        add_code(items, v, known, time);
    g_ptr_array_add(items, NULL);
    return (char **)g_ptr_array_free(items, FALSE);
}

char *
m2n_field_description(const M2nVariable *v, const M2nFieldTime *time)
{
    g_autofree char *level = m2n_level_text(v->type_of_level, v->level);
    g_autofree char *valid = m2n_time_format(time->init_time + time->lead);
    g_autofree char *lead = m2n_duration_format(time->lead);

    return g_strdup_printf("%s %s, %s (+%s)", v->name, level, valid, lead);
}
