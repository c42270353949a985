/* What m2n_describe() says, for people. */
#pragma once
#include <json-glib/json-glib.h>

G_BEGIN_DECLS

/* To stdout. */
void info_text_print(JsonObject *o);

G_END_DECLS
