/* JSON descriptions as text. */
#include "plugin/cli/info_text.h"

#include <string.h>

#include "plugin/quantity.h"

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

typedef struct {
    const char *first, *last; /* valid times, as text that sorts */
    guint messages;
    gint64 member, last_member;
} Tally;

/* What a long list does not show: each variable in a line, by the name that --variables takes. */
static void
print_summary(JsonArray *messages)
{
    g_autoptr(GHashTable) tallies = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_autoptr(GPtrArray) order = g_ptr_array_new();

    for (guint i = 0; i < json_array_get_length(messages); i++) {
        JsonObject *m = json_array_get_object_element(messages, i);
        if (json_object_has_member(m, "error"))
            continue;
        const char *time = text(m, "validTime"), *name = text(m, "variable");
        const gint64 member = json_object_get_int_member_with_default(m, "member", -1);
        char *key =
            g_strdup_printf("%-8s %-8s %s %g", *name ? name : "-", text(m, "shortName"),
                            text(m, "typeOfLevel"), json_object_get_double_member(m, "level"));
        Tally *t = g_hash_table_lookup(tallies, key);
        if (t == NULL) {
            t = g_new0(Tally, 1);
            *t = (Tally){time, time, 0, member, member};
            g_ptr_array_add(order, key);
            g_hash_table_insert(tallies, key, t);
        } else {
            g_free(key);
        }
        t->messages++;
        t->first = strcmp(time, t->first) < 0 ? time : t->first;
        t->last = strcmp(time, t->last) > 0 ? time : t->last;
        t->member = MIN(member, t->member);
        t->last_member = MAX(member, t->last_member);
    }
    g_print("In all:  name     in GRIB  level\n");
    for (guint i = 0; i < order->len; i++) {
        const Tally *t = g_hash_table_lookup(tallies, order->pdata[i]);
        g_print("         %s: %u message%s, %.16s to %.16s", (char *)order->pdata[i], t->messages,
                t->messages == 1 ? "" : "s", t->first, t->last);
        if (t->last_member > t->member)
            g_print(", members %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT, t->member,
                    t->last_member);
        g_print("\n");
    }
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
    if (n > 1)
        print_summary(messages);
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
        "config", "model",   "input",      "initTime", "leadTime", "member",        "fields",
        "times",  "first",   "last",       "grid",     "timeStep", "normalisation", "target",
        "crs",    "tensors", "parameters", "metadata", "error"};

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
    if (g_str_equal(text(o, "kind"), "grib")) {
        print_grib(o);
        return;
    }
    g_print("%s: %s\n", text(o, "file"), text(o, "kind"));
    if (json_object_has_member(o, "contents")) {
        JsonArray *lines = json_object_get_array_member(o, "contents");
        for (guint i = 0; i < json_array_get_length(lines); i++)
            g_print("  %s\n", json_array_get_string_element(lines, i));
    }
    print_variables(o);
    print_members(o);
}
