#include "plugin/train_report.h"

#include <math.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/nn/model.h"
#include "engine/train/score.h"
#include "plugin/variable_text.h"

#define DAY 86400
#define BATCH 4

typedef struct {
    M2nDataset *d;
    const M2nWindows *w;
    M2nSpan span;
    guint variables, steps;
    gsize per_time;
    float *fields, *earlier; /* [2T] and [T] times */
} Reference;

/* Index of the time `seconds` before that of index i, or G_MAXSIZE. */
static gsize
before(const Reference *r, gsize i, gint64 seconds)
{
    gsize n;
    const gint64 *times = m2n_dataset_times(r->d, &n), want = times[i] - seconds;

    while (i > 0 && times[i] > want)
        i--;
    return times[i] == want ? i : G_MAXSIZE;
}

static void
add_squares(const Reference *r, const float *forecast, gsize stride, double *sum)
{
    const float *truth = r->fields + r->steps * r->per_time;
    const gsize points = r->per_time / r->variables;

    for (gsize i = 0; i < r->steps * r->per_time; i++) {
        const gsize step = i / r->per_time, at = i % r->per_time;
        const double e = (double)forecast[step * stride + at] - (double)truth[i];

        sum[at / points] += e * e;
    }
}

/* FALSE with *complete FALSE and no error: yesterday is not there for every window. */
static gboolean
add_window(const Reference *r, gsize first, double *persistence, double *yesterday,
           gboolean *complete, GError **error)
{
    const guint t = r->steps;

    if (!m2n_dataset_read(r->d, first, 2 * t, r->fields, error))
        return FALSE;
    add_squares(r, r->fields + (t - 1) * r->per_time, 0, persistence);
    for (guint k = 0; *complete && k < t; k++) {
        const gsize i = before(r, first + t + k, DAY);

        if (i == G_MAXSIZE)
            *complete = FALSE;
        else if (!m2n_dataset_read(r->d, i, 1, r->earlier + k * r->per_time, error))
            return FALSE;
    }
    if (*complete)
        add_squares(r, r->earlier, r->per_time, yesterday);
    return TRUE;
}

static void
add_row(GString *out, const char *name, const double *rmse, guint n)
{
    char text[G_ASCII_DTOSTR_BUF_SIZE];

    g_string_append_printf(out, "%-20s", name);
    for (guint v = 0; v < n; v++)
        g_string_append_printf(out, " %12s", g_ascii_formatd(text, sizeof text, "%.4g", rmse[v]));
    g_string_append_c(out, '\n');
}

static gboolean
references(const Reference *r, guint64 n, double *persistence, double *yesterday,
           gboolean *complete, GError **error)
{
    const double count = (double)n * r->steps * (double)(r->per_time / r->variables);

    for (guint64 i = 0; i < n; i++)
        if (!add_window(r, m2n_windows_first(r->w, r->span, i), persistence, yesterday, complete,
                        error))
            return FALSE;
    for (guint v = 0; v < r->variables; v++) {
        persistence[v] = sqrt(persistence[v] / count);
        yesterday[v] = sqrt(yesterday[v] / count);
    }
    return TRUE;
}

char *
m2n_train_report(const char *path, M2nDataset *d, const M2nWindows *w, M2nSpan span, guint threads,
                 GError **error)
{
    const M2nBatchSource *s = m2n_windows_source(w);
    const gsize per_time = (gsize)s->variables * s->height * s->width;
    g_autofree double *rmse = g_new0(double, 3 * s->variables);
    double *persistence = rmse + s->variables, *yesterday = rmse + 2 * s->variables;
    g_autofree float *memory = g_try_new(float, 3 * s->steps * per_time);
    g_autoptr(M2nSource) source = m2n_source_open_file(path, error);
    g_autoptr(M2nSafetensors) st = source ? m2n_safetensors_open(source, error) : NULL;
    g_autoptr(M2nModel) model = st ? m2n_model_load(st, M2N_FLOAT32, threads, error) : NULL;
    gboolean complete = DAY % m2n_dataset_domain(d)->time_step == 0;

    if (model == NULL || !m2n_score(model, s, span, BATCH, threads, NULL, rmse, NULL, NULL, error))
        return NULL;
    if (memory == NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY, "a window does not fit in memory");
        return NULL;
    }
    const Reference r = {d,        w,        span,   s->variables,
                         s->steps, per_time, memory, memory + 2 * s->steps * per_time};
    if (!references(&r, s->n_windows[span], persistence, yesterday, &complete, error))
        return NULL;
    for (guint v = 0; v < s->variables; v++)
        rmse[v] = sqrt(rmse[v]) * s->scale[v];
    g_autoptr(GString) out = g_string_new(NULL);
    g_string_append_printf(out, "%s RMSE %*s", m2n_span_names[span],
                           15 - (int)strlen(m2n_span_names[span]), "");
    for (guint v = 0; v < s->variables; v++) {
        g_autofree char *units = m2n_units_text(s->units[v]);
        g_string_append_printf(out, " %5s %6s", s->names[v], units);
    }
    g_string_append_c(out, '\n');
    add_row(out, "model", rmse, s->variables);
    add_row(out, "persistence", persistence, s->variables);
    if (complete)
        add_row(out, "same hour yesterday", yesterday, s->variables);
    return g_string_free(g_steal_pointer(&out), FALSE);
}
