#include "plugin/cli/info_json.h"

/* (transfer full) */
static char *
quoted(const char *text)
{
    g_autoptr(JsonNode) node = json_node_init_string(json_node_alloc(), text);

    return json_to_string(node, FALSE);
}

void
info_json_begin(InfoJson *j)
{
    *j = (InfoJson){0};
    g_print("{\"files\": [");
}

void
info_json_message(const char *name, guint n, JsonObject *message, gpointer user_data)
{
    InfoJson *j = user_data;
    g_autoptr(JsonNode) node = json_node_init_object(json_node_alloc(), message);
    g_autofree char *text = json_to_string(node, FALSE);

    (void)n;
    if (j->messages++ == 0) {
        g_autofree char *file = quoted(name);
        g_print("%s\n{\"file\": %s, \"kind\": \"grib\", \"messages\": [", j->files > 0 ? "," : "", file);
    }
    g_print("%s\n  %s", j->messages > 1 ? "," : "", text);
}

void
info_json_file(InfoJson *j, const char *name, JsonNode *description, const char *problem)
{
    g_autofree char *why = problem != NULL ? quoted(problem) : NULL;

    if (j->messages > 0) {
        g_print("]%s%s}", why != NULL ? ", \"error\": " : "", why != NULL ? why : "");
    } else if (why != NULL) {
        g_autofree char *file = quoted(name);
        g_print("%s\n{\"file\": %s, \"error\": %s}", j->files > 0 ? "," : "", file, why);
    } else {
        g_autofree char *text = json_to_string(description, TRUE);
        g_print("%s\n%s", j->files > 0 ? "," : "", text);
    }
    j->files++;
    j->messages = 0;
}

void
info_json_end(void)
{
    g_print("\n]}\n");
}
