#include "engine/train/score.h"

#include <string.h>

#include "engine/base/error.h"
#include "engine/ops/mse.h"

typedef struct {
    const M2nBatchSource *source;
    gsize window;            /* floats of one input */
    float *x, *y, *forecast; /* [batch][window] */
} Buffers;

static gboolean
read_batch(const Buffers *b, M2nSpan span, guint64 first, guint n, guint batch, GError **error)
{
    for (guint i = 0; i < batch; i++) {
        /* the last batch is filled up with its last window again */
        const guint64 index = first + MIN(i, n - 1);

        if (!b->source->read(b->source->data, span, index, b->x + i * b->window,
                             b->y + i * b->window, error))
            return FALSE;
    }
    return TRUE;
}

static void
add_errors(const Buffers *b, guint n, double *sum)
{
    const M2nBatchSource *s = b->source;
    const gsize plane = (gsize)s->height * s->width;

    for (gsize k = 0; k < (gsize)n * s->steps * s->variables; k++)
        sum[k % s->variables] += m2n_mse(b->forecast + k * plane, b->y + k * plane, plane);
}

gboolean
m2n_score(M2nModel *model, const M2nBatchSource *source, M2nSpan span, guint batch, guint threads,
          double *mse, M2nProgressFunc progress, gpointer user_data, GError **error)
{
    const guint64 n = source->n_windows[span];
    const gsize window = (gsize)source->steps * source->variables * source->height * source->width;
    g_autoptr(M2nSession) session = NULL;

    g_assert(n > 0);
    batch = (guint)MIN(batch, n);
    g_autofree float *memory = g_try_new(float, 3 * batch * window);
    if (memory == NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY, "%u windows do not fit in memory", batch);
        return FALSE;
    }
    const Buffers b = {source, window, memory, memory + batch * window,
                       memory + 2 * batch * window};
    session = m2n_session_new(model, batch, threads, 0, error);
    if (session == NULL)
        return FALSE;
    memset(mse, 0, source->variables * sizeof *mse);
    for (guint64 first = 0; first < n; first += batch) {
        const guint now = (guint)MIN(batch, n - first);

        if (!read_batch(&b, span, first, now, batch, error) ||
            !m2n_session_run(session, b.x, b.forecast, NULL, NULL, error))
            return FALSE;
        add_errors(&b, now, mse);
        if (progress && !progress((double)(first + now) / (double)n, "validation", user_data)) {
            g_set_error(error, M2N_ERROR, M2N_ERROR_CANCELLED, "stopped while scoring");
            return FALSE;
        }
    }
    for (guint v = 0; v < source->variables; v++)
        mse[v] /= (double)n * source->steps;
    return TRUE;
}
