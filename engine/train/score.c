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

/* Adds the errors of windows [begin, end) to sum [variables]. */
static gboolean
score_windows(M2nModel *model, const M2nBatchSource *source, M2nSpan span, guint64 begin,
              guint64 end, guint batch, guint threads, double *sum, M2nProgressFunc progress,
              gpointer user_data, GError **error)
{
    const gsize window = (gsize)source->steps * source->variables * source->height * source->width;
    g_autoptr(M2nSession) session = NULL;

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
    for (guint64 first = begin; first < end; first += batch) {
        const guint now = (guint)MIN(batch, end - first);

        if (!read_batch(&b, span, first, now, batch, error) ||
            !m2n_session_run(session, b.x, b.forecast, NULL, NULL, error))
            return FALSE;
        add_errors(&b, now, sum);
        if (progress && !progress((double)(first + now - begin) / (double)(end - begin),
                                  "validation", user_data)) {
            g_set_error(error, M2N_ERROR, M2N_ERROR_CANCELLED, "stopped while scoring");
            return FALSE;
        }
    }
    return TRUE;
}

gboolean
m2n_score(M2nModel *model, const M2nBatchSource *source, M2nSpan span, guint batch, guint threads,
          M2nGroup *group, double *mse, M2nProgressFunc progress, gpointer user_data,
          GError **error)
{
    const guint64 n = source->n_windows[span], size = m2n_group_size(group);
    const guint64 begin = n * m2n_group_rank(group) / size,
                  end = n * (m2n_group_rank(group) + 1) / size;

    g_assert(n > 0);
    memset(mse, 0, source->variables * sizeof *mse);
    const gboolean ok =
        begin == end || score_windows(model, source, span, begin, end, (guint)MIN(batch, n),
                                      threads, mse, progress, user_data, error);
    if (!m2n_group_agree(group, ok, error))
        return FALSE;
    m2n_group_sum(group, mse, source->variables);
    for (guint v = 0; v < source->variables; v++)
        mse[v] /= (double)n * source->steps;
    return TRUE;
}
