/* Any file of ours, or one we read, as JSON. */
#include "plugin/describe.h"

#include <string.h>

#include "engine/base/json.h"
#include "engine/nn/config.h"
#include "engine/train/log.h"
#include "grib/domain.h"
#include "plugin/forecast_file.h"
#include "plugin/gridded_archive.h"
#include "plugin/quantity.h"
#include "plugin/source_vsi.h"

static void
set_time(JsonObject *o, const char *key, gint64 t)
{
    g_autofree char *text = m2n_time_format(t);

    json_object_set_string_member(o, key, text);
}

/* A metadata string that holds JSON, as JSON; anything else as the string it is. */
static void
set_parsed(JsonObject *o, const char *key, const M2nSafetensors *st, const char *metadata)
{
    const char *text = m2n_safetensors_metadata(st, metadata);
    g_autoptr(JsonNode) root = text != NULL ? m2n_json_parse(text, strlen(text), key, NULL) : NULL;

    if (text == NULL)
        return;
    if (root != NULL)
        json_object_set_member(o, key, g_steal_pointer(&root));
    else
        json_object_set_string_member(o, key, text);
}

static void
set_common(JsonObject *o, const M2nSafetensors *st)
{
    g_auto(GStrv) keys = m2n_safetensors_metadata_keys(st);
    JsonArray *names = json_array_new();

    set_parsed(o, "variables", st, "variables");
    set_parsed(o, "grid", st, "grid");
    set_parsed(o, "timeStep", st, "time_step");
    set_parsed(o, "normalisation", st, "normalisation");
    set_parsed(o, "target", st, "target");
    for (char **k = keys; *k != NULL; k++)
        json_array_add_string_element(names, *k);
    json_object_set_array_member(o, "metadata", names);
    json_object_set_int_member(o, "tensors", m2n_safetensors_count(st));
}

/* What stops a program from using the file as it is. */
static void
set_usable(JsonObject *o, const M2nSafetensors *st, gboolean model)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(M2nDomain) d = m2n_domain_read(st, &error);
    M2nConfig config;

    if (d == NULL || (model && !m2n_config_read(st, &config, &error)))
        json_object_set_string_member(o, "error", error->message);
}

static gboolean
describe_dataset(const M2nSafetensors *st, const M2nTensorInfo *fields, const M2nTensorInfo *times,
                 JsonObject *o, GError **error)
{
    json_object_set_string_member(o, "kind", "dataset");
    JsonArray *shape = json_array_new();
    for (guint i = 0; i < fields->rank; i++)
        json_array_add_int_element(shape, (gint64)fields->shape[i]);
    json_object_set_array_member(o, "fields", shape);
    json_object_set_int_member(o, "times", (gint64)times->elements);
    if (times->elements > 0 && g_str_equal(times->dtype, "I64")) {
        gint64 first, last;
        if (!m2n_safetensors_read_raw(st, times, 0, 1, &first, error) ||
            !m2n_safetensors_read_raw(st, times, times->elements - 1, 1, &last, error))
            return FALSE;
        set_time(o, "first", first);
        set_time(o, "last", last);
    }
    set_common(o, st);
    set_usable(o, st, FALSE);
    return TRUE;
}

/* What met2net-train --resume goes on from. */
static gboolean
describe_checkpoint(const M2nSafetensors *st, JsonObject *o)
{
    json_object_set_string_member(o, "kind", "checkpoint of a training run");
    set_parsed(o, "settings", st, "settings");
    set_parsed(o, "place", st, "place");
    json_object_set_int_member(o, "tensors", m2n_safetensors_count(st));
    json_object_set_string_member(o, "use", "met2net-train --resume goes on from here; forecasts need the model beside it");
    return TRUE;
}

static gboolean
describe_safetensors(M2nSource *source, JsonObject *o, GError **error)
{
    g_autoptr(M2nSafetensors) st = m2n_safetensors_open(source, error);
    guint64 parameters = 0;

    if (st == NULL)
        return FALSE;
    const M2nTensorInfo *fields = m2n_safetensors_find(st, "fields");
    const M2nTensorInfo *times = m2n_safetensors_find(st, "times");
    if (fields != NULL && times != NULL)
        return describe_dataset(st, fields, times, o, error);
    if (g_strcmp0(m2n_safetensors_metadata(st, "format"), "met2net-checkpoint") == 0)
        return describe_checkpoint(st, o);
    for (guint i = 0; i < m2n_safetensors_count(st); i++)
        parameters += m2n_safetensors_nth(st, i)->elements;
    json_object_set_string_member(o, "kind", "model");
    set_parsed(o, "config", st, "config");
    set_common(o, st);
    json_object_set_int_member(o, "parameters", (gint64)parameters);
    set_usable(o, st, TRUE);
    return TRUE;
}

