/* A group whose processes are threads of this one: what several processes do, without a launcher.
 *
 * Sums begun are made when they are finished, and only if nobody touched the numbers meanwhile. */
#pragma once
#include <string.h>

#include "engine/base/group.h"

#define MAX_RANKS 8

typedef struct {
    float *x, *copy;
    gsize n;
} Pending;

typedef struct {
    guint size, arrived, round;
    GMutex mutex;
    GCond cond;
    gconstpointer given[MAX_RANKS];
} Meeting;

typedef struct {
    M2nGroup group;
    Meeting *meeting;
    GArray *pending; /* Pending */
} ThreadGroup;

static void
meet(Meeting *m)
{
    g_mutex_lock(&m->mutex);
    const guint round = m->round;
    if (++m->arrived == m->size) {
        m->arrived = 0;
        m->round++;
        g_cond_broadcast(&m->cond);
    }
    while (m->round == round)
        g_cond_wait(&m->cond, &m->mutex);
    g_mutex_unlock(&m->mutex);
}

static void
thread_sum(M2nGroup *g, double *x, gsize n)
{
    Meeting *m = ((ThreadGroup *)g)->meeting;
    g_autofree double *sum = g_new0(double, n);

    m->given[g->rank] = x;
    meet(m);
    for (guint r = 0; r < g->size; r++)
        for (gsize i = 0; i < n; i++)
            sum[i] += ((const double *)m->given[r])[i];
    meet(m);
    memcpy(x, sum, n * sizeof *x);
}

static void
thread_begin_sum(M2nGroup *g, float *x, gsize n)
{
    const Pending p = {x, g_memdup2(x, n * sizeof *x), n};

    g_array_append_val(((ThreadGroup *)g)->pending, p);
}

static void
thread_finish_sums(M2nGroup *g)
{
    ThreadGroup *t = (ThreadGroup *)g;

    for (guint k = 0; k < t->pending->len; k++) {
        const Pending *p = &g_array_index(t->pending, Pending, k);

        g_assert_cmpint(memcmp(p->x, p->copy, p->n * sizeof(float)), ==, 0);
        t->meeting->given[g->rank] = p->copy;
        meet(t->meeting);
        memset(p->x, 0, p->n * sizeof(float));
        for (guint r = 0; r < g->size; r++)
            for (gsize i = 0; i < p->n; i++)
                p->x[i] += ((const float *)t->meeting->given[r])[i];
        meet(t->meeting);
        g_free(p->copy);
    }
    g_array_set_size(t->pending, 0);
}

static void
thread_broadcast(M2nGroup *g, guint root, gpointer data, gsize bytes)
{
    Meeting *m = ((ThreadGroup *)g)->meeting;

    m->given[g->rank] = data;
    meet(m);
    if (g->rank != root)
        memcpy(data, m->given[root], bytes);
    meet(m);
}

static const M2nGroupMethods thread_methods = {
    .sum = thread_sum,
    .begin_sum = thread_begin_sum,
    .finish_sums = thread_finish_sums,
    .broadcast = thread_broadcast,
};

typedef struct {
    ThreadGroup group;
    void (*work)(M2nGroup *group, gpointer data);
    gpointer data;
} Member;

static gpointer
run_member(gpointer data)
{
    Member *m = data;

    m->work(&m->group.group, m->data);
    return NULL;
}

/* Runs `work` as every rank of a group of `size`; returns how many floats each gave. */
static inline gsize
run_together(guint size, void (*work)(M2nGroup *group, gpointer data), gpointer data)
{
    Meeting meeting = {.size = size};
    Member members[MAX_RANKS];
    GThread *threads[MAX_RANKS];

    g_assert_cmpuint(size, <=, MAX_RANKS);
    g_mutex_init(&meeting.mutex);
    g_cond_init(&meeting.cond);
    for (guint r = 0; r < size; r++) {
        members[r] = (Member){
            .group = {.group = {.methods = &thread_methods, .rank = r, .size = size},
                      .meeting = &meeting,
                      .pending = g_array_new(FALSE, FALSE, sizeof(Pending))},
            .work = work,
            .data = data,
        };
        threads[r] = g_thread_new("rank", run_member, &members[r]);
    }
    for (guint r = 0; r < size; r++) {
        g_thread_join(threads[r]);
        g_array_unref(members[r].group.pending);
    }
    g_mutex_clear(&meeting.mutex);
    g_cond_clear(&meeting.cond);
    return members[0].group.group.floats;
}
