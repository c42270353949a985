/* GDAL driver MET2NET: forecasts as raster bands and as multidimensional arrays.
 *
 * A client of plugin/met2net.h and GDAL, nothing else.  Every difference between releases of GDAL stays in
 * this file and gdal_arrays.hpp (tried: 3.6; written for 3.6 to 3.12).
 *
 *   bands   step-major: band 1 + step * n_variables + variable, one block per band, because the cost is the
 *           forecast and not the copy
 *   arrays  one per variable over time, y, x
 *
 * No PAM classes: an .aux.xml beside forecast.json would be wrong as soon as the forecast changes. */
#include "plugin/gdal_arrays.hpp"

namespace
{

constexpr const char *PREFIX = "MET2NET:";

constexpr const char *OPEN_OPTIONS =
    "<OpenOptionList>"
    "<Option name='MODEL' type='string' description='Model file; required to forecast from GRIB'/>"
    "<Option name='VARIABLE' type='string' description='Variables wanted, with commas between'/>"
    "<Option name='INIT_TIME' type='string' description='UTC time of the last input field, or "
    "latest' default='latest'/>"
    "<Option name='LEAD_TIME' type='string' description='How far: 90m, 24h, 5d, PT24H'/>"
    "<Option name='INITIAL_STATE' type='boolean' description='Begin with the last input field' "
    "default='NO'/>"
    "<Option name='MEMBER' type='int' description='Of an ensemble: its number; the lowest when "
    "not given'/>"
    "<Option name='T_SRS' type='string' description='CRS of the bands'/>"
    "<Option name='RESAMPLING' type='string-select' default='bilinear' description='To the grid of "
    "the model and to T_SRS'><Value>bilinear</Value><Value>nearest</Value>"
    "<Value>conservative</Value></Option>"
    "<Option name='THREADS' type='string' description='Number of threads, or ALL_CPUS'/>"
    "<Option name='PRECISION' type='string-select' default='float32' description='Of the large "
    "matrix products: bf16 halves the memory of weights, int8 about halves the time on processors "
    "with VNNI'><Value>float32</Value><Value>bf16</Value><Value>int8</Value></Option>"
    "<Option name='MAX_MEMORY' type='string' description='Bound for one computation, as 2GB'/>"
    "<Option name='CACHE' type='boolean' description='Use the cache on disk' default='YES'/>"
    "</OpenOptionList>";

/* Only our own: GDAL adds some of its own, such as OVERVIEW_LEVEL. */
CPLStringList
OwnOptions(CSLConstList all)
{
    CPLStringList own;

    for (; all != nullptr && *all != nullptr; ++all) {
        char *key = nullptr;
        const char *value = CPLParseNameValue(*all, &key);
        if (key != nullptr && value != nullptr &&
            CPLString(OPEN_OPTIONS).ifind(CPLSPrintf("name='%s'", key)) != std::string::npos)
            own.SetNameValue(key, value);
        CPLFree(key);
    }
    return own;
}

/* ---- bands ------------------------------------------------------------------------------------- */

class Dataset final : public GDALDataset
{
    Handle m_handle{};
    OGRSpatialReference m_srs{};
    bool m_described = false;
    bool m_has_arrays = false;

    /* Late, because it reads the model for its hash. */
    void Describe(const char *domain)
    {
        if (!m_described && (domain == nullptr || *domain == '\0')) {
            m_described = true;
            SetMetadata(const_cast<char **>(met2net_metadata(m_handle.get())));
        }
    }
    bool AddBands();

  public:
    static int Identify(GDALOpenInfo *open);
    static GDALDataset *Open(GDALOpenInfo *open);

#if GDAL_VERSION_NUM >= GDAL_COMPUTE_VERSION(3, 12, 0)
    CPLErr GetGeoTransform(GDALGeoTransform &gt) const override
    {
        gt = GDALGeoTransform(met2net_describe(m_handle.get())->geotransform);
        return CE_None;
    }
#else
    CPLErr GetGeoTransform(double *gt) override
    {
        memcpy(gt, met2net_describe(m_handle.get())->geotransform, 6 * sizeof *gt);
        return CE_None;
    }
#endif
    const OGRSpatialReference *GetSpatialRef() const override { return &m_srs; }
    /* Only for who asked for arrays: GDAL copies a dataset that has any as arrays alone, into VRT and MEM too. */
    std::shared_ptr<GDALGroup> GetRootGroup() const override
    {
        return m_has_arrays ? std::make_shared<Group>(m_handle) : nullptr;
    }
#if GDAL_VERSION_NUM >= GDAL_COMPUTE_VERSION(3, 13, 0)
    CSLConstList GetMetadata(const char *domain) override
#else
    char **GetMetadata(const char *domain) override
#endif
    {
        Describe(domain);
        return GDALDataset::GetMetadata(domain);
    }
    const char *GetMetadataItem(const char *key, const char *domain) override
    {
        if (STARTS_WITH_CI(key, "MET2NET_"))
            Describe(domain);
        return GDALDataset::GetMetadataItem(key, domain);
    }
    /* The name alone: who deletes a dataset by this list must not delete model and input. */
    char **GetFileList() override
    {
        const char *name = GetDescription();
        return CSLAddString(nullptr, STARTS_WITH_CI(name, PREFIX) ? name + strlen(PREFIX) : name);
    }
};

/* A part of the caller's progress. */
class Progress : public std::unique_ptr<void, decltype(&GDALDestroyScaledProgress)>
{
  public:
    Progress(const GDALRasterIOExtraArg *extra, double begin, double end)
        : unique_ptr(GDALCreateScaledProgress(begin, end, extra->pfnProgress, extra->pProgressData),
                     GDALDestroyScaledProgress)
    {
    }
};

class Band final : public GDALRasterBand
{
    Handle m_handle;
    unsigned m_variable, m_step;

