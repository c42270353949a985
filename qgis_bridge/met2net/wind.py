"""Wind arrows: U and V as GRIB2 beside the forecast, shown by QGIS as a mesh of vectors.

QGIS reads mesh vectors from real files alone, and its GRIB reader tells quantities apart by name and not by
level: hence one file per level, with one U and one V.
"""
import os

from osgeo import gdal
from qgis.core import QgsMeshDatasetIndex, QgsMeshLayer, QgsMeshRendererScalarSettings, QgsMeshRendererVectorSettings
from qgis.PyQt.QtGui import QColor

from . import driver, styles
from .forecast import open_dataset
from .layers import mark_times, moment

ARROW = QColor("#1b1b1b")


def pairs(forecast):
    """[(u, v)]: variables of the same level that make a wind."""
    by_level = {v.level: v for v in forecast.variables if v.element == "VGRD"}
    return [(u, by_level[u.level]) for u in forecast.variables if u.element == "UGRD" and u.level in by_level]


def file_name(forecast, level):
    """"forecast.json", "10 m" -> "forecast_wind_10m.grib2" in the same folder."""
    stem = os.path.splitext(forecast.path)[0]
    return f"{stem}_wind_{level.replace(' ', '') or 'column'}.grib2"


def writable(dataset, path):
    """The data set to write winds from: `dataset`, or the forecast in longitude and latitude when it is in Mercator.

    GRIB does not know web Mercator. There north is up and angles are true, so the same arrows fit; in other
    projections they would not.
    """
    reference = dataset.GetSpatialRef()
    if reference is None or not (reference.GetAttrValue("PROJECTION") or "").startswith("Mercator"):
        return dataset
    return open_dataset(path, ["T_SRS=EPSG:4326"])


def write(dataset, pair, path, progress=None):
    """Writes U and V of all lead times, in order of time; appears complete or not at all."""
    bands = [number for both in zip(pair[0].bands, pair[1].bands) for number in both]
    part = f"{path}.part"
    callback = None if progress is None else (lambda done, _message, _data: 1 if progress(done) else 0)
    options = gdal.TranslateOptions(format="GRIB", bandList=bands, callback=callback,
                                    creationOptions=["DATA_ENCODING=SIMPLE_PACKING", "NBITS=16"])
    try:
        driver.call(gdal.Translate, part, dataset, options=options)
        os.replace(part, path)
    except OSError as error:
        raise driver.DriverError(f"{path}: {error.strerror}") from error
    finally:
        for left in (part, part + ".aux.xml"):
            if os.path.exists(left):
                os.remove(left)


def mesh_layer(path, name, forecast):
    """QgsMeshLayer of a file written here, timed; no colours yet."""
    layer = QgsMeshLayer(path, name, "mdal")
    if not layer.isValid():
        return layer
    layer.setReferenceTime(moment(forecast.init_time).toUTC())
    layer.temporalProperties().setIsActive(True)
    mark_times(layer, forecast.init_time, forecast.valid_times, range(1, len(forecast.valid_times) + 1))
    return layer


def vector_group(layer):
    """Index of the group that MDAL made of U and V, or -1."""
    for index in layer.datasetGroupsIndexes():
        if layer.datasetGroupMetadata(layer_index(index)).isVector():
            return index
    return -1


def layer_index(group):
    return QgsMeshDatasetIndex(group, 0)


def arrows(path, level, forecast):
    """Arrows on a screen grid, longer where the wind is stronger."""
    layer = mesh_layer(path, f"Wind {level}", forecast)
    if not layer.isValid():
        return layer
    group = vector_group(layer)
    settings = layer.rendererSettings()
    settings.setActiveScalarDatasetGroup(-1)
    settings.setActiveVectorDatasetGroup(group)
    vector = settings.vectorSettings(group)
    vector.setSymbology(QgsMeshRendererVectorSettings.Arrows)
    vector.setColor(ARROW)
    vector.setLineWidth(0.35)
    vector.setOnUserDefinedGrid(True)
    vector.setUserGridCellWidth(28)
    vector.setUserGridCellHeight(28)
    shape = vector.arrowSettings()
    shape.setShaftLengthMethod(shape.MinMax)
    shape.setMinShaftLength(1.0)
    shape.setMaxShaftLength(9.0)
    shape.setArrowHeadLengthRatio(0.38)
    shape.setArrowHeadWidthRatio(0.26)
    vector.setArrowsSettings(shape)
    settings.setVectorSettings(group, vector)
    layer.setRendererSettings(settings)
    return layer


def speed(path, level, forecast):
    """The length of the same vectors as colours."""
    layer = mesh_layer(path, f"Wind speed {level}", forecast)
    if not layer.isValid():
        return layer
    group = vector_group(layer)
    fastest = layer.datasetGroupMetadata(layer_index(group)).maximum()
    low, high = styles.display_range(styles.STYLES["WIND"], (0.0, max(fastest, 1.0)))
    settings = layer.rendererSettings()
    settings.setActiveVectorDatasetGroup(-1)
    settings.setActiveScalarDatasetGroup(group)
    scalar = settings.scalarSettings(group)
    scalar.setClassificationMinimumMaximum(low, high)
    scalar.setColorRampShader(styles.ramp_shader(styles.SPEED, low, high, "m/s"))
    scalar.setDataResamplingMethod(QgsMeshRendererScalarSettings.NeighbourAverage)
    settings.setScalarSettings(group, scalar)
    layer.setRendererSettings(settings)
    return layer
