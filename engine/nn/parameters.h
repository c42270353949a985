/* M2nParameters: names and shapes of all weights of one Met2Net, query branch, in the order of the
 * published checkpoints, BatchNorm running statistics included.  Loader, trainer and tests read the same
 * list, and all weights together are one array of `total` floats in this order. */
#pragma once
#include "engine/nn/config.h"

G_BEGIN_DECLS

typedef struct {
    char *name; /* "enc_q_list.0.enc.0.conv.conv.weight" */
    guint rank;
    guint64 shape[4];
    gsize elements;
    gsize offset; /* of the first element in the array of all weights */
} M2nParameter;

typedef struct {
    guint n;
    M2nParameter *list;
    gsize total;         /* floats */
    GHashTable *by_name; /* name -> M2nParameter in `list` */
} M2nParameters;

M2nParameters *m2n_parameters_new(const M2nConfig *config); /* (transfer full) config is checked */
void m2n_parameters_free(M2nParameters *p);
const M2nParameter *m2n_parameters_find(const M2nParameters *p, const char *name); /* or NULL */
/* Offset of the parameter of this name, which must exist. */
gsize m2n_parameters_offset(const M2nParameters *p, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* FALSE for running statistics, which no gradient reaches. */
gboolean m2n_parameter_trainable(const M2nParameter *p);

/* The name without "model."; NULL for tensors of published checkpoints that inference has no use for: key
 * branch, spatial_gating_unit.fc.*, num_batches_tracked. */
const char *m2n_parameter_canonical_name(const char *name);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(M2nParameters, m2n_parameters_free)

G_END_DECLS
