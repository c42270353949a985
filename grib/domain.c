/* The metadata of a model or prepared dataset, and the one door between physical fields and tensors. */
#include "grib/domain.h"

#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/json.h"

#define MAX_VARIABLES 512
#define MAX_SIDE 100000

static gboolean
fail(const char *file, const char *key, const char *what, GError **error)
{
    g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT, "%s: metadata: %s: %s", file, key, what);
    return FALSE;
}

void
m2n_domain_free(M2nDomain *d)
{
    g_free(d->variables);
    if (d->grid != NULL)
        m2n_grid_unref(d->grid);
    g_free(d);
}

/* ---- reading ------------------------------------------------------------------------------- */

static const char *
text_of(const M2nSafetensors *st, const char *file, const char *key, GError **error)
{
    const char *text = m2n_safetensors_metadata(st, key);

    if (text == NULL)
        fail(file, key, "missing; add it with met2net-info --set", error);
    return text;
}

/* (transfer full) */
static JsonNode *
parse(const char *file, const char *key, const char *text, GError **error)
{
    g_autofree char *where = g_strdup_printf("%s: metadata: %s", file, key);
    return m2n_json_parse(text, strlen(text), where, error);
}

/* A finite number. */
static gboolean
number_of(JsonNode *node, double *value)
{
    const GType type = JSON_NODE_HOLDS_VALUE(node) ? json_node_get_value_type(node) : G_TYPE_NONE;

    if (type != G_TYPE_DOUBLE && type != G_TYPE_INT64)
        return FALSE;
    *value = json_node_get_double(node);
    return isfinite(*value);
}

/* A member that is a finite number; `otherwise` when absent and not NaN. */
static gboolean
number(JsonObject *o, const char *key, double otherwise, double *value)
{
    JsonNode *node = json_object_get_member(o, key);

    *value = otherwise;
    return node != NULL ? number_of(node, value) : !isnan(otherwise);
}

static gboolean
word(JsonObject *o, const char *key, const char *otherwise, char *value, gsize n)
{
    JsonNode *node = json_object_get_member(o, key);

    if (node == NULL) {
        g_strlcpy(value, otherwise != NULL ? otherwise : "", n);
        return otherwise != NULL;
    }
    if (!JSON_NODE_HOLDS_VALUE(node) || json_node_get_value_type(node) != G_TYPE_STRING)
        return FALSE;
    if (g_strlcpy(value, json_node_get_string(node), n) >= n)
        return FALSE;
    for (const char *c = value; *c != 0; c++) /* it will be printed */
        if (g_ascii_iscntrl(*c))
            return FALSE;
    return TRUE;
}

/* As word(), and it may become a part of a file name: no folder, nothing hidden. */
static gboolean
plain_word(JsonObject *o, const char *key, char *value, gsize n)
{
    return word(o, key, NULL, value, n) && value[0] != '.' && strpbrk(value, "/\\") == NULL;
}

