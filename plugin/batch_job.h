/* One forecast of a batch: from options to the files it becomes.  Private to the batch. */
#pragma once
#include "plugin/batch.h"
#include "plugin/batch_template.h"
#include "plugin/forecast.h"

G_BEGIN_DECLS

typedef struct {
    char **inputs; /* NULL-terminated */
    gboolean latest;
    gint64 init_time;
    long member; /* < 0: the lowest, or what the forecast file says */
} M2nBatchJob;

/* (transfer full) [*n]: every input, or all as one, at every initial time, of every member. */
M2nBatchJob *m2n_batch_jobs(const M2nBatchOptions *o, guint *n);
void m2n_batch_jobs_free(M2nBatchJob *jobs, guint n);

/* A forecast opened, headers only, and the products it will be cut into. */
typedef struct {
    M2nForecast *forecast;
    M2nForecastSpec *spec;
    M2nGrid *grid;
    gboolean turn_winds; /* onto the grid's axes; GRIB2 files say "east and north" */
    guint n_variables, n_steps;
    guint *variables; /* [n_variables] indices into the domain's */
    gint64 *leads;    /* [n_steps] seconds */
    char **provenance;
    GPtrArray *files; /* M2nBatchFile*, at least one */
} M2nOpenJob;

typedef struct {
    char *path;
    guint first_variable, n_variables, first_step, n_steps; /* ranges of the job's */
} M2nBatchFile;

/* (transfer full) NULL: as m2n_forecast_open(), or M2N_ERROR_ARGUMENT. */
M2nOpenJob *m2n_job_open(const M2nBatchOptions *o, const M2nTemplateSplit *split,
                         const M2nBatchJob *job, GError **error);
void m2n_job_free(M2nOpenJob *job);

/* FALSE: M2N_ERROR_ARGUMENT: the model has no such variable; names those it has. */
gboolean m2n_job_find_variable(const M2nDomain *d, const char *model, const char *name, guint *v, GError **error);

/* The product of one file; values NULL, or of the whole job [n_steps][n_variables][points], from which
 * *room (transfer full) may take a copy. */
M2nProduct m2n_job_product(const M2nOpenJob *job, const M2nBatchFile *file, const float *values,
                           float **room);

/* TRUE when the file needs no writing; else *why (transfer full) or NULL says what is amiss with what is
 * there. */
gboolean m2n_job_file_is_done(const M2nOpenJob *job, const M2nBatchFile *file, M2nFormat format,
                              char **why);

/* (transfer full) [n_steps][n_variables][points] on the output grid; *doubts (transfer full) as m2n_forecast_doubts().
 * NULL: as m2n_forecast_compute(). */
float *m2n_job_compute(const M2nOpenJob *job, char ***doubts, M2nProgressFunc progress, gpointer user_data,
                       GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(M2nOpenJob, m2n_job_free)

G_END_DECLS
