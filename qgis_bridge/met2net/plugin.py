"""What QGIS loads: one action, one place in the Layer menu, the toolbox's algorithms."""
import os

from qgis.core import QgsApplication, QgsProject, QgsSettings
from qgis.gui import QgsCustomDropHandler
from qgis.PyQt.QtGui import QIcon
from qgis.PyQt.QtWidgets import QAction, QDockWidget

from . import driver
from .caption import Caption
from .dialog import WIND, AddForecastDialog
from .forecast import is_forecast_file
from .opener import TITLE, ForecastOpener
from .temporal import LeadTimeFollower

ICON = os.path.join(os.path.dirname(__file__), "icon.svg")


class ForecastDrop(QgsCustomDropHandler):
    """A forecast.json dropped on the window is a forecast; QGIS would try it as GeoJSON."""

    def __init__(self, opened):
        super().__init__()
        self.opened = opened

    def handleFileDrop(self, file):
        if not file.lower().endswith(".json") or not is_forecast_file(file):
            return False
        self.opened(file)
        return True


class Met2NetPlugin:
    def __init__(self, iface):
        self.iface = iface
        self.provider = self.dialog = None

    def initProcessing(self):
        """All that qgis_process needs."""
        from .processing.provider import Met2NetProvider
        self.provider = Met2NetProvider()
        QgsApplication.processingRegistry().addProvider(self.provider)

    def initGui(self):
        self.initProcessing()
        window, canvas, project = self.iface.mainWindow(), self.iface.mapCanvas(), QgsProject.instance()
        self.follower = LeadTimeFollower(project, canvas)
        self.caption = Caption(canvas)
        self.opener = ForecastOpener(project, canvas, self.iface.messageBar())
        self.opener.opened.connect(self.show_slider)
        self.action = QAction(QIcon(ICON), "Add forecast...", window)
        self.action.setObjectName("met2netAddForecast")
        self.action.setStatusTip("Open a Met2Net forecast as layers that follow the time slider")
        self.action.triggered.connect(self.ask)
        self.iface.insertAddLayerAction(self.action)
        self.iface.addToolBarIcon(self.action)
        self.iface.addPluginToMenu(TITLE, self.action)
        self.drop = ForecastDrop(self.open)
        self.iface.registerCustomDropHandler(self.drop)

    def unload(self):
        if self.provider is not None:
            QgsApplication.processingRegistry().removeProvider(self.provider)
        self.iface.unregisterCustomDropHandler(self.drop)
        self.iface.removeAddLayerAction(self.action)
        self.iface.removeToolBarIcon(self.action)
        self.iface.removePluginMenu(TITLE, self.action)
        for part in (self.opener, self.follower, self.caption):
            part.stop()
        if self.dialog is not None:
            self.dialog.close()

    def ask(self):
        trouble = driver.problem()
        if trouble:
            self.opener.fail(trouble)
            return
        if self.dialog is None:
            self.dialog = AddForecastDialog(self.iface.mainWindow())
            self.dialog.chosen.connect(self.opener.open)
        self.dialog.show()
        self.dialog.raise_()

    def open(self, path):
        """Opens a forecast file with the settings last used in the dialog."""
        self.opener.open(path, QgsSettings().value(WIND, True, bool))

    def show_slider(self, _group):
        """Brings up the temporal controller: without it there is no time to move."""
        for dock in self.iface.mainWindow().findChildren(QDockWidget):
            if dock.objectName() in ("Temporal Controller", "TemporalController"):
                dock.setVisible(True)