static gboolean
read_variable(const char *file, JsonObject *o, M2nDomain *d, M2nVariable *v, GError **error)
{
    double param;
    const char *lacks = NULL;

    if (!plain_word(o, "name", v->name, sizeof v->name) || v->name[0] == 0)
        lacks = "name";
    else if (!number(o, "paramId", NAN, &param) || fabs(param) > 1e9 || param != floor(param))
        lacks = "paramId";
    else if (!plain_word(o, "typeOfLevel", v->type_of_level, sizeof v->type_of_level))
        lacks = "typeOfLevel";
    else if (!number(o, "level", 0, &v->level))
        lacks = "level";
    else if (!word(o, "units", NULL, v->units, sizeof v->units))
        lacks = "units";
    else if (d->normalisation == M2N_ZSCORE && !number(o, "mean", NAN, &v->mean))
        lacks = "mean";
    else if (d->normalisation == M2N_ZSCORE && (!number(o, "std", NAN, &v->std) || v->std <= 0))
        lacks = "std (> 0)";
    else if (d->normalisation == M2N_MINMAX && !number(o, "min", NAN, &v->min))
        lacks = "min";
    else if (d->normalisation == M2N_MINMAX &&
             (!number(o, "max", NAN, &v->max) || v->max <= v->min))
        lacks = "max (> min)";
    else if (d->target == M2N_TARGET_CHANGE &&
             (!number(o, "change_std", NAN, &v->change_std) || v->change_std <= 0))
        lacks = "change_std (> 0)";
    if (lacks != NULL) {
        g_autofree char *what = g_strdup_printf("variable %s: no usable %s", v->name, lacks);
        return fail(file, "variables", what, error);
    }
    v->param_id = lrint(param);
    /* a prepared dataset holds the other normalisation's numbers too */
    if (d->normalisation == M2N_ZSCORE &&
        (!number(o, "min", NAN, &v->min) || !number(o, "max", NAN, &v->max)))
        v->min = v->max = 0;
    if (d->normalisation == M2N_MINMAX &&
        (!number(o, "mean", NAN, &v->mean) || !number(o, "std", NAN, &v->std)))
        v->mean = v->std = 0;
    return TRUE;
}

static gboolean
read_variables(const char *file, const char *text, M2nDomain *d, GError **error)
{
    g_autoptr(JsonNode) root = parse(file, "variables", text, error);

    if (root == NULL)
        return FALSE;
    if (!JSON_NODE_HOLDS_ARRAY(root))
        return fail(file, "variables", "not an array", error);
    JsonArray *a = json_node_get_array(root);
    const guint n = json_array_get_length(a);
    if (n == 0 || n > MAX_VARIABLES)
        return fail(file, "variables", "no variables, or too many", error);
    d->variables = g_new0(M2nVariable, n);
    d->n_variables = n;
    for (guint i = 0; i < n; i++) {
        JsonNode *node = json_array_get_element(a, i);
        if (!JSON_NODE_HOLDS_OBJECT(node))
            return fail(file, "variables", "an element is not an object", error);
        if (!read_variable(file, json_node_get_object(node), d, &d->variables[i], error))
            return FALSE;
        for (guint k = 0; k < i; k++)
            if (g_str_equal(d->variables[k].name, d->variables[i].name))
                return fail(file, "variables: named twice", d->variables[i].name, error);
    }
    return TRUE;
}

/* Longitudes are brought together by turns of 360 degrees: with such numbers that takes for ever. */
static gboolean
on_earth(const M2nGrid *g)
{
    const double most = m2n_grid_is_angular(g) ? 1000 : 1e9; /* degrees, metres */

    return fabs(g->geo[0]) <= most && fabs(g->geo[0] + g->geo[1] * g->width) <= most &&
           fabs(g->geo[3]) <= most && fabs(g->geo[3] + g->geo[5] * g->height) <= most;
}

/* In metres; 0 when absent. */
static gboolean
axis_of_earth(JsonObject *o, const char *key, double *axis)
{
    return number(o, key, 0, axis) && (*axis == 0 || (*axis > 6e6 && *axis < 7e6));
}

