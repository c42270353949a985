/* Messages of a GRIB file for people, a line each as they come, and in the end a line for each variable: what is kept does not
 * grow with the messages. */
#pragma once
#include <json-glib/json-glib.h>

G_BEGIN_DECLS

typedef struct InfoGrib InfoGrib;

InfoGrib *info_grib_new(void); /* for one file */
void info_grib_free(InfoGrib *g);

/* To stdout.  The first is an M2nDescribeFunc; the other is for when there is no more. */
void info_grib_message(const char *name, guint n, JsonObject *message, gpointer g);
void info_grib_summary(const InfoGrib *g);
guint info_grib_count(const InfoGrib *g);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(InfoGrib, info_grib_free)

G_END_DECLS
