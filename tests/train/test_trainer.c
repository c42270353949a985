/* Training on waves from start to end: that it learns, what it saves, and what it refuses. */
#include <string.h>

#include "tests/train/small_run.h"

static void
test_learns(void)
{
    M2nSettings s = small_settings();
    Place p = new_place();
    Watch w = {0};

    s.epochs = 12;
    train_to_end(&s, &p, &w);
    g_assert_cmpuint(w.epochs, ==, 12);
    g_assert_cmpfloat(w.last_validation, <, 0.5 * w.first_validation);
    /* the log says the same */
    g_autofree char *log = m2n_run_file(p.model, M2N_RUN_LOG);
    g_autoptr(GArray) records = m2n_train_log_read(log, NULL);
    g_assert_cmpuint(records->len, ==, 12);
    const M2nTrainRecord *r = &g_array_index(records, M2nTrainRecord, 11);
    g_assert_cmpuint(r->step, ==, 60);
    g_assert_cmpfloat_with_epsilon(r->validation_mse, w.last_validation, 1e-6);
    g_assert_cmpuint(r->memory_bytes, >, 0);
    clear_place(&p);
}

static void
test_same_bits(void)
{
    M2nSettings s = small_settings();
    Place a = new_place(), b = new_place(), c = new_place();
    Watch w = {0};
    gsize na, nc;

    train_to_end(&s, &a, &w);
    train_to_end(&s, &b, &w);
    assert_same_run(&a, &b);
    s.seed = 2;
    train_to_end(&s, &c, &w);
    g_autofree char *x = read_bytes(a.model, &na), *y = read_bytes(c.model, &nc);
    g_assert_true(na != nc || memcmp(x, y, na) != 0);
    clear_place(&a);
    clear_place(&b);
    clear_place(&c);
}

/* 22 windows, 9 of them an epoch: 2 steps of 4, and other windows each time. */
static void
test_epoch_windows(void)
{
    M2nSettings s = small_settings();
    Place p = new_place();
    Watch w = {0};
    Wave wave;

    s.epoch_windows = 9;
    wave_init(&wave);
    g_autoptr(M2nTrainer) t = m2n_trainer_new(&s, &wave.source, p.model, NULL, NULL);
    g_assert_cmpuint(m2n_trainer_steps_per_epoch(t), ==, 2);
    g_assert_true(m2n_trainer_run(t, watch, &w, NULL));
    g_assert_cmpuint(m2n_trainer_place(t)->step, ==, 6);
    g_assert_cmpuint(w.reports, ==, 3 * (2 + 2 + 1)); /* steps, batches of validation, the end */
    g_assert_cmpuint(wave.reads, ==, 3 * (8 + 8));    /* 8 to train, 5 and 3 repeated to validate */
    s.epoch_windows = 3;                              /* fewer than a batch */
    g_autoptr(M2nTrainer) few = m2n_trainer_new(&s, &wave.source, p.model, NULL, NULL);
    g_assert_cmpuint(m2n_trainer_steps_per_epoch(few), ==, 1);
    clear_place(&p);
}

/* The least memory a run accepts makes it compute activations twice, to the same bits. */
static void
test_memory_bound(void)
{
    M2nSettings s = small_settings();
    Place a = new_place(), b = new_place();
    Watch w = {0};
    Wave wave;
    g_autoptr(GError) error = NULL;

    train_to_end(&s, &a, &w);
    wave_init(&wave);
    g_autoptr(M2nTrainer) free_run = m2n_trainer_new(&s, &wave.source, b.model, NULL, &error);
    const M2nTrainMemory m = m2n_trainer_memory(free_run);
    g_assert_cmpuint(m.recomputed, ==, 0);
    s.max_memory = m.learner + m.validation + m.rest - 1;
    g_autoptr(M2nTrainer) bound = m2n_trainer_new(&s, &wave.source, b.model, NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(m2n_trainer_memory(bound).recomputed, >, 0);
    g_assert_cmpuint(m2n_trainer_memory(bound).learner, <, m.learner);
    train_to_end(&s, &b, &w);
    assert_same_run(&a, &b);
    s.max_memory = 1 << 20;
    g_assert_null(m2n_trainer_new(&s, &wave.source, b.model, NULL, &error));
    g_assert_error(error, M2N_ERROR, M2N_ERROR_MEMORY);
    g_assert_nonnull(strstr(error->message, "1 MiB are allowed"));
    clear_place(&a);
    clear_place(&b);
}

static M2nSafetensors *
open_file(const char *path)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(M2nSource) source = m2n_source_open_file(path, &error);
    M2nSafetensors *st = source ? m2n_safetensors_open(source, &error) : NULL;

    g_assert_no_error(error);
    return st;
}

/* Whether tensor `name` of file a holds what tensor `prefix`name of file b does. */
static gboolean
same_tensor(const M2nSafetensors *a, const M2nSafetensors *b, const char *name, const char *prefix)
{
    g_autofree char *other = g_strconcat(prefix, name, NULL);
    const M2nTensorInfo *ta = m2n_safetensors_find(a, name), *tb = m2n_safetensors_find(b, other);
    float x[8], y[8];

    g_assert_true(ta != NULL && tb != NULL);
    g_assert_true(m2n_safetensors_read_f32(a, ta, 0, 8, x, NULL));
    g_assert_true(m2n_safetensors_read_f32(b, tb, 0, 8, y, NULL));
    return memcmp(x, y, sizeof x) == 0;
}