static gboolean
read_grid(const char *file, const char *text, M2nDomain *d, GError **error)
{
    g_autoptr(JsonNode) root = parse(file, "grid", text, error);
    double width, height, geo[6], earth = 6, major = 0, minor = 0;
    char crs[8192];

    if (root == NULL)
        return FALSE;
    if (!JSON_NODE_HOLDS_OBJECT(root))
        return fail(file, "grid", "not an object", error);
    JsonObject *o = json_node_get_object(root);
    JsonNode *node = json_object_get_member(o, "geotransform");
    if (!word(o, "crs", NULL, crs, sizeof crs) || crs[0] == 0)
        return fail(file, "grid", "no usable crs", error);
    if (!number(o, "width", NAN, &width) || !number(o, "height", NAN, &height) || width < 1 ||
        height < 1 || width > MAX_SIDE || height > MAX_SIDE || width != floor(width) ||
        height != floor(height))
        return fail(file, "grid", "no usable width and height", error);
    if (node == NULL || !JSON_NODE_HOLDS_ARRAY(node) ||
        json_array_get_length(json_node_get_array(node)) != 6)
        return fail(file, "grid", "geotransform is not six numbers", error);
    for (guint i = 0; i < 6; i++)
        if (!number_of(json_array_get_element(json_node_get_array(node), i), &geo[i]))
            return fail(file, "grid", "geotransform is not six numbers", error);
    if (!(geo[1] > 0) || !(geo[5] < 0) || geo[2] != 0 || geo[4] != 0)
        return fail(file, "grid", "geotransform is not north-up", error);
    if (!number(o, "shape_of_earth", 6, &earth) || earth < 0 || earth > 255 || earth != floor(earth) ||
        !axis_of_earth(o, "earth_major", &major) || !axis_of_earth(o, "earth_minor", &minor))
        return fail(file, "grid", "no usable shape of the earth", error);
    d->grid = m2n_grid_new_affine(crs, (guint)width, (guint)height, geo);
    if (!on_earth(d->grid))
        return fail(file, "grid", "geotransform reaches beyond the earth", error);
    d->grid->shape_of_earth = lrint(earth);
    d->grid->earth_major = major;
    d->grid->earth_minor = minor;
    return TRUE;
}

static gboolean
read_choices(const M2nSafetensors *st, const char *file, M2nDomain *d, GError **error)
{
    const char *step = text_of(st, file, "time_step", error);
    const char *normalisation = m2n_safetensors_metadata(st, "normalisation");
    const char *target = m2n_safetensors_metadata(st, "target");
    const char *version = m2n_safetensors_metadata(st, "format_version");
    char *end;

    if (step == NULL)
        return FALSE;
    if (version != NULL && !g_str_equal(version, "1"))
        return fail(file, "format_version: only 1 is read", version, error);
    d->time_step = g_ascii_strtoll(step, &end, 10);
    if (*end != 0 || end == step || d->time_step <= 0 || d->time_step > 366 * 86400)
        return fail(file, "time_step", step, error);
    if (normalisation == NULL || g_str_equal(normalisation, "zscore"))
        d->normalisation = M2N_ZSCORE;
    else if (g_str_equal(normalisation, "minmax"))
        d->normalisation = M2N_MINMAX;
    else
        return fail(file, "normalisation: neither zscore nor minmax", normalisation, error);
    if (target == NULL || g_str_equal(target, "field"))
        d->target = M2N_TARGET_FIELD;
    else if (g_str_equal(target, "change"))
        d->target = M2N_TARGET_CHANGE;
    else
        return fail(file, "target: neither field nor change", target, error);
    return TRUE;
}

M2nDomain *
m2n_domain_read(const M2nSafetensors *st, GError **error)
{
    const char *file = m2n_source_name(m2n_safetensors_source(st));
    g_autoptr(M2nDomain) d = g_new0(M2nDomain, 1);
    const char *variables = text_of(st, file, "variables", error);
    const char *grid = variables != NULL ? text_of(st, file, "grid", error) : NULL;

    if (grid == NULL || !read_choices(st, file, d, error) ||
        !read_variables(file, variables, d, error) || !read_grid(file, grid, d, error))
        return NULL;
    return g_steal_pointer(&d);
}

/* ---- writing ------------------------------------------------------------------------------- */

static void
set_metadata(M2nSafetensorsWriter *w, const char *key, JsonNode *node)
{
    g_autofree char *text = json_to_string(node, FALSE);

    m2n_safetensors_writer_metadata(w, key, text);
    json_node_unref(node);
}

