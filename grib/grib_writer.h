/* M2nGribWriter: fields of a domain as GRIB2 messages and files.
 *
 * The headers of all variables are built and re-read when the writer is made, before anything is computed;
 * each message is re-read after encoding.  Explicit GRIB2 keys are set, never a shortName, and no template
 * message is needed.  Missing values become a bitmap.  Winds are written as earth-relative, as M2nField has
 * them.
 *
 * Grids   regular and rotated latitude/longitude, Lambert, polar stereographic, Mercator
 * Thread  one writer per thread */
#pragma once
#include "engine/base/progress.h"
#include "grib/domain.h"

G_BEGIN_DECLS

typedef enum { M2N_PACKING_SIMPLE, M2N_PACKING_CCSDS } M2nPacking;
typedef enum { M2N_FILES_ONE, M2N_FILES_PER_VARIABLE, M2N_FILES_PER_LEVEL } M2nGribFiles;

typedef struct {
    long centre;          /* code table C-11; 255 prints as "consensus" */
    long process;         /* generatingProcessIdentifier */
    long generating_type; /* code table 4.3: 0 analysis, 2 forecast */
    int bits;             /* per value, 1..32 */
    long member;          /* of an ensemble of n_members; -1: none */
    long n_members;
    M2nPacking packing;   /* CCSDS is smaller; GDAL 3.6 and MDAL cannot read it */
    M2nGribFiles files;
    gboolean variable_major; /* order of messages; step-major is what CDO needs */
} M2nGribWriterOptions;

#define M2N_GRIB_WRITER_OPTIONS_DEFAULT                                                            \
    {                                                                                              \
        .centre = 255, .process = 255, .generating_type = 2, .bits = 16, .member = -1,             \
        .packing = M2N_PACKING_SIMPLE, .files = M2N_FILES_ONE, .variable_major = FALSE             \
    }

typedef struct M2nGribWriter M2nGribWriter;

/* (transfer full) `d` must outlive the writer.  NULL: M2N_ERROR_FORMAT, _UNITS, _ARGUMENT naming variable and
 * key or value. */
M2nGribWriter *m2n_grib_writer_new(const M2nDomain *d, const M2nGribWriterOptions *options,
                                   GError **error);
void m2n_grib_writer_free(M2nGribWriter *w);

/* (transfer full) One message: variable number `variable` of the domain, values [H][W] in its units; an
 * accumulated variable covers the time step before valid_time.  NULL: M2N_ERROR_FORMAT, _ARGUMENT (a valid
 * time before the reference time), _MEMORY. */
GBytes *m2n_grib_writer_message(M2nGribWriter *w, guint variable, gint64 reference_time,
                                gint64 valid_time, const float *values, GError **error);

/* (transfer full) The files a forecast becomes: `path`, or "out_t2m.grib2", "out_850hPa.grib2", ... */
GStrv m2n_grib_writer_paths(const M2nGribWriter *w, const char *path);

/* A forecast, fields[steps][V][H][W], step s valid at init_time + (s + 1) time steps.  Each file appears
 * under its name when complete.  FALSE: as above, M2N_ERROR_IO, _CANCELLED; no partial file is left. */
gboolean m2n_grib_writer_save(M2nGribWriter *w, const char *path, gint64 init_time, guint steps,
                              const float *fields, M2nProgressFunc progress, gpointer user_data,
                              GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(M2nGribWriter, m2n_grib_writer_free)

G_END_DECLS
