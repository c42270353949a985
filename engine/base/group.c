#include "engine/base/group.h"

#include "engine/base/error.h"

#define MAX_MESSAGE 2048

guint
m2n_group_rank(const M2nGroup *g)
{
    return g != NULL ? g->rank : 0;
}

guint
m2n_group_size(const M2nGroup *g)
{
    return g != NULL ? g->size : 1;
}

guint
m2n_group_threads(const M2nGroup *g)
{
    return g != NULL ? g->threads : 0;
}

void
m2n_group_sum(M2nGroup *g, double *x, gsize n)
{
    if (g == NULL)
        return;
    const gint64 start = g_get_monotonic_time();
    g->methods->sum(g, x, n);
    g->waited += (guint64)(g_get_monotonic_time() - start);
    g->doubles += n;
    g->small_sums++;
}

void
m2n_group_begin_sum(M2nGroup *g, float *x, gsize n)
{
    if (g == NULL)
        return;
    g->methods->begin_sum(g, x, n);
    g->floats += n;
}

void
m2n_group_finish_sums(M2nGroup *g)
{
    if (g == NULL)
        return;
    const gint64 start = g_get_monotonic_time();
    g->methods->finish_sums(g);
    g->waited += (guint64)(g_get_monotonic_time() - start);
}

void
m2n_group_broadcast(M2nGroup *g, guint root, gpointer data, gsize bytes)
{
    if (g != NULL)
        g->methods->broadcast(g, root, data, bytes);
}

void
m2n_group_wait(M2nGroup *g)
{
    if (g != NULL)
        g->methods->wait(g);
}

void
m2n_group_serve(M2nGroup *g, M2nGroupAnswer answer, gpointer user_data)
{
    if (g != NULL)
        g->methods->serve(g, answer, user_data);
}

char *
m2n_group_ask(M2nGroup *g, const char *request)
{
    g_assert(g != NULL && g->rank > 0);
    return g->methods->ask(g, request);
}

void
m2n_group_serve_end(M2nGroup *g)
{
    if (g != NULL)
        g->methods->serve_end(g);
}

void
m2n_group_leave(M2nGroup *g)
{
    if (g != NULL)
        g->methods->leave(g);
}

/* ---- agreeing ------------------------------------------------------------------------------------ */

gboolean
m2n_group_any(M2nGroup *g, gboolean flag)
{
    double n = flag ? 1 : 0;

    m2n_group_sum(g, &n, 1);
    return n > 0;
}

/* Collective: the lowest rank whose flag is set; one must be. */
static guint
lowest(M2nGroup *g, gboolean flag)
{
    g_autofree double *flags = g_new0(double, g->size);
    guint rank = 0;

    flags[g->rank] = flag ? 1 : 0;
    m2n_group_sum(g, flags, g->size);
    while (flags[rank] == 0)
        rank++;
    return rank;
}

gboolean
m2n_group_agree(M2nGroup *g, gboolean ok, GError **error)
{
    struct {
        gint32 code;
        char message[MAX_MESSAGE];
    } verdict = {M2N_ERROR_IO, "failed"};

    if (g == NULL)
        return ok;
    if (!m2n_group_any(g, !ok))
        return TRUE;
    const guint root = lowest(g, !ok);
    const GError *own = !ok && error != NULL ? *error : NULL;
    if (g->rank == root && own != NULL) {
        verdict.code = own->domain == M2N_ERROR ? own->code : M2N_ERROR_IO;
        g_strlcpy(verdict.message, own->message, sizeof verdict.message);
    }
    m2n_group_broadcast(g, root, &verdict, sizeof verdict);
    if (g->rank == root)
        return FALSE;
    if (error != NULL)
        g_clear_error(error);
    if (root == 0)
        g_set_error_literal(error, M2N_ERROR, verdict.code, verdict.message);
    else
        g_set_error(error, M2N_ERROR, verdict.code, "rank %u of %u: %s", root, g->size,
                    verdict.message);
    return FALSE;
}

/* ---- launchers ----------------------------------------------------------------------------------- */

guint
m2n_group_launched(void)
{
    /* OpenMPI, MPICH and Slurm's PMI2; Slurm's SLURM_NTASKS is also there when nobody asked for a group */
    static const char *const sizes[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"};

    for (gsize i = 0; i < G_N_ELEMENTS(sizes); i++) {
        const char *text = g_getenv(sizes[i]);
        guint64 n;
        if (text != NULL && g_ascii_string_to_unsigned(text, 10, 1, G_MAXINT, &n, NULL))
            return (guint)n;
    }
    return g_getenv("PMIX_RANK") != NULL ? G_MAXUINT : 1;
}
