/* The same as JSON, written as it comes: {"files": [...]}, a line for each message of GRIB. */
#pragma once
#include <json-glib/json-glib.h>

G_BEGIN_DECLS

typedef struct {
    guint files, messages; /* written; of the last file */
} InfoJson;

/* To stdout, in this order: the beginning; for each file its messages (an M2nDescribeFunc) and its end, which `description` of
 * m2n_describe() is, or `problem`; the end of all. */
void info_json_begin(InfoJson *j);
void info_json_message(const char *name, guint n, JsonObject *message, gpointer j);
void info_json_file(InfoJson *j, const char *name, JsonNode *description, const char *problem);
void info_json_end(void);

G_END_DECLS
