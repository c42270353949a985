/* What goes into a GRIB2 header.  Source: WMO Manual on Codes, FM 92 GRIB 2. */
#include "grib/grib_plan.h"

#include <math.h>
#include <string.h>

#include "engine/base/error.h"
#include "grib/units.h"
#include "grib/variable.h"

#define TABLES_VERSION 28
#define HOUR 3600

void
m2n_grib_plan_add(M2nGribPlan *plan, const char *key, long value)
{
    g_assert(plan->n < G_N_ELEMENTS(plan->keys));
    for (guint i = 0; i < plan->n; i++)
        if (g_str_equal(plan->keys[i].key, key)) {
            plan->keys[i].value = value;
            return;
        }
    plan->keys[plan->n++] = (M2nGribKey){key, value};
}

/* A level as scale factor and scaled value: three decimals at most. */
static gboolean
add_level(M2nGribPlan *plan, const M2nVariable *v, double level, GError **error)
{
    int decimals = 0;

    while (decimals < 3 && fabs(level - round(level)) > 1e-6) {
        level *= 10;
        decimals++;
    }
    if (fabs(level - round(level)) > 1e-3 || fabs(level) > G_MAXINT32) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT, "%s: level %g does not fit GRIB2",
                    v->name, v->level);
        return FALSE;
    }
    m2n_grib_plan_add(plan, "scaleFactorOfFirstFixedSurface", decimals);
    m2n_grib_plan_add(plan, "scaledValueOfFirstFixedSurface", lrint(level));
    return TRUE;
}

static gboolean
add_parameter(M2nGribPlan *plan, const M2nVariable *v, const M2nVariableInfo *t, GError **error)
{
    m2n_grib_plan_add(plan, "parameterCategory", t->category);
    m2n_grib_plan_add(plan, "parameterNumber", t->number);
    m2n_grib_plan_add(plan, "typeOfFirstFixedSurface", t->surface1);
    if (t->surface1 == 100 || t->surface1 == 103) {
        const double level = t->level_implied ? t->level : v->level;
        if (!add_level(plan, v, t->surface1 == 100 ? level * 100 : level, error))
            return FALSE;
    } else {
        m2n_grib_plan_add(plan, "scaleFactorOfFirstFixedSurface", M2N_PLAN_MISSING);
        m2n_grib_plan_add(plan, "scaledValueOfFirstFixedSurface", M2N_PLAN_MISSING);
    }
    m2n_grib_plan_add(plan, "typeOfSecondFixedSurface", t->surface2);
    m2n_grib_plan_add(plan, "scaleFactorOfSecondFixedSurface", M2N_PLAN_MISSING);
    m2n_grib_plan_add(plan, "scaledValueOfSecondFixedSurface", M2N_PLAN_MISSING);
    if (!m2n_units_conversion(v->units, t->gdal_unit, &plan->scale, &plan->offset, error)) {
        g_prefix_error(error, "%s: ", v->name);
        return FALSE;
    }
    return TRUE;
}

gboolean
m2n_grib_plan_make(M2nGribPlan *plan, const M2nGrid *grid, const M2nVariable *v,
                   const M2nGribWriterOptions *o, GError **error)
{
    const M2nVariableInfo *t = m2n_variable_info(v);

    memset(plan, 0, sizeof *plan);
    plan->scale = 1;
    if (t == NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT,
                    "%s: paramId %ld at %s %g has no GRIB2 code in our table", v->name, v->param_id,
                    v->type_of_level, v->level);
        return FALSE;
    }
    if (o->bits < 1 || o->bits > 32 || o->centre < 0 || o->centre > 65535 || o->process < 0 ||
        o->process > 255) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT,
                    "GRIB2 with %d bits per value, centre %ld, process %ld: out of range", o->bits,
                    o->centre, o->process);
        return FALSE;
    }
    m2n_grib_plan_add(plan, "centre", o->centre); /* first: eccodes re-reads its tables for it */
    /* then the packing, for eccodes packs the sample's own values anew */
    m2n_grib_plan_add(plan, "dataRepresentationTemplateNumber",
                      o->packing == M2N_PACKING_CCSDS ? 42 : 0);
    m2n_grib_plan_add(plan, "subCentre", 0);
    m2n_grib_plan_add(plan, "tablesVersion", TABLES_VERSION);
    m2n_grib_plan_add(plan, "localTablesVersion", 0);
    m2n_grib_plan_add(plan, "discipline", t->discipline);
    m2n_grib_plan_add(plan, "significanceOfReferenceTime", o->generating_type == 0 ? 0 : 1);
    m2n_grib_plan_add(plan, "productionStatusOfProcessedData", 2);
    m2n_grib_plan_add(plan, "typeOfProcessedData", o->generating_type == 0 ? 0 : 1);
    const gboolean of_ensemble = o->member >= 0;
    m2n_grib_plan_add(plan, "productDefinitionTemplateNumber",
                      (t->statistics == M2N_INSTANT ? 0 : 8) + (of_ensemble ? 1 : 0) +
                          (of_ensemble && t->statistics != M2N_INSTANT ? 2 : 0));
    m2n_grib_plan_add(plan, "typeOfGeneratingProcess", o->generating_type);
    m2n_grib_plan_add(plan, "backgroundProcess", 255);
    m2n_grib_plan_add(plan, "generatingProcessIdentifier", o->process);
    if (!add_parameter(plan, v, t, error) || !m2n_grib_plan_grid(plan, grid, error))
        return FALSE;
    if (of_ensemble) { /* code table 4.6: 1 is the control, 255 says nothing of how it was perturbed */
        m2n_grib_plan_add(plan, "typeOfEnsembleForecast", o->member == 0 ? 1 : 255);
        m2n_grib_plan_add(plan, "perturbationNumber", o->member);
        m2n_grib_plan_add(plan, "numberOfForecastsInEnsemble", o->n_members);
    }
    m2n_grib_plan_add(plan, "bitsPerValue", o->bits);
    return TRUE;
}

