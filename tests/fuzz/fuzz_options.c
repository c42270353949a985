/* Open options, one KEY=VALUE per line, over a good forecast file; then the grid in the CRS they ask for. */
#include <string.h>

#include "plugin/forecast_spec.h"
#include "plugin/output_grid.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char json[] =
        "{\"met2net\":1,\"model\":\"model.safetensors\",\"input\":[\"a.grib2\"]}";
    static const double geo[6] = {-180, 30, 0, 90, 0, -30};
    static char *path;
    g_autoptr(GError) error = NULL;
    g_autofree char *text = g_strndup((const char *)data, size);
    g_auto(GStrv) options = g_strsplit(text, "\n", 32);

    if (path == NULL) {
        path = fuzz_write("forecast.json", (const uint8_t *)json, strlen(json));
        g_free(fuzz_write("model.safetensors", data, 0));
        g_free(fuzz_write("a.grib2", data, 0));
    }
    g_autoptr(M2nForecastSpec) spec =
        m2n_forecast_spec_new(path, (const char *const *)options, &error);
    fuzz_check(spec != NULL, &error);
    if (spec == NULL || spec->crs == NULL)
        return 0;
    g_autoptr(M2nGrid) from = m2n_grid_new_affine("EPSG:4326", 12, 6, geo);
    g_autoptr(M2nGrid) to = m2n_output_grid_new(from, spec->crs, &error);
    fuzz_check(to != NULL, &error);
    if (to != NULL) {
        g_assert_cmpuint(to->width, >, 0);
        g_assert_cmpuint(to->height, >, 0);
        g_assert_cmpuint(to->n_points, <=, 4096);
    }
    return 0;
}
