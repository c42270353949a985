/* Private to the gridded archive: what has been found in its files. */
#pragma once
#include <gdal.h>

#include "plugin/gridded_archive.h"
#include "plugin/gridded_axes.h"

G_BEGIN_DECLS

typedef struct {
    char *name;
    GDALDatasetH dataset; /* NULL: closed */
    guint64 used;         /* clock of the last use */
    guint64 kept;         /* bytes of chunks that the library keeps while it is open, at most */
} M2nGriddedFile;

typedef struct { /* one array of one file at one level */
    guint file;
    char *array;
    const M2nAxes *axes; /* shared by the array's levels */
    gsize level;
    guint64 chunk; /* m2n_array_chunk() */
} M2nGriddedPiece;

typedef struct {
    gint64 time;
    guint piece; /* index into the variable's pieces */
    guint at;    /* along the piece's time axis */
} M2nGriddedMoment;

typedef struct {        /* a variable at a level, over all files */
    M2nVariable id;     /* name, param_id, type_of_level, level */
    char step_type[16]; /* as eccodes calls it: "instant", "accum", "max" ... */
    char *units;
    M2nGrid *grid;
    GPtrArray *pieces;         /* M2nGriddedPiece* */
    gsize n_times;             /* of all pieces together */
    M2nGriddedMoment *moments; /* ascending, each time once; NULL until they are asked for */
    gsize n_moments;
    guint slab_piece; /* what `slab` holds */
    gsize slab_first, slab_n;
    double *slab;
} M2nGriddedVariable;

struct M2nGridded {
    GPtrArray *files;     /* M2nGriddedFile* */
    GPtrArray *variables; /* M2nGriddedVariable* */
    GPtrArray *axes;      /* M2nAxes*, one for each array */
    GPtrArray *times;     /* what those point to: arrays after each other mostly have the same */
    gsize n_times, n_moments; /* kept */
    guint64 clock, max_memory; /* 0: no bound */
    guint n_pieces;
    gboolean has_reference;
    gint64 reference_time;
    M2nRegrid *regrid; /* the last one used */
    M2nGrid *from, *to;
    M2nRegridMethod method;
};

/* Adds a file, or all below a folder. */
gboolean m2n_gridded_index(M2nGridded *a, const char *name, GError **error);
/* The dataset of a file, opened if need be; the one longest unused makes room.  NULL: as
 * m2n_gridded_open_file(). */
GDALDatasetH m2n_gridded_dataset(M2nGridded *a, guint file, GError **error);

/* (transfer full) A file or a Zarr folder, with drivers that read no file but that one.  NULL: M2N_ERROR_IO, _FORMAT, _DENIED
 * (hdf5_alone.h). */
GDALDatasetH m2n_gridded_open_file(const char *name, GError **error);

/* One field in the wanted unit on its own grid, out[grid->n_points].  FALSE: M2N_ERROR_IO, _UNITS,
 * _MEMORY. */
gboolean m2n_gridded_field(M2nGridded *a, M2nGriddedVariable *v, const M2nGriddedMoment *m,
                           const char *units, float *out, GError **error);

/* What was read ahead goes. */
void m2n_gridded_forget_slabs(M2nGridded *a);

void m2n_gridded_file_free(gpointer file);
void m2n_gridded_axes_free(gpointer axes);
void m2n_gridded_variable_free(gpointer variable);

G_END_DECLS
