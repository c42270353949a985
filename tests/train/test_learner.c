/* Gradients of the learner with drop path, which the vectors do not have: of every tensor, along its gradient, against
 * central differences of the loss that reaches it. */
#include <math.h>
#include <string.h>

#include "engine/nn/learner.h"
#include "tests/lib/made_up.h"

static const M2nConfig config = {.steps = 2,
                                 .variables = 3,
                                 .height = 8,
                                 .width = 12,
                                 .hid_S = 4,
                                 .hid_T = 16,
                                 .N_S = 2,
                                 .N_T = 2,
                                 .momentum_ema = 0.9,
                                 .drop_path = 0.4};

enum { BATCH = 2, ROWS = BATCH * 3 };

/* The loss that reaches the tensor at `offset`, with its elements moved along `direction`, if there is one. */
static double
loss(M2nLearner *l, const float *weights, const float *x, const float *y, const M2nParameter *p,
     const float *direction, double step)
{
    const gsize total = m2n_learner_parameters(l)->total;
    static const guint8 keep[2 * 2 * ROWS] = {1, 0, 1, 1, 1, 0, 0, 1, 1, 0, 1, 1,
                                              1, 1, 0, 1, 0, 1, 1, 0, 1, 1, 1, 0};
    const M2nDropPath drop = {keep, keep};
    M2nLosses losses;

    memcpy(m2n_learner_query(l), weights, total * sizeof(float));
    memcpy(m2n_learner_key(l), weights, total * sizeof(float));
    for (gsize i = 0; direction != NULL && i < p->elements; i++)
        m2n_learner_query(l)[p->offset + i] += (float)(step * (double)direction[i]);
    m2n_learner_step(l, x, y, &drop, &losses);
    return p != NULL && p->offset < m2n_learner_translator(l) ? losses.reconstruction : losses.latent;
}

static void
test_drop_path(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(M2nLearner) l = m2n_learner_new(&config, BATCH, 2, 0, &error);
    g_assert_no_error(error);
    const M2nParameters *p = m2n_learner_parameters(l);
    g_autofree float *weights = m2n_made_up_weights(&config, 0);
    g_autofree float *x = m2n_made_up_fields(&config, BATCH, "x", 0),
                     *y = m2n_made_up_fields(&config, BATCH, "y", 0);
    guint checked = 0;

    loss(l, weights, x, y, NULL, NULL, 0);
    g_autofree float *gradient = g_memdup2(m2n_learner_gradient(l), p->total * sizeof(float));

    for (guint i = 0; i < p->n; i++) {
        const M2nParameter *one = &p->list[i];
        const float *g = gradient + one->offset;
        double square = 0;

        for (gsize e = 0; e < one->elements; e++)
            square += (double)g[e] * (double)g[e];
        if (!m2n_parameter_trainable(one) || square < 1e-6) /* biases before a norm have none */
            continue;
        const double step = 0.01 / sqrt(square);
        const double slope = (loss(l, weights, x, y, one, g, step) -
                              loss(l, weights, x, y, one, g, -step)) / (2 * step);

        g_test_message("%s: %g, difference of losses %g", one->name, square, slope);
        g_assert_cmpfloat_with_epsilon(slope / square, 1.0, 0.01);
        checked++;
    }
    g_assert_cmpuint(checked, >, 100);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/train/learner/gradient-with-drop-path", test_drop_path);
    return g_test_run();
}
