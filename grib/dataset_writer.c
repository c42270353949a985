/* Writing a prepared data set: fields wait in an unnamed file until their statistics are known. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "engine/base/error.h"
#include "grib/dataset.h"
#include "grib/dataset_private.h"

struct M2nDatasetWriter {
    char *path;
    M2nDomain *domain;
    int spool;
    gsize bytes_per_time;
    GArray *times; /* gint64 */
};

static gboolean
io_error(const M2nDatasetWriter *w, const char *what, GError **error)
{
    g_set_error(error, M2N_ERROR, M2N_ERROR_IO, "%s: %s: %s", w->path, what, g_strerror(errno));
    return FALSE;
}

M2nDatasetWriter *
m2n_dataset_writer_new(const char *path, const M2nDomain *domain, GError **error)
{
    g_autoptr(M2nDatasetWriter) w = g_new0(M2nDatasetWriter, 1);
    g_autofree char *name = g_strdup_printf("%s.XXXXXX", path);

    w->path = g_strdup(path);
    w->domain = m2n_domain_copy(domain);
    w->times = g_array_new(FALSE, FALSE, sizeof(gint64));
    w->bytes_per_time =
        sizeof(float) * domain->n_variables * (gsize)domain->grid->height * domain->grid->width;
    w->spool = g_mkstemp_full(name, O_RDWR | O_CLOEXEC, 0600);
    if (w->spool < 0) {
        io_error(w, "create", error);
        return NULL;
    }
    unlink(name); /* nothing is left behind however the process ends */
    return g_steal_pointer(&w);
}

void
m2n_dataset_writer_free(M2nDatasetWriter *w)
{
    if (w->spool >= 0)
        close(w->spool);
    g_clear_pointer(&w->domain, m2n_domain_free);
    g_clear_pointer(&w->times, g_array_unref);
    g_free(w->path);
    g_free(w);
}

gboolean
m2n_dataset_writer_append(M2nDatasetWriter *w, gint64 time, const float *fields, GError **error)
{
    const guint8 *p = (const guint8 *)fields;

    if (w->times->len > 0 && time <= g_array_index(w->times, gint64, w->times->len - 1)) {
        g_autofree char *at = m2n_span_time_format(time);

        g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT,
                    "%s: the time %s is there twice or out of order", w->path, at);
        return FALSE;
    }
    if (!m2n_fields_check(w->domain, w->path, time, fields, error))
        return FALSE;
    for (gsize left = w->bytes_per_time; left > 0;) {
        const gssize n = write(w->spool, p, left);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return io_error(w, "write", error);
        p += n;
        left -= (gsize)n;
    }
    g_array_append_val(w->times, time);
    return TRUE;
}

static gboolean
read_spool(gpointer data, gsize i, float *out, GError **error)
{
    const M2nDatasetWriter *w = data;
    guint8 *p = (guint8 *)out;
    gsize done = 0;

    while (done < w->bytes_per_time) {
        const gssize n = pread(w->spool, p + done, w->bytes_per_time - done,
                               (off_t)(i * w->bytes_per_time + done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return io_error(w, "read back", error);
        done += (gsize)n;
    }
    return TRUE;
}

static gboolean
copy_spool(M2nDatasetWriter *w, M2nSafetensorsWriter *out, GError **error)
{
    g_autofree float *x = g_try_malloc(w->bytes_per_time);

    if (x == NULL) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_MEMORY, "%s: one time does not fit in memory",
                    w->path);
        return FALSE;
    }
    for (gsize i = 0; i < w->times->len; i++)
        if (!read_spool(w, i, x, error) ||
            !m2n_safetensors_writer_append(out, x, w->bytes_per_time, error))
            return FALSE;
    return TRUE;
}

static void
write_split(const M2nSplit *split, M2nSafetensorsWriter *out)
{
    for (guint i = 0; i < M2N_N_SPANS; i++) {
        g_autofree char *text = m2n_time_span_format(&split->span[i]);

        m2n_safetensors_writer_metadata(out, m2n_span_names[i], text);
    }
}

gboolean
m2n_dataset_writer_finish(M2nDatasetWriter *w, const M2nSplit *split, GError **error)
{
    const gint64 *times = (const gint64 *)(gpointer)w->times->data;
    const guint64 n = w->times->len;
    const guint64 shape[4] = {n, w->domain->n_variables, w->domain->grid->height,
                              w->domain->grid->width};
    M2nSplit automatic;

    if (n == 0) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_MISSING, "%s: no times to write", w->path);
        return FALSE;
    }
    automatic = m2n_split_default(times, n);
    split = split ? split : &automatic;
    if (!m2n_split_check(split, w->path, error) ||
        !m2n_statistics(w->domain, &split->span[M2N_SPAN_TRAIN], times, n, read_spool, w, w->path,
                        error))
        return FALSE;
    g_autoptr(M2nSafetensorsWriter) out = m2n_safetensors_writer_new(w->path, error);
    if (out == NULL)
        return FALSE;
    m2n_domain_write(w->domain, out);
    m2n_safetensors_writer_metadata(out, "format", "met2net-dataset");
    write_split(split, out);
    m2n_safetensors_writer_declare(out, "times", "I64", &n, 1);
    m2n_safetensors_writer_declare(out, "fields", "F32", shape, 4);
    return m2n_safetensors_writer_append(out, times, n * sizeof *times, error) &&
           copy_spool(w, out, error) && m2n_safetensors_writer_finish(out, error);
}
