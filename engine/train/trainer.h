/* M2nTrainer: a whole training run: epochs, validation, files, resumption. */
#pragma once
#include "engine/train/batch_source.h"
#include "engine/train/checkpoint.h"
#include "engine/train/log.h"

G_BEGIN_DECLS

typedef struct M2nTrainer M2nTrainer;

/* What a bar or a log line shows, after every step and after every epoch. */
typedef struct {
    guint epoch, epochs;        /* the one at work, from 1 */
    guint64 step, steps;        /* done of this epoch, and all of it */
    double validating;          /* 0..1: how far validation has come; else -1 */
    M2nLosses losses;           /* means over the epoch so far */
    double samples_per_second;  /* of all processes, since they began */
    double seconds_left;        /* to the end of the last epoch */
    const M2nTrainRecord *done; /* an epoch just ended: its line in the log; else NULL */
    double best;                /* validation MSE so far; infinity: none */
} M2nTrainState;

/* FALSE: save and stop, in the middle of an epoch or of its validation.  In a group every process is called,
 * and one that says FALSE stops all. */
typedef gboolean (*M2nTrainFunc)(const M2nTrainState *state, gpointer user_data);

/* Bytes a run will need, and of how many blocks the activations are computed again. */
typedef struct {
    gsize learner, validation, rest;
    guint recomputed;
} M2nTrainMemory;

/* (transfer full) A new run that will write `model` and its companions (checkpoint.h).  `s` is checked;
 * sizes of the grid come from the source.  Borrows `source` and `group`.  NULL: M2N_ERROR_ARGUMENT, _SHAPE,
 * _MEMORY (least possible and allowed).
 *
 * `group` NULL: this process alone.  Else every process makes a trainer of the same settings and data, each
 * takes its part of every batch, and this function, _resume() and _run() are collective: all fail together, with
 * one error.  Rank 0 alone reads and writes files of the run, which say nothing of the group. */
M2nTrainer *m2n_trainer_new(const M2nSettings *s, const M2nBatchSource *source, const char *model,
                            M2nGroup *group, GError **error);
/* Begins with the weights of a finished model; the optimizer knows nothing of how they came about.  Collective; rank 0
 * alone reads `model`, the others may give NULL.  FALSE: as m2n_initial_from_model(). */
gboolean m2n_trainer_begin_with(M2nTrainer *t, const M2nSafetensors *model, const M2nOrigin *origin,
                                GError **error);
/* Goes on from the checkpoint beside `model`; `s` are its settings (m2n_checkpoint_settings()), but for
 * those that do not affect the result.  FALSE: as m2n_checkpoint_read(). */
gboolean m2n_trainer_resume(M2nTrainer *t, GError **error);
void m2n_trainer_free(M2nTrainer *t);

M2nTrainMemory m2n_trainer_memory(const M2nTrainer *t);
const M2nTrainPlace *m2n_trainer_place(const M2nTrainer *t);
const M2nSettings *m2n_trainer_settings(const M2nTrainer *t);
guint64 m2n_trainer_steps_per_epoch(const M2nTrainer *t);

/* Runs to the end.  FALSE: M2N_ERROR_CANCELLED (the checkpoint is complete), _IO, or _FORMAT when a loss is
 * not finite (the last checkpoint stands). */
gboolean m2n_trainer_run(M2nTrainer *t, M2nTrainFunc report, gpointer user_data, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(M2nTrainer, m2n_trainer_free)

G_END_DECLS
