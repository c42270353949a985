/* M2nBatchSource: where the trainer gets its windows from.
 *
 * A window is 2T consecutive steps: T in, T out.  Which windows exist, how they are normalised and
 * what the target is (field or change) is the source's affair; the trainer sees numbers. */
#pragma once
#include "engine/base/safetensors.h"

G_BEGIN_DECLS

typedef enum { M2N_SPAN_TRAIN, M2N_SPAN_VALIDATION, M2N_SPAN_TEST, M2N_N_SPANS } M2nSpan;

typedef struct {
    guint steps, variables, height, width;
    guint64 n_windows[M2N_N_SPANS];
    const char *const *names; /* [variables] */
    const char *const *units; /* [variables] */
    const double *scale;      /* [variables] physical units per network unit, for scores */
    const char *fingerprint;  /* changes when the data do: a resumed run must find the same */
    gpointer data;

    /* Window `index` of a span: x, y [T][V][H][W], normalised, free of NaN.  FALSE: M2N_ERROR_IO,
     * or _FORMAT naming time and variable of a missing value.  Called by one thread at a time. */
    gboolean (*read)(gpointer data, M2nSpan span, guint64 index, float *x, float *y,
                     GError **error);
    /* Adds what the numbers mean (variables, grid, time step ...) to a model file being written. */
    void (*describe)(gpointer data, M2nSafetensorsWriter *w);
} M2nBatchSource;

G_END_DECLS
