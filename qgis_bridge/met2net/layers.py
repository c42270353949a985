"""Layers of a forecast: one per variable, in a group named by the initial time."""
import json

from qgis.core import (Qgis, QgsDateTimeRange, QgsMapLayer, QgsRasterDataProvider, QgsRasterLayer,
                       QgsRasterLayerTemporalProperties)
from qgis.PyQt.QtCore import QDateTime, Qt

from . import styles
from .forecast import time_text

TIMES = "met2net/valid_times"      # JSON list of Unix seconds: band k shows entry k-1
BANDS = "met2net/bands"            # JSON list: the band of each entry
INIT = "met2net/init_time"         # Unix seconds
FORECAST = "met2net/forecast"      # "yes": the layer's source is computed by the driver


def moment(seconds):
    return QDateTime.fromSecsSinceEpoch(int(seconds), Qt.UTC)


def group_name(forecast):
    return f"Forecast {time_text(forecast.init_time)}"


def source(path, variable):
    """A plain path with an option: QGIS keeps it relative to the project, so both can be moved."""
    return f"{path}|option:VARIABLE={variable.name}"


def forecast_layer(forecast, variable, found=None):
    """QgsRasterLayer of one variable, styled and timed; reads headers only.

    found  (low, high) of the variable over all lead times, for the colours.
    """
    options = QgsRasterLayer.LayerOptions(False)  # the default style would read pixels on this thread
    layer = QgsRasterLayer(source(forecast.path, variable), variable.title, "gdal", options)
    if layer.isValid():
        dress(layer, forecast, variable, found, range(1, len(variable.valid_times) + 1))
        layer.setCustomProperty(FORECAST, "yes")
    return layer


def dress(layer, forecast, variable, found, bands):
    """Style and times on a raster layer whose `bands` hold the lead times of `variable`."""
    bands = list(bands)
    layer.setRenderer(styles.renderer(layer.dataProvider(), bands[0], variable.element, variable.unit, found))
    smooth(layer)
    mark_times(layer, forecast.init_time, variable.valid_times, bands)
    set_temporal(layer, variable.valid_times, bands, forecast.time_step)


def smooth(layer):
    """Between the points of a coarse grid values are interpolated, by the provider, before they get colours."""
    provider = layer.dataProvider()
    if provider.enableProviderResampling(True):
        provider.setZoomedInResamplingMethod(QgsRasterDataProvider.ResamplingMethod.Bilinear)
        layer.setResamplingStage(Qgis.RasterResamplingStage.Provider)


def mark_times(layer, init_time, valid_times, bands):
    layer.setCustomProperty(INIT, str(init_time))
    layer.setCustomProperty(TIMES, json.dumps(list(valid_times)))
    layer.setCustomProperty(BANDS, json.dumps(list(bands)))


def renew_times(layer, forecast):
    """The forecast of a saved project may have moved on ("latest"): takes its times as they are now."""
    name = layer.source().rpartition("VARIABLE=")[2]
    for variable in forecast.variables:
        if variable.name == name:
            bands = range(1, len(variable.valid_times) + 1)
            mark_times(layer, forecast.init_time, variable.valid_times, bands)
            set_temporal(layer, variable.valid_times, list(bands), forecast.time_step)


def set_temporal(layer, valid_times, bands, time_step):
    """QGIS 3.38 and later draw the band of a time by themselves; before, LeadTimeFollower must move the band."""
    properties = layer.temporalProperties()
    if follows_by_itself(layer):
        properties.setMode(Qgis.RasterTemporalMode.FixedRangePerBand)
        properties.setFixedRangePerBand(ranges_per_band(list(zip(valid_times, bands)), valid_times[-1] + time_step))
    else:
        properties.setMode(QgsRasterLayerTemporalProperties.ModeFixedTemporalRange)
        properties.setFixedTemporalRange(time_range(valid_times[0], valid_times[-1] + time_step))
    properties.setIsActive(True)


def fit_to_frames(layer, times, when):
    """Makes QGIS 3.38 and later draw band_at() of each frame like `when`.

    Where several ranges meet a frame QGIS draws the last band. Arrows show the begin of the frame; so shall colours.
    """
    properties = layer.temporalProperties()
    ends = [entry.end().toSecsSinceEpoch() for entry in properties.fixedRangePerBand().values()]
    begin, length = when.begin().toSecsSinceEpoch(), when.begin().secsTo(when.end())
    if ends:
        properties.setFixedRangePerBand(ranges_per_band(times, max(ends), begin, length))


def ranges_per_band(times, end, frame=0, length=0):
    """{band: range} from valid time to valid time, or to the first frame at or after either: a frame meets one range.

    times   [(valid_time, band), ...]
    frame   begin of any frame of `length` seconds; 0: an instant, which meets one range in any case
    """
    def first_frame(seconds):
        return seconds if length <= 0 else seconds + (frame - seconds) % length

    begins = [times[0][0]] + [first_frame(valid) for valid, _ in times[1:]]
    ends = [min(begin, end) for begin in begins[1:]] + [end]
    return {band: time_range(begin, stop) for (_, band), begin, stop in zip(times, begins, ends) if begin < stop}


def follows_by_itself(layer):
    return hasattr(layer.temporalProperties(), "setFixedRangePerBand")


def time_range(begin, end):
    """[begin, end): a frame that starts where another ends must not show both."""
    return QgsDateTimeRange(moment(begin), moment(end), True, False)


def times_of(layer):
    """(init_time, [(valid_time, band), ...]) of a layer made here, or None."""
    if not isinstance(layer, QgsMapLayer):
        return None
    text = layer.customProperty(TIMES)
    if not text:
        return None
    times = json.loads(text)
    bands = json.loads(layer.customProperty(BANDS) or "[]") or list(range(1, len(times) + 1))
    return int(layer.customProperty(INIT)), list(zip(times, bands))


def add_group(project, forecast, layers, top=True):
    """Group of the given layers in the tree; the first layer is shown, the others wait unticked.

    layers: [(layer, shown)], from top to bottom.
    """
    root = project.layerTreeRoot()
    group = root.insertGroup(0, group_name(forecast)) if top else root.addGroup(group_name(forecast))
    for layer, shown in layers:
        project.addMapLayer(layer, False)
        node = group.addLayer(layer)
        node.setItemVisibilityChecked(shown)
        node.setExpanded(shown)
    return group
