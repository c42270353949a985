/* The multidimensional view of a forecast: one array per variable over time, y, x, with CF attributes.
 * Part of the driver (plugin/gdal_met2net.cpp), and like it a client of plugin/met2net.h and GDAL, but for a name of units. */
#pragma once
#include <gdal_priv.h>
#include <ogr_spatialref.h>

#include <limits>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "plugin/linear_unit.h"
#include "plugin/met2net.h"

namespace
{

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

/* Once for each: a GIS opens many handles on the same forecast. */
void
ReportNote(const met2net *handle)
{
    static std::mutex lock;
    static std::set<std::string> told;
    const char *note = met2net_note(handle);
    const std::lock_guard<std::mutex> guard(lock);

    if (note != nullptr && told.size() < 1000 && told.insert(note).second)
        CPLError(CE_Warning, CPLE_AppDefined, "%s (open option MEMBER=n takes another)", note);
}

OGRSpatialReference
SpatialReference(const met2net_info *info)
{
    OGRSpatialReference srs;

    srs.importFromWkt(info->crs_wkt);
    srs.SetAxisMappingStrategy(OAMS_TRADITIONAL_GIS_ORDER);
    return srs;
}

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
    /* GDAL makes views of an array through this reference to itself. */
    template <class T> static std::shared_ptr<T> Own(const std::shared_ptr<T> &array)
    {
        array->SetSelf(array);
        return array;
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
    std::vector<std::shared_ptr<Array>> m_coordinates; /* dimensions hold theirs weakly */
    float m_noData = std::numeric_limits<float>::quiet_NaN();

  public:
    FieldArray(const Handle &handle, unsigned variable, const Dimensions &dimensions,
               const std::vector<std::shared_ptr<Array>> &coordinates)
        : GDALAbstractMDArray("/", met2net_describe(handle.get())->variables[variable].name),
          Array(met2net_describe(handle.get())->variables[variable].name, dimensions, GDT_Float32,
                met2net_describe(handle.get())->variables[variable].units),
          m_handle(handle), m_variable(variable),
          m_srs(std::make_shared<OGRSpatialReference>(
              SpatialReference(met2net_describe(handle.get())))),
          m_coordinates(coordinates)
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
        m_arrays.push_back(
            Array::Own(std::make_shared<CoordinateArray>(name, dimensions, unit, values)));
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
    void AddAxis(bool isX, double origin, double step, unsigned n, const OGRSpatialReference &srs)
    {
        const bool turned = srs.IsDerivedGeographic(); /* degrees round another pole */
        auto dimension = isX ? AddDimension("x", GDAL_DIM_TYPE_HORIZONTAL_X, "EAST", n)
                             : AddDimension("y", GDAL_DIM_TYPE_HORIZONTAL_Y, "NORTH", n);
        std::vector<double> centres;

        for (unsigned i = 0; i < n; i++)
            centres.push_back(origin + (i + 0.5) * step);
        const bool geographic = srs.IsGeographic();
        const char *unit = turned        ? "degrees"
                           : !geographic ? m2n_linear_unit(OGRSpatialReference::ToHandle(const_cast<OGRSpatialReference *>(&srs)))
                           : isX         ? "degrees_east"
                                         : "degrees_north";
        const char *standardName = turned        ? (isX ? "grid_longitude" : "grid_latitude")
                                   : !geographic ? (isX ? "projection_x_coordinate" : "projection_y_coordinate")
                                   : isX         ? "longitude"
                                                 : "latitude";
        auto axis = AddCoordinate(isX ? "x" : "y", {dimension}, unit, centres);
        axis->AddText("standard_name", standardName);
        axis->AddText("axis", isX ? "X" : "Y");
        dimension->SetIndexingVariable(axis);
    }
    void AddField(const Handle &handle, unsigned i,
                  const std::vector<std::shared_ptr<Array>> &coordinates)
    {
        const met2net_variable &v = met2net_describe(handle.get())->variables[i];
        const Dimensions order{m_dimensions[0], m_dimensions[1], m_dimensions[2]};
        auto field = Array::Own(std::make_shared<FieldArray>(handle, i, order, coordinates));

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

        AddTime(info);
        AddAxis(false, geo[3], geo[5], info->height, srs);
        AddAxis(true, geo[0], geo[1], info->width, srs);
        const auto coordinates = m_arrays;
        for (unsigned i = 0; i < info->n_variables; i++)
            AddField(handle, i, coordinates);

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

} // namespace
