/* M2nOutput: the fields of a domain on another grid, as they are handed out: regridded, and winds relative to the
 * axes of the output grid (east and north on latitude and longitude or Mercator, x and y elsewhere). */
#pragma once
#include "grib/domain.h"
#include "grib/regrid.h"

G_BEGIN_DECLS

typedef struct M2nOutput M2nOutput;

/* (transfer full) `d` must outlive it.  turn FALSE: winds stay relative to east and north, as GRIB2 files of ours
 * say they are.  max_memory: bytes for it and for placing a field, the field itself not counted; 0: no bound.  NULL:
 * what m2n_regrid_new() and m2n_wind_new() say. */
M2nOutput *m2n_output_new(const M2nDomain *d, const M2nGrid *to, M2nRegridMethod method,
                          gboolean turn, guint64 max_memory, GError **error);
guint64 m2n_output_memory(const M2nOutput *o); /* bytes held, and needed to place a field */
void m2n_output_free(M2nOutput *o);

/* fields [V][H][W] of one time, earth-relative -> out [to->n_points] of one variable.  Thread-safe.  FALSE:
 * M2N_ERROR_MISSING when it is one component of a wind to be turned and the domain lacks the other; _MEMORY. */
gboolean m2n_output_place(const M2nOutput *o, const float *fields, guint variable, float *out,
                          GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(M2nOutput, m2n_output_free)

G_END_DECLS
