/* Pictures of a verification, as SVG documents. */
#pragma once
#include "grib/grid.h"
#include "plugin/verify_report.h"

G_BEGIN_DECLS

/* (transfer full) RMSE by lead time: a panel per variable, a line per contender. */
char *m2n_report_chart(const M2nReport *r, M2nWeighting weighting);

/* ---- where the errors lie
 * ------------------------------------------------------------------------ */

typedef struct M2nErrorMaps M2nErrorMaps;

/* (transfer full) Keeps error sums of each point for some of the lead times: `leads` [n_leads],
 * indices.  NULL: no memory for m2n_error_maps_memory() bytes. */
M2nErrorMaps *m2n_error_maps_new(guint n_variables, const guint *leads, guint n_leads,
                                 gsize n_points);
guint64 m2n_error_maps_memory(guint n_variables, guint n_leads, gsize n_points);
void m2n_error_maps_free(M2nErrorMaps *m);
/* One field; a lead time that is not kept is ignored.  NaN is left out. */
void m2n_error_maps_add(M2nErrorMaps *m, guint variable, guint lead, const float *forecast,
                        const float *truth);

typedef enum { M2N_MAP_RMSE, M2N_MAP_BIAS } M2nMapKind;

/* (transfer full) A row of maps per variable, a column per kept lead time, one scale per row;
 * points never scored are grey.  NULL: M2N_ERROR_IO, GDAL cannot write PNG. */
char *m2n_error_maps_draw(const M2nErrorMaps *m, const M2nReport *r, const M2nGrid *grid,
                          M2nMapKind kind, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(M2nErrorMaps, m2n_error_maps_free)

G_END_DECLS
