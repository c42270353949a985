/* A run that stops, by itself or by a hand, and one that goes on where it stopped. */
#include <string.h>

#include "tests/train/small_run.h"

/* Stopped at every single report, inside epochs, while validating and between epochs: always the same
 * final bits; every other time with an average of the weights. */
static void
test_resume(void)
{
    static const double averages[] = {0, 0.9};
    M2nSettings s = small_settings();
    Place whole[] = {new_place(), new_place()};
    Watch all[2] = {{0}, {0}};

    for (guint i = 0; i < 2; i++) {
        s.average_weights = averages[i];
        train_to_end(&s, &whole[i], &all[i]);
    }
    for (guint stop = 1; stop < all[0].reports; stop += STOP_EVERY) {
        Place p = new_place();
        Wave wave;
        Watch first = {.stop_after = stop};
        g_autoptr(GError) error = NULL;
        g_autofree char *checkpoint = m2n_run_file(p.model, M2N_RUN_CHECKPOINT);

        wave_init(&wave);
        s.average_weights = averages[stop % 2];
        g_autoptr(M2nTrainer) t = m2n_trainer_new(&s, &wave.source, p.model, NULL, NULL);
        g_assert_false(m2n_trainer_run(t, watch, &first, &error));
        g_assert_error(error, M2N_ERROR, M2N_ERROR_CANCELLED);
        g_clear_error(&error);
        M2nSettings kept = M2N_SETTINGS_DEFAULT;
        g_assert_true(m2n_checkpoint_settings(checkpoint, &kept, NULL));
        resume_to_end(&kept, &wave, &p);
        assert_same_run(&whole[stop % 2], &p);
        clear_place(&p);
    }
    clear_place(&whole[0]);
    clear_place(&whole[1]);
}

static void
test_resume_refused(void)
{
    M2nSettings s = small_settings();
    Place p = new_place();
    Watch w = {0};
    Wave wave;
    g_autoptr(GError) error = NULL;
    g_autofree char *checkpoint = m2n_run_file(p.model, M2N_RUN_CHECKPOINT);

    s.epochs = 1;
    train_to_end(&s, &p, &w);
    wave_init(&wave);
    wave.source.fingerprint = "other data";
    g_autoptr(M2nTrainer) other = m2n_trainer_new(&s, &wave.source, p.model, NULL, NULL);
    g_assert_false(m2n_trainer_resume(other, &error));
    g_assert_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT);
    g_clear_error(&error);
    /* another network */
    wave.source.fingerprint = "wave";
    s.config.hid_T = 24;
    g_autoptr(M2nTrainer) wider = m2n_trainer_new(&s, &wave.source, p.model, NULL, NULL);
    g_assert_false(m2n_trainer_resume(wider, &error));
    g_assert_error(error, M2N_ERROR, M2N_ERROR_SHAPE);
    g_clear_error(&error);
    /* cut short, or no checkpoint at all */
    gsize n;
    g_autofree char *bytes = read_bytes(checkpoint, &n);
    s = small_settings();
    g_autoptr(M2nTrainer) t = m2n_trainer_new(&s, &wave.source, p.model, NULL, NULL);
    g_assert_true(g_file_set_contents(checkpoint, bytes, (gssize)n / 2, NULL));
    g_assert_false(m2n_trainer_resume(t, &error));
    g_assert_error(error, M2N_ERROR, M2N_ERROR_FORMAT);
    g_clear_error(&error);
    g_autofree char *model = read_bytes(p.model, &n);
    g_assert_true(g_file_set_contents(checkpoint, model, (gssize)n, NULL));
    g_assert_false(m2n_trainer_resume(t, &error));
    g_assert_error(error, M2N_ERROR, M2N_ERROR_FORMAT);
    g_assert_nonnull(strstr(error->message, "not a checkpoint"));
    clear_place(&p);
}

static void
test_early_stop(void)
{
    M2nSettings s = small_settings();
    Place p = new_place();
    Watch w = {0};

    s.epochs = 50;
    s.patience = 2;
    s.learning_rate = 5e-2; /* too high to get better for long */
    train_to_end(&s, &p, &w);
    g_assert_cmpuint(w.epochs, <, 50);
    g_autofree char *log = m2n_run_file(p.model, M2N_RUN_LOG);
    g_autoptr(GArray) records = m2n_train_log_read(log, NULL);
    for (guint i = 1; i <= 2; i++)
        g_assert_false(g_array_index(records, M2nTrainRecord, records->len - i).best);
    g_assert_true(g_array_index(records, M2nTrainRecord, records->len - 3).best);
    /* going on with a run that is over does nothing */
    Wave wave;
    Watch none = {0};
    wave_init(&wave);
    g_autoptr(M2nTrainer) t = m2n_trainer_new(&s, &wave.source, p.model, NULL, NULL);
    g_assert_true(m2n_trainer_resume(t, NULL));
    g_assert_true(m2n_trainer_run(t, watch, &none, NULL));
    g_assert_cmpuint(none.reports, ==, 0);
    clear_place(&p);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/train/resume/at-any-step", test_resume);
    g_test_add_func("/train/resume/refused", test_resume_refused);
    g_test_add_func("/train/resume/early-stop", test_early_stop);
    return g_test_run();
}
