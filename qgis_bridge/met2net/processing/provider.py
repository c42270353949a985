"""The provider "Met2Net" of the Processing toolbox."""
from qgis.core import QgsProcessingProvider
from qgis.PyQt.QtGui import QIcon

from .algorithm import ICON
from .forecasting import BatchForecast, ForecastToGrib2, ForecastToRaster
from .info import ModelInfo
from .pictures import Pictures
from .training import Train, Verify

ALGORITHMS = (ForecastToRaster, ForecastToGrib2, BatchForecast, Pictures, Train, Verify, ModelInfo)


class Met2NetProvider(QgsProcessingProvider):
    def id(self):
        return "met2net"

    def name(self):
        return "Met2Net"

    def longName(self):
        return "Met2Net weather forecasts"

    def icon(self):
        return QIcon(ICON)

    def loadAlgorithms(self):
        for algorithm in ALGORITHMS:
            self.addAlgorithm(algorithm())
