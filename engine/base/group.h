/* M2nGroup: the processes that share one piece of work, each with a rank of its own, 0 .. size-1.
 *
 * NULL is the rule: one process alone.  All functions take it and then do nothing, or give back what was given.
 * What connects several (engine/train/group_mpi.c) is behind M2nGroupMethods, so that nobody else knows of it.
 *
 * Collective: every process of the group calls, in the same order, with the same sizes, and returns when all
 * have called.  Sums are the same bits everywhere; their order, and so their last bit, depends on the size.
 * One thread at a time may call; m2n_group_ask() any. */
#pragma once
#include <glib.h>

G_BEGIN_DECLS

typedef struct M2nGroup M2nGroup;

/* (transfer full) What the process of rank 0 answers to another's request. */
typedef char *(*M2nGroupAnswer)(const char *request, gpointer user_data);

/* The functions of the same names below, for a group of several. */
typedef struct {
    void (*sum)(M2nGroup *group, double *x, gsize n);
    void (*begin_sum)(M2nGroup *group, float *x, gsize n);
    void (*finish_sums)(M2nGroup *group);
    void (*broadcast)(M2nGroup *group, guint root, gpointer data, gsize bytes);
    void (*wait)(M2nGroup *group);
    void (*serve)(M2nGroup *group, M2nGroupAnswer answer, gpointer user_data);
    char *(*ask)(M2nGroup *group, const char *request);
    void (*serve_end)(M2nGroup *group);
    void (*leave)(M2nGroup *group);
} M2nGroupMethods;

struct M2nGroup {
    const M2nGroupMethods *methods;
    guint rank, size;
    guint local_size; /* processes on this machine */
    guint threads;    /* this process may keep busy: its share of the CPUs it is bound to */
    /* so far, by this process: floats and doubles given to be summed, sums of doubles, microseconds in which the
     * caller could do nothing but wait for any of them */
    guint64 floats, doubles, small_sums, waited;
};

guint m2n_group_rank(const M2nGroup *group);
guint m2n_group_size(const M2nGroup *group);
guint m2n_group_threads(const M2nGroup *group); /* 0, one per CPU, when alone */

/* Collective: x[n] becomes the sum of all x. */
void m2n_group_sum(M2nGroup *group, double *x, gsize n);
/* Collective, but returns at once: x[n] is the group's until m2n_group_finish_sums(), then the sum.  It gets on
 * whenever the group is called. */
void m2n_group_begin_sum(M2nGroup *group, float *x, gsize n);
void m2n_group_finish_sums(M2nGroup *group);
/* Collective: data becomes that of `root`. */
void m2n_group_broadcast(M2nGroup *group, guint root, gpointer data, gsize bytes);

/* Collective: waits for all, asleep: for what takes long in one of them. */
void m2n_group_wait(M2nGroup *group);

/* Collective.  TRUE: `flag` is TRUE in at least one process. */
gboolean m2n_group_any(M2nGroup *group, gboolean flag);
/* Collective, after what may fail in one process and not in another.  TRUE: all are `ok`.  FALSE: at least one
 * is not, and all now have the error of the lowest of them, which keeps its own. */
gboolean m2n_group_agree(M2nGroup *group, gboolean ok, GError **error);

/* Rank 0 answers the requests of the others from a thread of its own, while it does other work; until
 * m2n_group_serve_end(), which is collective, nobody may call anything but m2n_group_ask(), and rank 0 not even
 * that.  Without a group: nothing happens. */
void m2n_group_serve(M2nGroup *group, M2nGroupAnswer answer, gpointer user_data);
char *m2n_group_ask(M2nGroup *group, const char *request); /* (transfer full) */
void m2n_group_serve_end(M2nGroup *group);

/* Collective.  Frees it. */
void m2n_group_leave(M2nGroup *group);

/* How many processes the environment says were started together with this one (mpirun, srun); 1: this one
 * alone.  G_MAXUINT: several, nobody says how many. */
guint m2n_group_launched(void);

G_END_DECLS
