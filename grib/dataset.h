/* M2nDataset: prepared fields on one grid, all times in one file (safetensors).
 *
 *   fields        [N][V][H][W] float32, physical SI units, north-up, NaN-free
 *   times         [N] I64, seconds since 1970-01-01T00:00:00Z, ascending; gaps are allowed
 *   __metadata__  `format` = `met2net-dataset`, the keys of a model file (variables with their
 * statistics over the training span, grid, time_step), and the spans `train`, `validation`, `test`
 *
 * Read through its source (a mapped file): larger than memory is fine. */
#pragma once
#include "grib/domain.h"
#include "grib/split.h"

G_BEGIN_DECLS

typedef struct M2nDataset M2nDataset;

/* (transfer full) NULL: M2N_ERROR_IO, _FORMAT (what is missing or wrong), _SHAPE, _MEMORY. */
M2nDataset *m2n_dataset_open(M2nSource *source, GError **error);
void m2n_dataset_free(M2nDataset *d);

const char *m2n_dataset_name(const M2nDataset *d);
const M2nDomain *m2n_dataset_domain(const M2nDataset *d);
const gint64 *m2n_dataset_times(const M2nDataset *d, gsize *n); /* [n], UTC seconds, ascending */
const M2nSplit *m2n_dataset_split(const M2nDataset *d);
/* Other spans; the statistics are computed anew from the training span.  FALSE: M2N_ERROR_ARGUMENT
 * (spans overlap), _MISSING (no times in it), _FORMAT (constant or missing values: variable and
 * time). */
gboolean m2n_dataset_set_split(M2nDataset *d, const M2nSplit *split, GError **error);
/* The statistics, those of changes too, become those of `variables` [n_variables]: a model's own, whose weights were
 * made for them.  Until m2n_dataset_set_split(). */
void m2n_dataset_set_statistics(M2nDataset *d, const M2nVariable *variables);
/* Times [first, first + n) into out[n][V][H][W], physical.  FALSE: M2N_ERROR_IO: unreadable, or the file was written to
 * since it was opened (m2n_source_unchanged()); _FORMAT. */
gboolean m2n_dataset_read(const M2nDataset *d, gsize first, gsize n, float *out, GError **error);
/* One variable, by its index, at one time into out[H][W]. */
gboolean m2n_dataset_read_field(const M2nDataset *d, gsize time, guint variable, float *out,
                                GError **error);

/* ---- windows for the trainer ----------------------------------------------------------------- */

typedef struct M2nWindows M2nWindows;

/* (transfer full) All windows of 2 `steps` evenly spaced times inside each span; for target
 * "change" also the standard deviation of (field - last input field) over the training windows.
 * Borrows `d`.  NULL: M2N_ERROR_MISSING: the training span holds none (times found and needed),
 * _FORMAT, _MEMORY. */
M2nWindows *m2n_windows_new(M2nDataset *d, guint steps, M2nNormalisation normalisation,
                            M2nTarget target, GError **error);
void m2n_windows_free(M2nWindows *w);
const M2nBatchSource *m2n_windows_source(const M2nWindows *w);
const M2nDomain *m2n_windows_domain(const M2nWindows *w); /* what the model file will say */
/* Index of the window's first time in the data set. */
gsize m2n_windows_first(const M2nWindows *w, M2nSpan span, guint64 index);

/* ---- writing --------------------------------------------------------------------------------- */

typedef struct M2nDatasetWriter M2nDatasetWriter;

/* (transfer full) `domain` says variables, grid and time step; its statistics are not read.  Fields
 * wait in an unnamed file beside `path`.  NULL: M2N_ERROR_IO. */
M2nDatasetWriter *m2n_dataset_writer_new(const char *path, const M2nDomain *domain, GError **error);
/* fields [V][H][W]; times must ascend.  FALSE: M2N_ERROR_FORMAT (time not after the last one, or a
 * missing value: variable, time and how many), M2N_ERROR_IO. */
gboolean m2n_dataset_writer_append(M2nDatasetWriter *w, gint64 time, const float *fields,
                                   GError **error);
/* The file appears under `path` here, with statistics over the training span.  split NULL: the
 * default. */
gboolean m2n_dataset_writer_finish(M2nDatasetWriter *w, const M2nSplit *split, GError **error);
void m2n_dataset_writer_free(M2nDatasetWriter *w);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(M2nDataset, m2n_dataset_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(M2nWindows, m2n_windows_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(M2nDatasetWriter, m2n_dataset_writer_free)

G_END_DECLS
