/* JSON descriptions as text. */
#include "plugin/cli/info_text.h"

#include "plugin/quantity.h"
#include "plugin/variable_text.h"

static const char *
text(JsonObject *o, const char *key)
{
    return json_object_get_string_member_with_default(o, key, "");
}

char *
info_text_number(JsonObject *o, const char *key)
{
    JsonNode *n = json_object_get_member(o, key);

    return n == NULL || !JSON_NODE_HOLDS_VALUE(n)
               ? g_strdup("-")
               : g_strdup_printf("%.5g", json_node_get_double(n));
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

/* Seconds as "24 h"; "PT1H" and the like stay. */
static void
append_duration(GString *out, JsonNode *n)
{
    const gint64 seconds = JSON_NODE_HOLDS_VALUE(n) ? json_node_get_int(n) : 0;

    if (seconds <= 0) {
        append_plain(out, n);
        return;
    }
    g_autofree char *duration = m2n_duration_format(seconds);
    g_string_append(out, duration);
}

/* (transfer full) What a file has there, of whatever kind, or `usual`. */
static char *
plain(JsonObject *o, const char *key, const char *usual)
{
    JsonNode *n = json_object_get_member(o, key);
    GString *value = g_string_new(n == NULL ? usual : NULL);

    if (n != NULL)
        append_plain(value, n);
    return g_string_free(value, FALSE);
}

static void
print_variable(JsonObject *v)
{
    static const char *const statistics[] = {"mean", "std", "min", "max", "change_std"};
    g_autofree char *name = plain(v, "name", ""), *id = plain(v, "paramId", "0");
    g_autofree char *kind = plain(v, "typeOfLevel", ""), *number = plain(v, "level", "0");
    g_autofree char *level = g_strconcat(kind, " ", number, NULL);
    g_autofree char *unit = plain(v, "units", ""), *units = m2n_units_text(unit);

    g_print("  variable     %-8s paramId %-7s %-24s %-10s", name, id, level, units);
    for (gsize i = 0; i < G_N_ELEMENTS(statistics); i++)
        if (json_object_has_member(v, statistics[i])) {
            g_autofree char *value = info_text_number(v, statistics[i]);
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
        g_autoptr(GString) name = g_string_new(NULL); /* in a forecast file */

        if (JSON_NODE_HOLDS_OBJECT(item)) {
            print_variable(json_node_get_object(item));
            continue;
        }
        append_plain(name, item);
        g_print("  variable     %s\n", name->str);
    }
}

/* Members that are there, one per line, in this order. */
static void
print_members(JsonObject *o)
{
    static const char *const shown[] = {
        "config", "model",   "input",      "initTime", "leadTime", "member",        "fields",
        "times",  "first",   "last",       "grid",     "timeStep", "normalisation", "target",
        "crs",    "tensors", "parameters", "metadata", "settings",
        "place",  "epochs",  "best",       "use",      "error"};

    for (gsize i = 0; i < G_N_ELEMENTS(shown); i++) {
        JsonNode *n = json_object_get_member(o, shown[i]);
        if (n == NULL)
            continue;
        g_autoptr(GString) value = g_string_new(NULL);
        if (g_str_equal(shown[i], "leadTime") || g_str_equal(shown[i], "timeStep"))
            append_duration(value, n);
        else
            append_plain(value, n);
        g_print("  %-12s %s\n", shown[i], value->str);
    }
}

void
info_text_print(JsonObject *o)
{
    g_print("%s: %s\n", text(o, "file"), text(o, "kind"));
    if (json_object_has_member(o, "contents")) {
        JsonArray *lines = json_object_get_array_member(o, "contents");
        for (guint i = 0; i < json_array_get_length(lines); i++)
            g_print("  %s\n", json_array_get_string_element(lines, i));
    }
    print_variables(o);
    print_members(o);
}