static void
set_strings(JsonObject *o, const char *key, char **list)
{
    JsonArray *a = json_array_new();

    for (char **s = list; s != NULL && *s != NULL; s++)
        json_array_add_string_element(a, *s);
    json_object_set_array_member(o, key, a);
}

static gboolean
describe_forecast(const char *name, JsonObject *o, GError **error)
{
    g_autoptr(M2nForecastSpec) spec = m2n_forecast_spec_new(name, NULL, error);

    if (spec == NULL)
        return FALSE;
    json_object_set_string_member(o, "kind", "forecast");
    json_object_set_string_member(o, "model", spec->model);
    set_strings(o, "input", spec->inputs);
    if (spec->latest)
        json_object_set_string_member(o, "initTime", "latest");
    else
        set_time(o, "initTime", spec->init_time);
    if (spec->lead_time > 0)
        json_object_set_int_member(o, "leadTime", spec->lead_time);
    if (spec->member >= 0)
        json_object_set_int_member(o, "member", spec->member);
    if (spec->variables != NULL)
        set_strings(o, "variables", spec->variables);
    if (spec->crs != NULL)
        json_object_set_string_member(o, "crs", spec->crs);
    return TRUE;
}

/* NetCDF, Zarr and folders of them: a line per variable. */
static JsonNode *
describe_arrays(const char *name, GError **error)
{
    const char *const names[] = {name, NULL};
    g_autoptr(M2nGridded) a = m2n_gridded_open(names, error);

    if (a == NULL)
        return NULL;
    g_autofree char *text = m2n_gridded_describe(a, error);
    if (text == NULL) {
        g_prefix_error(error, "%s: ", name);
        return NULL;
    }
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    JsonObject *o = json_object_new();
    JsonNode *node = json_node_new(JSON_NODE_OBJECT);
    json_node_take_object(node, o);
    json_object_set_string_member(o, "file", name);
    json_object_set_string_member(o, "kind", "arrays");
    set_strings(o, "contents", lines);
    return node;
}

static gboolean
describe_log(const char *name, JsonObject *o, GError **error)
{
    g_autoptr(GArray) records = m2n_train_log_read(name, error);
    guint best = 0;

    if (records == NULL)
        return FALSE;
    for (guint i = 0; i < records->len; i++)
        if (g_array_index(records, M2nTrainRecord, i).best)
            best = g_array_index(records, M2nTrainRecord, i).epoch;
    json_object_set_string_member(o, "kind", "log of a training run");
    json_object_set_int_member(o, "epochs", records->len);
    if (best > 0)
        json_object_set_int_member(o, "best", best);
    return TRUE;
}

static gboolean
looks_like_log(const guint8 *b, gsize n)
{
    static const char begin[] = "{\"epoch\":";
    return n >= sizeof begin && memcmp(b, begin, sizeof begin - 1) == 0;
}

/* Eight bytes of length below 100 MB, then "{". */
static gboolean
looks_like_safetensors(const guint8 *b, gsize n)
{
    return n >= 9 && b[4] == 0 && b[5] == 0 && b[6] == 0 && b[7] == 0 && b[8] == '{';
}

JsonNode *
m2n_describe(const char *name, gboolean values, M2nDescribeFunc each, gpointer user_data, GError **error)
{
    guint8 start[64];
    gboolean ok;

    if (m2n_gridded_recognises(name))
        return describe_arrays(name, error);
    g_autoptr(M2nSource) source = m2n_source_open_vsi(name, error);
    if (source == NULL)
        return NULL;
    const gsize n = (gsize)MIN(m2n_source_size(source), sizeof start);
    if (!m2n_source_read(source, 0, start, n, error))
        return NULL;
    JsonObject *o = json_object_new();
    JsonNode *node = json_node_new(JSON_NODE_OBJECT);
    json_node_take_object(node, o);
    json_object_set_string_member(o, "file", name);
    if (looks_like_log(start, n))
        ok = describe_log(name, o, error);
    else if (m2n_forecast_file_recognises((const char *)start, n) || g_str_has_suffix(name, ".json"))
        ok = describe_forecast(name, o, error);
    else if (looks_like_safetensors(start, n))
        ok = describe_safetensors(source, o, error);
    else if ((ok = m2n_describe_grib(source, values, each, user_data, error)))
        json_object_set_string_member(o, "kind", "grib");
    if (ok)
        return node;
    json_node_unref(node);
    return NULL;
}
