/* Error sums per variable, lead time and weighting. */
#include "plugin/verify_scores.h"

#include <math.h>

typedef struct {
    double mse, mae, bias, acc; /* sums over times of each time's mean */
    guint64 times, acc_times, missing;
} Sums;

struct M2nScores {
    guint n_variables, n_leads;
    gsize n_points;
    double *weights; /* [n_points] */
    Sums *sums;      /* [n_variables][n_leads][M2N_N_WEIGHTINGS] */
};

M2nScores *
m2n_scores_new(guint n_variables, guint n_leads, gsize n_points, const double *weights)
{
    M2nScores *s = g_new0(M2nScores, 1);

    s->n_variables = n_variables;
    s->n_leads = n_leads;
    s->n_points = n_points;
    s->weights = g_memdup2(weights, n_points * sizeof *weights);
    s->sums = g_new0(Sums, (gsize)n_variables * n_leads * M2N_N_WEIGHTINGS);
    return s;
}

void
m2n_scores_free(M2nScores *s)
{
    g_free(s->weights);
    g_free(s->sums);
    g_free(s);
}

static Sums *
sums_at(const M2nScores *s, guint variable, guint lead, M2nWeighting weighting)
{
    g_assert(variable < s->n_variables && lead < s->n_leads);
    return &s->sums[((gsize)variable * s->n_leads + lead) * M2N_N_WEIGHTINGS + weighting];
}

static void
add_errors(Sums *sums, const double *weights, gsize n, const float *f, const float *o)
{
    double total = 0, squared = 0, absolute = 0, signed_sum = 0;
    guint64 missing = 0;

    for (gsize i = 0; i < n; i++) {
        const double e = (double)f[i] - o[i], w = weights != NULL ? weights[i] : 1;
        if (isnan(e)) {
            missing++;
            continue;
        }
        total += w;
        squared += w * e * e;
        absolute += w * fabs(e);
        signed_sum += w * e;
    }
    sums->missing += missing;
    if (!(total > 0))
        return;
    sums->mse += squared / total;
    sums->mae += absolute / total;
    sums->bias += signed_sum / total;
    sums->times++;
}

/* The total of the weights cancels, so the three products need no mean. */
static void
add_correlation(Sums *sums, const double *weights, gsize n, const float *f, const float *o,
                const float *c)
{
    double fo = 0, ff = 0, oo = 0;

    for (gsize i = 0; i < n; i++) {
        const double a = (double)f[i] - c[i], b = (double)o[i] - c[i];
        const double w = weights != NULL ? weights[i] : 1;
        if (isnan(a) || isnan(b))
            continue;
        fo += w * a * b;
        ff += w * a * a;
        oo += w * b * b;
    }
    if (!(ff > 0 && oo > 0)) /* an anomaly of zero everywhere has no direction */
        return;
    sums->acc += fo / sqrt(ff * oo);
    sums->acc_times++;
}

void
m2n_scores_add(M2nScores *s, guint variable, guint lead, const float *forecast, const float *truth,
               const float *climatology)
{
    for (M2nWeighting k = M2N_PLAIN; k < M2N_N_WEIGHTINGS; k++) {
        Sums *sums = sums_at(s, variable, lead, k);
        const double *weights = k == M2N_WEIGHTED ? s->weights : NULL;
        add_errors(sums, weights, s->n_points, forecast, truth);
        if (climatology != NULL)
            add_correlation(sums, weights, s->n_points, forecast, truth, climatology);
    }
}

static M2nScore
score_from(const Sums *sums)
{
    const double n = sums->times > 0 ? (double)sums->times : NAN;

    return (M2nScore){
        .mse = sums->mse / n,
        .rmse = sqrt(sums->mse / n),
        .mae = sums->mae / n,
        .bias = sums->bias / n,
        .acc = sums->acc_times > 0 ? sums->acc / (double)sums->acc_times : NAN,
        .times = sums->times,
        .missing = sums->missing,
    };
}

M2nScore
m2n_scores_get(const M2nScores *s, guint variable, guint lead, M2nWeighting weighting)
{
    return score_from(sums_at(s, variable, lead, weighting));
}

M2nScore
m2n_scores_overall(const M2nScores *s, guint variable, M2nWeighting weighting)
{
    Sums all = {0};

    for (guint lead = 0; lead < s->n_leads; lead++) {
        const Sums *sums = sums_at(s, variable, lead, weighting);
        all.mse += sums->mse;
        all.mae += sums->mae;
        all.bias += sums->bias;
        all.acc += sums->acc;
        all.times += sums->times;
        all.acc_times += sums->acc_times;
        all.missing += sums->missing;
    }
    return score_from(&all);
}

double
m2n_skill(double mse, double reference_mse)
{
    return reference_mse > 0 ? 1 - mse / reference_mse : NAN;
}
