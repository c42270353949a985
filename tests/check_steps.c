/* Training steps against the vectors: Adam, rate 1e-3, no drop path, made-up weights and fields. */
#include "tests/check_steps.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/train/optimizer.h"
#include "tests/lib/made_up.h"

#define LOSS_TOLERANCE 1e-5
#define GRADIENT_TOLERANCE 2e-4 /* of the tensor's largest */
#define ZERO_TOLERANCE 1e-6     /* absolute, of gradients that are zero but for rounding */
#define STATE_TOLERANCE 0.003   /* root mean square, in rates per step */
#define RATE 1e-3

typedef struct {
    double worst; /* over its tolerance: > 1 fails */
    char *name;
    guint compared;
} Worst;

static void
note(Worst *w, const char *name, double difference, double allowed)
{
    const double ratio = difference > 0.0 ? difference / allowed : difference; /* 0/0 is fine */

    w->compared++;
    if (w->name == NULL || !(ratio <= w->worst)) {
        w->worst = isnan(ratio) ? INFINITY : ratio;
        g_free(w->name);
        w->name = g_strdup(name);
    }
}

static void
report(const char *group, Worst *w, gboolean *ok)
{
    const gboolean fine = w->compared > 0 && w->worst <= 1.0;

    printf("  %-24s %u tensors, worst %.3g of what is allowed (%s)%s\n", group, w->compared,
           w->worst, w->name ? w->name : "none", fine ? "" : "  FAILED");
    *ok &= fine;
    g_clear_pointer(&w->name, g_free);
}

static double
largest(const float *a, const float *b, gsize n)
{
    double most = 0.0;

    for (gsize i = 0; i < n; i++) {
        const double d = fabs((double)a[i] - (b != NULL ? (double)b[i] : 0.0));
        if (!(d <= most))
            most = isnan(d) ? INFINITY : d;
    }
    return most;
}

static double
root_mean_square(const float *a, const float *b, gsize n)
{
    double sum = 0.0;

    for (gsize i = 0; i < n; i++)
        sum += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    return sqrt(sum / (double)n);
}

/* Softmax ignores a shift of the keys; a norm over one channel ignores the bias before it. */
static gboolean
has_no_gradient(const M2nConfig *c, const char *name)
{
    const gboolean coder = g_str_has_prefix(name, "enc_q") || g_str_has_prefix(name, "dec_q");

    return g_str_has_suffix(name, "k_Conv.1.bias") ||
           (c->hid_S == 2 && coder && strstr(name, ".conv.conv") != NULL &&
            g_str_has_suffix(name, ".bias"));
}

static float *
read_tensor(const M2nSafetensors *st, const char *name, gsize n, GError **error)
{
    const M2nTensorInfo *t = m2n_safetensors_find(st, name);
    g_autofree float *values = g_new(float, n);

    if (t == NULL || t->elements != n) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT, "%s: not there, or not %zu numbers", name,
                    n);
        return NULL;
    }
    return m2n_safetensors_read_f32(st, t, 0, n, values, error) ? g_steal_pointer(&values) : NULL;
}

static gboolean
check_gradients(const M2nSafetensors *st, const M2nConfig *c, M2nLearner *l, gboolean *ok,
                GError **error)
{
    const M2nParameters *all = m2n_learner_parameters(l);
    Worst worst = {0};

    for (guint i = 0; i < all->n; i++) {
        const M2nParameter *p = &all->list[i];
        g_autofree char *name = g_strdup_printf("step0/grad/%s", p->name);

        if (!m2n_parameter_trainable(p))
            continue;
        g_autofree float *want = read_tensor(st, name, p->elements, error);
        if (want == NULL)
            return FALSE;
        const double scale = largest(want, NULL, p->elements);
        note(&worst, p->name, largest(m2n_learner_gradient(l) + p->offset, want, p->elements),
             has_no_gradient(c, p->name) ? ZERO_TOLERANCE : GRADIENT_TOLERANCE * scale);
    }
    report("first gradients", &worst, ok);
    return TRUE;
}

/* Adam divides each gradient by its own size, so that where a gradient is mere rounding the sign of a
 * step is chance: single elements may differ by two rates a step, a tensor as a whole may not. */
