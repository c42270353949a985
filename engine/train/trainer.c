/* A training run: steps, epochs, files. */
#include <math.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/peak_memory.h"
#include "engine/train/optimizer.h"
#include "engine/train/schedule.h"
#include "engine/train/score.h"
#include "engine/train/streams.h"
#include "engine/train/trainer_private.h"
#include "engine/train/weight_average.h"

/* ---- saving ------------------------------------------------------------------------------------- */

static double
seconds(const M2nTrainer *t)
{
    return t->seconds_before + 1e-6 * (double)(g_get_monotonic_time() - t->began);
}

static gboolean
write_checkpoint(M2nTrainer *t, GError **error)
{
    t->place.seconds = seconds(t);
    t->last_saved = g_get_monotonic_time();
    return m2n_checkpoint_write(t->checkpoint, t->learner, &t->moments, &t->settings, &t->place,
                                t->source, error);
}

/* What is validated and saved. */
static const float *
weights(const M2nTrainer *t)
{
    return t->moments.average != NULL ? t->moments.average : m2n_learner_query(t->learner);
}

static gboolean
save(M2nTrainer *t, GError **error)
{
    const gboolean ok = m2n_group_rank(t->group) > 0 || write_checkpoint(t, error);

    return m2n_group_agree(t->group, ok, error);
}

static gboolean
save_model(M2nTrainer *t, const char *path, GError **error)
{
    return m2n_model_write(path, &t->settings.config, m2n_learner_parameters(t->learner),
                           weights(t), &t->place.origin, t->source, error);
}

/* ---- one step ----------------------------------------------------------------------------------- */

/* Keep or drop each row of both residuals of each block, for one translator.  Every process draws for the whole
 * batch and keeps its part, so that the draw does not depend on their number. */
static void
draw_keep(const M2nTrainer *t, M2nStream stream, guint8 *keep)
{
    const gsize v = t->source->variables, rows = t->whole_batch * v;
    const gsize begin = t->first * v, end = (t->first + t->batch) * v;
    M2nRng r = m2n_stream(t->settings.seed, stream, t->place.step);

    for (gsize i = 0; i < 2 * (gsize)t->settings.config.N_T * rows; i++) {
        const gboolean kept = m2n_rng_uniform(&r) >= t->settings.config.drop_path;

        if (i % rows >= begin && i % rows < end)
            *keep++ = (guint8)kept;
    }
}

static gboolean
read_batch(M2nTrainer *t, GError **error)
{
    const gsize n = m2n_window_floats(t->source);

    for (guint i = 0; i < t->batch; i++)
        if (!t->source->read(t->source->data, M2N_SPAN_TRAIN,
                             t->order[t->place.epoch_step * t->whole_batch + t->first + i],
                             t->x + i * n, t->y + i * n, error))
            return FALSE;
    return TRUE;
}

static gboolean
train_step(M2nTrainer *t, GError **error)
{
    const M2nSettings *s = &t->settings;
    const gsize n_keep = 2 * (gsize)s->config.N_T * t->batch * t->source->variables;
    const M2nDropPath drop = {t->keep, t->keep + n_keep};
    M2nLosses losses;

    const gboolean read = read_batch(t, error);
    if (!m2n_group_agree(t->group, read, error))
        return FALSE;
    draw_keep(t, M2N_STREAM_KEEP_KEY, t->keep);
    draw_keep(t, M2N_STREAM_KEEP_QUERY, t->keep + n_keep);
    m2n_learner_step(t->learner, t->x, t->y, s->config.drop_path > 0 ? &drop : NULL, &losses);
    if (!isfinite(losses.reconstruction + losses.latent)) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT,
                    "epoch %u step %" G_GUINT64_FORMAT
                    ": the loss is not finite; a lower learning-rate or a warm-up may help",
                    t->place.epoch + 1, t->place.epoch_step + 1);
        return FALSE;
    }
    t->place.step++;
    t->place.epoch_step++;
    t->steps_here++;
    t->place.sum.reconstruction += losses.reconstruction;
    t->place.sum.latent += losses.latent;
    t->place.sum.prediction += losses.prediction;
    const M2nAdam adam = {.rate = m2n_schedule_rate(s, t->place.epoch),
                          .beta1 = s->beta1,
                          .beta2 = s->beta2,
                          .epsilon = s->epsilon,
                          .decay = s->weight_decay,
                          .step = t->place.step};
    m2n_optimizer_step(t->learner, s->config.momentum_ema, &adam, t->moments.mean,
                       t->moments.square);
    if (t->moments.average != NULL)
        m2n_weight_average_step(m2n_learner_pool(t->learner), s->average_weights, t->place.step,
                                t->moments.average, m2n_learner_query(t->learner),
                                m2n_learner_parameters(t->learner)->total);
    return TRUE;
}

