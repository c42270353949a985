/* M2nInput: what a forecast starts from or is measured by: GRIB files, or NetCDF files and Zarr folders
 * (plugin/gridded_archive.h), or a prepared dataset; told apart by their first bytes.
 *
 * One thread at a time. */
#pragma once
#include "engine/base/progress.h"
#include "grib/domain.h"
#include "grib/regrid.h"

G_BEGIN_DECLS

typedef struct M2nInput M2nInput;

/* (transfer full) names: NULL-terminated, all of one kind; of an ensemble (GRIB) the lowest member.  Reads headers
 * alone.  NULL: M2N_ERROR_IO, _FORMAT, M2N_ERROR_ARGUMENT (kinds mixed). */
M2nInput *m2n_input_open(const char *const *names, GError **error);
/* The same of one member, < 0: the lowest, and with bytes for the index of GRIB; as above m2n_memory_default().  NULL: also
 * M2N_ERROR_MISSING (no such member), _MEMORY. */
M2nInput *m2n_input_open_with(const char *const *names, long member, guint64 memory, GError **error);
void m2n_input_free(M2nInput *in);

/* (transfer full) A line per name, which changes when its content does (for a folder: when names, sizes or
 * times in it do).  NULL: M2N_ERROR_IO. */
char *m2n_input_stamp(const char *const *names, GError **error);

/* As m2n_archive_member() and _note(). */
long m2n_input_member(const M2nInput *in, guint *members);
const char *m2n_input_note(const M2nInput *in);

/* GRIB centre; 255 where the input does not say. */
long m2n_input_centre(const M2nInput *in);
/* The grid of a variable, NULL when it is not in there. (transfer none) */
const M2nGrid *m2n_input_grid(M2nInput *in, const M2nVariable *v);

/* As m2n_archive_one_grid(); arrays have but one. */
gboolean m2n_input_one_grid(const M2nInput *in, const M2nVariable *v, GError **error);
/* When the forecast in there began; FALSE: it does not say (or is no forecast). */
gboolean m2n_input_reference_time(const M2nInput *in, gint64 *time);
/* (transfer full) Every variable and level in there once; statistics are 0. */
M2nVariable *m2n_input_variables(const M2nInput *in, guint *n);

/* Bytes that the index of GRIB takes, of the bound of _open_with(); 0: of other inputs. */
guint64 m2n_input_index_memory(const M2nInput *in);
/* As m2n_archive_set_memory(), at first m2n_memory_default(); a prepared dataset is read field by field. */
void m2n_input_set_memory(M2nInput *in, guint64 bytes);

/* As m2n_archive_times(), _latest(), _has_window() and _read_window(); M2N_ERROR_UNITS too. */
gint64 *m2n_input_times(M2nInput *in, const M2nDomain *d, gsize *n, GError **error);
gboolean m2n_input_latest(M2nInput *in, const M2nDomain *d, guint steps, gint64 *init_time,
                          GError **error);
gboolean m2n_input_has_window(M2nInput *in, const M2nDomain *d, guint steps, gint64 init_time,
                              GError **error);
gboolean m2n_input_read_window(M2nInput *in, const M2nDomain *d, guint steps, gint64 init_time,
                               M2nRegridMethod method, float *out, M2nProgressFunc progress,
                               gpointer user_data, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(M2nInput, m2n_input_free)

G_END_DECLS
