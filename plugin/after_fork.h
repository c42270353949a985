/* A host may fork while another of its threads is inside this library.  The child then has our locks as
 * they were, held by threads that it does not have.  What is process-wide forgets what such a thread had
 * in hand; what nobody held is kept, so that a child still has its parent's forecasts. */
#pragma once
#include <glib.h>

G_BEGIN_DECLS

/* Has `child` called in every child process to come; `once` is the caller's, static and 0. */
void m2n_after_fork(gsize *once, void (*child)(void));

/* For `child`: TRUE when no one held the lock at the fork, so that what it guards is whole.  The lock is
 * free afterwards either way. */
gboolean m2n_after_fork_is_whole(GMutex *lock);

G_END_DECLS
