/* The files of a run.  Beside the model `NAME.safetensors` that the run was asked for lie
 *
 *   NAME.last.safetensors        the model after the last epoch
 *   NAME.checkpoint.safetensors  everything needed to go on: removed by nobody
 *   NAME.log.jsonl, NAME.svg     the log and the loss curves
 *
 * A checkpoint holds the query weights under their published names, the key translator ("hid_k..."), Adam's
 * moments ("adam_mean/NAME", "adam_square/NAME"), the average of the weights where one is kept ("average/NAME"),
 * and as metadata the settings, the data's fingerprint and the place in the run; of a run that began with a finished
 * model also which one it was, and what its numbers mean, for the statistics are that model's.  Random numbers follow
 * from seed and place (streams.h).
 *
 * All are written under temporary names, synced and renamed: a crash leaves the old ones whole. */
#pragma once
#include "engine/nn/learner.h"
#include "engine/train/batch_source.h"
#include "engine/train/settings.h"

G_BEGIN_DECLS

/* The finished model that a run began with; name "": random weights.  Model and checkpoint keep it as `init` and
 * `init_sha256`. */
typedef struct {
    char name[256]; /* of the file, without folders */
    char sha256[65];
} M2nOrigin;

/* Where a run is. */
typedef struct {
    guint epoch;        /* whole epochs done */
    guint64 epoch_step; /* steps done of the next one */
    guint64 step;       /* optimiser steps in all */
    M2nLosses sum;      /* over the epoch's steps so far */
    double best;        /* validation MSE; infinity: none yet */
    guint best_epoch;   /* from 1; 0 none */
    double seconds;     /* of work so far */
    gboolean stopped_early;
    M2nOrigin origin;
} M2nTrainPlace;

#define M2N_TRAIN_PLACE_START                                                                      \
    {                                                                                              \
        .best = INFINITY                                                                           \
    }

/* What a run remembers of its steps, [parameters->total] each; zero before the first. */
typedef struct {
    float *mean, *square; /* Adam's moments */
    float *average;       /* of the weights (weight_average.h); NULL: none is kept */
} M2nMoments;

typedef enum { M2N_RUN_LAST, M2N_RUN_CHECKPOINT, M2N_RUN_LOG, M2N_RUN_PICTURE } M2nRunFile;

char *m2n_run_file(const char *model, M2nRunFile which); /* (transfer full) */

/* FALSE: M2N_ERROR_IO; the old file, if any, is untouched. */
gboolean m2n_checkpoint_write(const char *path, M2nLearner *l, const M2nMoments *moments,
                              const M2nSettings *s, const M2nTrainPlace *place,
                              const M2nBatchSource *source, GError **error);

/* Settings alone, to know what to build.  FALSE: M2N_ERROR_IO, _FORMAT. */
gboolean m2n_checkpoint_settings(const char *path, M2nSettings *s, GError **error);
/* What it says of itself, for what its source described.  (transfer full) NULL: M2N_ERROR_IO, _FORMAT. */
M2nSafetensors *m2n_checkpoint_open(const char *path, GError **error);
/* The origin that a model or checkpoint names. */
M2nOrigin m2n_origin_read(const M2nSafetensors *st);
/* All the rest into a learner of the same sizes.  FALSE: M2N_ERROR_IO, _FORMAT, _SHAPE (another network),
 * _ARGUMENT (made from other data). */
gboolean m2n_checkpoint_read(const char *path, M2nLearner *l, const M2nMoments *moments,
                             M2nTrainPlace *place, const char *fingerprint, GError **error);

/* A model file: weights [parameters->total], `config`, where it began, and what the source says of itself. */
gboolean m2n_model_write(const char *path, const M2nConfig *config, const M2nParameters *p,
                         const float *weights, const M2nOrigin *origin,
                         const M2nBatchSource *source, GError **error);

G_END_DECLS
