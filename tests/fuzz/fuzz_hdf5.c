/* The look at an HDF5 file that comes before anybody opens it: does it lead to other files? */
#include "plugin/hdf5_alone.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(M2nSource) source = fuzz_source(data, size);

    const gboolean ok = m2n_hdf5_alone(source, &error);
    fuzz_check(ok, &error);
    return 0;
}
