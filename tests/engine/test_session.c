#include <string.h>

#include "engine/base/error.h"
#include "engine/nn/parameters.h"
#include "engine/nn/session.h"
#include "tests/lib/m2n_files.h"
#include "tests/lib/m2n_test.h"
#include "tests/lib/made_up.h"

static const M2nConfig small = {.steps = 3,
                                .variables = 3,
                                .height = 8,
                                .width = 12,
                                .hid_S = 6,
                                .hid_T = 24,
                                .N_S = 3,
                                .N_T = 2};
enum { ITEM = 3 * 3 * 8 * 12 };

static M2nModel *
made_up_model_in(M2nPrecision precision)
{
    g_autofree float *weights = m2n_made_up_weights(&small, 0);

    return m2n_model_new(&small, weights, precision, 2, NULL);
}

static M2nModel *
made_up_model(void)
{
    return made_up_model_in(M2N_FLOAT32);
}

static void
forecast(M2nModel *m, guint batch, guint threads, const float *x, float *y)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(M2nSession) s = m2n_session_new(m, batch, threads, 0, &error);

    g_assert_no_error(error);
    for (guint round = 0; round < 2; round++) { /* nothing may be left over from the first */
        memset(y, 0xFF, batch * ITEM * sizeof *y);
        g_assert_true(m2n_session_run(s, x, y, NULL, NULL, &error));
    }
}

static void
test_threads_give_same_bits(gconstpointer data)
{
    g_autoptr(M2nModel) m = made_up_model_in(GPOINTER_TO_UINT(data));
    g_autofree float *x = m2n_made_up_fields(&small, 2, "x", 0);
    g_autofree float *one = g_new(float, 2 * ITEM), *many = g_new(float, 2 * ITEM);

    forecast(m, 2, 1, x, one);
    for (guint threads = 2; threads <= 5; threads++) {
        forecast(m, 2, threads, x, many);
        g_assert_cmpint(memcmp(one, many, 2 * ITEM * sizeof *one), ==, 0);
    }
}

/* Items of a batch do not see each other: NaN in the second leaves the first alone. */
static void
test_nan_stays_in_its_item(gconstpointer data)
{
    g_autoptr(M2nModel) m = made_up_model_in(GPOINTER_TO_UINT(data));
    g_autofree float *x = m2n_made_up_fields(&small, 2, "x", 0);
    g_autofree float *alone = g_new(float, ITEM), *both = g_new(float, 2 * ITEM);

    forecast(m, 1, 1, x, alone);
    x[ITEM] = NAN;
    x[ITEM + 1] = INFINITY;
    forecast(m, 2, 2, x, both);
    m2n_assert_close(both, alone, ITEM, 1e-6, 1e-6);
    for (gsize i = ITEM; i < 2 * ITEM; i++)
        g_assert_true(isnan(both[i]));
}

/* A forecast of NaN leaves nothing behind in its session, though memory is used for one thing after another and
 * there are lanes past the image: the next is the same as one of a session of its own. */
static void
test_nan_is_forgotten(gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(M2nModel) m = made_up_model_in(GPOINTER_TO_UINT(data));
    g_autoptr(M2nSession) s = m2n_session_new(m, 1, 1, 0, &error);
    g_autofree float *x = m2n_made_up_fields(&small, 1, "x", 0), *nan = g_new(float, ITEM);
    g_autofree float *fresh = g_new(float, ITEM), *after = g_new(float, ITEM);

    g_assert_no_error(error);
    for (gsize i = 0; i < ITEM; i++)
        nan[i] = NAN;
    forecast(m, 1, 1, x, fresh);
    g_assert_true(m2n_session_run(s, nan, after, NULL, NULL, &error));
    g_assert_true(isnan(after[0]));
    g_assert_true(m2n_session_run(s, x, after, NULL, NULL, &error));
    g_assert_cmpint(memcmp(fresh, after, ITEM * sizeof *fresh), ==, 0);
}

