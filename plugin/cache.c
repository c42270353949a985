/* One entry per forecast, one lock for all, held only to look and to change, never while computing. */
#include "plugin/cache.h"

#include <cpl_conv.h>
#include <cpl_error.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/base/error.h"
#include "plugin/after_fork.h"
#include "plugin/disk_cache.h"

#define POLL                                                                                       \
    (G_TIME_SPAN_MILLISECOND * 100) /* how soon a waiting thread sees progress and cancel */

typedef struct {
    char *key;
    M2nResult *result; /* or NULL */
    gint64 used;
    guint asking; /* threads inside m2n_cache_get() */
    gboolean computing;
    pid_t computer; /* after a fork nobody computes in the child, whatever it inherited */
    double done;
    guint attempt; /* of the computation that runs or ran last */
    GError *error; /* how that one failed, or NULL */
} Entry;

/* Mutable on purpose: this is the process-wide part. */
static struct {
    GMutex lock;
    GCond changed;
    GHashTable *entries; /* key -> Entry */
    gint64 clock;
} cache;

/* ---- results --------------------------------------------------------------------------------- */

static M2nResult *
result_new(gsize n)
{
    M2nResult *r = malloc(sizeof *r + n * sizeof(float)); /* size checked at open */

    if (r == NULL)
        return NULL;
    g_atomic_ref_count_init(&r->references);
    r->n = n;
    return r;
}

M2nResult *
m2n_result_ref(M2nResult *r)
{
    g_atomic_ref_count_inc(&r->references);
    return r;
}

void
m2n_result_unref(M2nResult *r)
{
    if (g_atomic_ref_count_dec(&r->references))
        free(r);
}

/* ---- entries; all of these with the lock held ------------------------------------------------ */

static void
entry_free(gpointer data)
{
    Entry *e = data;

    g_clear_pointer(&e->result, m2n_result_unref);
    g_clear_error(&e->error);
    g_free(e->key);
    g_free(e);
}

static void
child_forgets(void)
{
    if (!m2n_after_fork_is_whole(&cache.lock))
        cache.entries = NULL;
    g_cond_init(&cache.changed);
}

static Entry *
find_entry(const char *key, gboolean create)
{
    static gsize once = 0;

    m2n_after_fork(&once, child_forgets);
    if (cache.entries == NULL)
        cache.entries = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, entry_free);
    Entry *e = g_hash_table_lookup(cache.entries, key);
    if (e == NULL && create) {
        e = g_new0(Entry, 1);
        e->key = g_strdup(key);
        g_hash_table_insert(cache.entries, e->key, e);
    }
    return e;
}

/* Removes an entry that holds nothing and that nobody looks at. */
static void
drop_if_idle(Entry *e)
{
    if (e->result == NULL && e->asking == 0)
        g_hash_table_remove(cache.entries, e->key);
}

static void
evict(guint64 limit)
{
    for (;;) {
        GHashTableIter iter;
        gpointer value;
        Entry *oldest = NULL;
        guint64 sum = 0;
        guint count = 0;

        g_hash_table_iter_init(&iter, cache.entries);
        while (g_hash_table_iter_next(&iter, NULL, &value)) {
            Entry *e = value;
            if (e->result == NULL)
                continue;
            sum += e->result->n * sizeof(float);
            count++;
            if (oldest == NULL || e->used < oldest->used)
                oldest = e;
        }
        if (sum <= limit || count <= 1)
            return;
        g_clear_pointer(&oldest->result, m2n_result_unref);
        drop_if_idle(oldest);
    }
}

/* ---- computing ------------------------------------------------------------------------------- */

typedef struct {
    Entry *entry;
    M2nProgressFunc progress;
    gpointer user_data;
} Reporter;

/* Tells the caller and those who wait. */
static gboolean
report(double done, const char *message, gpointer user_data)
{
    const Reporter *r = user_data;

    g_mutex_lock(&cache.lock);
    r->entry->done = done;
    g_mutex_unlock(&cache.lock);
    return r->progress == NULL || r->progress(done, message, r->user_data);
}

/* It is about the processor: once a process is enough. */
static void
warn_once(const char *warning)
{
    static gint warned = 0;

    if (warning != NULL && g_atomic_int_compare_and_exchange(&warned, 0, 1))
        CPLError(CE_Warning, CPLE_AppDefined, "PRECISION=%s", warning);
}

/* Also of a result that was on disk: it is no better for that. */
static void
warn_of_doubts(const M2nForecast *f, const float *values)
{
    g_auto(GStrv) doubts = m2n_forecast_doubts(f, values);

    for (guint v = 0; doubts[v] != NULL; v++)
        if (*doubts[v] != '\0')
            CPLError(CE_Warning, CPLE_AppDefined, "%s", doubts[v]);
}

