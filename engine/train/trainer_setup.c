/* Building a trainer: sizes, memory, first weights, or those of a checkpoint. */
#include <math.h>
#include <string.h>

#include "engine/base/cpu.h"
#include "engine/base/error.h"
#include "engine/base/memory_limit.h"
#include "engine/nn/session.h"
#include "engine/train/initial.h"
#include "engine/train/trainer_private.h"

/* Libraries, code and the allocator's own needs, as seen with an empty run. */
#define PROCESS_BYTES ((gsize)64 << 20)

/* ---- new and free ------------------------------------------------------------------------------- */

static gboolean
measure(M2nTrainer *t, GError **error)
{
    const M2nConfig *c = &t->settings.config;
    g_autoptr(M2nParameters) p = m2n_parameters_new(c);
    g_autofree float *zeros = g_try_new0(float, p->total);
    g_autoptr(M2nModel) model = zeros ? m2n_model_new(c, zeros, M2N_FLOAT32, 1, error) : NULL;

    if (zeros == NULL)
        g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY,
                    "a network of %" G_GSIZE_FORMAT " weights does not fit in memory", p->total);
    if (model == NULL)
        return FALSE;
    const gsize weights = p->total * sizeof(float), window = m2n_window_floats(t->source) * 4;
    const gsize arrays = 3u + (t->settings.average_weights > 0) + (t->group != NULL);
    const guint validation =
        (guint)MIN(VALIDATION_BATCH, t->source->n_windows[M2N_SPAN_VALIDATION]);

    t->memory.validation = validation == 0 ? 0
                                           : m2n_session_memory(model, validation, t->threads) +
                                                 3 * validation * window;
    /* moments, the model that validates, gradients on their way, batches, the order of windows */
    t->memory.rest = PROCESS_BYTES + arrays * weights + 2 * t->batch * window +
                     t->source->n_windows[M2N_SPAN_TRAIN] * sizeof(guint32);
    return TRUE;
}

static gboolean
make_learner(M2nTrainer *t, GError **error)
{
    const guint sharing = t->group != NULL ? MAX(t->group->local_size, 1) : 1;
    const guint64 most =
        t->settings.max_memory > 0 ? t->settings.max_memory : m2n_memory_default() / sharing;
    const gsize others = t->memory.validation + t->memory.rest;
    const gsize least =
        m2n_learner_memory(&t->settings.config, t->batch, t->threads, t->settings.config.N_T);

    if (most <= others + least) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY,
                    "max-memory: batch %u needs at least %" G_GSIZE_FORMAT
                    " MiB, %" G_GUINT64_FORMAT " MiB are allowed; a smaller batch needs less",
                    t->batch, ((others + least) >> 20) + 1, most >> 20);
        return FALSE;
    }
    t->learner = m2n_learner_new(&t->settings.config, t->batch, t->threads,
                                 (gsize)most - others, error);
    if (t->learner == NULL)
        return FALSE;
    t->memory.recomputed = m2n_learner_recomputed(t->learner);
    t->memory.learner =
        m2n_learner_memory(&t->settings.config, t->batch, t->threads, t->memory.recomputed);
    m2n_learner_join(t->learner, t->group, t->whole_batch);
    return TRUE;
}

static gboolean
allocate(M2nTrainer *t, GError **error)
{
    const gsize n = m2n_learner_parameters(t->learner)->total;
    const gsize rows = (gsize)t->batch * t->source->variables;

    M2nMoments *m = &t->moments;
    const gboolean averaged = t->settings.average_weights > 0;

    m->mean = g_try_new0(float, n);
    m->square = g_try_new0(float, n);
    m->average = averaged ? g_try_new0(float, n) : NULL;
    t->x = g_try_new(float, t->batch *m2n_window_floats(t->source));
    t->y = g_try_new(float, t->batch *m2n_window_floats(t->source));
    t->keep = g_try_new(guint8, 4 * t->settings.config.N_T * rows);
    t->order = g_try_new(guint32, t->source->n_windows[M2N_SPAN_TRAIN]);
    if (m->mean && m->square && (m->average || !averaged) && t->x && t->y && t->keep && t->order)
        return TRUE;
    g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY, "a batch of %u windows does not fit in memory",
                t->batch);
    return FALSE;
}

