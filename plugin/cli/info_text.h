/* What m2n_describe() says, for people. */
#pragma once
#include <json-glib/json-glib.h>

G_BEGIN_DECLS

/* To stdout; of GRIB nothing is left to say (info_grib.h). */
void info_text_print(JsonObject *o);

/* (transfer full) A number with five digits, or "-" when there is none. */
char *info_text_number(JsonObject *o, const char *key);

G_END_DECLS
