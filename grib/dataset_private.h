/* What dataset.c shares with its writer. */
#pragma once
#include "grib/dataset.h"

G_BEGIN_DECLS

/* Time number i into out[V][H][W]. */
typedef gboolean (*M2nFieldsReader)(gpointer data, gsize i, float *out, GError **error);

/* Mean, deviation and range of each variable over the times inside `span`, into domain->variables.
 * FALSE: M2N_ERROR_MISSING (no times), _FORMAT (missing or constant values), or what `read` says.
 */
gboolean m2n_statistics(M2nDomain *domain, const M2nTimeSpan *span, const gint64 *times, gsize n,
                        M2nFieldsReader read, gpointer data, const char *where, GError **error);

/* FALSE: M2N_ERROR_FORMAT: variable, time and how many of its points are not finite. */
gboolean m2n_fields_check(const M2nDomain *domain, const char *where, gint64 time,
                          const float *fields, GError **error);

/* Whether m2n_dataset_set_statistics() gave them. */
gboolean m2n_dataset_statistics_given(const M2nDataset *d);

/* (transfer full) */
M2nDomain *m2n_domain_copy(const M2nDomain *d);

G_END_DECLS
