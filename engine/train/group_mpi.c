/* M2nGroup over MPI: the one file that knows it.
 *
 * No thread drives the sums under way: whenever the group is called MPI gets on with them, as it would not
 * with most libraries unless asked.  Batch norm calls twice a block and direction.  A thread of its own would
 * poll, and take from the kernels the core it polls on. */
#define _GNU_SOURCE /* sched_getaffinity() */
#include <mpi.h>
#include <sched.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/train/group_join.h"

#define POLL_MICROSECONDS 500 /* where nobody waits for the answer but to take up new work */

enum { TAG_ASK = 1, TAG_ANSWER };

typedef struct {
    float *copy; /* MPI sums out of place: Open MPI's sums in place take log2(N) times the whole */
    gsize room;
} Staging;

typedef struct {
    M2nGroup group;
    MPI_Comm sums, talk;
    GArray *requests; /* MPI_Request, of the sums under way */
    GArray *staging;  /* Staging, at least as many */
    GMutex asking;
    GThread *server;
    M2nGroupAnswer answer;
    gpointer answer_data;
} MpiGroup;

static int
count(gsize n)
{
    g_assert(n <= G_MAXINT);
    return (int)n;
}

/* ---- sums ------------------------------------------------------------------------------------------ */

static void
mpi_sum(M2nGroup *g, double *x, gsize n)
{
    MPI_Allreduce(MPI_IN_PLACE, x, count(n), MPI_DOUBLE, MPI_SUM, ((MpiGroup *)g)->talk);
}

static void
mpi_begin_sum(M2nGroup *g, float *x, gsize n)
{
    MpiGroup *m = (MpiGroup *)g;
    const guint slot = m->requests->len;
    MPI_Request request;

    if (slot == m->staging->len)
        g_array_set_size(m->staging, slot + 1);
    Staging *s = &g_array_index(m->staging, Staging, slot);
    if (s->room < n) {
        g_free(s->copy);
        *s = (Staging){g_new(float, n), n};
    }
    memcpy(s->copy, x, n * sizeof *x);
    MPI_Iallreduce(s->copy, x, count(n), MPI_FLOAT, MPI_SUM, m->sums, &request);
    g_array_append_val(m->requests, request);
}

static void
mpi_finish_sums(M2nGroup *g)
{
    MpiGroup *m = (MpiGroup *)g;

    MPI_Waitall((int)m->requests->len, (MPI_Request *)(void *)m->requests->data,
                MPI_STATUSES_IGNORE);
    g_array_set_size(m->requests, 0);
}

static void
mpi_broadcast(M2nGroup *g, guint root, gpointer data, gsize bytes)
{
    MPI_Bcast(data, count(bytes), MPI_BYTE, (int)root, ((MpiGroup *)g)->talk);
}

static void
mpi_wait(M2nGroup *g)
{
    MPI_Request request;
    int done = 0;

    MPI_Ibarrier(((MpiGroup *)g)->talk, &request);
    while (MPI_Test(&request, &done, MPI_STATUS_IGNORE), !done)
        g_usleep(POLL_MICROSECONDS);
}

/* ---- questions and answers ------------------------------------------------------------------------- */

/* (transfer full) The next message of a kind, waited for asleep; *from is its sender. */
static char *
receive(MpiGroup *m, int from_whom, int tag, int *from)
{
    MPI_Status status;
    int there = 0, n;

    while (MPI_Iprobe(from_whom, tag, m->talk, &there, &status), !there)
        g_usleep(POLL_MICROSECONDS);
    MPI_Get_count(&status, MPI_CHAR, &n);
    char *text = g_malloc0((gsize)n + 1);
    MPI_Recv(text, n, MPI_CHAR, status.MPI_SOURCE, tag, m->talk, MPI_STATUS_IGNORE);
    *from = status.MPI_SOURCE;
    return text;
}

static void
send_text(MpiGroup *m, int to, int tag, const char *text)
{
    MPI_Send(text, count(strlen(text)), MPI_CHAR, to, tag, m->talk);
}

/* Until every other process has sent an empty question: its last. */
static gpointer
serve(gpointer data)
{
    MpiGroup *m = data;

    for (guint left = m->group.size - 1; left > 0;) {
        int from;
        g_autofree char *request = receive(m, MPI_ANY_SOURCE, TAG_ASK, &from);

        if (*request == '\0') {
            left--;
            continue;
        }
        g_autofree char *answer = m->answer(request, m->answer_data);
        send_text(m, from, TAG_ANSWER, answer);
    }
    return NULL;
}

static void
mpi_serve(M2nGroup *g, M2nGroupAnswer answer, gpointer user_data)
{
    MpiGroup *m = (MpiGroup *)g;

    m->answer = answer;
    m->answer_data = user_data;
    if (g->rank == 0)
        m->server = g_thread_try_new("met2net-serve", serve, m, NULL);
}