static double
root_mean_square(const float *a, const float *b, gsize n)
{
    double sum = 0.0;

    for (gsize i = 0; i < n; i++)
        sum += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    return sqrt(sum / (double)n);
}

/* A forecast in fewer bits differs from the one in float32, by no more than roundings make: 2^-9 of a weight in
 * BF16, half of 1/127 of the largest value in 8 bits.  A wrong scale or a swapped channel is off by as much as
 * the field itself. */
static void
test_precision_is_close(gconstpointer data)
{
    const M2nPrecision precision = GPOINTER_TO_UINT(data);
    const double most = precision == M2N_INT8 ? 3e-2 : 8e-3;
    g_autoptr(M2nModel) exact = made_up_model(), rounded = made_up_model_in(precision);
    g_autofree float *x = m2n_made_up_fields(&small, 2, "x", 0), *zero = g_new0(float, 2 * ITEM);
    g_autofree float *want = g_new(float, 2 * ITEM), *got = g_new(float, 2 * ITEM);

    forecast(exact, 2, 1, x, want);
    forecast(rounded, 2, 1, x, got);
    const double size = root_mean_square(want, zero, 2 * ITEM);
    const double difference = root_mean_square(got, want, 2 * ITEM);
    g_test_message("difference %.2e of %.2e", difference, size);
    g_assert_cmpfloat(difference, <, most * size);
    g_assert_cmpfloat(difference, >, 1e-5 * size);
}

/* In the last block some channels are 100 times as large as the others, and its batch norms make them alike again:
 * rounding must come after those. */
static M2nModel *
uneven_model_in(M2nPrecision precision)
{
    static const struct {
        const char *name;
        float factor;
    } changed[] = {{"norm_1.weight", 100},
                   {"ff.ff1.norm1.running_mean", 100},
                   {"ff.ff1.norm1.running_var", 1e4f},
                   {"ff.ff1.norm2.running_mean", 100},
                   {"ff.ff1.norm2.running_var", 1e4f},
                   {"norm_2.weight", 0.01f}};
    g_autoptr(M2nParameters) p = m2n_parameters_new(&small);
    g_autofree float *weights = m2n_made_up_weights(&small, 0);

    for (guint i = 0; i < G_N_ELEMENTS(changed); i++) {
        float *w = weights +
                   m2n_parameters_offset(p, "hid_q.layers.%u.%s", small.N_T - 1, changed[i].name);
        for (guint c = 0; c < small.hid_T; c += 8)
            w[c] *= changed[i].factor;
    }
    for (guint i = 1; i <= 2;
         i++) { /* what the unit adds counts for as much as what it is added to */
        float *w = weights + m2n_parameters_offset(p, "hid_q.layers.%u.ff.ff1.layer_scale_%u",
                                                   small.N_T - 1, i);
        for (guint c = 0; c < small.hid_T; c++)
            w[c] = 1.0f;
    }
    return m2n_model_new(&small, weights, precision, 2, NULL);
}

static void
test_int8_is_close_with_uneven_channels(void)
{
    g_autoptr(M2nModel) exact = uneven_model_in(M2N_FLOAT32), rounded = uneven_model_in(M2N_INT8);
    g_autofree float *x = m2n_made_up_fields(&small, 1, "x", 0), *zero = g_new0(float, ITEM);
    g_autofree float *want = g_new(float, ITEM), *got = g_new(float, ITEM);

    forecast(exact, 1, 1, x, want);
    forecast(rounded, 1, 1, x, got);
    const double size = root_mean_square(want, zero, ITEM);
    const double difference = root_mean_square(got, want, ITEM);
    g_test_message("difference %.2e of %.2e", difference, size);
    g_assert_cmpfloat(difference, <, 1.5e-2 * size);
}

static void
test_precision_saves_memory(void)
{
    const M2nConfig c = M2N_CONFIG_DEFAULT;
    const gsize all = m2n_model_memory(&c, M2N_FLOAT32);

    g_assert_cmpuint(m2n_model_memory(&c, M2N_BF16), <, all * 6 / 10);
    g_assert_cmpuint(m2n_model_memory(&c, M2N_INT8), <, all * 6 / 10);
}

