/* Tensors read as float32, written in another type. */
#include "plugin/model_convert.h"

#include <math.h>

#include "engine/base/durable.h"
#include "engine/base/error.h"
#include "engine/base/half.h"
#include "engine/base/safetensors.h"

#define CHUNK ((gsize)1 << 12) /* elements */
#define MOST_F16 65504.0f

static const char *const names[] = {"float32", "f16", "bf16"};
static const char *const dtypes[] = {"F32", "F16", "BF16"};

gboolean
m2n_store_parse(const char *text, M2nStore *store, GError **error)
{
    for (guint i = 0; i < G_N_ELEMENTS(names); i++)
        if (g_ascii_strcasecmp(text, names[i]) == 0) {
            *store = (M2nStore)i;
            return TRUE;
        }
    g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT, "\"%.64s\": expected float32, f16 or bf16",
                text);
    return FALSE;
}

static gboolean
is_weight(const M2nTensorInfo *t)
{
    static const char *const floats[] = {"F32", "F16", "BF16", NULL};

    return t->rank >= 2 && g_strv_contains(floats, t->dtype);
}

static gboolean
fits(const M2nSafetensors *st, const M2nTensorInfo *t, const float *x, gsize n, GError **error)
{
    for (gsize i = 0; i < n; i++)
        if (isfinite(x[i]) && fabsf(x[i]) > MOST_F16) {
            g_set_error(error, M2N_ERROR, M2N_ERROR_FORMAT,
                        "%s: tensor %s: %g is too large for f16; bf16 has room for it",
                        m2n_source_name(m2n_safetensors_source(st)), t->name, (double)x[i]);
            return FALSE;
        }
    return TRUE;
}

static gboolean
convert_tensor(const M2nSafetensors *st, const M2nTensorInfo *t, M2nStore store,
               M2nSafetensorsWriter *w, GError **error)
{
    g_autofree float *x = g_new(float, CHUNK);
    g_autofree guint16 *half = g_new(guint16, CHUNK);

    for (guint64 at = 0; at < t->elements; at += CHUNK) {
        const gsize n = (gsize)MIN((guint64)CHUNK, t->elements - at);

        if (!m2n_safetensors_read_f32(st, t, at, n, x, error) ||
            (store == M2N_STORE_F16 && !fits(st, t, x, n, error)))
            return FALSE;
        for (gsize i = 0; store != M2N_STORE_FLOAT32 && i < n; i++)
            half[i] = store == M2N_STORE_F16 ? m2n_f16_from_float(x[i]) : m2n_bf16_from_float(x[i]);
        if (!(store == M2N_STORE_FLOAT32
                  ? m2n_safetensors_writer_append(w, x, n * sizeof *x, error)
                  : m2n_safetensors_writer_append(w, half, n * sizeof *half, error)))
            return FALSE;
    }
    return TRUE;
}

static gboolean
write_all(const M2nSafetensors *st, M2nStore store, M2nSafetensorsWriter *w, GError **error)
{
    g_auto(GStrv) keys = m2n_safetensors_metadata_keys(st);

    for (char **k = keys; *k != NULL; k++)
        m2n_safetensors_writer_metadata(w, *k, m2n_safetensors_metadata(st, *k));
    for (guint i = 0; i < m2n_safetensors_count(st); i++) {
        const M2nTensorInfo *t = m2n_safetensors_nth(st, i);

        m2n_safetensors_writer_declare(w, t->name, is_weight(t) ? dtypes[store] : t->dtype,
                                       t->shape, t->rank);
    }
    for (guint i = 0; i < m2n_safetensors_count(st); i++) {
        const M2nTensorInfo *t = m2n_safetensors_nth(st, i);

        if (!(is_weight(t) ? convert_tensor(st, t, store, w, error)
                           : m2n_safetensors_writer_copy(w, st, t, error)))
            return FALSE;
    }
    return m2n_safetensors_writer_finish(w, error);
}

gboolean
m2n_model_convert(const char *model, const char *out, M2nStore store, M2nConversion *conversion,
                  GError **error)
{
    g_autoptr(M2nSource) source = m2n_source_open_file(model, error);
    g_autoptr(M2nSafetensors) st = source != NULL ? m2n_safetensors_open(source, error) : NULL;

    if (st == NULL)
        return FALSE;
    if (m2n_durable_is_same(model, out)) {
        g_set_error(error, M2N_ERROR, M2N_ERROR_ARGUMENT,
                    "%s: is the model itself; rounded bits do not come back", out);
        return FALSE;
    }
    g_autoptr(M2nSafetensorsWriter) w = m2n_safetensors_writer_new(out, error);
    if (w == NULL || !write_all(st, store, w, error))
        return FALSE;
    g_autoptr(M2nSource) written = m2n_source_open_file(out, error);
    if (written == NULL)
        return FALSE;
    *conversion = (M2nConversion){m2n_source_size(source), m2n_source_size(written)};
    return TRUE;
}
