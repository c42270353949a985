#include "plugin/cli/info_grib.h"

#include <string.h>

#include "plugin/cli/info_text.h"

#define TIME 32

typedef struct {
    char first[TIME], last[TIME]; /* valid times, as text that sorts */
    guint messages;
    gint64 member, last_member;
} Tally;

struct InfoGrib {
    guint n;             /* messages, those with errors too */
    char *grid;          /* of the last one */
    GHashTable *tallies; /* by what is printed of a variable */
    GPtrArray *order;    /* the same keys as they came */
};

InfoGrib *
info_grib_new(void)
{
    InfoGrib *g = g_new0(InfoGrib, 1);

    g->tallies = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g->order = g_ptr_array_new();
    return g;
}

void
info_grib_free(InfoGrib *g)
{
    g_hash_table_unref(g->tallies);
    g_ptr_array_unref(g->order);
    g_free(g->grid);
    g_free(g);
}

guint
info_grib_count(const InfoGrib *g)
{
    return g->n;
}

static const char *
text(JsonObject *o, const char *key)
{
    return json_object_get_string_member_with_default(o, key, "");
}

static void
print_message(InfoGrib *g, JsonObject *m)
{
    const gint64 i = json_object_get_int_member(m, "number");

    if (json_object_has_member(m, "error")) {
        g_print("%5" G_GINT64_FORMAT "  error: %s\n", i, text(m, "error"));
        return;
    }
    if (g_strcmp0(g->grid, text(m, "grid")) != 0) {
        g_free(g->grid);
        g->grid = g_strdup(text(m, "grid"));
        g_print("       grid %s: %s\n", text(m, "gridType"), g->grid);
    }
    g_autofree char *level =
        g_strdup_printf("%s %g", text(m, "typeOfLevel"), json_object_get_double_member(m, "level"));
    g_autofree char *min = info_text_number(m, "min"), *mean = info_text_number(m, "mean");
    g_autofree char *max = info_text_number(m, "max"), *missing = info_text_number(m, "missing");
    g_print("%5" G_GINT64_FORMAT "  %-8s %-24s %-17.16s %-8s %10s %10s %10s %8s  %s\n", i,
            text(m, "shortName"), level, text(m, "validTime"), text(m, "step"), min, mean, max,
            missing, text(m, "packing"));
}

static void
count_message(InfoGrib *g, JsonObject *m)
{
    const char *time = text(m, "validTime"), *name = text(m, "variable");
    const gint64 member = json_object_get_int_member_with_default(m, "member", -1);
    g_autofree char *key =
        g_strdup_printf("%-8s %-8s %s %g", *name ? name : "-", text(m, "shortName"),
                        text(m, "typeOfLevel"), json_object_get_double_member(m, "level"));
    Tally *t = g_hash_table_lookup(g->tallies, key);

    if (t == NULL) {
        t = g_new0(Tally, 1);
        t->member = t->last_member = member;
        g_ptr_array_add(g->order, key);
        g_hash_table_insert(g->tallies, g_steal_pointer(&key), t);
    }
    if (t->messages == 0 || strcmp(time, t->first) < 0)
        g_strlcpy(t->first, time, TIME);
    if (t->messages == 0 || strcmp(time, t->last) > 0)
        g_strlcpy(t->last, time, TIME);
    t->messages++;
    t->member = MIN(member, t->member);
    t->last_member = MAX(member, t->last_member);
}

void
info_grib_message(const char *name, guint n, JsonObject *message, gpointer user_data)
{
    InfoGrib *g = user_data;

    if (g->n++ == 0) {
        g_print("%s: GRIB, %u message%s\n", name, n, n == 1 ? "" : "s");
        g_print("%5s  %-8s %-24s %-17s %-8s %10s %10s %10s %8s  %s\n", "", "name", "level",
                "valid (UTC)", "step", "min", "mean", "max", "missing", "packing");
    }
    print_message(g, message);
    if (!json_object_has_member(message, "error"))
        count_message(g, message);
}

/* What a long list does not show: each variable in a line, by the name that --variables takes. */
void
info_grib_summary(const InfoGrib *g)
{
    if (g->n < 2)
        return;
    g_print("In all:  name     in GRIB  level\n");
    for (guint i = 0; i < g->order->len; i++) {
        const Tally *t = g_hash_table_lookup(g->tallies, g->order->pdata[i]);
        g_print("         %s: %u message%s, %.16s to %.16s", (char *)g->order->pdata[i], t->messages,
                t->messages == 1 ? "" : "s", t->first, t->last);
        if (t->last_member > t->member)
            g_print(", members %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT, t->member,
                    t->last_member);
        g_print("\n");
    }
}