static gboolean
set_sizes(M2nTrainer *t, GError **error)
{
    M2nConfig *c = &t->settings.config;
    const M2nBatchSource *source = t->source;

    c->variables = source->variables;
    c->height = source->height;
    c->width = source->width;
    if (source->n_windows[M2N_SPAN_TRAIN] >= G_MAXUINT32) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_SHAPE, "too many training windows");
        return FALSE;
    }
    guint64 n = source->n_windows[M2N_SPAN_TRAIN];
    if (t->settings.epoch_windows > 0)
        n = MIN(n, t->settings.epoch_windows);
    t->whole_batch = (guint)MIN(t->settings.batch, n);
    t->steps = n / t->whole_batch; /* an incomplete last batch is left out */
    return m2n_config_check(c, "settings", error);
}

/* Neighbours in the batch; parts differ by one at most. */
static gboolean
take_part(M2nTrainer *t, GError **error)
{
    const guint64 all = t->whole_batch, rank = m2n_group_rank(t->group),
                  size = m2n_group_size(t->group);

    if (all < size) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT,
                    "batch: %u windows cannot be shared by %u processes", t->whole_batch,
                    (guint)size);
        return FALSE;
    }
    t->first = (guint)(all * rank / size);
    t->batch = (guint)(all * (rank + 1) / size) - t->first;
    t->threads = t->settings.threads > 0 ? t->settings.threads : m2n_group_threads(t->group);
    return TRUE;
}

/* Weights stay the same everywhere only where the same data are there and the same kernels run. */
static gboolean
check_alike(const M2nTrainer *t, GError **error)
{
    const double isa = m2n_isa(), n = m2n_group_size(t->group);
    double sums[2] = {isa, isa * isa};
    char fingerprint[128] = "";

    m2n_group_sum(t->group, sums, G_N_ELEMENTS(sums));
    if (n * sums[1] > sums[0] * sums[0]) { /* unless all are equal (Cauchy and Schwarz) */
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT,
                    "the processes run with different instruction sets; M2N_ISA=avx2 or "
                    "M2N_ISA=scalar makes them agree");
        return FALSE;
    }
    g_strlcpy(fingerprint, t->source->fingerprint, sizeof fingerprint);
    m2n_group_broadcast(t->group, 0, fingerprint, sizeof fingerprint);
    if (strncmp(fingerprint, t->source->fingerprint, sizeof fingerprint - 1) != 0) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT,
                    "the data are not those that rank 0 reads");
        return FALSE;
    }
    return TRUE;
}

M2nTrainer *
m2n_trainer_new(const M2nSettings *s, const M2nBatchSource *source, const char *model,
                M2nGroup *group, GError **error)
{
    g_autoptr(M2nTrainer) t = g_new0(M2nTrainer, 1);

    g_assert(source->steps == s->config.steps && source->n_windows[M2N_SPAN_TRAIN] > 0);
    t->settings = *s;
    t->source = source;
    t->group = group;
    t->place = (M2nTrainPlace)M2N_TRAIN_PLACE_START;
    t->model = g_strdup(model);
    t->last = m2n_run_file(model, M2N_RUN_LAST);
    t->checkpoint = m2n_run_file(model, M2N_RUN_CHECKPOINT);
    t->log_path = m2n_run_file(model, M2N_RUN_LOG);
    t->picture = m2n_run_file(model, M2N_RUN_PICTURE);
    t->log = g_array_new(FALSE, TRUE, sizeof(M2nTrainRecord));
    gboolean ok = m2n_settings_check(s, "settings", error) && set_sizes(t, error) &&
                  take_part(t, error) && measure(t, error) && make_learner(t, error) &&
                  allocate(t, error);
    if (!m2n_group_agree(group, ok, error))
        return NULL;
    ok = check_alike(t, error);
    if (!m2n_group_agree(group, ok, error))
        return NULL;
    const M2nParameters *p = m2n_learner_parameters(t->learner);
    m2n_initial_weights(p, s->seed, m2n_learner_query(t->learner));
    memcpy(m2n_learner_key(t->learner), m2n_learner_query(t->learner), p->total * sizeof(float));
    return g_steal_pointer(&t);
}

