#include "plugin/cli/train_screen.h"

#include <math.h>

static void
show_epoch(M2nScreen *screen, const M2nTrainState *s)
{
    const M2nTrainRecord *r = s->done;
    g_autofree char *time = m2n_screen_duration(r->seconds);
    g_autofree char *validation =
        isfinite(r->validation_mse)
            ? g_strdup_printf("  validation %.4f%s", r->validation_mse, r->best ? " (best)" : "")
            : g_strdup("");
    g_autofree char *line = g_strdup_printf(
        "epoch %*u/%u  reconstruction %.4f  latent %.4f  prediction %.4f%s  rate %.2g  %s",
        s->epochs >= 100 ? 3 : 2, r->epoch, s->epochs, r->loss_reconstruction, r->loss_latent,
        r->loss_prediction, validation, r->learning_rate, time);

    m2n_screen_line(screen, line);
}

void
m2n_train_show(M2nScreen *screen, const M2nTrainState *s)
{
    if (s->done != NULL) {
        show_epoch(screen, s);
        return;
    }
    if (s->validating >= 0) {
        g_autofree char *bar = m2n_screen_bar(s->validating, 20);
        g_autofree char *line =
            g_strdup_printf("epoch %u/%u %s validating", s->epoch, s->epochs, bar);

        m2n_screen_state(screen, line);
        return;
    }
    g_autofree char *bar = m2n_screen_bar((double)s->step / (double)s->steps, 20);
    g_autofree char *left = m2n_screen_duration(s->seconds_left);
    g_autofree char *line =
        g_strdup_printf("epoch %u/%u %s %" G_GUINT64_FORMAT "/%" G_GUINT64_FORMAT
                        "  rec %.4f lat %.4f pred %.4f  %.1f samples/s  %s left",
                        s->epoch, s->epochs, bar, s->step, s->steps, s->losses.reconstruction,
                        s->losses.latent, s->losses.prediction, s->samples_per_second, left);

    m2n_screen_state(screen, line);
}

void
m2n_train_show_plan(M2nScreen *screen, const M2nTrainer *t, const M2nBatchSource *source,
                    const M2nGroup *group)
{
    const M2nTrainMemory m = m2n_trainer_memory(t);
    const M2nSettings *s = m2n_trainer_settings(t);
    const guint threads = s->threads > 0 ? s->threads : m2n_group_threads(group);
    const double mib = 1.0 / 1048576.0;
    g_autofree char *windows = g_strdup_printf(
        "%u variables on %ux%u, %u steps in and out; windows: %" G_GUINT64_FORMAT
        " to train, %" G_GUINT64_FORMAT " to validate, %" G_GUINT64_FORMAT " to test",
        source->variables, source->width, source->height, source->steps,
        source->n_windows[M2N_SPAN_TRAIN], source->n_windows[M2N_SPAN_VALIDATION],
        source->n_windows[M2N_SPAN_TEST]);
    g_autofree char *memory = g_strdup_printf(
        "memory: about %.0f MiB (step %.0f, validation %.0f, rest %.0f); activations of %u of %u "
        "blocks are computed twice",
        (double)(m.learner + m.validation + m.rest) * mib, (double)m.learner * mib,
        (double)m.validation * mib, (double)m.rest * mib, m.recomputed, s->config.N_T);

    g_autofree char *together =
        group != NULL
            ? g_strdup_printf("%u processes, %u of them on this machine; this one: %u thread%s",
                              group->size, group->local_size, threads, threads == 1 ? "" : "s")
            : NULL;

    const char *name = m2n_trainer_place(t)->origin.name;
    g_autofree char *origin =
        name[0] != '\0' ? g_strdup_printf("began with the weights of %s", name) : NULL;

    if (together != NULL)
        m2n_screen_line(screen, together);
    m2n_screen_line(screen, windows);
    if (origin != NULL)
        m2n_screen_line(screen, origin);
    m2n_screen_line(screen, memory);
}