/* (transfer full) Without the lock. */
static M2nResult *
produce(const M2nForecast *f, gboolean disk, Reporter *reporter, GError **error)
{
    const char *key = m2n_forecast_key(f);
    M2nResult *r = result_new(m2n_forecast_n_values(f));

    if (r == NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY,
                    "%s: no memory for a forecast of %" G_GSIZE_FORMAT " bytes",
                    m2n_forecast_model(f), m2n_forecast_n_values(f) * sizeof(float));
        return NULL;
    }
    if (disk && m2n_disk_cache_load(key, r->values, r->n)) {
        CPLDebug("MET2NET", "%s read from the cache", key);
        return r;
    }
    warn_once(m2n_forecast_warning(f));
    CPLDebug("MET2NET", "computing %s with %s", key, m2n_forecast_model(f));
    if (!m2n_forecast_compute(f, 0, r->values, report, reporter, error)) {
        m2n_result_unref(r);
        return NULL;
    }
    if (disk)
        m2n_disk_cache_store(key, r->values, r->n);
    return r;
}

/* With the lock held, and again on return. (transfer full) */
static M2nResult *
compute_here(Entry *e, const M2nForecast *f, gboolean disk, Reporter *reporter, GError **error)
{
    static gint told = 0;
    GError *inner = NULL;

    e->computing = TRUE;
    e->computer = getpid();
    e->done = 0;
    e->attempt++;
    g_clear_error(&e->error);
    g_mutex_unlock(&cache.lock);
    M2nResult *r = produce(f, disk, reporter, &inner);
    if (r != NULL)
        warn_of_doubts(f, r->values);
    const guint64 limit = m2n_cache_limit("MET2NET_CACHE_MEMORY", (guint64)512 << 20, &told); /* may warn: not with the lock */
    g_mutex_lock(&cache.lock);
    e->computing = FALSE;
    if (r != NULL) {
        e->result = m2n_result_ref(r);
        e->used = ++cache.clock;
        evict(limit);
    } else if (!g_error_matches(inner, M2N_ERROR, M2N_ERROR_CANCELLED) &&
               !g_error_matches(inner, M2N_ERROR, M2N_ERROR_MEMORY)) {
        /* cancelling and MAX_MEMORY are one handle's own affair; the rest is the same for all */
        e->error = g_error_copy(inner);
    }
    g_cond_broadcast(&cache.changed);
    if (inner != NULL)
        g_propagate_error(error, inner);
    return r;
}

/* With the lock held: waits for the other's computation to end or a moment to pass.  FALSE: stop,
 * with error. */
static gboolean
wait_for_other(Entry *e, const M2nForecast *f, Reporter *reporter, GError **error)
{
    const guint attempt = e->attempt;

    g_cond_wait_until(&cache.changed, &cache.lock, g_get_monotonic_time() + POLL);
    if (e->error != NULL && e->attempt == attempt) {
        g_propagate_error(error, g_error_copy(e->error));
        return FALSE;
    }
    if (!e->computing || reporter->progress == NULL)
        return TRUE;
    const double done = e->done;
    g_mutex_unlock(&cache.lock);
    const gboolean go_on = reporter->progress(done, NULL, reporter->user_data);
    g_mutex_lock(&cache.lock);
    if (!go_on)
        g_set_error(error, M2N_ERROR, M2N_ERROR_CANCELLED, "%s: cancelled", m2n_forecast_model(f));
    return go_on;
}

M2nResult *
m2n_cache_get(const M2nForecast *f, gboolean disk, M2nProgressFunc progress, gpointer user_data,
              GError **error)
{
    M2nResult *r = NULL;
    gboolean go_on = TRUE;

    g_mutex_lock(&cache.lock);
    Entry *e = find_entry(m2n_forecast_key(f), TRUE);
    Reporter reporter = {e, progress, user_data};
    e->asking++;
    while (r == NULL && go_on) {
        if (e->result != NULL) {
            e->used = ++cache.clock;
            r = m2n_result_ref(e->result);
        } else if (!e->computing || e->computer != getpid()) {
            r = compute_here(e, f, disk, &reporter, error);
            go_on = FALSE;
        } else {
            go_on = wait_for_other(e, f, &reporter, error);
        }
    }
    e->asking--;
    drop_if_idle(e);
    g_mutex_unlock(&cache.lock);
    return r;
}

M2nResult *
m2n_cache_peek(const M2nForecast *f)
{
    g_mutex_lock(&cache.lock);
    const Entry *e = find_entry(m2n_forecast_key(f), FALSE);
    M2nResult *r = e != NULL && e->result != NULL ? m2n_result_ref(e->result) : NULL;
    g_mutex_unlock(&cache.lock);
    return r;
}
