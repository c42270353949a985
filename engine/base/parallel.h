/* M2nPool: the only place that starts threads.
 *
 * Work is cut into at most `threads` contiguous ranges whose bounds depend on n and the thread
 * count alone, so the same input with the same thread count gives the same bits. */
#pragma once
#include <glib.h>

G_BEGIN_DECLS

typedef struct M2nPool M2nPool;

/* Works on items [begin, end).  `thread` is 0 .. threads-1 and never runs twice at once: an index
 * for scratch memory. */
typedef void (*M2nTask)(gsize begin, gsize end, guint thread, gpointer data);

/* (transfer full) threads >= 1; 1 starts none and runs everything in the caller.  NULL:
 * M2N_ERROR_MEMORY when the system refuses a thread. */
M2nPool *m2n_pool_new(guint threads, GError **error);
void m2n_pool_free(M2nPool *pool);
guint m2n_pool_threads(const M2nPool *pool);

/* Returns when all of [0, n) is done.  One caller at a time; not to be called from inside a task.
 */
void m2n_parallel_for(M2nPool *pool, gsize n, M2nTask task, gpointer data);

/* The same, but one item per call, taken by whichever thread is free.  For tasks whose result does
 * not depend on `thread` (no sums kept per thread): those give the same bits however the items
 * fall. */
void m2n_parallel_each(M2nPool *pool, gsize n, M2nTask task, gpointer data);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(M2nPool, m2n_pool_free)

G_END_DECLS
