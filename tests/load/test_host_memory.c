/* MAX_MEMORY in a host: what it allows is what the computation stays below. */
#include <sys/resource.h>

#include "tests/load/alone.h"

#ifdef __SANITIZE_ADDRESS__ /* which keeps what was freed */
#define BESIDE_MB 512
#else
#define BESIDE_MB 24 /* decoding the input and PROJ's tables are beside the computation */
#endif

static long
peak_mb(void)
{
    struct rusage use;

    getrusage(RUSAGE_SELF, &use);
    return use.ru_maxrss / 1024;
}

static gboolean
read_one(GDALDatasetH ds, gboolean arrays)
{
    float value;

    if (!arrays)
        return GDALRasterIO(GDALGetRasterBand(ds, 1), GF_Read, 0, 0, 1, 1, &value, 1, 1,
                            GDT_Float32, 0, 0) == CE_None;
    GDALGroupH root = GDALDatasetGetRootGroup(ds);
    GDALMDArrayH array = GDALGroupOpenMDArray(root, "t2m", NULL);
    const GUInt64 start[3] = {0};
    const size_t count[3] = {1, 1, 1};
    GDALExtendedDataTypeH type = GDALExtendedDataTypeCreate(GDT_Float32);
    g_assert_nonnull(array);
    const gboolean ok =
        GDALMDArrayRead(array, start, count, NULL, NULL, type, &value, &value, sizeof value) != 0;
    GDALExtendedDataTypeRelease(type);
    GDALMDArrayRelease(array);
    GDALGroupRelease(root);
    return ok;
}

/* The least MAX_MEMORY that works is what the computation stays below; less is an error that says so. */
static void
bound_of(const char *more, gboolean arrays)
{
    gboolean done = FALSE;
    int mb;

    begin();
    CPLSetErrorHandler(CPLQuietErrorHandler);
    GDALDatasetH warm = host_open(forecast, "LEAD_TIME=200h");
    g_assert_nonnull(warm);
    GDALClose(warm);
    const long before = peak_mb();
    for (mb = 1; !done && mb < 4096; mb *= 2) {
        g_autofree char *option = g_strdup_printf("MAX_MEMORY=%dMB", mb);
        const char *const options[] = {"THREADS=1", "CACHE=NO", "LEAD_TIME=200h",
                                       option,      more,       NULL};
        GDALDatasetH ds = GDALOpenEx(forecast, arrays ? GDAL_OF_MULTIDIM_RASTER : GDAL_OF_RASTER,
                                     NULL, options, NULL);
        done = ds != NULL && read_one(ds, arrays);
        if (!done) /* "MAX_MEMORY allows", "are allowed" */
            g_assert_nonnull(strstr(CPLGetLastErrorMsg(), "allow"));
        if (ds != NULL)
            GDALClose(ds);
    }
    g_assert_true(done && mb > 2);
    g_test_message("%s: MAX_MEMORY=%dMB, peak %ld MB", more != NULL ? more : "", mb / 2,
                   peak_mb() - before);
    g_assert_cmpint(peak_mb() - before, <=, mb / 2 + BESIDE_MB);
    end();
}

static void
memory_bound(void)
{
    bound_of(NULL, FALSE);
}

static void
memory_bound_of_arrays(void)
{
    bound_of(NULL, TRUE);
}

static void
memory_bound_of_int8(void)
{
    bound_of("PRECISION=int8", FALSE);
}

static void
memory_bound_of_bf16(void)
{
    bound_of("PRECISION=bf16", FALSE);
}

static void
memory_bound_elsewhere(void)
{
    bound_of("T_SRS=EPSG:3857", FALSE);
}

int
main(int argc, char **argv)
{
    alone_init(&argc, &argv);
    add("/host/memory-bound", memory_bound);
    add("/host/memory-bound/arrays", memory_bound_of_arrays);
    add("/host/memory-bound/int8", memory_bound_of_int8);
    add("/host/memory-bound/bf16", memory_bound_of_bf16);
    add("/host/memory-bound/another-crs", memory_bound_elsewhere);
    return g_test_run();
}
