/* Short runs of the trainer on waves, each in a folder of its own, and what is left of them. */
#pragma once
#include <glib/gstdio.h>
#include <string.h>

#include "engine/train/trainer.h"
#include "tests/lib/m2n_test.h"
#include "tests/train/wave_source.h"

/* 22 windows in batches of 4: 5 steps an epoch, two windows left over each time. */
static inline M2nSettings
small_settings(void)
{
    M2nSettings s = M2N_SETTINGS_DEFAULT;

    s.config = wave_config();
    s.epochs = 3;
    s.batch = 4;
    s.threads = 2;
    s.learning_rate = 3e-3;
    return s;
}

typedef struct {
    char *model; /* in a folder of its own */
} Place;

static inline Place
new_place(void)
{
    g_autofree char *folder = g_dir_make_tmp("m2n-train-XXXXXX", NULL);

    return (Place){g_build_filename(folder, "run.safetensors", NULL)};
}

static inline void
clear_place(Place *p)
{
    g_autofree char *folder = g_path_get_dirname(p->model);

    for (int i = M2N_RUN_LAST; i <= M2N_RUN_PICTURE; i++) {
        g_autofree char *path = m2n_run_file(p->model, (M2nRunFile)i);
        g_remove(path);
    }
    g_remove(p->model);
    g_assert_cmpint(g_rmdir(folder), ==, 0); /* nothing else was left there */
    g_free(p->model);
}

static inline char *
read_bytes(const char *path, gsize *n)
{
    char *bytes = NULL;

    g_assert_true(g_file_get_contents(path, &bytes, n, NULL));
    return bytes;
}

static inline void
assert_same_file(const char *a, const char *b)
{
    gsize na, nb;
    g_autofree char *x = read_bytes(a, &na), *y = read_bytes(b, &nb);

    g_assert_cmpuint(na, ==, nb);
    g_assert_cmpint(memcmp(x, y, na), ==, 0);
}

static inline void
assert_same_run(const Place *a, const Place *b)
{
    g_autofree char *last_a = m2n_run_file(a->model, M2N_RUN_LAST);
    g_autofree char *last_b = m2n_run_file(b->model, M2N_RUN_LAST);

    assert_same_file(a->model, b->model);
    assert_same_file(last_a, last_b);
}

typedef struct {
    guint stop_after; /* reports; 0: never */
    guint reports, epochs;
    double first_validation, last_validation;
} Watch;

static inline gboolean
watch(const M2nTrainState *s, gpointer data)
{
    Watch *w = data;

    if (s->done != NULL) {
        if (w->epochs++ == 0)
            w->first_validation = s->done->validation_mse;
        w->last_validation = s->done->validation_mse;
    }
    return ++w->reports != w->stop_after;
}

/* Stopped at every report a run is as many runs; under ThreadSanitizer each takes a minute. */
#ifdef __SANITIZE_THREAD__
#define STOP_EVERY 7
#else
#define STOP_EVERY 1
#endif

/* A new trainer goes on where the run in `p` stopped. */
static inline void
resume_to_end(const M2nSettings *s, const Wave *wave, const Place *p)
{
    Watch w = {0};
    g_autoptr(GError) error = NULL;
    g_autoptr(M2nTrainer) t = m2n_trainer_new(s, &wave->source, p->model, NULL, &error);

    g_assert_no_error(error);
    g_assert_true(m2n_trainer_resume(t, &error));
    g_assert_true(m2n_trainer_run(t, watch, &w, &error));
}

static inline void
train_to_end(const M2nSettings *s, const Place *p, Watch *w)
{
    Wave wave;
    g_autoptr(GError) error = NULL;

    wave_init(&wave);
    g_autoptr(M2nTrainer) t = m2n_trainer_new(s, &wave.source, p->model, NULL, &error);
    g_assert_no_error(error);
    g_assert_true(m2n_trainer_run(t, watch, w, &error));
    g_assert_no_error(error);
}
