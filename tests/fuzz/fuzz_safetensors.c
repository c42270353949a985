/* The safetensors reader: what it accepts must be readable at every offset it promised. */
#include "engine/base/safetensors.h"
#include "tests/fuzz/fuzz.h"

static void
check_tensor(const M2nSafetensors *st, const M2nTensorInfo *t, guint64 size)
{
    g_autoptr(GError) error = NULL;
    float values[16];
    guint8 raw[16 * 8];
    guint64 elements = 1;

    g_assert_cmpuint(t->rank, <=, M2N_MAX_RANK);
    for (guint i = 0; i < t->rank; i++)
        elements *= t->shape[i];
    g_assert_cmpuint(elements, ==, t->elements);
    g_assert_cmpuint(t->offset, <=, size);
    g_assert_cmpuint(t->bytes, <=, size - t->offset);
    g_assert_true(m2n_safetensors_find(st, t->name) == t);

    const gsize n = (gsize)MIN(t->elements, G_N_ELEMENTS(values));
    const guint64 firsts[] = {0, t->elements - n};
    for (guint i = 0; i < G_N_ELEMENTS(firsts); i++) {
        gboolean ok = m2n_safetensors_read_f32(st, t, firsts[i], n, values, &error);
        if (ok)
            fuzz_use(values, n * sizeof(float));
        fuzz_check(ok, &error);
        ok = m2n_safetensors_read_raw(st, t, firsts[i], n, raw, &error);
        if (ok)
            fuzz_use(raw, n);
        fuzz_check(ok, &error);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(M2nSource) source = fuzz_source(data, size);
    g_autoptr(M2nSafetensors) st = m2n_safetensors_open(source, &error);

    fuzz_check(st != NULL, &error);
    if (st == NULL)
        return 0;
    const guint count = m2n_safetensors_count(st);
    for (guint i = 0; i < count && i < 64; i++)
        check_tensor(st, m2n_safetensors_nth(st, i), size);
    m2n_safetensors_find(st, "");
    m2n_safetensors_metadata(st, "format");
    return 0;
}
