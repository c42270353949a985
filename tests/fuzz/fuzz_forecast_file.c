/* forecast.json: parsed, its sources looked up beside it, its CRS turned into WKT. */
#include "plugin/forecast_file.h"
#include "plugin/output_grid.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static gboolean prepared;
    g_autoptr(GError) error = NULL;
    g_autofree char *path = fuzz_write("forecast.json", data, size);

    if (!prepared) { /* what the seeds name: it is not read here */
        g_autofree char *model = fuzz_write("model.safetensors", data, 0);
        g_autofree char *input = fuzz_write("analysis.grib2", data, 0);
        prepared = TRUE;
    }
    m2n_forecast_file_recognises((const char *)data, size);
    g_autoptr(M2nForecastSpec) spec = m2n_forecast_spec_new(path, NULL, &error);
    fuzz_check(spec != NULL, &error);
    if (spec == NULL || spec->crs == NULL)
        return 0;
    g_autofree char *wkt = m2n_crs_to_wkt(spec->crs, &error);
    fuzz_check(wkt != NULL, &error);
    return 0;
}