static void
test_memory(void)
{
    g_autoptr(M2nModel) m = made_up_model();
    const gsize need = m2n_session_memory(m, 2, 2);
    g_autoptr(GError) error = NULL;

    g_assert_cmpuint(need, >, m2n_session_memory(m, 1, 2));
    g_assert_cmpuint(need, >, m2n_session_memory(m, 2, 1));
    g_assert_null(m2n_session_new(m, 2, 2, need - 1, &error));
    m2n_assert_error(error, M2N_ERROR_MEMORY, "MiB are allowed");
    g_autoptr(M2nSession) s = m2n_session_new(m, 2, 2, need, NULL);
    g_assert_nonnull(s);
}

static gboolean
stop_late(double done, const char *message, gpointer user_data)
{
    double *last = user_data;

    g_assert_nonnull(message);
    g_assert_true(done > *last && done <= 1.0);
    *last = done;
    return done < 0.5;
}

static void
test_cancel(void)
{
    g_autoptr(M2nModel) m = made_up_model();
    g_autofree float *x = m2n_made_up_fields(&small, 1, "x", 0), *y = g_new(float, ITEM);
    g_autoptr(M2nSession) s = m2n_session_new(m, 1, 2, 0, NULL);
    g_autoptr(GError) error = NULL;
    double last = 0.0;

    g_assert_false(m2n_session_run(s, x, y, stop_late, &last, &error));
    m2n_assert_error(error, M2N_ERROR_CANCELLED, "stopped");
    g_assert_true(last >= 0.5 && last < 1.0);
    g_assert_true(m2n_session_run(s, x, y, NULL, NULL, NULL)); /* and it works again */
}

typedef struct {
    M2nModel *model;
    const float *x, *want;
} Shared;

static gpointer
forecast_in_thread(gpointer data)
{
    const Shared *shared = data;
    g_autofree float *y = g_new(float, ITEM);

    for (guint i = 0; i < 5; i++) {
        forecast(shared->model, 1, 2, shared->x, y);
        g_assert_cmpint(memcmp(y, shared->want, ITEM * sizeof *y), ==, 0);
    }
    return NULL;
}

static void
test_sessions_at_once(void)
{
    g_autoptr(M2nModel) m = made_up_model();
    g_autofree float *x = m2n_made_up_fields(&small, 1, "x", 0), *want = g_new(float, ITEM);
    Shared shared = {m, x, want};
    GThread *t[4];

    forecast(m, 1, 1, x, want);
    for (guint i = 0; i < 4; i++)
        t[i] = g_thread_new("test", forecast_in_thread, &shared);
    for (guint i = 0; i < 4; i++)
        g_thread_join(t[i]);
}

static void
add(const char *what, guint precision, GTestDataFunc run)
{
    g_autofree char *path =
        g_strdup_printf("/engine/session/%s/%s", m2n_precision_name((M2nPrecision)precision), what);

    g_test_add_data_func(path, GUINT_TO_POINTER(precision), run);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (guint p = 0; p < M2N_N_PRECISIONS; p++) {
        add("threads-give-same-bits", p, test_threads_give_same_bits);
        add("nan-stays-in-its-item", p, test_nan_stays_in_its_item);
        add("nan-is-forgotten", p, test_nan_is_forgotten);
        if (p != M2N_FLOAT32)
            add("is-close", p, test_precision_is_close);
    }
    g_test_add_func("/engine/session/int8/is-close-with-uneven-channels",
                    test_int8_is_close_with_uneven_channels);
    g_test_add_func("/engine/session/precision-saves-memory", test_precision_saves_memory);
    g_test_add_func("/engine/session/memory", test_memory);
    g_test_add_func("/engine/session/cancel", test_cancel);
    g_test_add_func("/engine/session/sessions-at-once", test_sessions_at_once);
    return g_test_run();
}