static JsonNode *
variable_node(const M2nDomain *d, const M2nVariable *v)
{
    JsonObject *o = json_object_new();
    JsonNode *node = json_node_new(JSON_NODE_OBJECT);

    json_object_set_string_member(o, "name", v->name);
    json_object_set_int_member(o, "paramId", v->param_id);
    json_object_set_string_member(o, "typeOfLevel", v->type_of_level);
    json_object_set_double_member(o, "level", v->level);
    json_object_set_string_member(o, "units", v->units);
    if (d->normalisation == M2N_ZSCORE || v->std > 0) {
        json_object_set_double_member(o, "mean", v->mean);
        json_object_set_double_member(o, "std", v->std);
    }
    if (d->normalisation == M2N_MINMAX || v->max > v->min) {
        json_object_set_double_member(o, "min", v->min);
        json_object_set_double_member(o, "max", v->max);
    }
    if (d->target == M2N_TARGET_CHANGE)
        json_object_set_double_member(o, "change_std", v->change_std);
    json_node_take_object(node, o);
    return node;
}

static JsonNode *
grid_node(const M2nGrid *g)
{
    JsonObject *o = json_object_new();
    JsonArray *geo = json_array_new();
    JsonNode *node = json_node_new(JSON_NODE_OBJECT);

    json_object_set_string_member(o, "crs", g->crs);
    json_object_set_int_member(o, "width", g->width);
    json_object_set_int_member(o, "height", g->height);
    for (int i = 0; i < 6; i++)
        json_array_add_double_element(geo, g->geo[i]);
    json_object_set_array_member(o, "geotransform", geo);
    if (g->shape_of_earth != 6)
        json_object_set_int_member(o, "shape_of_earth", g->shape_of_earth);
    if (g->earth_major > 0) {
        json_object_set_double_member(o, "earth_major", g->earth_major);
        json_object_set_double_member(o, "earth_minor", g->earth_minor);
    }
    json_node_take_object(node, o);
    return node;
}

void
m2n_domain_write(const M2nDomain *d, M2nSafetensorsWriter *w)
{
    JsonArray *variables = json_array_new();
    JsonNode *node = json_node_new(JSON_NODE_ARRAY);
    g_autofree char *step = g_strdup_printf("%" G_GINT64_FORMAT, d->time_step);

    g_assert(d->grid->row_y == NULL && d->grid->row_points == NULL);
    for (guint i = 0; i < d->n_variables; i++)
        json_array_add_element(variables, variable_node(d, &d->variables[i]));
    json_node_take_array(node, variables);
    set_metadata(w, "variables", node);
    set_metadata(w, "grid", grid_node(d->grid));
    m2n_safetensors_writer_metadata(w, "time_step", step);
    m2n_safetensors_writer_metadata(w, "normalisation",
                                    d->normalisation == M2N_ZSCORE ? "zscore" : "minmax");
    m2n_safetensors_writer_metadata(w, "target",
                                    d->target == M2N_TARGET_CHANGE ? "change" : "field");
}

/* ---- the door ------------------------------------------------------------------------------ */

static void
scale(const M2nDomain *d, const M2nVariable *v, double *offset, double *factor)
{
    *offset = d->normalisation == M2N_ZSCORE ? v->mean : v->min;
    *factor = d->normalisation == M2N_ZSCORE ? v->std : v->max - v->min;
}

void
m2n_domain_normalise(const M2nDomain *d, float *x, guint steps)
{
    const gsize n = d->grid->n_points;

    for (gsize k = 0; k < (gsize)steps * d->n_variables; k++) {
        double offset, factor;
        float *p = x + k * n;
        scale(d, &d->variables[k % d->n_variables], &offset, &factor);
        for (gsize i = 0; i < n; i++)
            p[i] = (float)(((double)p[i] - offset) / factor);
    }
}

void
m2n_domain_denormalise(const M2nDomain *d, float *y, guint steps, const float *last)
{
    const gsize n = d->grid->n_points;

    for (gsize k = 0; k < (gsize)steps * d->n_variables; k++) {
        const gsize v = k % d->n_variables;
        double offset, factor;
        float *p = y + k * n;
        scale(d, &d->variables[v], &offset, &factor);
        for (gsize i = 0; i < n; i++)
            p[i] = (float)(d->target == M2N_TARGET_CHANGE
                               ? (double)last[v * n + i] + d->variables[v].change_std * (double)p[i]
                               : (double)p[i] * factor + offset);
    }
}
