/* Making a model: its parts (model_parts.h) by several threads, each in a piece of one block of memory. */
#include "engine/nn/model.h"

#include "engine/base/cpu.h"
#include "engine/base/error.h"
#include "engine/nn/model_match.h"
#include "engine/nn/model_parts.h"

/* (transfer full) without numbers yet */
static M2nModel *
new_empty(const M2nConfig *c, M2nPrecision precision)
{
    M2nModel *m = g_new0(M2nModel, 1);

    g_atomic_ref_count_init(&m->refs);
    m->config = *c;
    m->precision = precision;
    m->encoder = g_new0(M2nStage, c->variables * c->N_S);
    m->decoder = g_new0(M2nStage, c->variables * c->N_S);
    m->readout = g_new0(M2nLinear, c->variables);
    m->block = g_new0(M2nBlock, c->N_T);
    return m;
}

/* Bytes of each part [m2n_model_parts()], or NULL; returns those of all. */
static gsize
measure(M2nModel *m, const M2nModelValues *values, gsize *bytes)
{
    gsize sum = 0;

    for (gsize i = 0; i < m2n_model_parts(&m->config); i++) {
        g_autoptr(M2nArena) measuring = m2n_arena_new(0, NULL);

        m2n_model_measure_part(m, i, values, measuring);
        if (bytes != NULL)
            bytes[i] = m2n_arena_peak(measuring);
        sum += m2n_arena_peak(measuring);
    }
    return sum;
}

gsize
m2n_model_memory(const M2nConfig *config, M2nPrecision precision)
{
    g_autoptr(M2nParameters) p = m2n_parameters_new(config);
    g_autoptr(M2nModel) m = new_empty(config, precision);

    return measure(m, &(M2nModelValues){.p = p, .precision = precision}, NULL);
}

typedef struct {
    M2nModel *m;
    const M2nModelValues *values;
    M2nArena **arena; /* of each part */
    GError **error;   /* of each part */
    gint failed;      /* atomic */
} Making;

static void
make_part(gsize begin, gsize end, guint thread, gpointer data)
{
    Making *k = data;

    (void)thread;
    for (gsize i = begin; i < end && !g_atomic_int_get(&k->failed); i++)
        if (!m2n_model_build_part(k->m, i, k->values, k->arena[i], &k->error[i]))
            g_atomic_int_set(&k->failed, TRUE);
}

/* The first error of the parts goes to `error`; FALSE when there was one. */
static gboolean
make_parts(M2nModel *m, const M2nModelValues *values, const gsize *bytes, M2nPool *pool,
           GError **error)
{
    const gsize n = m2n_model_parts(&m->config);
    g_autofree M2nArena **arena = g_new(M2nArena *, n);
    g_autofree GError **errors = g_new0(GError *, n);
    Making k = {m, values, arena, errors, FALSE};

    for (gsize i = 0; i < n; i++)
        arena[i] = m2n_arena_part(m->arena, bytes[i]);
    m2n_parallel_each(pool, n, make_part, &k);
    for (gsize i = n; i-- > 0;) {
        m2n_arena_free(arena[i]);
        if (errors[i] != NULL) {
            g_clear_error(error);
            g_propagate_error(error, errors[i]);
        }
    }
    return !k.failed;
}

/* (transfer full) */
static M2nModel *
new_model(const M2nConfig *c, const M2nModelValues *values, guint threads, const char *where,
          GError **error)
{
    if (!m2n_isa_check(error))
        return NULL;
    g_autoptr(M2nPool) pool = m2n_pool_new(threads > 0 ? threads : g_get_num_processors(), error);
    if (pool == NULL)
        return NULL;
    g_autoptr(M2nModel) m = new_empty(c, values->precision);
    g_autofree gsize *bytes = g_new(gsize, m2n_model_parts(c));
    g_autoptr(GError) cause = NULL;

    m->arena = m2n_arena_new(measure(m, values, bytes), &cause);
    if (m->arena == NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY, "%s: weights: %s", where, cause->message);
        return NULL;
    }
    return make_parts(m, values, bytes, pool, error) ? g_steal_pointer(&m) : NULL;
}

M2nModel *
m2n_model_new(const M2nConfig *config, const float *weights, M2nPrecision precision, guint threads,
              GError **error)
{
    g_autoptr(M2nParameters) p = m2n_parameters_new(config);

    return new_model(config, &(M2nModelValues){.p = p, .weights = weights, .precision = precision},
                     threads, "model", error);
}

void
m2n_model_unref(M2nModel *m)
{
    if (!g_atomic_ref_count_dec(&m->refs))
        return;
    g_clear_pointer(&m->arena, m2n_arena_free);
    g_free(m->encoder);
    g_free(m->decoder);
    g_free(m->readout);
    g_free(m->block);
    g_free(m);
}

M2nModel *
m2n_model_ref(M2nModel *m)
{
    g_atomic_ref_count_inc(&m->refs);
    return m;
}

const M2nConfig *
m2n_model_config(const M2nModel *m)
{
    return &m->config;
}

M2nModel *
m2n_model_load(const M2nSafetensors *st, M2nPrecision precision, guint threads, GError **error)
{
    M2nConfig c;

    if (!m2n_config_read(st, &c, error))
        return NULL;
    g_autoptr(M2nParameters) p = m2n_parameters_new(&c);
    g_autofree const M2nTensorInfo **tensor = g_new0(const M2nTensorInfo *, p->n);
    const M2nModelValues values = {.p = p, .st = st, .tensor = tensor, .precision = precision};
    if (!m2n_model_match(st, p, tensor, error))
        return NULL;
    return new_model(&c, &values, threads, m2n_source_name(m2n_safetensors_source(st)), error);
}
