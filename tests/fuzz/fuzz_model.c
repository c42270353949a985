/* A model file or a prepared dataset: configuration, variables, grid, and where it goes that far the
 * weights and one forecast from them, in the precision and read by the threads that the file's size tells. */
#include "engine/nn/session.h"
#include "grib/domain.h"
#include "tests/fuzz/fuzz.h"

#define MOST_MEMORY ((gsize)256 << 20)

static void
run(M2nModel *m)
{
    const M2nConfig *c = m2n_model_config(m);
    const gsize n = (gsize)c->steps * c->variables * c->height * c->width;
    g_autoptr(GError) error = NULL;
    g_autoptr(M2nSession) s = m2n_session_new(m, 1, 1, MOST_MEMORY, &error);

    fuzz_check(s != NULL, &error);
    if (s == NULL || n > (1u << 20))
        return;
    g_autofree float *x = g_new(float, n), *y = g_new(float, n);
    for (gsize i = 0; i < n; i++)
        x[i] = (float)(i % 7) - 3;
    fuzz_check(m2n_session_run(s, x, y, NULL, NULL, &error), &error);
    fuzz_use(y, n * sizeof(float));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(M2nSource) source = fuzz_source(data, size);
    g_autoptr(M2nSafetensors) st = m2n_safetensors_open(source, &error);
    M2nConfig config;

    fuzz_check(st != NULL, &error);
    if (st == NULL)
        return 0;
    g_autoptr(M2nDomain) domain = m2n_domain_read(st, &error);
    fuzz_check(domain != NULL, &error);
    if (domain != NULL) {
        g_autofree char *text = m2n_grid_describe(domain->grid);
        fuzz_use(text, strlen(text));
        fuzz_use(domain->variables, domain->n_variables * sizeof *domain->variables);
    }
    const gboolean ok = m2n_config_read(st, &config, &error);
    fuzz_check(ok, &error);
    const guint threads = 1 + (guint)(size / M2N_N_PRECISIONS % 2 * 2);
    g_autoptr(M2nModel) m = m2n_model_load(st, (M2nPrecision)(size % M2N_N_PRECISIONS), threads, &error);
    fuzz_check(m != NULL, &error);
    if (m != NULL)
        run(m);
    return 0;
}