static gboolean
check_state(const M2nSafetensors *st, const M2nConfig *c, M2nLearner *l, guint steps, gboolean *ok,
            GError **error)
{
    const M2nParameters *all = m2n_learner_parameters(l);
    Worst worst = {0};

    for (guint i = 0; i < 2 * all->n; i++) {
        const M2nParameter *p = &all->list[i / 2];
        g_autoptr(GString) name = g_string_new(p->name);
        const float *got = (i % 2 ? m2n_learner_key(l) : m2n_learner_query(l)) + p->offset;

        if (i % 2)
            g_string_replace(name, "_q", "_k", 1); /* enc_q, dec_q, hid_q */
        g_string_prepend(name, "after/");
        g_autofree float *want = read_tensor(st, name->str, p->elements, error);
        if (want == NULL)
            return FALSE;
        note(&worst, name->str, largest(got, want, p->elements), 2.01 * steps * RATE);
        if (!has_no_gradient(c, p->name))
            note(&worst, name->str, root_mean_square(got, want, p->elements),
                 STATE_TOLERANCE * steps * RATE);
    }
    report("state", &worst, ok);
    return TRUE;
}

static void
check_losses(const M2nLosses *got, const float *want, guint step, Worst *worst)
{
    const double values[3] = {got->reconstruction, got->latent, got->prediction};
    static const char *const names[3] = {"reconstruction", "latent", "prediction"};

    for (guint i = 0; i < 3; i++) {
        g_autofree char *name = g_strdup_printf("step %u %s", step, names[i]);

        note(worst, name, fabs(values[i] - (double)want[i]), LOSS_TOLERANCE);
    }
}

/* The batch follows from the forecast the same file holds. */
static guint
find_batch(const M2nSafetensors *st, const M2nConfig *c)
{
    const M2nTensorInfo *t = m2n_safetensors_find(st, "forecast/fields");
    const guint64 item = (guint64)c->steps * c->variables * c->height * c->width;

    return t != NULL ? (guint)(t->elements / item) : 0;
}

gboolean
check_steps(const M2nSafetensors *st, const M2nConfig *c, guint64 seed, guint threads,
            gboolean recompute, gboolean *ok, GError **error)
{
    const M2nTensorInfo *t = m2n_safetensors_find(st, "losses");
    const guint batch = find_batch(st, c);
    Worst worst = {0};

    if (t == NULL)
        return TRUE;
    if (batch == 0 || t->rank != 2 || t->shape[1] != 3) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT, "losses without forecast, or not [n][3]");
        return FALSE;
    }
    const guint steps = (guint)t->shape[0];
    /* a file shortened to its losses has none of the big tensors; one with some must have all */
    const gboolean complete = m2n_safetensors_count(st) > 10;
    const gsize most = recompute ? m2n_learner_memory(c, batch, threads, c->N_T) : 0;
    g_autofree float *want = read_tensor(st, "losses", 3 * steps, error);
    g_autofree float *weights = m2n_made_up_weights(c, seed);
    g_autoptr(M2nLearner) l = m2n_learner_new(c, batch, threads, most, error);

    if (want == NULL || l == NULL)
        return FALSE;
    const gsize n = m2n_learner_parameters(l)->total;
    g_autofree float *mean = g_new0(float, n), *square = g_new0(float, n);
    memcpy(m2n_learner_query(l), weights, n * sizeof(float));
    memcpy(m2n_learner_key(l), weights, n * sizeof(float));
    for (guint s = 0; s < steps; s++) {
        g_autofree char *nx = g_strdup_printf("x%u", s), *ny = g_strdup_printf("y%u", s);
        g_autofree float *x = m2n_made_up_fields(c, batch, nx, seed);
        g_autofree float *y = m2n_made_up_fields(c, batch, ny, seed);
        const M2nAdam adam = {
            .rate = RATE, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .step = s + 1};
        M2nLosses losses;

        m2n_learner_step(l, x, y, NULL, &losses);
        check_losses(&losses, want + 3 * s, s, &worst);
        if (s == 0 && complete && !check_gradients(st, c, l, ok, error))
            return FALSE;
        m2n_optimizer_step(l, c->momentum_ema, &adam, mean, square);
    }
    report("losses", &worst, ok);
    return !complete || check_state(st, c, l, steps, ok, error);
}
