/* A prepared dataset: opened, cut into windows, the first and the last of its fields read. */
#include "grib/dataset.h"
#include "tests/fuzz/fuzz.h"

#define MOST_VALUES (1u << 20)

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(M2nSource) source = fuzz_source(data, size);
    g_autoptr(M2nDataset) d = m2n_dataset_open(source, &error);
    gsize n;

    fuzz_check(d != NULL, &error);
    if (d == NULL)
        return 0;
    const M2nDomain *domain = m2n_dataset_domain(d);
    const gint64 *times = m2n_dataset_times(d, &n);
    const gsize values = (gsize)domain->n_variables * domain->grid->n_points;

    for (gsize i = 1; i < n; i++)
        g_assert_cmpint(times[i], >, times[i - 1]);
    if (n > 0 && values <= MOST_VALUES) {
        g_autofree float *out = g_new(float, values);
        fuzz_check(m2n_dataset_read(d, 0, 1, out, &error), &error);
        fuzz_check(m2n_dataset_read(d, n - 1, 1, out, &error), &error);
        fuzz_use(out, values * sizeof(float));
    }
    g_autoptr(M2nWindows) w = m2n_windows_new(d, 2, M2N_ZSCORE, M2N_TARGET_CHANGE, &error);
    fuzz_check(w != NULL, &error);
    return 0;
}
