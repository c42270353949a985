/* M2nScores: how far forecasts lie from what happened, per variable and lead time.
 *
 * Definitions of WeatherBench 2 (Rasp et al. 2024, arXiv:2308.15560, section 3.1), f forecast, o
 * truth, c climatology, w cell weight of mean 1, < > weighted mean over the grid, mean over times
 * t:
 *
 *   MSE   mean_t <(f - o)^2>             RMSE  sqrt(MSE): the root of the time mean
 *   MAE   mean_t <|f - o|>               bias  mean_t <f - o>
 *   ACC   mean_t of <(f - c)(o - c)> / sqrt(<(f - c)^2> <(o - c)^2>)
 *   skill 1 - MSE / MSE of the reference
 *
 * Each is kept twice: plain (every point counts the same) and weighted by cell area.
 *
 * Missing values: a point whose forecast or truth is NaN is left out of that time's mean and the
 * weights of the others still sum to one; so is, from ACC alone, a point without climatology.  A
 * time without one point left does not count.  No time at all: the score is NaN. Numerics: sums in
 * double; fields in the variable's own unit. */
#pragma once
#include <glib.h>

G_BEGIN_DECLS

typedef enum { M2N_PLAIN, M2N_WEIGHTED, M2N_N_WEIGHTINGS } M2nWeighting;

typedef struct {
    double mse, rmse, mae, bias,
        acc;         /* NaN where nothing was scored; acc NaN without climatology */
    guint64 times;   /* fields that counted                                       */
    guint64 missing; /* points left out, all fields together                      */
} M2nScore;

typedef struct M2nScores M2nScores;

/* (transfer full) `weights` [n_points], mean 1, is copied. */
M2nScores *m2n_scores_new(guint n_variables, guint n_leads, gsize n_points, const double *weights);
void m2n_scores_free(M2nScores *s);

/* One field of one time: forecast, truth [n_points]; climatology [n_points] or NULL. */
void m2n_scores_add(M2nScores *s, guint variable, guint lead, const float *forecast,
                    const float *truth, const float *climatology);

M2nScore m2n_scores_get(const M2nScores *s, guint variable, guint lead, M2nWeighting weighting);
/* Over all lead times together, the protocol of the published tables: mean over grid, steps and
 * samples, RMSE the root of that mean. */
M2nScore m2n_scores_overall(const M2nScores *s, guint variable, M2nWeighting weighting);

/* 1 - mse / reference; NaN when either is, or when the reference is perfect. */
double m2n_skill(double mse, double reference_mse);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(M2nScores, m2n_scores_free)

G_END_DECLS
