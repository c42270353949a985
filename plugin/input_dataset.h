/* A prepared dataset asked as an archive is: for the windows of a model of the same grid.  Private to
 * M2nInput. */
#pragma once
#include "grib/dataset.h"

G_BEGIN_DECLS

/* TRUE when the file begins as safetensors do. */
gboolean m2n_dataset_recognises(const char *name);

/* As their namesakes of M2nInput.  M2N_ERROR_MISSING (a variable it was not prepared with, a time),
 * _UNITS, _SHAPE (another grid). */
const M2nVariable *m2n_dataset_variable(const M2nDataset *s, const M2nVariable *want, guint *index);
gint64 *m2n_dataset_domain_times(const M2nDataset *s, const M2nDomain *d, gsize *n, GError **error);
gboolean m2n_dataset_latest(const M2nDataset *s, const M2nDomain *d, guint steps, gint64 *init_time,
                            GError **error);
gboolean m2n_dataset_has_window(const M2nDataset *s, const M2nDomain *d, guint steps,
                                gint64 init_time, GError **error);
gboolean m2n_dataset_read_window(const M2nDataset *s, const M2nDomain *d, guint steps,
                                 gint64 init_time, float *out, GError **error);

G_END_DECLS
