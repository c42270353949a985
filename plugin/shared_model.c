/* One model and some hashes, kept under the stamp of their file. */
#include "plugin/shared_model.h"

#include <string.h>

#include "plugin/after_fork.h"

#define MAX_HASHES 64u
#define CHUNK ((gsize)1 << 16)

/* Mutable on purpose: this is the process-wide part. */
static struct {
    GMutex lock;
    char *stamp;
    M2nPrecision precision;
    M2nModel *model;
    GHashTable *hashes; /* stamp -> hash */
} shared;

static void
child_forgets(void)
{
    if (m2n_after_fork_is_whole(&shared.lock))
        return;
    shared.stamp = NULL;
    shared.model = NULL;
    shared.hashes = NULL;
}

static void
lock_shared(void)
{
    static gsize once = 0;

    m2n_after_fork(&once, child_forgets);
    g_mutex_lock(&shared.lock);
}

M2nModel *
m2n_shared_model(const M2nSafetensors *tensors, M2nPrecision precision, guint threads,
                 GError **error)
{
    const char *stamp = m2n_source_stamp(m2n_safetensors_source(tensors));
    M2nModel *model = NULL;

    lock_shared();
    if (shared.stamp != NULL && strcmp(shared.stamp, stamp) == 0 && shared.precision == precision)
        model = m2n_model_ref(shared.model);
    g_mutex_unlock(&shared.lock);
    if (model != NULL)
        return model;

    /* not under the lock: loading takes long, and two that load the same one is only waste */
    model = m2n_model_load(tensors, precision, threads, error);
    if (model == NULL)
        return NULL;
    lock_shared();
    g_clear_pointer(&shared.model, m2n_model_unref);
    g_free(shared.stamp);
    shared.model = m2n_model_ref(model);
    shared.stamp = g_strdup(stamp);
    shared.precision = precision;
    g_mutex_unlock(&shared.lock);
    return model;
}

static char *
hash_source(M2nSource *source, GError **error)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    g_autofree guint8 *chunk = g_malloc(CHUNK);
    const guint64 size = m2n_source_size(source);

    for (guint64 at = 0; at < size;) {
        const gsize n = (gsize)MIN(size - at, CHUNK);
        if (!m2n_source_read(source, at, chunk, n, error))
            return NULL;
        g_checksum_update(sum, chunk, (gssize)n);
        at += n;
    }
    return g_strdup(g_checksum_get_string(sum));
}

char *
m2n_shared_hash(M2nSource *source, GError **error)
{
    const char *stamp = m2n_source_stamp(source);

    lock_shared();
    char *hash = shared.hashes != NULL ? g_strdup(g_hash_table_lookup(shared.hashes, stamp)) : NULL;
    g_mutex_unlock(&shared.lock);
    if (hash != NULL)
        return hash;

    hash = hash_source(source, error);
    if (hash == NULL)
        return NULL;
    lock_shared();
    if (shared.hashes == NULL)
        shared.hashes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    if (g_hash_table_size(shared.hashes) >= MAX_HASHES)
        g_hash_table_remove_all(shared.hashes);
    g_hash_table_replace(shared.hashes, g_strdup(stamp), g_strdup(hash));
    g_mutex_unlock(&shared.lock);
    return hash;
}
