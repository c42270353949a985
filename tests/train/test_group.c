/* Training by several processes, played by threads: that their number changes nothing but rounding. */
#include <glib/gstdio.h>

#include "engine/train/trainer.h"
#include "tests/lib/m2n_test.h"
#include "tests/lib/made_up.h"
#include "tests/lib/thread_group.h"
#include "tests/train/wave_source.h"

/* ---- the group itself ------------------------------------------------------------------------------ */

static void
agree(M2nGroup *g, gpointer data)
{
    const guint failing = GPOINTER_TO_UINT(data); /* this rank and those after it */
    g_autoptr(GError) error = NULL;

    g_assert_true(m2n_group_agree(g, TRUE, &error));
    g_assert_no_error(error);
    if (g->rank >= failing)
        g_set_error(&error, M2N_ERROR, M2N_ERROR_MEMORY, "own %u", g->rank);
    g_assert_false(m2n_group_agree(g, g->rank < failing, &error));
    g_assert_error(error, M2N_ERROR, M2N_ERROR_MEMORY);
    g_autofree char *want =
        g->rank == failing || failing == 0
            ? g_strdup_printf("own %u", failing)
            : g_strdup_printf("rank %u of %u: own %u", failing, g->size, failing);
    g_assert_cmpstr(error->message, ==, want);
}

static void
test_agree(void)
{
    run_together(3, agree, GUINT_TO_POINTER(0));
    run_together(3, agree, GUINT_TO_POINTER(1));
    run_together(3, agree, GUINT_TO_POINTER(2));
}

static void
test_alone(void)
{
    g_autoptr(GError) error = NULL;
    double x = 3;

    m2n_group_sum(NULL, &x, 1);
    g_assert_cmpfloat(x, ==, 3);
    g_assert_cmpuint(m2n_group_size(NULL), ==, 1);
    g_assert_true(m2n_group_any(NULL, TRUE));
    g_assert_false(m2n_group_any(NULL, FALSE));
    g_assert_true(m2n_group_agree(NULL, TRUE, &error));
    g_set_error(&error, M2N_ERROR, M2N_ERROR_IO, "own");
    g_assert_false(m2n_group_agree(NULL, FALSE, &error));
    g_assert_cmpstr(error->message, ==, "own");
}

static void
test_launched(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMIX_RANK"};

    for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
        g_unsetenv(names[i]);
    g_assert_cmpuint(m2n_group_launched(), ==, 1);
    g_setenv("PMIX_RANK", "0", TRUE);
    g_assert_cmpuint(m2n_group_launched(), ==, G_MAXUINT);
    g_setenv("PMI_SIZE", "3", TRUE);
    g_assert_cmpuint(m2n_group_launched(), ==, 3);
    g_setenv("OMPI_COMM_WORLD_SIZE", "5", TRUE);
    g_assert_cmpuint(m2n_group_launched(), ==, 5);
    g_setenv("OMPI_COMM_WORLD_SIZE", "-2", TRUE);
    g_assert_cmpuint(m2n_group_launched(), ==, 3);
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
        g_unsetenv(names[i]);
}

/* ---- one step of the learner ------------------------------------------------------------------------- */

#define WHOLE 5

typedef struct {
    M2nConfig config;
    gboolean recompute;
    float *weights, *x, *y;
    guint8 *keep; /* [2][2 N_T][WHOLE V] */
    gsize n, translator;
    M2nLosses losses;
    float *gradient, *query, *key;
} Step;

static void
learn(M2nGroup *g, gpointer data)
{
    Step *s = data;
    const M2nConfig *c = &s->config;
    const guint rank = m2n_group_rank(g), size = m2n_group_size(g);
    const guint begin = WHOLE * rank / size, end = WHOLE * (rank + 1) / size;
    const gsize window = (gsize)c->steps * c->variables * c->height * c->width;
    const gsize part = (gsize)(end - begin) * c->variables, rows = (gsize)WHOLE * c->variables;
    /* rank 0 computes blocks again, the others keep everything */
    const gsize most =
        s->recompute && rank == 0 ? m2n_learner_memory(c, end - begin, 1, c->N_T) : 0;
    g_autoptr(M2nLearner) l = m2n_learner_new(c, end - begin, 1, most, NULL);
    g_autofree guint8 *keep = g_new(guint8, 4 * c->N_T * part);
    const M2nDropPath drop = {keep, keep + 2 * c->N_T * part};
    M2nLosses losses;

    for (gsize i = 0; i < 4 * c->N_T; i++)
        memcpy(keep + i * part, s->keep + i * rows + begin * c->variables, part);
    m2n_learner_join(l, g, WHOLE);
    memcpy(m2n_learner_query(l), s->weights, s->n * sizeof(float));
    memcpy(m2n_learner_key(l), s->weights, s->n * sizeof(float));
    m2n_learner_step(l, s->x + begin * window, s->y + begin * window, &drop, &losses);
    if (rank + 1 < size)
        return; /* what the last has, all must have */
    s->losses = losses;
    s->translator = m2n_learner_translator(l);
    s->gradient = g_memdup2(m2n_learner_gradient(l), s->n * sizeof(float));
    s->query = g_memdup2(m2n_learner_query(l), s->n * sizeof(float));
    s->key = g_memdup2(m2n_learner_key(l), s->n * sizeof(float));
}