/* ---- epochs ------------------------------------------------------------------------------------- */

static M2nLosses
mean_losses(const M2nTrainer *t)
{
    const double n = (double)MAX(t->place.epoch_step, 1);

    return (M2nLosses){t->place.sum.reconstruction / n, t->place.sum.latent / n,
                       t->place.sum.prediction / n};
}

static gboolean
report(M2nTrainer *t, M2nTrainFunc func, gpointer user_data, const M2nTrainRecord *done,
       double validating)
{
    const double here = 1e-6 * (double)(g_get_monotonic_time() - t->began);
    const double per_step = here / (double)MAX(t->steps_here, 1);
    const guint64 all = t->steps * t->settings.epochs;
    const M2nTrainState state = {
        .epoch = MIN(t->place.epoch + (done == NULL), t->settings.epochs),
        .epochs = t->settings.epochs,
        .step = t->place.epoch_step,
        .steps = t->steps,
        .validating = validating,
        .losses = mean_losses(t),
        .samples_per_second = (double)t->whole_batch / MAX(per_step, 1e-9),
        .seconds_left = per_step * (double)(all - MIN(all, t->place.step)),
        .done = done,
        .best = t->place.best,
    };

    return func == NULL || func(&state, user_data);
}

typedef struct {
    M2nTrainer *t;
    M2nTrainFunc func;
    gpointer user_data;
} Listener;

static gboolean
report_validation(double done, const char *message, gpointer user_data)
{
    const Listener *l = user_data;

    (void)message;
    return report(l->t, l->func, l->user_data, NULL, done);
}

static gboolean
validate(M2nTrainer *t, M2nTrainFunc func, gpointer user_data, double *mse, GError **error)
{
    const guint variables = t->source->variables;
    g_autofree double *each = g_new(double, variables);
    g_autoptr(M2nModel) model = NULL;
    Listener listener = {t, func, user_data};

    *mse = NAN;
    if (t->source->n_windows[M2N_SPAN_VALIDATION] == 0)
        return TRUE;
    model = m2n_model_new(&t->settings.config, weights(t), M2N_FLOAT32, t->threads, error);
    if (!m2n_group_agree(t->group, model != NULL, error) ||
        !m2n_score(model, t->source, M2N_SPAN_VALIDATION, VALIDATION_BATCH, t->threads, t->group,
                   each, report_validation, &listener, error))
        return FALSE;
    *mse = 0;
    for (guint v = 0; v < variables; v++)
        *mse += each[v] / variables;
    return TRUE;
}

static gboolean
stopped(const M2nTrainer *t, GError **error)
{
    g_set_error(error, M2N_ERROR, M2N_ERROR_CANCELLED,
                "stopped in epoch %u after step %" G_GUINT64_FORMAT "; go on with --resume",
                t->place.epoch + 1, t->place.epoch_step);
    return FALSE;
}

/* All files of a run; the checkpoint last, for it says the epoch is done. */
static gboolean
write_epoch(M2nTrainer *t, gboolean best, GError **error)
{
    const gboolean ok =
        m2n_group_rank(t->group) > 0 ||
        ((!best || save_model(t, t->model, error)) && save_model(t, t->last, error) &&
         m2n_train_log_write(t->log_path, t->log, error) &&
         m2n_train_log_draw(t->picture, t->log, error));

    return m2n_group_agree(t->group, ok, error) && save(t, error);
}