/* Collective: what rank 0 has read of weights and place is everybody's. */
static void
share(M2nTrainer *t, float *const *arrays, gsize n)
{
    const gsize bytes = m2n_learner_parameters(t->learner)->total * sizeof(float);

    for (gsize i = 0; i < n && arrays[i] != NULL; i++)
        m2n_group_broadcast(t->group, 0, arrays[i], bytes);
    m2n_group_broadcast(t->group, 0, &t->place, sizeof t->place);
}

gboolean
m2n_trainer_begin_with(M2nTrainer *t, const M2nSafetensors *model, const M2nOrigin *origin,
                       GError **error)
{
    const M2nParameters *p = m2n_learner_parameters(t->learner);
    float *const query = m2n_learner_query(t->learner);
    const gboolean ok =
        m2n_group_rank(t->group) > 0 || m2n_initial_from_model(p, model, query, error);

    if (!m2n_group_agree(t->group, ok, error))
        return FALSE;
    t->place.origin = *origin;
    share(t, &query, 1);
    memcpy(m2n_learner_key(t->learner), query, p->total * sizeof(float));
    return TRUE;
}

void
m2n_trainer_free(M2nTrainer *t)
{
    g_clear_pointer(&t->learner, m2n_learner_free);
    g_clear_pointer(&t->log, g_array_unref);
    g_free(t->moments.mean);
    g_free(t->moments.square);
    g_free(t->moments.average);
    g_free(t->x);
    g_free(t->y);
    g_free(t->keep);
    g_free(t->order);
    g_free(t->model);
    g_free(t->last);
    g_free(t->checkpoint);
    g_free(t->log_path);
    g_free(t->picture);
    g_free(t);
}

static gboolean
read_run(M2nTrainer *t, GError **error)
{
    if (!m2n_checkpoint_read(t->checkpoint, t->learner, &t->moments, &t->place,
                             t->source->fingerprint, error))
        return FALSE;
    g_autoptr(GArray) log = m2n_train_log_read(t->log_path, error);
    if (log == NULL)
        return FALSE;
    g_array_set_size(t->log, 0);
    for (guint i = 0; i < log->len; i++) { /* epochs after the checkpoint will come again */
        const M2nTrainRecord *r = &g_array_index(log, M2nTrainRecord, i);

        if (r->epoch <= t->place.epoch)
            g_array_append_val(t->log, *r);
    }
    t->seconds_before = t->place.seconds;
    return TRUE;
}

gboolean
m2n_trainer_resume(M2nTrainer *t, GError **error)
{
    float *const arrays[] = {m2n_learner_query(t->learner), m2n_learner_key(t->learner),
                             t->moments.mean, t->moments.square, t->moments.average};
    const gboolean ok = m2n_group_rank(t->group) > 0 || read_run(t, error);

    if (!m2n_group_agree(t->group, ok, error))
        return FALSE;
    share(t, arrays, G_N_ELEMENTS(arrays));
    return TRUE;
}

M2nTrainMemory
m2n_trainer_memory(const M2nTrainer *t)
{
    return t->memory;
}

const M2nTrainPlace *
m2n_trainer_place(const M2nTrainer *t)
{
    return &t->place;
}

const M2nSettings *
m2n_trainer_settings(const M2nTrainer *t)
{
    return &t->settings;
}

guint64
m2n_trainer_steps_per_epoch(const M2nTrainer *t)
{
    return t->steps;
}
