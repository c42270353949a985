"""QGIS Server: GetMap and GetFeatureInfo with TIME=2024-01-28T03:00:00Z show the forecast of that hour.

QGIS Server knows TIME for vector layers alone; here it chooses the band of each forecast layer of the project.
"""
from qgis.core import Qgis, QgsMessageLog, QgsRasterLayer
from qgis.PyQt.QtCore import QDateTime, Qt
from qgis.server import QgsConfigCache, QgsServerFilter

from .layers import times_of
from .temporal import band_at, show_band


def seconds_of(text):
    """Unix seconds of the begin of a WMS TIME ("2024-01-28T03:00:00Z", or an interval "A/B"), or None."""
    moment = QDateTime.fromString(text.split("/")[0].strip(), Qt.ISODate)
    if not moment.isValid():
        return None
    if moment.timeSpec() == Qt.LocalTime:  # without a zone it is UTC
        moment.setTimeSpec(Qt.UTC)
    return moment.toSecsSinceEpoch()


def show_time(project, seconds):
    """Moves every forecast layer to `seconds`; to its first lead time when None, as in a new project."""
    for layer in project.mapLayers().values():
        found = times_of(layer) if isinstance(layer, QgsRasterLayer) else None
        if found:
            times = found[1]
            show_band(layer, times[0][1] if seconds is None else band_at(times, seconds))


class TimeFilter(QgsServerFilter):
    """The project is cached between requests, so a request without TIME sets the time back."""

    def requestReady(self):
        handler = self.serverInterface().requestHandler()
        parameters = handler.parameterMap()
        if parameters.get("SERVICE", "").upper() != "WMS":
            return
        text = parameters.get("TIME", "")
        seconds = seconds_of(text) if text else None
        if text and seconds is None:
            QgsMessageLog.logMessage(f"TIME={text}: not a time as in ISO 8601", "met2net", Qgis.Warning)
            return
        path = self.serverInterface().configFilePath() or parameters.get("MAP", "")
        project = QgsConfigCache.instance().project(path) if path else None
        if project is not None:
            show_time(project, seconds)


def start(server_interface):
    server_interface.registerFilter(TimeFilter(server_interface), 100)
