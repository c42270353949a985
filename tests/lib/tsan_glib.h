/* GLib's locks and queues of tasks, told to ThreadSanitizer.  They are futexes inside a library that is not instrumented, so that
 * TSan sees neither who holds one nor what it orders; here each call of our code is told beside it.
 * sanitize.sh has this file included before every source (with -D_GNU_SOURCE=, for it comes first). */
#pragma once
#include <glib.h>
#include <sanitizer/tsan_interface.h>

#define TOLD static inline __attribute__((unused))

TOLD void
m2n_told_mutex_init(GMutex *m)
{
    (g_mutex_init)(m);
    __tsan_mutex_create(m, 0);
}

TOLD void
m2n_told_mutex_clear(GMutex *m)
{
    __tsan_mutex_destroy(m, 0);
    (g_mutex_clear)(m);
}

/* A lock of static storage is never created: hence linker_init. */
TOLD void
m2n_told_mutex_lock(GMutex *m)
{
    __tsan_mutex_pre_lock(m, __tsan_mutex_linker_init);
    (g_mutex_lock)(m);
    __tsan_mutex_post_lock(m, __tsan_mutex_linker_init, 0);
}

TOLD gboolean
m2n_told_mutex_trylock(GMutex *m)
{
    __tsan_mutex_pre_lock(m, __tsan_mutex_linker_init | __tsan_mutex_try_lock);
    const gboolean got = (g_mutex_trylock)(m);
    __tsan_mutex_post_lock(m,
                           __tsan_mutex_linker_init | __tsan_mutex_try_lock |
                               (got ? 0 : __tsan_mutex_try_lock_failed),
                           0);
    return got;
}

TOLD void
m2n_told_mutex_unlock(GMutex *m)
{
    __tsan_mutex_pre_unlock(m, 0);
    (g_mutex_unlock)(m);
    __tsan_mutex_post_unlock(m, 0);
}

/* Waiting gives the lock up and takes it again; the order comes from the lock alone. */
TOLD void
m2n_told_cond_wait(GCond *c, GMutex *m)
{
    __tsan_mutex_pre_unlock(m, 0);
    __tsan_mutex_post_unlock(m, 0);
    (g_cond_wait)(c, m);
    __tsan_mutex_pre_lock(m, 0);
    __tsan_mutex_post_lock(m, 0, 0);
}

TOLD gboolean
m2n_told_cond_wait_until(GCond *c, GMutex *m, gint64 end)
{
    __tsan_mutex_pre_unlock(m, 0);
    __tsan_mutex_post_unlock(m, 0);
    const gboolean signalled = (g_cond_wait_until)(c, m, end);
    __tsan_mutex_pre_lock(m, 0);
    __tsan_mutex_post_lock(m, 0, 0);
    return signalled;
}

TOLD void
m2n_told_rw_lock_init(GRWLock *l)
{
    (g_rw_lock_init)(l);
    __tsan_mutex_create(l, 0);
}

TOLD void
m2n_told_rw_lock_writer_lock(GRWLock *l)
{
    __tsan_mutex_pre_lock(l, __tsan_mutex_linker_init);
    (g_rw_lock_writer_lock)(l);
    __tsan_mutex_post_lock(l, __tsan_mutex_linker_init, 0);
}

TOLD void
m2n_told_rw_lock_writer_unlock(GRWLock *l)
{
    __tsan_mutex_pre_unlock(l, 0);
    (g_rw_lock_writer_unlock)(l);
    __tsan_mutex_post_unlock(l, 0);
}

TOLD void
m2n_told_rw_lock_reader_lock(GRWLock *l)
{
    __tsan_mutex_pre_lock(l, __tsan_mutex_linker_init | __tsan_mutex_read_lock);
    (g_rw_lock_reader_lock)(l);
    __tsan_mutex_post_lock(l, __tsan_mutex_linker_init | __tsan_mutex_read_lock, 0);
}

TOLD void
m2n_told_rw_lock_reader_unlock(GRWLock *l)
{
    __tsan_mutex_pre_unlock(l, __tsan_mutex_read_lock);
    (g_rw_lock_reader_unlock)(l);
    __tsan_mutex_post_unlock(l, __tsan_mutex_read_lock);
}

TOLD gboolean
m2n_told_once_enter(volatile void *location)
{
    const gboolean first = (g_once_init_enter)(location);

    if (!first)
        __tsan_acquire((void *)location);
    return first;
}

TOLD void
m2n_told_once_leave(volatile void *location, gsize result)
{
    __tsan_release((void *)location);
    (g_once_init_leave)(location, result);
}

/* What is pushed into a pool is the thread's that takes it out, and what that did is done once the pool is freed. */
typedef struct {
    GFunc func;
    gpointer user_data;
} M2nToldTask;

TOLD void
m2n_told_task(gpointer data, gpointer user_data)
{
    const M2nToldTask *t = user_data;

    __tsan_acquire(data);
    t->func(data, t->user_data);
    __tsan_release(user_data);
}

TOLD GThreadPool *
m2n_told_thread_pool_new(GFunc func, gpointer user_data, gint threads, gboolean exclusive, GError **error)
{
    M2nToldTask *t = g_new(M2nToldTask, 1);

    *t = (M2nToldTask){func, user_data};
    return (g_thread_pool_new)(m2n_told_task, t, threads, exclusive, error);
}

TOLD gboolean
m2n_told_thread_pool_push(GThreadPool *pool, gpointer data, GError **error)
{
    __tsan_release(data);
    return (g_thread_pool_push)(pool, data, error);
}

TOLD void
m2n_told_thread_pool_free(GThreadPool *pool, gboolean immediate, gboolean wait)
{
    gpointer task = pool->user_data;

    (g_thread_pool_free)(pool, immediate, wait);
    __tsan_acquire(task);
    g_free(task);
}

#define g_thread_pool_new(f, u, n, x, e) m2n_told_thread_pool_new(f, u, n, x, e)
#define g_thread_pool_push(p, d, e) m2n_told_thread_pool_push(p, d, e)
#define g_thread_pool_free(p, i, w) m2n_told_thread_pool_free(p, i, w)
#define g_mutex_init(m) m2n_told_mutex_init(m)
#define g_mutex_clear(m) m2n_told_mutex_clear(m)
#define g_mutex_lock(m) m2n_told_mutex_lock(m)
#define g_mutex_trylock(m) m2n_told_mutex_trylock(m)
#define g_mutex_unlock(m) m2n_told_mutex_unlock(m)
#define g_cond_wait(c, m) m2n_told_cond_wait(c, m)
#define g_cond_wait_until(c, m, end) m2n_told_cond_wait_until(c, m, end)
#define g_rw_lock_init(l) m2n_told_rw_lock_init(l)
#define g_rw_lock_writer_lock(l) m2n_told_rw_lock_writer_lock(l)
#define g_rw_lock_writer_unlock(l) m2n_told_rw_lock_writer_unlock(l)
#define g_rw_lock_reader_lock(l) m2n_told_rw_lock_reader_lock(l)
#define g_rw_lock_reader_unlock(l) m2n_told_rw_lock_reader_unlock(l)
#undef g_once_init_enter
#undef g_once_init_leave
#define g_once_init_enter(location) m2n_told_once_enter(location)
#define g_once_init_leave(location, result) m2n_told_once_leave(location, (gsize)(result))
