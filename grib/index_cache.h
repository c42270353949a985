/* Indexes of GRIB files on disk, in $XDG_CACHE_HOME/met2net/grib-index (or ~/.cache/...), so that a large archive
 * is scanned once.
 *
 * Only folders and files that belong to this user and that nobody else can write are used; a file carries its key
 * and a SHA-256 of all it holds.  Files appear complete or not at all; the oldest go beyond 200.  A cache that does
 * not work is no error: it is then as if it were empty.  Thread-safe, also between processes. */
#pragma once
#include <glib.h>

G_BEGIN_DECLS

/* (transfer full) NULL: not there, damaged, or not ours. */
GBytes *m2n_index_cache_load(const char *key);
void m2n_index_cache_store(const char *key, GBytes *content);

G_END_DECLS
