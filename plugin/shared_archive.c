/* A table of the archives in use, by the stamps of their files. */
#include "plugin/shared_archive.h"

struct M2nSharedArchive {
    guint references; /* under the lock of the table */
    char *key;
    GMutex lock; /* of the archive: opening it and reading a window */
    M2nArchive *archive;
};

/* Mutable on purpose: this is the process-wide part. */
static struct {
    GMutex lock;
    GHashTable *archives; /* key -> M2nSharedArchive, not owned */
} table;

/* (transfer full) */
static M2nSharedArchive *
find_or_add(const char *key)
{
    g_mutex_lock(&table.lock);
    if (table.archives == NULL)
        table.archives = g_hash_table_new(g_str_hash, g_str_equal);
    M2nSharedArchive *s = g_hash_table_lookup(table.archives, key);
    if (s == NULL) {
        s = g_new0(M2nSharedArchive, 1);
        s->key = g_strdup(key);
        g_mutex_init(&s->lock);
        g_hash_table_insert(table.archives, s->key, s);
    }
    s->references++;
    g_mutex_unlock(&table.lock);
    return s;
}

M2nSharedArchive *
m2n_shared_archive_open(M2nSource *const *sources, guint n_sources, GError **error)
{
    g_autoptr(GString) key = g_string_new(NULL);

    for (guint i = 0; i < n_sources; i++) /* names too: messages speak of them */
        g_string_append_printf(key, "%s %s\n", m2n_source_stamp(sources[i]),
                               m2n_source_name(sources[i]));
    g_autoptr(M2nSharedArchive) s = find_or_add(key->str);
    g_mutex_lock(&s->lock);
    if (s->archive == NULL) /* the first, or the first again after one that failed */
        s->archive = m2n_archive_open(sources, n_sources, error);
    const gboolean ok = s->archive != NULL;
    g_mutex_unlock(&s->lock);
    return ok ? g_steal_pointer(&s) : NULL;
}

void
m2n_shared_archive_unref(M2nSharedArchive *s)
{
    g_mutex_lock(&table.lock);
    const gboolean last = --s->references == 0;
    if (last)
        g_hash_table_remove(table.archives, s->key);
    g_mutex_unlock(&table.lock);
    if (!last)
        return;
    g_clear_pointer(&s->archive, m2n_archive_free);
    g_mutex_clear(&s->lock);
    g_free(s->key);
    g_free(s);
}

const M2nArchive *
m2n_shared_archive_get(const M2nSharedArchive *s)
{
    return s->archive;
}

gboolean
m2n_shared_archive_read_window(M2nSharedArchive *s, const M2nDomain *d, guint steps,
                               gint64 init_time, M2nRegridMethod method, float *out,
                               M2nProgressFunc progress, gpointer user_data, GError **error)
{
    g_mutex_lock(&s->lock);
    const gboolean ok = m2n_archive_read_window(s->archive, d, steps, init_time, method, out,
                                                progress, user_data, error);
    g_mutex_unlock(&s->lock);
    return ok;
}
