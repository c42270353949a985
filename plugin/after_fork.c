/* See the header. */
#include "plugin/after_fork.h"

#include <pthread.h>

void
m2n_after_fork(gsize *once, void (*child)(void))
{
    if (!g_once_init_enter(once))
        return;
    pthread_atfork(NULL, NULL, child);
    g_once_init_leave(once, 1);
}

gboolean
m2n_after_fork_is_whole(GMutex *lock)
{
    if (g_mutex_trylock(lock)) {
        g_mutex_unlock(lock);
        return TRUE;
    }
    g_mutex_init(lock);
    return FALSE;
}
