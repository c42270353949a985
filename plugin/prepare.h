/* From archives (GRIB, NetCDF, Zarr, WeatherBench folders) to a prepared data set. */
#pragma once
#include "grib/dataset.h"
#include "plugin/input.h"

G_BEGIN_DECLS

typedef struct {
    const char *const *inputs; /* NULL-terminated */
    const char *variables;     /* "u10 v10 t2m", blanks or commas; NULL: those of `like` */
    const char
        *like; /* a model or data set whose variables, grid and time step are taken; or NULL */
    const char
        *region; /* "west,south,east,north": outer edges, in units of the CRS; NULL: the input's */
    const char *size;               /* "64x32": columns x rows; NULL: from the resolution */
    const char *crs;                /* of region and result; NULL: the input's */
    double resolution;              /* units of the CRS; 0: the input's */
    const char *time_step;          /* "6h"; NULL: the most frequent distance of times */
    const char *spans[M2N_N_SPANS]; /* "2010/2015"; all NULL: the last tenths */
    M2nRegridMethod method;
    gboolean skip_missing; /* times with missing values become gaps instead of errors */
} M2nPrepareOptions;

/* What was done, for the user. */
typedef struct {
    gsize times, skipped;
    char *grid; /* owned: free with g_free() */
    char *cut;  /* owned; rows and columns of the input's grid that were left out, or NULL */
    char *note; /* owned; m2n_input_note() */
} M2nPrepareResult;

/* Writes `path`.  A grid that nothing chooses is the input's, less up to three rows in the south and columns
 * in the east so that both can be halved twice.  FALSE: M2N_ERROR_ARGUMENT (an option: its name),
 * M2N_ERROR_MISSING (variable, times), _SHAPE (grids), _FORMAT (missing or constant values), _IO,
 * _CANCELLED. */
gboolean m2n_prepare(const M2nPrepareOptions *options, const char *path, M2nPrepareResult *result,
                     M2nProgressFunc progress, gpointer user_data, GError **error);

/* Spans as given on a command line; times not named are in none.  FALSE: M2N_ERROR_ARGUMENT. */
gboolean m2n_prepare_split(const char *const spans[M2N_N_SPANS], M2nSplit *split, GError **error);

G_END_DECLS