static char *
mpi_ask(M2nGroup *g, const char *request)
{
    MpiGroup *m = (MpiGroup *)g;
    int from;

    g_mutex_lock(&m->asking);
    send_text(m, 0, TAG_ASK, request);
    char *answer = receive(m, 0, TAG_ANSWER, &from);
    g_mutex_unlock(&m->asking);
    return answer;
}

static void
mpi_serve_end(M2nGroup *g)
{
    MpiGroup *m = (MpiGroup *)g;

    if (g->rank == 0 && m->server != NULL)
        g_thread_join(g_steal_pointer(&m->server));
    else if (g->rank == 0) /* no thread was to be had: they have waited while this process did the work */
        serve(m);
    else
        send_text(m, 0, TAG_ASK, "");
    mpi_wait(g);
}

/* ---- coming and going ------------------------------------------------------------------------------ */

/* A CPU that k processes of this machine are bound to counts 1/k. */
static guint
share_of_cpus(MPI_Comm machine, guint local_size)
{
    int users[CPU_SETSIZE] = {0};
    cpu_set_t mine;
    double share = 0;
    const gboolean known = sched_getaffinity(0, sizeof mine, &mine) == 0;

    for (gsize i = 0; known && i < CPU_SETSIZE; i++)
        users[i] = CPU_ISSET(i, &mine) != 0;
    MPI_Allreduce(MPI_IN_PLACE, users, CPU_SETSIZE, MPI_INT, MPI_SUM, machine);
    for (gsize i = 0; known && i < CPU_SETSIZE; i++)
        share += CPU_ISSET(i, &mine) ? 1.0 / users[i] : 0;
    if (!known)
        share = (double)g_get_num_processors() / local_size;
    return MAX((guint)(share + 1e-6), 1);
}

static void
mpi_leave(M2nGroup *g)
{
    MpiGroup *m = (MpiGroup *)g;

    mpi_wait(g); /* MPI_Finalize would wait as well, but awake */
    for (guint i = 0; i < m->staging->len; i++)
        g_free(g_array_index(m->staging, Staging, i).copy);
    g_array_unref(m->staging);
    g_array_unref(m->requests);
    g_mutex_clear(&m->asking);
    MPI_Comm_free(&m->sums);
    MPI_Comm_free(&m->talk);
    MPI_Finalize();
    g_free(m);
}

static const M2nGroupMethods methods = {
    .sum = mpi_sum,
    .begin_sum = mpi_begin_sum,
    .finish_sums = mpi_finish_sums,
    .broadcast = mpi_broadcast,
    .wait = mpi_wait,
    .serve = mpi_serve,
    .ask = mpi_ask,
    .serve_end = mpi_serve_end,
    .leave = mpi_leave,
};

static M2nGroup *
new_group(int size)
{
    MpiGroup *m = g_new0(MpiGroup, 1);
    MPI_Comm machine;
    int rank, local_size;

    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank, MPI_INFO_NULL, &machine);
    MPI_Comm_size(machine, &local_size);
    m->group = (M2nGroup){.methods = &methods,
                          .rank = (guint)rank,
                          .size = (guint)size,
                          .local_size = (guint)local_size,
                          .threads = share_of_cpus(machine, (guint)local_size)};
    MPI_Comm_free(&machine);
    MPI_Comm_dup(MPI_COMM_WORLD, &m->sums);
    MPI_Comm_dup(MPI_COMM_WORLD, &m->talk);
    m->requests = g_array_new(FALSE, FALSE, sizeof(MPI_Request));
    m->staging = g_array_new(FALSE, TRUE, sizeof(Staging));
    g_mutex_init(&m->asking);
    return &m->group;
}

const char *
m2n_group_library(void)
{
    static char text[MPI_MAX_LIBRARY_VERSION_STRING];
    static gsize once;
    int n;

    if (g_once_init_enter(&once)) {
        MPI_Get_library_version(text, &n);
        text[strcspn(text, "\n,")] = '\0';
        g_once_init_leave(&once, 1);
    }
    return text;
}

gboolean
m2n_group_join(M2nGroup **group, GError **error)
{
    const guint launched = m2n_group_launched();
    int given, size;

    *group = NULL;
    if (launched == 1)
        return TRUE;
    MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &given);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    const gboolean all = launched == G_MAXUINT || launched == (guint)size;
    if (all && size > 1 && given >= MPI_THREAD_SERIALIZED) {
        *group = new_group(size);
        return TRUE;
    }
    MPI_Finalize();
    if (all && size == 1)
        return TRUE;
    if (all)
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT,
                    "%s allows one thread alone (MPI_THREAD_SERIALIZED is needed)",
                    m2n_group_library());
    else
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT,
                    "%u processes were started together, but MPI (%s) sees %d: the launcher must "
                    "be that of the same MPI",
                    launched, m2n_group_library(), size);
    return FALSE;
}
