/* JSON descriptions as text. */
#include "plugin/cli/info_text.h"

static const char *
text(JsonObject *o, const char *key)
{
    return json_object_get_string_member_with_default(o, key, "");
}

/* A number with five digits, or "-" when there is none. */
static char *
number(JsonObject *o, const char *key)
{
    JsonNode *n = json_object_get_member(o, key);

    return n == NULL || !JSON_NODE_HOLDS_VALUE(n)
               ? g_strdup("-")
               : g_strdup_printf("%.5g", json_node_get_double(n));
}

static void
print_message(JsonObject *m, const char **grid)
{
    const gint64 i = json_object_get_int_member(m, "number");

    if (json_object_has_member(m, "error")) {
        g_print("%5" G_GINT64_FORMAT "  error: %s\n", i, text(m, "error"));
        return;
    }
    if (g_strcmp0(*grid, text(m, "grid")) != 0) {
        *grid = text(m, "grid");
        g_print("       grid %s: %s\n", text(m, "gridType"), *grid);
    }
    g_autofree char *level =
        g_strdup_printf("%s %g", text(m, "typeOfLevel"), json_object_get_double_member(m, "level"));
    g_autofree char *min = number(m, "min"), *mean = number(m, "mean"), *max = number(m, "max");
    g_autofree char *missing = number(m, "missing");
    g_print("%5" G_GINT64_FORMAT "  %-8s %-24s %-17.16s %-8s %10s %10s %10s %8s  %s\n", i,
            text(m, "shortName"), level, text(m, "validTime"), text(m, "step"), min, mean, max,
            missing, text(m, "packing"));
}

static void
print_grib(JsonObject *o)
{
    JsonArray *messages = json_object_get_array_member(o, "messages");
    const guint n = json_array_get_length(messages);
    const char *grid = NULL;

    g_print("%s: GRIB, %u message%s\n", text(o, "file"), n, n == 1 ? "" : "s");
    g_print("%5s  %-8s %-24s %-17s %-8s %10s %10s %10s %8s  %s\n", "", "name", "level",
            "valid (UTC)", "step", "min", "mean", "max", "missing", "packing");
    for (guint i = 0; i < n; i++)
        print_message(json_array_get_object_element(messages, i), &grid);
}

/* JSON without its punctuation: "steps 12  height 32", "a.grib2, b.grib2". */
static void
append_plain(GString *out, JsonNode *n)
{
    if (JSON_NODE_HOLDS_OBJECT(n)) {
        JsonObjectIter iter;
        const char *key;
        JsonNode *member;
        gboolean first = TRUE;

        json_object_iter_init_ordered(&iter, json_node_get_object(n));
        while (json_object_iter_next_ordered(&iter, &key, &member)) {
            g_string_append_printf(out, "%s%s ", first ? "" : "  ", key);
            append_plain(out, member);
            first = FALSE;
        }
    } else if (JSON_NODE_HOLDS_ARRAY(n)) {
        JsonArray *a = json_node_get_array(n);
        for (guint i = 0; i < json_array_get_length(a); i++) {
            g_string_append(out, i == 0 ? "" : ", ");
            append_plain(out, json_array_get_element(a, i));
        }
    } else if (JSON_NODE_HOLDS_VALUE(n) && json_node_get_value_type(n) == G_TYPE_STRING) {
        g_string_append(out, json_node_get_string(n));
    } else if (JSON_NODE_HOLDS_VALUE(n) && json_node_get_value_type(n) == G_TYPE_DOUBLE) {
        g_string_append_printf(out, "%.10g", json_node_get_double(n));
    } else {
        g_autofree char *value = json_to_string(n, FALSE);
        g_string_append(out, value);
    }
}

static void
print_variable(JsonObject *v)
{
    static const char *const statistics[] = {"mean", "std", "min", "max", "change_std"};
    g_autofree char *level = g_strdup_printf(
        "%s %g", text(v, "typeOfLevel"), json_object_get_double_member_with_default(v, "level", 0));

    g_print("  variable     %-8s paramId %-7" G_GINT64_FORMAT " %-24s %-10s", text(v, "name"),
            json_object_get_int_member_with_default(v, "paramId", 0), level, text(v, "units"));
    for (gsize i = 0; i < G_N_ELEMENTS(statistics); i++)
        if (json_object_has_member(v, statistics[i])) {
            g_autofree char *value = number(v, statistics[i]);
            g_print("  %s %s", statistics[i], value);
        }
    g_print("\n");
}

static void
print_variables(JsonObject *o)
{
    JsonNode *node = json_object_get_member(o, "variables");

    if (node == NULL || !JSON_NODE_HOLDS_ARRAY(node))
        return;
    JsonArray *a = json_node_get_array(node);
    for (guint i = 0; i < json_array_get_length(a); i++) {
        JsonNode *item = json_array_get_element(a, i);
        if (JSON_NODE_HOLDS_OBJECT(item))
            print_variable(json_node_get_object(item));
        else
            g_print("  variable     %s\n", json_node_get_string(item));
    }
}

/* Members that are there, one per line, in this order. */
static void
print_members(JsonObject *o)
{
    static const char *const shown[] = {
        "config", "model", "input",   "initTime",   "leadTime", "fields",
        "times",  "first", "last",    "grid",       "timeStep", "normalisation",
        "target", "crs",   "tensors", "parameters", "metadata", "error"};

    for (gsize i = 0; i < G_N_ELEMENTS(shown); i++) {
        JsonNode *n = json_object_get_member(o, shown[i]);
        if (n == NULL)
            continue;
        g_autoptr(GString) value = g_string_new(NULL);
        append_plain(value, n);
        g_print("  %-12s %s\n", shown[i], value->str);
    }
}

void
info_text_print(JsonObject *o)
{
    if (g_str_equal(text(o, "kind"), "grib")) {
        print_grib(o);
        return;
    }
    g_print("%s: %s\n", text(o, "file"), text(o, "kind"));
    print_variables(o);
    print_members(o);
}
