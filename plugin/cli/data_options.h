/* Command-line options that say which data: shared by met2net-prepare and met2net-train. */
#pragma once
#include "plugin/prepare.h"

G_BEGIN_DECLS

typedef struct {
    char *variables, *like, *region, *size, *crs, *time_step, *resampling, *spans[M2N_N_SPANS];
    double resolution;
    gboolean skip_missing;
} M2nDataOptions;

/* (transfer full) free with g_free(); the strings are those of `o`. */
GOptionEntry *m2n_data_option_entries(M2nDataOptions *o, guint *n);
void m2n_data_options_clear(M2nDataOptions *o);
/* Strings stay owned by `o`.  FALSE: M2N_ERROR_ARGUMENT (resampling). */
gboolean m2n_data_options_read(const M2nDataOptions *o, const char *const *inputs,
                               M2nPrepareOptions *prepare, GError **error);
/* For data that are prepared already.  FALSE: M2N_ERROR_ARGUMENT, an option is given that tells how to prepare: its name.  Spans
 * hold for them, too. */
gboolean m2n_data_options_none(const M2nDataOptions *o, const char *dataset, GError **error);

G_END_DECLS