  public:
    Band(Dataset *dataset, const Handle &handle, int band)
        : m_handle(handle),
          m_variable(unsigned(band - 1) % met2net_describe(handle.get())->n_variables),
          m_step(unsigned(band - 1) / met2net_describe(handle.get())->n_variables)
    {
        poDS = dataset;
        nBand = band;
        eDataType = GDT_Float32;
        nBlockXSize = dataset->GetRasterXSize();
        nBlockYSize = dataset->GetRasterYSize();
        SetDescription(met2net_field_description(handle.get(), m_variable, m_step));
        GDALMajorObject::SetMetadata(
            const_cast<char **>(met2net_field_metadata(handle.get(), m_variable, m_step)));
    }
    const char *GetUnitType() override
    {
        return met2net_describe(m_handle.get())->variables[m_variable].units;
    }
    double GetNoDataValue(int *has) override
    {
        if (has != nullptr)
            *has = TRUE;
        return std::numeric_limits<double>::quiet_NaN();
    }
    CPLErr IReadBlock(int, int, void *out) override
    {
        met2net_error error;

        if (met2net_read(m_handle.get(), m_variable, m_step, static_cast<float *>(out), &error))
            return CE_None;
        Report(error);
        return CE_Failure;
    }
    /* Computing is the long part: it has nearly all of the caller's progress, and can be cancelled there. */
    CPLErr IRasterIO(GDALRWFlag rw, int x, int y, int width, int height, void *buffer,
                     int bufferWidth, int bufferHeight, GDALDataType type, GSpacing pixelSpace,
                     GSpacing lineSpace, GDALRasterIOExtraArg *extra) override
    {
        GDALRasterIOExtraArg own = *extra;
        Progress computing(extra, 0, 0.99), copying(extra, 0.99, 1);
        met2net_error error;

        if (extra->pfnProgress != nullptr) {
            if (!met2net_compute(m_handle.get(), GDALScaledProgress, computing.get(), &error)) {
                Report(error);
                return CE_Failure;
            }
            own.pfnProgress = GDALScaledProgress;
            own.pProgressData = copying.get();
        }
        return GDALRasterBand::IRasterIO(rw, x, y, width, height, buffer, bufferWidth, bufferHeight,
                                         type, pixelSpace, lineSpace, &own);
    }
};

bool
Dataset::AddBands()
{
    const met2net_info *info = met2net_describe(m_handle.get());
    const int n = int(info->n_steps * info->n_variables);

    nRasterXSize = int(info->width);
    nRasterYSize = int(info->height);
    if (!GDALCheckDatasetDimensions(nRasterXSize, nRasterYSize) || !GDALCheckBandCount(n, FALSE))
        return false;
    for (int i = 1; i <= n; i++)
        SetBand(i, new Band(this, m_handle, i));
    return true;
}

int
Dataset::Identify(GDALOpenInfo *open)
{
    return STARTS_WITH_CI(open->pszFilename, PREFIX) ||
           (open->nHeaderBytes > 0 &&
            met2net_recognises(open->pabyHeader, size_t(open->nHeaderBytes)));
}

GDALDataset *
Dataset::Open(GDALOpenInfo *open)
{
    met2net_error error;

    if (!Identify(open))
        return nullptr;
    if (open->eAccess == GA_Update) {
        CPLError(CE_Failure, CPLE_NotSupported, "%s: a forecast cannot be opened for writing",
                 open->pszFilename);
        return nullptr;
    }
    const CPLStringList options = OwnOptions(open->papszOpenOptions);
    met2net *handle = met2net_open(open->pszFilename, options.List(), &error);
    if (handle == nullptr) {
        Report(error);
        return nullptr;
    }
    ReportNote(handle);
    auto dataset = std::make_unique<Dataset>();
    dataset->m_handle = Handle(handle, met2net_close);
    dataset->m_srs = SpatialReference(met2net_describe(handle));
    dataset->m_has_arrays = (open->nOpenFlags & GDAL_OF_MULTIDIM_RASTER) != 0;
    dataset->SetDescription(open->pszFilename);
    return dataset->AddBands() ? dataset.release() : nullptr;
}

} // namespace

extern "C" CPL_DLL void GDALRegister_MET2NET();

void
GDALRegister_MET2NET()
{
    if (!GDAL_CHECK_VERSION("MET2NET") || GDALGetDriverByName("MET2NET") != nullptr)
        return;
    auto driver = std::make_unique<GDALDriver>();
    driver->SetDescription("MET2NET");
    driver->SetMetadataItem(GDAL_DCAP_RASTER, "YES");
    driver->SetMetadataItem(GDAL_DCAP_MULTIDIM_RASTER, "YES");
    driver->SetMetadataItem(GDAL_DCAP_VIRTUALIO, "YES");
    driver->SetMetadataItem(GDAL_DMD_LONGNAME, "Met2Net weather forecast");
    driver->SetMetadataItem(GDAL_DMD_HELPTOPIC, "https://arxiv.org/abs/2507.17189");
    driver->SetMetadataItem(GDAL_DMD_EXTENSIONS, "json");
    driver->SetMetadataItem(GDAL_DMD_CONNECTION_PREFIX, PREFIX);
    driver->SetMetadataItem(GDAL_DMD_OPENOPTIONLIST, OPEN_OPTIONS);
    driver->pfnIdentify = Dataset::Identify;
    driver->pfnOpen = Dataset::Open;
    GetGDALDriverManager()->RegisterDriver(driver.release());
}
