/* The mean of a field beside that of the training set. */
#include "plugin/unlikely_input.h"

#include <math.h>

#include "plugin/variable_text.h"

#define FAR 6     /* standard deviations */
#define HALF 0.5  /* of the training set's mean */
#define WITHIN 6. /* standard deviations from the least value to the greatest, where a model knows these alone */

static double
mean_of(const float *x, gsize n)
{
    double sum = 0;
    gsize found = 0;

    for (gsize i = 0; i < n; i++)
        if (isfinite(x[i])) {
            sum += (double)x[i];
            found++;
        }
    return found > 0 ? sum / (double)found : NAN;
}

/* The host's locale may have a decimal comma. */
typedef char Number[G_ASCII_DTOSTR_BUF_SIZE];

static const char *
number(Number text, double value)
{
    return g_ascii_formatd(text, G_ASCII_DTOSTR_BUF_SIZE, "%.4g", value);
}

char *
m2n_unlikely_input(const M2nVariable *v, const char *const *inputs, const float *field, gsize points)
{
    const gboolean has_range = v->max > v->min, has_moments = v->std > 0;
    const double centre = has_moments ? v->mean : (v->min + v->max) / 2;
    const double scatter = has_moments ? v->std : (v->max - v->min) / WITHIN;
    const double mean = mean_of(field, points), away = fabs(mean - centre);
    const gboolean beyond = has_range ? mean < v->min || mean > v->max : scatter < fabs(centre);

    if (!(scatter > 0 && beyond && away > FAR * scatter && away > HALF * fabs(centre))) /* NaN too */
        return NULL;
    g_autofree char *unit = m2n_units_text(v->units);
    const guint more = g_strv_length((char **)inputs) - 1;
    g_autofree char *others = more > 0 ? g_strdup_printf(" and %u more", more) : g_strdup("");
    Number is, far, was, about;

    return g_strdup_printf("%s of %s%s: mean %s %s is %s standard deviations from what the model was trained on "
                           "(%s %s +- %s): wrong units?",
                           v->name, inputs[0], others, number(is, mean), unit,
                           g_ascii_formatd(far, sizeof far, "%.0f", away / scatter), number(was, centre), unit,
                           number(about, scatter));
}