static float
largest(const float *x, gsize n)
{
    float most = 0;

    for (gsize i = 0; i < n; i++)
        most = MAX(most, fabsf(x[i]));
    return most;
}

static void
clear_results(Step *s)
{
    g_free(s->gradient);
    g_free(s->query);
    g_free(s->key);
}

/* 5 images by 1 process, and by 2 to 5: same losses, gradients, running statistics. */
static void
test_step(gconstpointer recompute)
{
    Step one = {.config = {2, 2, 8, 16, 4, 16, 2, 3, 0.9, 0.25}, .recompute = recompute != NULL};
    const M2nConfig *c = &one.config;
    g_autoptr(M2nParameters) p = m2n_parameters_new(c);
    const gsize keeps = 4 * c->N_T * (gsize)WHOLE * c->variables;
    g_autofree float *weights = one.weights = m2n_made_up_weights(c, 7);
    g_autofree float *x = one.x = m2n_made_up_fields(c, WHOLE, "x", 7);
    g_autofree float *y = one.y = m2n_made_up_fields(c, WHOLE, "y", 7);
    g_autofree guint8 *keep = one.keep = g_new(guint8, keeps);

    for (gsize i = 0; i < keeps; i++)
        keep[i] = g_test_rand_int_range(0, 4) > 0;
    one.n = p->total;
    learn(NULL, &one);
    const float scale = largest(one.gradient, one.n);
    for (guint size = 2; size <= WHOLE; size++) {
        Step many = one;
        const gsize floats = run_together(size, learn, &many);

        g_assert_cmpfloat_with_epsilon(many.losses.reconstruction, one.losses.reconstruction, 1e-6);
        g_assert_cmpfloat_with_epsilon(many.losses.latent, one.losses.latent, 1e-6);
        g_assert_cmpfloat_with_epsilon(many.losses.prediction, one.losses.prediction, 1e-6);
        m2n_assert_close(many.gradient, one.gradient, one.n, 2e-6 * scale, 1e-5);
        m2n_assert_close(many.query, one.query, one.n, 1e-6, 1e-6);
        m2n_assert_close(many.key, one.key, one.n, 1e-6, 1e-6);
        /* each gradient crosses once: coders, both ends of the translator, its blocks (with the places of
         * running statistics in them) */
        g_assert_cmpuint(floats, ==, one.n);
        clear_results(&many);
    }
    clear_results(&one);
}

/* ---- whole runs ---------------------------------------------------------------------------------------- */

typedef struct {
    M2nSettings settings;
    char *model;
    gboolean resume;
    guint stop_rank, stop_after; /* reports of that rank; 0: never */
    guint broken_rank;           /* its data cannot be read; G_MAXUINT: none */
    M2nError code;               /* what all must end with, when `fails` */
    gboolean fails;
    guint reads[MAX_RANKS];
    double validation;
} Run;

typedef struct {
    Run *run;
    guint rank, reports;
} Watch;

static gboolean
watch(const M2nTrainState *s, gpointer data)
{
    Watch *w = data;

    if (s->done != NULL && w->rank == 0)
        w->run->validation = s->done->validation_mse;
    return !(w->rank == w->run->stop_rank && ++w->reports == w->run->stop_after);
}

static gboolean
read_nothing(gpointer data, M2nSpan span, guint64 index, float *x, float *y, GError **error)
{
    (void)data, (void)span, (void)index, (void)x, (void)y;
    g_set_error(error, M2N_ERROR, M2N_ERROR_IO, "the disk is gone");
    return FALSE;
}

static void
train(M2nGroup *g, gpointer data)
{
    Run *run = data;
    Watch w = {run, m2n_group_rank(g), 0};
    Wave wave;
    g_autoptr(GError) error = NULL;

    wave_init(&wave);
    if (w.rank == run->broken_rank)
        wave.source.read = read_nothing;
    g_autoptr(M2nTrainer) t = m2n_trainer_new(&run->settings, &wave.source, run->model, g, &error);
    gboolean ok = t != NULL;
    if (ok && run->resume)
        ok = m2n_trainer_resume(t, &error);
    ok = ok && m2n_trainer_run(t, watch, &w, &error);
    run->reads[w.rank] = wave.reads;
    if (run->fails)
        g_assert_error(error, M2N_ERROR, (gint)run->code);
    else
        g_assert_no_error(error);
    g_assert_true(ok != run->fails);
}

static Run
new_run(void)
{
    g_autofree char *folder = g_dir_make_tmp("m2n-group-XXXXXX", NULL);
    Run run = {.settings = M2N_SETTINGS_DEFAULT, .broken_rank = G_MAXUINT};

    run.settings.config = wave_config();
    run.settings.epochs = 2;
    run.settings.batch = 4;
    run.settings.threads = 1;
    run.settings.average_weights = 0.9;
    run.model = g_build_filename(folder, "run.safetensors", NULL);
    return run;
}

