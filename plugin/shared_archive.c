/* A table of the inputs in use, by the stamps of their files. */
#include "plugin/shared_archive.h"

#include "plugin/after_fork.h"

struct M2nSharedArchive {
    guint references; /* under the lock of the table */
    char *key;
    GMutex lock; /* of the input: opening it, asking it, reading a window */
    M2nInput *input;
};

/* Mutable on purpose: this is the process-wide part. */
static struct {
    GMutex lock;
    GHashTable *archives; /* key -> M2nSharedArchive, not owned */
} table;

static gboolean
is_in_hand(gpointer key, gpointer value, gpointer unused)
{
    M2nSharedArchive *s = value;

    (void)key;
    (void)unused;
    return !m2n_after_fork_is_whole(&s->lock);
}

static void
child_forgets(void)
{
    if (!m2n_after_fork_is_whole(&table.lock))
        table.archives = NULL;
    else if (table.archives != NULL)
        g_hash_table_foreach_remove(table.archives, is_in_hand, NULL);
}

/* (transfer full) */
static M2nSharedArchive *
find_or_add(const char *key)
{
    static gsize once = 0;

    m2n_after_fork(&once, child_forgets);
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
m2n_shared_archive_open(const char *const *names, const char *stamp, long member,
                        guint64 max_memory, GError **error)
{
    g_autofree char *joined = g_strjoinv("\n", (char **)names); /* messages speak of them */
    g_autofree char *key = g_strdup_printf("%s%s\n%ld", stamp, joined, member);
    g_autoptr(M2nSharedArchive) s = find_or_add(key);

    g_mutex_lock(&s->lock);
    if (s->input == NULL) /* the first, or the first again after one that failed */
        s->input = m2n_input_open_with(names, member, max_memory, error);
    gboolean ok = s->input != NULL;
    if (ok && m2n_input_index_memory(s->input) > max_memory) { /* another was allowed more: what would this one be told? */
        g_autoptr(M2nInput) own = m2n_input_open_with(names, member, max_memory, error);
        ok = own != NULL;
    }
    g_mutex_unlock(&s->lock);
    return ok ? g_steal_pointer(&s) : NULL;
}

void
m2n_shared_archive_unref(M2nSharedArchive *s)
{
    g_mutex_lock(&table.lock);
    const gboolean last = --s->references == 0;
    /* not there when a fork has made this process forget it */
    if (last && table.archives != NULL && g_hash_table_lookup(table.archives, s->key) == s)
        g_hash_table_remove(table.archives, s->key);
    g_mutex_unlock(&table.lock);
    if (!last)
        return;
    g_clear_pointer(&s->input, m2n_input_free);
    g_mutex_clear(&s->lock);
    g_free(s->key);
    g_free(s);
}

long
m2n_shared_archive_member(const M2nSharedArchive *s, guint *members)
{
    return m2n_input_member(s->input, members);
}

const char *
m2n_shared_archive_note(const M2nSharedArchive *s)
{
    return m2n_input_note(s->input);
}

long
m2n_shared_archive_centre(const M2nSharedArchive *s)
{
    return m2n_input_centre(s->input);
}

gboolean
m2n_shared_archive_latest(M2nSharedArchive *s, const M2nDomain *d, guint steps, gint64 *init_time,
                          GError **error)
{
    g_mutex_lock(&s->lock);
    const gboolean ok = m2n_input_latest(s->input, d, steps, init_time, error);
    g_mutex_unlock(&s->lock);
    return ok;
}

gboolean
m2n_shared_archive_has_window(M2nSharedArchive *s, const M2nDomain *d, guint steps,
                              gint64 init_time, GError **error)
{
    g_mutex_lock(&s->lock);
    const gboolean ok = m2n_input_has_window(s->input, d, steps, init_time, error);
    g_mutex_unlock(&s->lock);
    return ok;
}

gboolean
m2n_shared_archive_read_window(M2nSharedArchive *s, const M2nDomain *d, guint steps,
                               gint64 init_time, M2nRegridMethod method, guint64 max_memory,
                               float *out, M2nProgressFunc progress, gpointer user_data,
                               GError **error)
{
    g_mutex_lock(&s->lock);
    m2n_input_set_memory(s->input, max_memory);
    const gboolean ok = m2n_input_read_window(s->input, d, steps, init_time, method, out, progress,
                                              user_data, error);
    g_mutex_unlock(&s->lock);
    return ok;
}
