/* Does a field look like what a model was trained on?  A temperature in degrees Celsius that is labelled K is read without
 * an error and makes a forecast of nothing. */
#pragma once
#include "grib/domain.h"

G_BEGIN_DECLS

/* (transfer full) A line for the user: "t2m of a.grib2: mean 14.2 K is 13 standard deviations from what the model was
 * trained on (278.9 K +- 20.1): wrong units?"  NULL: nothing to say.
 *
 * field[points], physical units, NaN left out.  Its mean is doubted where it is more than six of the training set's
 * standard deviations, and more than half of the training set's mean, away from that mean, and beyond the least and
 * greatest value of the training set.  The second keeps quiet about another season or place: these move an absolute
 * temperature by a tenth, a wrong unit by nine tenths and more.  The third is for skewed quantities: the mean of no field
 * of rain exceeds the heaviest rain.  Where a model does not know these extremes, quantities that scatter by more than
 * their mean (rain, winds) are not doubted. */
char *m2n_unlikely_input(const M2nVariable *v, const char *const *inputs, const float *field, gsize points);

G_END_DECLS