static void
clear_run(Run *run)
{
    g_autofree char *folder = g_path_get_dirname(run->model);

    for (int i = M2N_RUN_LAST; i <= M2N_RUN_PICTURE; i++) {
        g_autofree char *path = m2n_run_file(run->model, (M2nRunFile)i);
        g_remove(path);
    }
    g_remove(run->model);
    g_assert_cmpint(g_rmdir(folder), ==, 0); /* nobody left anything else there */
    g_free(run->model);
}

/* Largest difference of any weight of two models.  A bias of the keys adds the same to all scores of a softmax: its
 * gradient is zero but for rounding, which Adam makes steps of, and no forecast depends on it. */
static double
difference(const char *a, const char *b)
{
    g_autoptr(M2nSource) sa = m2n_source_open_file(a, NULL), sb = m2n_source_open_file(b, NULL);
    g_autoptr(M2nSafetensors) x = m2n_safetensors_open(sa, NULL),
                              y = m2n_safetensors_open(sb, NULL);
    double most = 0;

    g_assert_cmpuint(m2n_safetensors_count(x), ==, m2n_safetensors_count(y));
    for (guint i = 0; i < m2n_safetensors_count(x); i++) {
        const M2nTensorInfo *t = m2n_safetensors_nth(x, i), *u = m2n_safetensors_find(y, t->name);
        if (g_str_has_suffix(t->name, "k_Conv.1.bias"))
            continue;
        const gsize n = (gsize)t->elements;
        g_autofree float *p = g_new(float, n), *q = g_new(float, n);

        g_assert_true(m2n_safetensors_read_f32(x, t, 0, n, p, NULL));
        g_assert_true(m2n_safetensors_read_f32(y, u, 0, n, q, NULL));
        for (gsize e = 0; e < n; e++)
            most = MAX(most, fabs((double)p[e] - (double)q[e]));
    }
    return most;
}

/* 10 steps with drop path and two validations by 1 process, and by 2 to 4. */
static void
test_run(void)
{
    Run one = new_run();

    train(NULL, &one);
    for (guint size = 2; size <= 4; size++) {
        Run many = new_run();
        guint reads = 0;

        run_together(size, train, &many);
        g_assert_cmpfloat(difference(one.model, many.model), <, 1e-5);
        g_assert_cmpfloat_with_epsilon(many.validation, one.validation, 1e-6);
        for (guint r = 0; r < size; r++) {
            reads += many.reads[r];
            g_assert_cmpuint(many.reads[r], <, one.reads[0]);
        }
        /* 40 windows to train and 2 x 5 to validate, those filled up to whole batches */
        g_assert_cmpuint(reads, <=, 40 + 2 * size * 4);
        clear_run(&many);
    }
    clear_run(&one);
}

/* Stopped by its last process in the second epoch, or while validating, gone on with by another number. */
static void
test_resume(void)
{
    static const guint sizes[][2] = {{3, 1}, {1, 2}, {2, 3}, {4, 2}};
    Run whole = new_run();

    train(NULL, &whole);
    for (gsize i = 0; i < G_N_ELEMENTS(sizes); i++)
        for (guint stop = 6; stop <= 8; stop++) {
            Run run = new_run();

            run.fails = TRUE;
            run.code = M2N_ERROR_CANCELLED;
            run.stop_rank = sizes[i][0] - 1;
            run.stop_after = stop;
            run_together(sizes[i][0], train, &run);
            run.fails = FALSE;
            run.stop_after = 0;
            run.resume = TRUE;
            run_together(sizes[i][1], train, &run);
            g_assert_cmpfloat(difference(whole.model, run.model), <, 1e-5);
            g_assert_cmpfloat_with_epsilon(run.validation, whole.validation, 1e-6);
            clear_run(&run);
        }
    clear_run(&whole);
}

static void
test_failures(void)
{
    Run run = new_run();

    run.fails = TRUE;
    run.code = M2N_ERROR_IO;
    run.broken_rank = 1;
    run_together(3, train, &run);
    run.broken_rank = G_MAXUINT;
    run.code = M2N_ERROR_ARGUMENT; /* 4 windows for 5 */
    run_together(5, train, &run);
    clear_run(&run);
    Run nowhere = new_run(); /* rank 0 cannot write */
    g_autofree char *good = nowhere.model;
    nowhere.model = g_strdup("/nonexistent/folder/m.safetensors");
    nowhere.fails = TRUE;
    nowhere.code = M2N_ERROR_IO;
    run_together(2, train, &nowhere);
    g_free(nowhere.model);
    nowhere.model = g_steal_pointer(&good);
    clear_run(&nowhere);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/group/agree", test_agree);
    g_test_add_func("/group/alone", test_alone);
    g_test_add_func("/group/launched", test_launched);
    g_test_add_data_func("/group/step-is-that-of-one", NULL, test_step);
    g_test_add_data_func("/group/step-recomputed-is-that-of-one", "", test_step);
    g_test_add_func("/group/run-is-that-of-one", test_run);
    g_test_add_func("/group/resumes-with-any-number", test_resume);
    g_test_add_func("/group/all-fail-together", test_failures);
    return g_test_run();
}
