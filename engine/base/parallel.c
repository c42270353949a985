/* M2nPool: threads that live as long as the pool and wait between jobs. */
#include "engine/base/parallel.h"

#include <signal.h>
#include <stdatomic.h>

#include "engine/base/error.h"

/* How long a thread looks at a counter before it goes to sleep, in us.  To wake it again takes 50 us, of a virtual machine
 * some times that, and a step of training waits a thousand times, mostly for less than this; in a pool between two
 * forecasts it is nothing.  A thread that others wait for comes first: hence the yield. */
#define SPIN 1000

typedef struct {
    M2nPool *pool;
    guint index;
    GThread *thread;
} Worker;

struct M2nPool {
    guint threads;
    Worker *workers; /* [threads - 1]; the caller is thread 0 */
    guint started;

    M2nTask task;
    gpointer data;
    gsize n;
    atomic_size_t next; /* first item not yet taken, in m2n_parallel_each */
    gboolean dynamic;

    atomic_uint job;     /* counts jobs; a change wakes the workers */
    atomic_uint running; /* workers still in the current job */
    atomic_bool quit;

    GMutex mutex; /* guards sleeping only; all else goes through the atomics */
    GCond wake, done;
};

static inline void
relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/* Waits for *at to be `value`, or, with `change`, something else; FALSE: SPIN was not long enough. */
static gboolean
spin(atomic_uint *at, guint value, gboolean change)
{
    const gint64 end = g_get_monotonic_time() + SPIN;

    for (; g_get_monotonic_time() < end; g_thread_yield())
        for (guint i = 0; i < 100; i++) {
            if ((atomic_load(at) == value) != change)
                return TRUE;
            relax();
        }
    return FALSE;
}

static void
work(M2nPool *p, guint index)
{
    if (p->dynamic) {
        for (gsize i; (i = atomic_fetch_add_explicit(&p->next, 1, memory_order_relaxed)) < p->n;)
            p->task(i, i + 1, index, p->data);
    } else {
        const gsize share = p->n / p->threads, more = p->n % p->threads;
        const gsize begin = share * index + MIN(index, more);
        const gsize end = begin + share + (index < more ? 1 : 0);

        if (begin < end)
            p->task(begin, end, index, p->data);
    }
}

static gpointer
worker_main(gpointer data)
{
    const Worker *w = data;
    M2nPool *p = w->pool;

    for (guint seen = 0;; seen++) {
        if (!spin(&p->job, seen, TRUE)) {
            g_mutex_lock(&p->mutex);
            while (atomic_load(&p->job) == seen)
                g_cond_wait(&p->wake, &p->mutex);
            g_mutex_unlock(&p->mutex);
        }
        if (atomic_load(&p->quit))
            return NULL;
        work(p, w->index);
        if (atomic_fetch_sub(&p->running, 1) == 1) {
            g_mutex_lock(&p->mutex);
            g_cond_signal(&p->done);
            g_mutex_unlock(&p->mutex);
        }
    }
}

static void
start_job(M2nPool *p)
{
    atomic_store(&p->running, p->started);
    g_mutex_lock(&p->mutex);
    atomic_fetch_add(&p->job, 1);
    g_cond_broadcast(&p->wake);
    g_mutex_unlock(&p->mutex);
}

static void
run_job(M2nPool *p, gsize n, M2nTask task, gpointer data, gboolean dynamic)
{
    p->task = task;
    p->data = data;
    p->n = n;
    p->dynamic = dynamic;
    atomic_store(&p->next, 0);
    start_job(p);
    work(p, 0);
    if (!spin(&p->running, 0, FALSE)) {
        g_mutex_lock(&p->mutex);
        while (atomic_load(&p->running) > 0)
            g_cond_wait(&p->done, &p->mutex);
        g_mutex_unlock(&p->mutex);
    }
}

/* Signals belong to the host: its handlers must never run on our threads. */
static gboolean
start_workers(M2nPool *p, GError **error)
{
    g_autoptr(GError) cause = NULL;
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (; p->started < p->threads - 1; p->started++) {
        Worker *w = &p->workers[p->started];

        w->pool = p;
        w->index = p->started + 1;
        w->thread = g_thread_try_new("met2net", worker_main, w, &cause);
        if (w->thread == NULL)
            break;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (cause != NULL)
        g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY, "thread %u of %u did not start: %s",
                    p->started + 2, p->threads, cause->message);
    return cause == NULL;
}

M2nPool *
m2n_pool_new(guint threads, GError **error)
{
    g_assert(threads >= 1);
    g_autoptr(M2nPool) p = g_new0(M2nPool, 1);

    p->threads = threads;
    p->workers = g_new0(Worker, threads);
    g_mutex_init(&p->mutex);
    g_cond_init(&p->wake);
    g_cond_init(&p->done);
    return start_workers(p, error) ? g_steal_pointer(&p) : NULL;
}

void
m2n_pool_free(M2nPool *p)
{
    atomic_store(&p->quit, TRUE);
    start_job(p);
    for (guint i = 0; i < p->started; i++)
        g_thread_join(p->workers[i].thread);
    g_mutex_clear(&p->mutex);
    g_cond_clear(&p->wake);
    g_cond_clear(&p->done);
    g_free(p->workers);
    g_free(p);
}

guint
m2n_pool_threads(const M2nPool *p)
{
    return p->threads;
}

void
m2n_parallel_for(M2nPool *p, gsize n, M2nTask task, gpointer data)
{
    if (p->threads == 1 || n <= 1) {
        if (n > 0)
            task(0, n, 0, data);
        return;
    }
    run_job(p, n, task, data, FALSE);
}

void
m2n_parallel_each(M2nPool *p, gsize n, M2nTask task, gpointer data)
{
    if (p->threads == 1 || n <= 1) {
        for (gsize i = 0; i < n; i++)
            task(i, i + 1, 0, data);
        return;
    }
    run_job(p, n, task, data, TRUE);
}
