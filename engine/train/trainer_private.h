/* What a trainer holds, for trainer.c and trainer_setup.c alone. */
#pragma once
#include "engine/train/trainer.h"

G_BEGIN_DECLS

/* Windows per forecast when validating: enough to keep threads busy, little memory. */
#define VALIDATION_BATCH 4

struct M2nTrainer {
    M2nSettings settings;
    const M2nBatchSource *source; /* borrowed */
    M2nGroup *group;              /* borrowed */
    char *model, *last, *checkpoint, *log_path, *picture;
    M2nLearner *learner;
    M2nMoments moments;
    float *x, *y;         /* [batch][T][V][H][W] */
    guint8 *keep;         /* [2][2 N_T][batch V] */
    guint32 *order;       /* of the epoch's windows */
    guint whole_batch;    /* windows of a step */
    guint first, batch;   /* this process's part of them */
    guint threads;
    guint64 steps; /* per epoch */
    M2nTrainPlace place;
    GArray *log; /* M2nTrainRecord */
    M2nTrainMemory memory;
    gint64 began;          /* microseconds, monotonic */
    double seconds_before; /* of work in earlier processes */
    guint64 steps_here;    /* in this process */
    gint64 last_saved;
};

/* Floats of one input window: T V H W. */
static inline gsize
m2n_window_floats(const M2nBatchSource *s)
{
    return (gsize)s->steps * s->variables * s->height * s->width;
}

G_END_DECLS
