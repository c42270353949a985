/* M2nArchive: the messages of any number of GRIB files, indexed by variable and valid time.
 *
 * Opening scans headers alone; values are decoded when a window is read. */
#pragma once
#include "engine/base/progress.h"
#include "grib/domain.h"
#include "grib/field.h"
#include "grib/regrid.h"

G_BEGIN_DECLS

typedef struct M2nArchive M2nArchive;

/* (transfer full) NULL: M2N_ERROR_IO or _FORMAT naming file and message, _MISSING (no such member). */
M2nArchive *m2n_archive_open(M2nSource *const *sources, guint n_sources, GError **error);
void m2n_archive_free(M2nArchive *a);

typedef struct {
    /* Leave damaged messages (truncated, wrong length) out, else they are fatal. */
    gboolean skip_damaged;
    guint threads; /* that decode a window; 0: as many as the machine has, at most 8 */
    long member;   /* of an ensemble; < 0: the lowest.  Messages of the others are left out */
    guint64 memory; /* bytes that the index may take, else M2N_ERROR_MEMORY; 0: m2n_memory_default() */
} M2nArchiveOptions;

#define M2N_ARCHIVE_OPTIONS_DEFAULT {.skip_damaged = FALSE, .threads = 0, .member = -1, .memory = 0}

M2nArchive *m2n_archive_open_with(M2nSource *const *sources, guint n_sources,
                                  const M2nArchiveOptions *options, GError **error);

/* Of the ensemble in there: the number of the member that is read, -1 without one, and how many there are. */
long m2n_archive_member(const M2nArchive *a, guint *members);
/* One line that a user should read, or NULL: a member was chosen for want of a wish. (transfer none) */
const char *m2n_archive_note(const M2nArchive *a);

/* What the index and m2n_archive_read_window() beside its result may take, in bytes; 0, as at first: no bound.  It then
 * decodes on fewer threads, and is M2N_ERROR_MEMORY where one message alone takes more. */
void m2n_archive_set_memory(M2nArchive *a, guint64 bytes);

/* Bytes of the index, as they are counted. */
guint64 m2n_archive_index_memory(const M2nArchive *a);

/* When the run began whose messages these are: the reference time of the first. */
gint64 m2n_archive_reference_time(const M2nArchive *a);
/* (transfer full) Every variable and level in there once, in the order of the messages; statistics are 0. */
M2nVariable *m2n_archive_variables(const M2nArchive *a, guint *n);

/* Messages that can be read. */
guint m2n_archive_count(const M2nArchive *a);
/* Messages left out: damaged ones if so chosen, and those whose headers say nothing we know.  Each is one
 * line with file and message number. (transfer none) */
guint m2n_archive_problems(const M2nArchive *a);
const char *m2n_archive_problem(const M2nArchive *a, guint i);

/* The latest time at which the domain's variables all have `steps` fields, spaced by the time step and
 * ending there.  FALSE: M2N_ERROR_MISSING: what was needed, found, and lacks. */
gboolean m2n_archive_latest(const M2nArchive *a, const M2nDomain *d, guint steps, gint64 *init_time,
                            GError **error);

/* (transfer full) Ascending times at which every variable of the domain has a field.  NULL:
 * M2N_ERROR_MISSING when there is none. */
gint64 *m2n_archive_times(const M2nArchive *a, const M2nDomain *d, gsize *n, GError **error);

/* What the input file says of itself and its output should keep (GRIB centre, earth shape); headers
 * alone. (transfer none) */
long m2n_archive_centre(const M2nArchive *a);
const M2nGrid *m2n_archive_grid(const M2nArchive *a, const M2nVariable *v); /* NULL: not in there */

/* TRUE when all messages of a variable are on one grid.  FALSE: M2N_ERROR_SHAPE: both messages and grids. */
gboolean m2n_archive_one_grid(const M2nArchive *a, const M2nVariable *v, GError **error);
/* TRUE when m2n_archive_read_window() would find all its messages; headers alone.  FALSE:
 * M2N_ERROR_MISSING names variable and time. */
gboolean m2n_archive_has_window(const M2nArchive *a, const M2nDomain *d, guint steps,
                                gint64 init_time, GError **error);

/* The model's input window: out[steps][V][H][W], physical units, on the domain's grid, the last step
 * valid at init_time.  Winds are earth-relative; a grid-relative u without v is M2N_ERROR_MISSING.  Relative
 * humidity comes from temperature and dew point or specific humidity, geopotential from its height and the
 * reverse, accumulations over a step from those since the start of the run, where the file lacks the thing
 * itself.  FALSE: M2N_ERROR_MISSING names variable and time; M2N_ERROR_SHAPE no overlap of
 * input and model domain or missing points inside it; _UNITS; _FORMAT, _IO, _MEMORY, _CANCELLED. */
gboolean m2n_archive_read_window(M2nArchive *a, const M2nDomain *d, guint steps, gint64 init_time,
                                 M2nRegridMethod method, float *out, M2nProgressFunc progress,
                                 gpointer user_data, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(M2nArchive, m2n_archive_free)

G_END_DECLS
