/* What a file holds, as JSON: GRIB messages, a model, a prepared dataset, a forecast file.  For met2net-info.
 *
 *   GRIB      kind "grib", messages: number, edition, centre, shortName, paramId, typeOfLevel, level, units,
 *             referenceTime, validTime, step, stepType, gridType, grid, size [columns, rows], packing,
 *             gridRelativeWind, points, missing, min, max, mean of the values as our reader delivers them
 *             (null when all are missing), and `error` where it cannot.  Handed over one by one: a file may have millions
 *   model     kind "model", config, variables, grid, timeStep, normalisation, target, tensors, parameters,
 *             metadata: the names of the keys; `error` when it cannot be used as it is
 *   dataset   kind "dataset", fields, times, first, last, variables, grid, timeStep
 *   forecast  kind "forecast", model, input, initTime, leadTime, variables, crs
 *   training  kind "checkpoint of a training run", settings, place, tensors, use;
 *             kind "log of a training run", epochs, best: the epoch that the model is of */
#pragma once
#include <json-glib/json-glib.h>

#include "engine/base/source.h"

G_BEGIN_DECLS

/* Takes a message of the GRIB file `name`, which has n of them. */
typedef void (*M2nDescribeFunc)(const char *name, guint n, JsonObject *message, gpointer user_data);

/* (transfer full) An object with `file`, `kind` and the above, but for the messages, which go to `each`.  values: decode GRIB
 * data.  NULL: M2N_ERROR_IO, _FORMAT (none of these), _MEMORY, and whatever a forecast file yields; of GRIB after some of the
 * messages perhaps. */
JsonNode *m2n_describe(const char *name, gboolean values, M2nDescribeFunc each, gpointer user_data, GError **error);

/* The part of GRIB. */
gboolean m2n_describe_grib(M2nSource *source, gboolean values, M2nDescribeFunc each, gpointer user_data, GError **error);

G_END_DECLS
