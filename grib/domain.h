/* M2nDomain: what the numbers of a model or a prepared dataset mean: variables with their
 * normalisation, the grid, the time step.  It is the metadata of a safetensors file, parsed.
 *
 * The one door between physical fields and tensors: m2n_domain_normalise() and _denormalise(). */
#pragma once
#include "engine/base/safetensors.h"
#include "grib/grid.h"

G_BEGIN_DECLS

typedef enum { M2N_ZSCORE, M2N_MINMAX } M2nNormalisation;
typedef enum { M2N_TARGET_FIELD, M2N_TARGET_CHANGE } M2nTarget;

typedef struct {
    char name[32]; /* the model's own: "t2m", "u10", "t850" */
    long param_id; /* eccodes */
    char type_of_level[64];
    double level;
    char units[32];
    double mean, std;  /* zscore: (x - mean) / std                                     */
    double min, max;   /* minmax: (x - min) / (max - min)                              */
    double change_std; /* target "change": y = x_last + change_std * output           */
} M2nVariable;

typedef struct {
    guint n_variables;
    M2nVariable *variables;
    M2nGrid *grid;
    gint64 time_step; /* seconds, > 0 */
    M2nNormalisation normalisation;
    M2nTarget target;
} M2nDomain;

/* (transfer full) From `__metadata__`: variables, grid, time_step, normalisation, target.  NULL:
 * M2N_ERROR_FORMAT naming file and key; a file without our metadata is told how to add it. */
M2nDomain *m2n_domain_read(const M2nSafetensors *st, GError **error);
void m2n_domain_free(M2nDomain *d);
/* Adds the same keys to a file being written. */
void m2n_domain_write(const M2nDomain *d, M2nSafetensorsWriter *w);

/* In place, x[steps][V][H][W].  NaN stays NaN. */
void m2n_domain_normalise(const M2nDomain *d, float *x, guint steps);
/* Network output to physical units.  `last` [V][H][W] is the last input field in physical units, read
 * for target "change" alone. */
void m2n_domain_denormalise(const M2nDomain *d, float *y, guint steps, const float *last);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(M2nDomain, m2n_domain_free)

G_END_DECLS
