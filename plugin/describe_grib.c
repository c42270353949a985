/* GRIB messages as JSON. */
#include <math.h>

#include "engine/base/error.h"
#include "grib/grib_reader.h"
#include "grib/variable.h"
#include "plugin/describe.h"
#include "plugin/quantity.h"

static void
set_time(JsonObject *o, const char *key, gint64 t)
{
    g_autofree char *text = m2n_time_format(t);

    json_object_set_string_member(o, key, text);
}

static void
set_header(JsonObject *o, const M2nGribHeader *h)
{
    g_autofree char *grid = m2n_grid_describe(h->grid);
    JsonArray *size = json_array_new();

    char level[G_ASCII_DTOSTR_BUF_SIZE];
    g_autofree char *at_level =
        g_strconcat(h->name, g_ascii_formatd(level, sizeof level, "%g", h->level), NULL);
    M2nVariable v;

    if ((m2n_variable_from_name(h->name, &v, NULL) || m2n_variable_from_name(at_level, &v, NULL)) &&
        m2n_variable_matches(&v, h->param_id, h->type_of_level, h->level, h->statistics))
        json_object_set_string_member(o, "variable", v.name);
    if (h->member >= 0)
        json_object_set_int_member(o, "member", h->member);
    json_object_set_string_member(o, "centre", h->centre_name);
    json_object_set_string_member(o, "shortName", h->name);
    json_object_set_int_member(o, "paramId", h->param_id);
    json_object_set_string_member(o, "typeOfLevel", h->type_of_level);
    json_object_set_double_member(o, "level", h->level);
    json_object_set_string_member(o, "units", h->units);
    set_time(o, "referenceTime", h->reference_time);
    set_time(o, "validTime", h->valid_time);
    json_object_set_string_member(o, "step", h->step_range);
    json_object_set_string_member(o, "stepType", h->statistics);
    json_object_set_string_member(o, "gridType", h->grid->type);
    json_object_set_string_member(o, "grid", grid);
    json_array_add_int_element(size, h->grid->width);
    json_array_add_int_element(size, h->grid->height);
    json_object_set_array_member(o, "size", size);
    json_object_set_string_member(o, "packing", h->packing);
    json_object_set_boolean_member(o, "gridRelativeWind", h->uv_relative);
    json_object_set_int_member(o, "points", (gint64)h->grid->n_points);
}

static void
set_statistics(JsonObject *o, const float *x, gsize n)
{
    double min = INFINITY, max = -INFINITY, sum = 0;
    gsize missing = 0;

    for (gsize i = 0; i < n; i++) {
        const double v = (double)x[i];
        if (isnan(v)) {
            missing++;
            continue;
        }
        min = fmin(min, v);
        max = fmax(max, v);
        sum += v;
    }
    json_object_set_int_member(o, "missing", (gint64)missing);
    if (missing == n) {
        json_object_set_null_member(o, "min");
        json_object_set_null_member(o, "max");
        json_object_set_null_member(o, "mean");
        return;
    }
    json_object_set_double_member(o, "min", min);
    json_object_set_double_member(o, "max", max);
    json_object_set_double_member(o, "mean", sum / (double)(n - missing));
}

/* Infinity has no JSON: the field is said to hold it. */
static gboolean
all_finite(const float *x, gsize n)
{
    for (gsize i = 0; i < n; i++)
        if (isinf(x[i]))
            return FALSE;
    return TRUE;
}

static gboolean
fill_message(M2nGribReader *r, guint i, gboolean values, JsonObject *o, GError **error)
{
    g_auto(M2nGribHeader) h = {0};

    if (!m2n_grib_reader_header(r, i, &h, error))
        return FALSE;
    set_header(o, &h);
    if (!values)
        return TRUE;
    g_autofree float *x = g_try_new(float, h.grid->n_points + 1);
    if (x == NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY, "%s: message %u: no memory for %" G_GSIZE_FORMAT " points",
                    m2n_grib_reader_name(r), h.number, h.grid->n_points);
        return FALSE;
    }
    if (!m2n_grib_reader_values(r, i, &h, x, error))
        return FALSE;
    if (!all_finite(x, h.grid->n_points)) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT, "%s: message %u: infinite values",
                    m2n_grib_reader_name(r), h.number);
        return FALSE;
    }
    set_statistics(o, x, h.grid->n_points);
    return TRUE;
}

gboolean
m2n_describe_grib(M2nSource *source, gboolean values, M2nDescribeFunc each, gpointer user_data, GError **error)
{
    g_autoptr(M2nGribReader) r = m2n_grib_reader_open(source, error);
    const guint n = r != NULL ? m2n_grib_reader_count(r) : 0;

    for (guint i = 0; i < n; i++) {
        g_autoptr(GError) problem = NULL;
        g_autoptr(JsonObject) m = json_object_new();

        json_object_set_int_member(m, "number", m2n_grib_reader_entry(r, i)->number);
        json_object_set_int_member(m, "edition", m2n_grib_reader_entry(r, i)->edition);
        if (!fill_message(r, i, values, m, &problem)) {
            if (g_error_matches(problem, M2N_ERROR, M2N_ERROR_IO) || g_error_matches(problem, M2N_ERROR, M2N_ERROR_MEMORY)) {
                g_propagate_error(error, g_steal_pointer(&problem)); /* of the machine, not of the message */
                return FALSE;
            }
            json_object_set_string_member(m, "error", problem->message);
        }
        each(m2n_source_name(source), n, m, user_data);
    }
    return r != NULL;
}
