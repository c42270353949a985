/* GDAL driver MET2NET: forecasts as raster bands and as multidimensional arrays.
 *
 * A client of plugin/met2net.h and GDAL, nothing else.  Every difference between releases of GDAL stays in
 * this file (tried: 3.6; written for 3.6 to 3.12).
 *
 *   bands   step-major: band 1 + step * n_variables + variable, one block per band, because the cost is the
 *           forecast and not the copy
 *   arrays  one per variable over time, y, x
 *
 * No PAM classes: an .aux.xml beside forecast.json would be wrong as soon as the forecast changes. */
#include <gdal_priv.h>
#include <ogr_spatialref.h>

#include <limits>
#include <memory>
#include <vector>

#include "plugin/met2net.h"

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
    "<Option name='T_SRS' type='string' description='CRS of the bands'/>"
    "<Option name='RESAMPLING' type='string-select' default='bilinear' description='To the grid of "
    "the model and to T_SRS'><Value>bilinear</Value><Value>nearest</Value>"
    "<Value>conservative</Value></Option>"
    "<Option name='THREADS' type='string' description='Number of threads, or ALL_CPUS'/>"
    "<Option name='MAX_MEMORY' type='string' description='Bound for one computation, as 2GB'/>"
    "<Option name='CACHE' type='boolean' description='Use the cache on disk' default='YES'/>"
    "</OpenOptionList>";

using Handle = std::shared_ptr<met2net>;

void
Report(const met2net_error &error)
{
    const CPLErrorNum number = error.code == MET2NET_ERROR_MEMORY      ? CPLE_OutOfMemory
                               : error.code == MET2NET_ERROR_CANCELLED ? CPLE_UserInterrupt
                               : error.code == MET2NET_ERROR_ARGUMENT  ? CPLE_IllegalArg
                               : error.code == MET2NET_ERROR_IO        ? CPLE_OpenFailed
                                                                       : CPLE_AppDefined;
    CPLError(CE_Failure, number, "%s", error.message);
}

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

OGRSpatialReference
SpatialReference(const met2net_info *info)
{
    OGRSpatialReference srs;

    srs.importFromWkt(info->crs_wkt);
    srs.SetAxisMappingStrategy(OAMS_TRADITIONAL_GIS_ORDER);
    return srs;
}

/* ---- multidimensional view ----------------------------------------------------------------- */

using Dimensions = std::vector<std::shared_ptr<GDALDimension>>;
using Attributes = std::vector<std::shared_ptr<GDALAttribute>>;

/* What coordinates and fields have in common: read-only, described from outside. */
class Array : public GDALMDArray
{
    Dimensions m_dimensions;
    GDALExtendedDataType m_type;
    std::string m_unit;
    std::string m_noFile{};

  public:
    Attributes m_attributes{};

    Array(const std::string &name, const Dimensions &dimensions, GDALDataType type,
          const std::string &unit)
        : GDALAbstractMDArray("/", name), GDALMDArray("/", name), m_dimensions(dimensions),
          m_type(GDALExtendedDataType::Create(type)), m_unit(unit)
    {
    }
    void AddText(const char *key, const std::string &value)
    {
        if (!value.empty())
            m_attributes.push_back(
                std::make_shared<GDALAttributeString>(GetFullName(), key, value));
    }
    void AddNumber(const char *key, double value)
    {
        m_attributes.push_back(std::make_shared<GDALAttributeNumeric>(GetFullName(), key, value));
    }
    bool IsWritable() const override { return false; }
    const std::string &GetFilename() const override { return m_noFile; }
    const Dimensions &GetDimensions() const override { return m_dimensions; }
    const GDALExtendedDataType &GetDataType() const override { return m_type; }
    const std::string &GetUnit() const override { return m_unit; }
    Attributes GetAttributes(CSLConstList) const override { return m_attributes; }
};

/* Coordinates: at most one dimension, values at hand. */
class CoordinateArray final : public Array
{
    std::vector<double> m_values;

  public:
    CoordinateArray(const std::string &name, const Dimensions &dimensions, const std::string &unit,
                    const std::vector<double> &values)
        : GDALAbstractMDArray("/", name), Array(name, dimensions, GDT_Float64, unit),
          m_values(values)
    {
    }

  protected:
    bool IRead(const GUInt64 *start, const size_t *count, const GInt64 *step,
               const GPtrDiff_t *stride, const GDALExtendedDataType &type,
               void *buffer) const override
    {
        const size_t n = GetDimensionCount() == 0 ? 1 : count[0];
        GByte *out = static_cast<GByte *>(buffer);

        for (size_t i = 0; i < n; i++) {
            const GInt64 at =
                GetDimensionCount() == 0 ? 0 : static_cast<GInt64>(start[0]) + GInt64(i) * step[0];
            GByte *to = out + (n > 1 ? GPtrDiff_t(i) * stride[0] * GPtrDiff_t(type.GetSize()) : 0);
            if (!GDALExtendedDataType::CopyValue(&m_values[size_t(at)], GetDataType(), to, type))
                return false;
        }
        return true;
    }
};

