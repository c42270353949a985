/* M2nBatch: one model over any number of inputs and initial times, each a forecast of its own.
 *
 * A forecast that fails is reported and the rest goes on.  What is already there and complete
 * (m2n_product_is_complete()) is not computed again; a GRIB file, which says nothing of its origin, must
 * also be younger than its input and model.  A file appears under its name complete or not at all.
 * The same options give the same bytes whatever `jobs` and `group` are, for each forecast has `threads` of its
 * own. */
#pragma once
#include "engine/base/group.h"
#include "engine/base/progress.h"
#include "grib/regrid.h"
#include "plugin/batch_product.h"

G_BEGIN_DECLS

typedef struct {
    const char *model;         /* NULL: only where the inputs are forecast files that name one */
    const char *const *inputs; /* NULL-terminated, from m2n_inputs_expand() */
    gboolean together;         /* all inputs are one archive, else each is its own */
    const gint64 *init_times;  /* [n_init_times]; none: the latest of each input */
    guint n_init_times;
    const long *members; /* [n_members] of an ensemble, a forecast each; none: the lowest of each input */
    guint n_members;
    const char *output; /* a template, plugin/batch_template.h */
    M2nFormat format;
    M2nProductOptions product;
    const char *const *variables; /* NULL: all */
    gint64 lead_time;             /* seconds; 0: the model's window, or as far as `steps` go */
    const gint64 *steps;          /* [n_steps] lead times to write, seconds; none: all */
    guint n_steps;
    gboolean initial_state; /* step 0, the last input field, is written too */
    const char *crs;        /* NULL: the model's */
    const double *bounds;   /* [4] west, south, east, north in that CRS; NULL: the model's area */
    double resolution[2];   /* of the pixels in that CRS; 0: about the model's */
    M2nRegridMethod resampling;
    const char *precision; /* NULL: what a forecast file says, else float32 */
    guint jobs, threads; /* forecasts at once; threads of each */
    guint64
        max_memory; /* bytes for all on this machine together; 0: the default of met2net_open() */
    gboolean overwrite; /* do not look at what is there */
    M2nGroup *
        group; /* processes that share the batch, each with `jobs` of its own; NULL: this one alone */
} M2nBatchOptions;

#define M2N_BATCH_OPTIONS_DEFAULT                                                                  \
    {                                                                                              \
        .output = "{input}_{init}.{ext}", .format = M2N_FORMAT_GRIB2, .jobs = 1, .threads = 1      \
    }

typedef struct {
    guint done, skipped, failed; /* forecasts */
    guint files;                 /* written */
    gboolean cancelled;
} M2nBatchResult;

typedef enum {
    M2N_BATCH_WROTE,   /* text: the path of an output file */
    M2N_BATCH_SKIPPED, /* text: the input; all its files are complete */
    M2N_BATCH_REDO,    /* text: path and why it is written again */
    M2N_BATCH_FAILED,  /* text: what is wrong, naming the input */
    M2N_BATCH_PLAN,    /* text: a line of the dry run */
    M2N_BATCH_NOTE,    /* text: an ensemble of which nobody chose a member */
    M2N_BATCH_DOUBT,   /* text: an input that looks wrong, once for each of its variables */
} M2nBatchEvent;

/* Called from the worker threads, never from two at once.  In a group each process tells what itself did; progress
 * of rank 0 is that of all. */
typedef struct {
    void (*event)(M2nBatchEvent event, const char *text, gpointer user_data);
    M2nProgressFunc progress; /* over the whole batch; FALSE stops it */
    gpointer user_data;
} M2nBatchListener;

/* What can be known before any input is looked at, so that it is said once and not for every input: the template,
 * the creation options, the CRS, whether the model is one and has the variables.  FALSE: M2N_ERROR_ARGUMENT, _IO, _FORMAT. */
gboolean m2n_batch_check(const M2nBatchOptions *options, GError **error);

/* FALSE: M2N_ERROR_ARGUMENT: the options as such (template, step, CRS); single forecasts that fail are
 * in the result alone.  In a group: collective; the result of rank 0 is that of all. */
gboolean m2n_batch_run(const M2nBatchOptions *options, const M2nBatchListener *listener,
                       M2nBatchResult *result, GError **error);

/* Says what m2n_batch_run() would read, compute and write, a PLAN event each, with estimates of memory and
 * time; the time of one pass is measured.  Writes nothing. */
gboolean m2n_batch_plan(const M2nBatchOptions *options, const M2nBatchListener *listener,
                        M2nBatchResult *result, GError **error);

G_END_DECLS