/* The coarsest unit (code table 4.4) that keeps the time step and this lead time exactly, so that the messages
 * of a forecast share it. */
static long
unit_of(gint64 time_step, gint64 lead, gint64 *length)
{
    const gboolean hours = time_step % HOUR == 0 && lead % HOUR == 0;
    const gboolean minutes = time_step % 60 == 0 && lead % 60 == 0;

    *length = hours ? HOUR : minutes ? 60 : 1;
    return hours ? 1 : minutes ? 0 : 13;
}

static void
add_moment(M2nGribPlan *plan, const char *const keys[6], GDateTime *d)
{
    m2n_grib_plan_add(plan, keys[0], g_date_time_get_year(d));
    m2n_grib_plan_add(plan, keys[1], g_date_time_get_month(d));
    m2n_grib_plan_add(plan, keys[2], g_date_time_get_day_of_month(d));
    m2n_grib_plan_add(plan, keys[3], g_date_time_get_hour(d));
    m2n_grib_plan_add(plan, keys[4], g_date_time_get_minute(d));
    m2n_grib_plan_add(plan, keys[5], g_date_time_get_second(d));
}

gboolean
m2n_grib_plan_times(M2nGribPlan *plan, const M2nVariable *v, gint64 reference_time,
                    gint64 valid_time, gint64 time_step, GError **error)
{
    static const char *const start[] = {"year", "month", "day", "hour", "minute", "second"};
    static const char *const end[] = {
        "yearOfEndOfOverallTimeInterval",   "monthOfEndOfOverallTimeInterval",
        "dayOfEndOfOverallTimeInterval",    "hourOfEndOfOverallTimeInterval",
        "minuteOfEndOfOverallTimeInterval", "secondOfEndOfOverallTimeInterval"};
    const M2nVariableInfo *t = m2n_variable_info(v);
    const M2nStatistics statistics = t != NULL ? t->statistics : M2N_INSTANT;
    g_autoptr(GDateTime) reference = g_date_time_new_from_unix_utc(reference_time);
    g_autoptr(GDateTime) valid = g_date_time_new_from_unix_utc(valid_time);
    gint64 lead = valid_time - reference_time, length;

    if (statistics != M2N_INSTANT)
        lead = MAX(0, lead - time_step); /* the forecast time is where the interval starts */
    if (valid_time < reference_time || lead > G_MAXINT32 || reference == NULL || valid == NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT,
                    "%s: valid %" G_GINT64_FORMAT " s after its reference time", v->name,
                    valid_time - reference_time);
        return FALSE;
    }
    add_moment(plan, start, reference);
    const long unit = unit_of(time_step, lead, &length);
    m2n_grib_plan_add(plan, "indicatorOfUnitOfTimeRange", unit);
    m2n_grib_plan_add(plan, "forecastTime", (long)(lead / length));
    if (statistics == M2N_INSTANT)
        return TRUE;
    add_moment(plan, end, valid);
    m2n_grib_plan_add(plan, "numberOfTimeRange", 1);
    m2n_grib_plan_add(plan, "typeOfStatisticalProcessing", (long)statistics);
    m2n_grib_plan_add(plan, "typeOfTimeIncrement", 2);
    m2n_grib_plan_add(plan, "indicatorOfUnitForTimeRange", unit);
    m2n_grib_plan_add(plan, "lengthOfTimeRange",
                      (long)((valid_time - reference_time - lead) / length));
    return TRUE;
}
