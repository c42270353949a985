/* Finished forecasts on disk, in $XDG_CACHE_HOME/met2net (or ~/.cache/met2net): one safetensors
 * file each, named by m2n_forecast_key().
 *
 * Only a folder that belongs to this user and nobody else can write or read is used, so that no
 * other user can slip a forecast in.  Files appear complete or not at all and carry a SHA-256 of
 * their values; a damaged one is removed and counts as absent.  The least recently used go when the
 * sum passes MET2NET_CACHE_SIZE [1GB]. A cache that does not work is no error: it is then as if it
 * were empty.  Thread-safe, also between processes. */
#pragma once
#include <glib.h>

G_BEGIN_DECLS

gboolean m2n_disk_cache_has(const char *key); /* without checking the content */
/* Bytes that a configuration option of GDAL bounds a cache to; `usual` where it is not set, or set to what is no size: then with a
 * GDAL warning, unless *told, which becomes 1. */
guint64 m2n_cache_limit(const char *option, guint64 usual, gint *told);
/* FALSE: not there, and out[n] is undefined. */
gboolean m2n_disk_cache_load(const char *key, float *out, gsize n);
void m2n_disk_cache_store(const char *key, const float *values, gsize n);

G_END_DECLS