/* Validates, keeps the best, writes all files. */
static gboolean
end_epoch(M2nTrainer *t, M2nTrainFunc func, gpointer user_data, gboolean *go_on, GError **error)
{
    const M2nLosses losses = mean_losses(t);
    g_autoptr(GError) why = NULL;
    double mse;

    if (!validate(t, func, user_data, &mse, &why)) {
        if (g_error_matches(why, M2N_ERROR, M2N_ERROR_CANCELLED))
            return save(t, error) && stopped(t, error);
        g_propagate_error(error, g_steal_pointer(&why));
        return FALSE;
    }
    const gboolean best =
        isnan(mse) || mse < t->place.best; /* no validation: the last is the best */
    const double now = seconds(t);
    const M2nTrainRecord record = {
        .epoch = t->place.epoch + 1,
        .step = t->place.step,
        .learning_rate = m2n_schedule_rate(&t->settings, t->place.epoch),
        .loss_reconstruction = losses.reconstruction,
        .loss_latent = losses.latent,
        .loss_prediction = losses.prediction,
        .validation_mse = mse,
        .best = best,
        .seconds = now,
        .samples_per_second = (double)t->place.step * t->whole_batch / MAX(now, 1e-9),
        .memory_bytes = m2n_peak_memory(),
    };

    t->place.epoch++;
    t->place.epoch_step = 0;
    t->place.sum = (M2nLosses){0, 0, 0};
    if (best) {
        t->place.best = isnan(mse) ? INFINITY : mse;
        t->place.best_epoch = t->place.epoch;
    }
    t->place.stopped_early = t->settings.patience > 0 && isfinite(mse) &&
                             t->place.epoch - t->place.best_epoch >= t->settings.patience;
    g_array_append_val(t->log, record);
    if (!write_epoch(t, best, error))
        return FALSE;
    *go_on = !m2n_group_any(t->group, !report(t, func, user_data, &record, -1));
    return TRUE;
}

static gboolean
run_epoch(M2nTrainer *t, M2nTrainFunc func, gpointer user_data, GError **error)
{
    M2nRng r = m2n_stream(t->settings.seed, M2N_STREAM_ORDER, t->place.epoch);
    const gint64 pause = (gint64)(60e6 * t->settings.checkpoint_minutes);
    gboolean go_on = TRUE;

    m2n_rng_permutation(&r, t->order, (guint32)t->source->n_windows[M2N_SPAN_TRAIN]);
    while (t->place.epoch_step < t->steps) {
        if (!train_step(t, error))
            return FALSE;
        /* whether anybody stops, and whether rank 0, by its clock, saves */
        double wishes[2] = {!report(t, func, user_data, NULL, -1),
                            m2n_group_rank(t->group) == 0 && pause > 0 &&
                                g_get_monotonic_time() - t->last_saved > pause};
        m2n_group_sum(t->group, wishes, G_N_ELEMENTS(wishes));
        if (wishes[0] > 0)
            return save(t, error) && stopped(t, error);
        if (wishes[1] > 0 && !save(t, error))
            return FALSE;
    }
    if (!end_epoch(t, func, user_data, &go_on, error))
        return FALSE;
    if (!go_on && t->place.epoch < t->settings.epochs && !t->place.stopped_early)
        return stopped(t, error); /* just saved */
    return TRUE;
}

gboolean
m2n_trainer_run(M2nTrainer *t, M2nTrainFunc func, gpointer user_data, GError **error)
{
    t->began = t->last_saved = g_get_monotonic_time();
    t->steps_here = 0;
    /* a folder that cannot be written is found out now, not after the first epoch */
    if (t->place.step == 0 && !save(t, error))
        return FALSE;
    while (t->place.epoch < t->settings.epochs && !t->place.stopped_early)
        if (!run_epoch(t, func, user_data, error))
            return FALSE;
    return TRUE;
}