/* One variable over time, y, x. */
class FieldArray final : public Array
{
    Handle m_handle;
    unsigned m_variable;
    std::shared_ptr<OGRSpatialReference> m_srs;
    float m_noData = std::numeric_limits<float>::quiet_NaN();

  public:
    FieldArray(const Handle &handle, unsigned variable, const Dimensions &dimensions)
        : GDALAbstractMDArray("/", met2net_describe(handle.get())->variables[variable].name),
          Array(met2net_describe(handle.get())->variables[variable].name, dimensions, GDT_Float32,
                met2net_describe(handle.get())->variables[variable].units),
          m_handle(handle), m_variable(variable),
          m_srs(std::make_shared<OGRSpatialReference>(
              SpatialReference(met2net_describe(handle.get()))))
    {
        /* dimensions are numbered from 1: x is the third, y the second */
        m_srs->SetDataAxisToSRSAxisMapping(m_srs->EPSGTreatsAsLatLong() ||
                                                   m_srs->EPSGTreatsAsNorthingEasting()
                                               ? std::vector<int>{2, 3}
                                               : std::vector<int>{3, 2});
    }
    std::shared_ptr<OGRSpatialReference> GetSpatialRef() const override { return m_srs; }
    const void *GetRawNoDataValue() const override { return &m_noData; }
    std::vector<GUInt64> GetBlockSize() const override
    {
        return {1, GetDimensions()[1]->GetSize(), GetDimensions()[2]->GetSize()};
    }

  protected:
    bool IRead(const GUInt64 *start, const size_t *count, const GInt64 *step,
               const GPtrDiff_t *stride, const GDALExtendedDataType &type,
               void *buffer) const override
    {
        const met2net_info *info = met2net_describe(m_handle.get());
        std::vector<float> field(size_t(info->width) * info->height);
        met2net_error error;

        if (type.GetClass() != GEDTC_NUMERIC)
            return false;
        const int size = int(type.GetSize());
        for (size_t t = 0; t < count[0]; t++) {
            const GInt64 time = GInt64(start[0]) + GInt64(t) * step[0];
            if (!met2net_read(m_handle.get(), m_variable, unsigned(time), field.data(), &error)) {
                Report(error);
                return false;
            }
            for (size_t y = 0; y < count[1]; y++) {
                const GInt64 row = GInt64(start[1]) + GInt64(y) * step[1];
                const float *from = field.data() + row * GInt64(info->width) + GInt64(start[2]);
                GByte *to = static_cast<GByte *>(buffer) +
                            (GPtrDiff_t(t) * stride[0] + GPtrDiff_t(y) * stride[1]) * size;
                GDALCopyWords64(from, GDT_Float32, int(step[2]) * int(sizeof(float)), to,
                                type.GetNumericDataType(), int(stride[2]) * size,
                                GPtrDiff_t(count[2]));
            }
        }
        return true;
    }
};

class Group final : public GDALGroup
{
    Dimensions m_dimensions{};
    std::vector<std::shared_ptr<Array>> m_arrays{};
    Attributes m_attributes{};

    std::shared_ptr<GDALDimensionWeakIndexingVar> AddDimension(const char *name, const char *type,
                                                               const char *direction, GUInt64 size)
    {
        auto dimension =
            std::make_shared<GDALDimensionWeakIndexingVar>("/", name, type, direction, size);
        m_dimensions.push_back(dimension);
        return dimension;
    }
    std::shared_ptr<Array> AddCoordinate(const char *name, const Dimensions &dimensions,
                                         const char *unit, const std::vector<double> &values)
    {
        m_arrays.push_back(std::make_shared<CoordinateArray>(name, dimensions, unit, values));
        return m_arrays.back();
    }

