/* M2nTrainLog: the record of a run, one JSON object per line and epoch.
 *
 *   {"epoch": 3, "step": 96, "learning_rate": ..., "loss_reconstruction": ..., "loss_latent": ...,
 *    "loss_prediction": ..., "validation_mse": ..., "best": true, "seconds": ...,
 * "samples_per_second": ..., "memory_bytes": ...}
 *
 * `validation_mse` (of the averaged weights, where a run averages them) is null without a validation span.  A resumed run keeps the lines up to its
 * checkpoint and goes on below them, so that no epoch is there twice. */
#pragma once
#include <glib.h>

G_BEGIN_DECLS

typedef struct {
    guint epoch;  /* from 1 */
    guint64 step; /* optimiser steps so far */
    double learning_rate;
    double loss_reconstruction, loss_latent, loss_prediction; /* means over the epoch */
    double validation_mse;                                    /* NaN: none */
    gboolean best;
    double seconds; /* since the run began, stops not counted */
    double samples_per_second;
    guint64 memory_bytes; /* peak resident size of the process */
} M2nTrainRecord;

/* (transfer full) An array of M2nTrainRecord; empty when there is no such file.  A last line that a
 * crash cut short is left out.  NULL: M2N_ERROR_IO. */
GArray *m2n_train_log_read(const char *path, GError **error);
/* Puts the whole log in place at once: under a temporary name, synced, renamed.  FALSE:
 * M2N_ERROR_IO. */
gboolean m2n_train_log_write(const char *path, const GArray *records, GError **error);
/* (transfer full) One line without its end. */
char *m2n_train_record_to_json(const M2nTrainRecord *r);

/* A picture (SVG) of the losses over the epochs, logarithmic axis.  FALSE: M2N_ERROR_IO. */
gboolean m2n_train_log_draw(const char *path, const GArray *records, GError **error);

G_END_DECLS
