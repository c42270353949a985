/* A ring of forecasts, filled by a thread pool and emptied in order. */
#include "plugin/verify_ahead.h"

#include "engine/base/error.h"
#include "grib/domain.h"

typedef struct {
    gint64 init_time;
    float *values;
    gboolean busy; /* being computed, or waiting for a thread */
    GError *error;
} Slot;

struct M2nAhead {
    const M2nForecastSource *source;
    const gint64 *starts;
    guint n_starts, pushed, taken;
    guint n_slots; /* one more than threads: the one being scored */
    Slot *slots;
    GThreadPool *pool;
    GMutex lock; /* of `busy` and `error` */
    GCond ready;
};

static void
compute(gpointer data, gpointer user_data)
{
    Slot *slot = data;
    M2nAhead *a = user_data;
    GError *error = NULL;

    if (!m2n_forecast_source_read(a->source, slot->init_time, slot->values, &error))
        g_assert(error != NULL);
    g_mutex_lock(&a->lock);
    slot->error = error;
    slot->busy = FALSE;
    g_cond_broadcast(&a->ready);
    g_mutex_unlock(&a->lock);
}

/* FALSE: there is no thread that would compute it. */
static gboolean
push_next(M2nAhead *a, GError **error)
{
    g_autoptr(GError) why = NULL;

    if (a->pushed == a->n_starts)
        return TRUE;
    Slot *slot = &a->slots[a->pushed % a->n_slots];
    g_clear_error(&slot->error);
    slot->init_time = a->starts[a->pushed++];
    slot->busy = TRUE;
    /* what was pushed without a thread is for those there are */
    if (g_thread_pool_push(a->pool, slot, &why) || g_thread_pool_get_num_threads(a->pool) > 0)
        return TRUE;
    g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY, "no thread for the forecasts: %s", why->message);
    return FALSE;
}

M2nAhead *
m2n_ahead_new(const M2nForecastSource *source, const gint64 *starts, guint n_starts, guint jobs,
              GError **error)
{
    const M2nDomain *d = m2n_forecast_source_domain(source);
    guint n_files = 0, n_leads = 0;

    m2n_forecast_source_leads(source, &n_leads);
    if (m2n_forecast_source_starts(source, &n_files) != NULL)
        jobs = 1;
    jobs = CLAMP(jobs, 1, MAX(n_starts, 1));
    M2nAhead *a = g_new0(M2nAhead, 1);
    *a = (M2nAhead){.source = source, .starts = starts, .n_starts = n_starts, .n_slots = jobs + 1};
    a->slots = g_new0(Slot, a->n_slots);
    g_mutex_init(&a->lock);
    g_cond_init(&a->ready);
    a->pool = g_thread_pool_new(compute, a, (gint)jobs, FALSE, NULL);
    for (guint i = 0; i < a->n_slots; i++) {
        a->slots[i].values = g_try_new(float, (gsize)n_leads * d->n_variables * d->grid->n_points);
        if (a->slots[i].values == NULL) {
            g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY,
                        "%s: %u forecasts of %u lead times do not fit in memory",
                        m2n_forecast_source_name(source), a->n_slots, n_leads);
            m2n_ahead_free(a);
            return NULL;
        }
    }
    for (guint i = 0; i < jobs; i++)
        if (!push_next(a, error)) {
            m2n_ahead_free(a);
            return NULL;
        }
    return a;
}

void
m2n_ahead_free(M2nAhead *a)
{
    g_thread_pool_free(a->pool, TRUE, TRUE);
    for (guint i = 0; i < a->n_slots; i++) {
        g_free(a->slots[i].values);
        g_clear_error(&a->slots[i].error);
    }
    g_free(a->slots);
    g_mutex_clear(&a->lock);
    g_cond_clear(&a->ready);
    g_free(a);
}

const float *
m2n_ahead_next(M2nAhead *a, GError **error)
{
    g_assert(a->taken < a->n_starts);
    Slot *slot = &a->slots[a->taken++ % a->n_slots];

    g_mutex_lock(&a->lock);
    while (slot->busy)
        g_cond_wait(&a->ready, &a->lock);
    g_mutex_unlock(&a->lock);
    if (slot->error != NULL) {
        g_propagate_error(error, g_steal_pointer(&slot->error));
        return NULL;
    }
    /* into the slot that was scored before this one */
    return push_next(a, error) ? slot->values : NULL;
}
