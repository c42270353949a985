/* A run that begins with the weights of a finished model. */
#include <string.h>

#include "engine/nn/model.h"
#include "engine/train/score.h"
#include "engine/train/trainer_private.h"
#include "tests/train/small_run.h"

static const M2nOrigin origin = {"base.safetensors", "0123456789abcdef"};

/* (transfer full) */
static M2nSafetensors *
open_model(const char *path)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(M2nSource) source = m2n_source_open_file(path, &error);
    M2nSafetensors *st = source ? m2n_safetensors_open(source, &error) : NULL;

    g_assert_no_error(error);
    return st;
}

/* (transfer full) */
static M2nTrainer *
begin(const M2nSettings *s, const Wave *wave, const Place *p, const M2nSafetensors *model)
{
    g_autoptr(GError) error = NULL;
    M2nTrainer *t = m2n_trainer_new(s, &wave->source, p->model, NULL, &error);

    g_assert_no_error(error);
    g_assert_true(m2n_trainer_begin_with(t, model, &origin, &error));
    g_assert_no_error(error);
    return t;
}

static void
assert_names_origin(const char *path)
{
    g_autoptr(M2nSafetensors) st = open_model(path);
    const M2nOrigin o = m2n_origin_read(st);

    g_assert_cmpstr(o.name, ==, origin.name);
    g_assert_cmpstr(o.sha256, ==, origin.sha256);
}

/* Before the first step the run forecasts, to the bit, what the model does, which is far better than what random
 * weights do; both translators hold it; and its files tell where they began. */
static void
test_is_the_model(void)
{
    M2nSettings s = small_settings();
    Place base = new_place(), p = new_place();
    Watch w = {0}, v = {0};
    Wave wave;
    double each[2];
    g_autoptr(GError) error = NULL;

    s.epochs = 12;
    train_to_end(&s, &base, &w);
    g_autofree char *last = m2n_run_file(base.model, M2N_RUN_LAST);
    g_autoptr(M2nSafetensors) st = open_model(last);
    wave_init(&wave);
    g_autoptr(M2nTrainer) t = begin(&s, &wave, &p, st);
    const gsize bytes = m2n_learner_parameters(t->learner)->total * sizeof(float);
    g_assert_cmpint(memcmp(m2n_learner_query(t->learner), m2n_learner_key(t->learner), bytes), ==, 0);
    g_autoptr(M2nModel) model =
        m2n_model_new(&t->settings.config, m2n_learner_query(t->learner), M2N_FLOAT32, 2, &error);
    g_assert_no_error(error);
    g_assert_true(m2n_score(model, &wave.source, M2N_SPAN_VALIDATION, 4, 2, NULL, each, NULL, NULL, &error));
    g_assert_cmpfloat((each[0] + each[1]) / 2, ==, w.last_validation);
    s.epochs = 1;
    s.learning_rate = 1e-4;
    m2n_trainer_free(g_steal_pointer(&t));
    t = begin(&s, &wave, &p, st);
    g_assert_true(m2n_trainer_run(t, watch, &v, &error));
    g_assert_cmpfloat(v.last_validation, <, 0.7 * w.first_validation);
    g_autofree char *checkpoint = m2n_run_file(p.model, M2N_RUN_CHECKPOINT);
    assert_names_origin(p.model);
    assert_names_origin(checkpoint);
    g_assert_cmpstr(m2n_origin_read(st).name, ==, "");
    clear_place(&base);
    clear_place(&p);
}

/* Stopped at every single report, the run goes on without the model, to the bits of one that was not. */
static void
test_resume(void)
{
    M2nSettings s = small_settings();
    Place base = new_place(), whole = new_place();
    Watch w = {0}, all = {0};
    Wave wave;

    s.epochs = 2;
    train_to_end(&s, &base, &w);
    g_autoptr(M2nSafetensors) st = open_model(base.model);
    wave_init(&wave);
    s.seed = 2;
    s.average_weights = 0.9;
    g_autoptr(M2nTrainer) uncut = begin(&s, &wave, &whole, st);
    g_assert_true(m2n_trainer_run(uncut, watch, &all, NULL));
    for (guint stop = 1; stop < all.reports; stop += STOP_EVERY) {
        Place p = new_place();
        Watch first = {.stop_after = stop};
        g_autoptr(M2nTrainer) t = begin(&s, &wave, &p, st);

        g_assert_false(m2n_trainer_run(t, watch, &first, NULL));
        resume_to_end(&s, &wave, &p);
        assert_same_run(&whole, &p);
        clear_place(&p);
    }
    clear_place(&base);
    clear_place(&whole);
}

static void
test_another_network(void)
{
    M2nSettings s = small_settings();
    Place base = new_place();
    Watch w = {0};
    Wave wave;
    g_autoptr(GError) error = NULL;

    s.epochs = 1;
    train_to_end(&s, &base, &w);
    g_autoptr(M2nSafetensors) st = open_model(base.model);
    wave_init(&wave);
    s.config.hid_T = 24;
    g_autoptr(M2nTrainer) wider = m2n_trainer_new(&s, &wave.source, "x.safetensors", NULL, NULL);
    g_assert_false(m2n_trainer_begin_with(wider, st, &origin, &error));
    g_assert_error(error, M2N_ERROR, M2N_ERROR_SHAPE);
    clear_place(&base);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/train/begin/is-the-model", test_is_the_model);
    g_test_add_func("/train/begin/resumed-bits", test_resume);
    g_test_add_func("/train/begin/another-network", test_another_network);
    return g_test_run();
}