    void AddTime(const met2net_info *info)
    {
        constexpr const char *SECONDS = "seconds since 1970-01-01 00:00:00";
        auto dimension = AddDimension("time", GDAL_DIM_TYPE_TEMPORAL, "", info->n_steps);
        std::vector<double> valid, lead;

        for (unsigned t = 0; t < info->n_steps; t++) {
            lead.push_back(double(info->first_lead + t * info->time_step));
            valid.push_back(double(info->init_time) + lead.back());
        }
        auto time = AddCoordinate("time", {dimension}, SECONDS, valid);
        time->AddText("standard_name", "time");
        time->AddText("long_name", "valid time");
        time->AddText("calendar", "standard");
        time->AddText("axis", "T");
        dimension->SetIndexingVariable(time);
        auto period = AddCoordinate("lead_time", {dimension}, "seconds", lead);
        period->AddText("standard_name", "forecast_period");
        auto init = AddCoordinate("init_time", {}, SECONDS, {double(info->init_time)});
        init->AddText("standard_name", "forecast_reference_time");
        init->AddText("calendar", "standard");
    }
    /* The centres of the cells along one axis. */
    void AddAxis(bool isX, double origin, double step, unsigned n, bool geographic,
                 const char *projectedUnit)
    {
        auto dimension = isX ? AddDimension("x", GDAL_DIM_TYPE_HORIZONTAL_X, "EAST", n)
                             : AddDimension("y", GDAL_DIM_TYPE_HORIZONTAL_Y, "NORTH", n);
        std::vector<double> centres;

        for (unsigned i = 0; i < n; i++)
            centres.push_back(origin + (i + 0.5) * step);
        const char *unit = !geographic ? projectedUnit : isX ? "degrees_east" : "degrees_north";
        auto axis = AddCoordinate(isX ? "x" : "y", {dimension}, unit, centres);
        axis->AddText("standard_name",
                      geographic ? (isX ? "longitude" : "latitude")
                                 : (isX ? "projection_x_coordinate" : "projection_y_coordinate"));
        axis->AddText("axis", isX ? "X" : "Y");
        dimension->SetIndexingVariable(axis);
    }
    void AddField(const Handle &handle, unsigned i)
    {
        const met2net_variable &v = met2net_describe(handle.get())->variables[i];
        const Dimensions order{m_dimensions[0], m_dimensions[1], m_dimensions[2]};
        auto field = std::make_shared<FieldArray>(handle, i, order);

        field->AddText("long_name", v.long_name);
        field->AddText("standard_name", v.standard_name != nullptr ? v.standard_name : "");
        field->AddText("coordinates", "lead_time init_time");
        field->AddText("GRIB_typeOfLevel", v.type_of_level);
        field->AddNumber("GRIB_level", v.level);
        field->AddNumber("GRIB_paramId", double(v.param_id));
        m_arrays.push_back(field);
    }

  public:
    explicit Group(const Handle &handle) : GDALGroup(std::string(), "/")
    {
        const met2net_info *info = met2net_describe(handle.get());
        const double *geo = info->geotransform;
        const OGRSpatialReference srs = SpatialReference(info);
        const bool metres = srs.GetLinearUnits() == 1.0;

        AddTime(info);
        AddAxis(false, geo[3], geo[5], info->height, srs.IsGeographic(), metres ? "m" : "");
        AddAxis(true, geo[0], geo[1], info->width, srs.IsGeographic(), metres ? "m" : "");
        for (unsigned i = 0; i < info->n_variables; i++)
            AddField(handle, i);

        CPLStringList items(CSLDuplicate(const_cast<char **>(met2net_metadata(handle.get()))));
        items.SetNameValue("Conventions", "CF-1.8");
        for (int i = 0; i < items.size(); i++) {
            char *key = nullptr;
            const char *value = CPLParseNameValue(items[i], &key);
            m_attributes.push_back(std::make_shared<GDALAttributeString>("/", key, value));
            CPLFree(key);
        }
    }
    Dimensions GetDimensions(CSLConstList) const override { return m_dimensions; }
    Attributes GetAttributes(CSLConstList) const override { return m_attributes; }
    std::vector<std::string> GetMDArrayNames(CSLConstList) const override
    {
        std::vector<std::string> names;

        for (const auto &array : m_arrays)
            names.push_back(array->GetName());
        return names;
    }
    std::shared_ptr<GDALMDArray> OpenMDArray(const std::string &name, CSLConstList) const override
    {
        for (const auto &array : m_arrays)
            if (array->GetName() == name)
                return array;
        return nullptr;
    }
};

/* ---- bands ------------------------------------------------------------------------------------- */

class Dataset final : public GDALDataset
{
    Handle m_handle{};
    OGRSpatialReference m_srs{};
    bool m_described = false;

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
    std::shared_ptr<GDALGroup> GetRootGroup() const override
    {
        return std::make_shared<Group>(m_handle);
    }
    char **GetMetadata(const char *domain) override
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
    /* Computing is the long part: it reports to the caller's progress function and can be cancelled there. */
    CPLErr IRasterIO(GDALRWFlag rw, int x, int y, int width, int height, void *buffer,
                     int bufferWidth, int bufferHeight, GDALDataType type, GSpacing pixelSpace,
                     GSpacing lineSpace, GDALRasterIOExtraArg *extra) override
    {
        met2net_error error;

        if (extra != nullptr && extra->pfnProgress != nullptr &&
            !met2net_compute(m_handle.get(), extra->pfnProgress, extra->pProgressData, &error)) {
            Report(error);
            return CE_Failure;
        }
        return GDALRasterBand::IRasterIO(rw, x, y, width, height, buffer, bufferWidth, bufferHeight,
                                         type, pixelSpace, lineSpace, extra);
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
    auto dataset = std::make_unique<Dataset>();
    dataset->m_handle = Handle(handle, met2net_close);
    dataset->m_srs = SpatialReference(met2net_describe(handle));
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
