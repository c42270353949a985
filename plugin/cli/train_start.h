/* The finished model whose weights a run begins with (met2net-train --init). */
#pragma once
#include "engine/train/trainer.h"
#include "grib/dataset.h"

G_BEGIN_DECLS

/* All NULL and zero: random weights, and the data's own statistics. */
typedef struct {
    M2nSafetensors *model; /* NULL: there is none, or it is no longer needed */
    M2nDomain *domain;     /* its variables and their statistics */
    M2nOrigin origin;
} M2nTrainStart;

/* A model such as a forecast takes, and its hash.  FALSE: M2N_ERROR_IO, _FORMAT, _SHAPE, or _ARGUMENT: it is the file
 * `output`, which the run will write. */
gboolean m2n_train_start_open(M2nTrainStart *s, const char *model, const char *output,
                              GError **error);
/* What the run of `checkpoint` began with; a model that was opened must be that one.  FALSE: M2N_ERROR_ARGUMENT (it
 * is another: both), _IO, _FORMAT. */
gboolean m2n_train_start_resume(M2nTrainStart *s, const char *checkpoint, GError **error);
void m2n_train_start_clear(M2nTrainStart *s);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(M2nTrainStart, m2n_train_start_clear)

/* The settings that the model states, as defaults. */
gboolean m2n_train_start_settings(const M2nTrainStart *s, M2nSettings *settings, GError **error);
/* FALSE: M2N_ERROR_ARGUMENT: a setting of the network is another: its name and both values. */
gboolean m2n_train_start_check(const M2nTrainStart *s, const M2nSettings *settings, GError **error);

/* Collective, of rank 0's start: the data take over the model's statistics.  FALSE: M2N_ERROR_ARGUMENT: they hold other
 * variables: both lists. */
gboolean m2n_train_start_statistics(const M2nTrainStart *s, M2nDataset *d, M2nGroup *group,
                                    GError **error);

G_END_DECLS