/* An average is saved and validated, and changes nothing of how the weights themselves learn. */
static void
test_average(void)
{
    static const char *const tensors[] = {"hid_q.conv1.weight", "enc_q_list.1.enc.1.conv.conv.weight",
                                          "hid_q.layers.0.ff.ff1.norm1.running_var"};
    M2nSettings s = small_settings();
    Place plain = new_place(), averaged = new_place();
    Watch w = {0}, v = {0};

    train_to_end(&s, &plain, &w);
    s.average_weights = 0.9;
    train_to_end(&s, &averaged, &v);
    g_assert_cmpfloat(v.last_validation, !=, w.last_validation);
    g_autofree char *path_c = m2n_run_file(averaged.model, M2N_RUN_CHECKPOINT);
    g_autofree char *path_l = m2n_run_file(averaged.model, M2N_RUN_LAST);
    g_autofree char *path_p = m2n_run_file(plain.model, M2N_RUN_LAST);
    g_autoptr(M2nSafetensors) checkpoint = open_file(path_c);
    g_autoptr(M2nSafetensors) last = open_file(path_l), plain_last = open_file(path_p);
    for (gsize i = 0; i < G_N_ELEMENTS(tensors); i++) {
        g_assert_true(same_tensor(last, checkpoint, tensors[i], "average/"));
        g_assert_true(same_tensor(plain_last, checkpoint, tensors[i], ""));
        g_assert_false(same_tensor(last, plain_last, tensors[i], ""));
    }
    clear_place(&plain);
    clear_place(&averaged);
}

/* Its memory is part of the estimate. */
static void
test_average_memory(void)
{
    M2nSettings s = small_settings();
    Wave wave;

    wave_init(&wave);
    g_autoptr(M2nTrainer) plain = m2n_trainer_new(&s, &wave.source, "x.safetensors", NULL, NULL);
    s.average_weights = 0.9;
    g_autoptr(M2nTrainer) averaged = m2n_trainer_new(&s, &wave.source, "x.safetensors", NULL, NULL);
    g_autoptr(M2nParameters) p = m2n_parameters_new(&m2n_trainer_settings(plain)->config);
    g_assert_cmpuint(m2n_trainer_memory(averaged).rest, ==,
                     m2n_trainer_memory(plain).rest + p->total * sizeof(float));
}

/* ---- trouble ---------------------------------------------------------------------------------- */

static void
test_not_finite(void)
{
    const M2nSettings s = small_settings();
    Place p = new_place();
    Wave wave;
    Watch w = {0};
    g_autoptr(GError) error = NULL;
    g_autofree char *checkpoint = m2n_run_file(p.model, M2N_RUN_CHECKPOINT);

    wave_init(&wave);
    wave.broken = 7;
    g_autoptr(M2nTrainer) t = m2n_trainer_new(&s, &wave.source, p.model, NULL, NULL);
    g_assert_false(m2n_trainer_run(t, watch, &w, &error));
    g_assert_error(error, M2N_ERROR, M2N_ERROR_FORMAT);
    g_assert_nonnull(strstr(error->message, "not finite"));
    /* what was saved before is whole and goes on once the data are mended */
    wave.broken = -1;
    M2nSettings kept = M2N_SETTINGS_DEFAULT;
    g_assert_true(m2n_checkpoint_settings(checkpoint, &kept, NULL));
    g_autoptr(M2nTrainer) u = m2n_trainer_new(&kept, &wave.source, p.model, NULL, NULL);
    g_assert_true(m2n_trainer_resume(u, NULL));
    g_assert_true(m2n_trainer_run(u, watch, &w, NULL));
    clear_place(&p);
}

static void
test_no_folder(void)
{
    const M2nSettings s = small_settings();
    Wave wave;
    g_autoptr(GError) error = NULL;

    wave_init(&wave);
    g_autoptr(M2nTrainer) t =
        m2n_trainer_new(&s, &wave.source, "/nonexistent/folder/m.safetensors", NULL, NULL);
    g_assert_false(m2n_trainer_run(t, NULL, NULL, &error));
    g_assert_error(error, M2N_ERROR, M2N_ERROR_IO);
    g_assert_cmpuint(wave.reads, ==, 0); /* before any work */
}

static void
test_grid_not_divisible(void)
{
    const M2nSettings s = small_settings();
    Wave wave;
    g_autoptr(GError) error = NULL;

    wave_init(&wave);
    wave.source.height = 7;
    g_assert_null(m2n_trainer_new(&s, &wave.source, "x.safetensors", NULL, &error));
    g_assert_error(error, M2N_ERROR, M2N_ERROR_SHAPE);
    g_assert_nonnull(strstr(error->message, "7"));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/train/trainer/learns", test_learns);
    g_test_add_func("/train/trainer/same-seed-same-bits", test_same_bits);
    g_test_add_func("/train/trainer/epoch-windows", test_epoch_windows);
    g_test_add_func("/train/trainer/memory-bound-changes-no-bit", test_memory_bound);
    g_test_add_func("/train/trainer/average-is-validated-and-saved", test_average);
    g_test_add_func("/train/trainer/average-is-in-the-estimate", test_average_memory);
    g_test_add_func("/train/trainer/not-finite", test_not_finite);
    g_test_add_func("/train/trainer/no-folder", test_no_folder);
    g_test_add_func("/train/trainer/grid-not-divisible", test_grid_not_divisible);
    return g_test_run();
}
