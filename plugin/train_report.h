/* How a trained model does on a span, beside the forecasts that cost nothing. */
#pragma once
#include "grib/dataset.h"

G_BEGIN_DECLS

/* (transfer full) A table of RMSE per variable in physical units, mean over windows, steps and grid: the
 * model, persistence (the last input field), the same hour yesterday (where the data set has it for every
 * step).  NULL: what went wrong; `model` is the file. */
char *m2n_train_report(const char *model, M2nDataset *d, const M2nWindows *w, M2nSpan span,
                       guint threads, GError **error);

G_END_DECLS
