"""Runs inside the QGIS desktop (qgis.bin --code): opens a forecast as the user does, moves the slider, takes
pictures of the window. Settings come by environment: MET2NET_FORECAST, MET2NET_PICTURES (a folder), MET2NET_FRAMES.
What it saw goes to report.json in that folder."""
import json
import os
import pathlib
import traceback

from qgis.core import QgsApplication, QgsFillSymbol, QgsMapLayer, QgsProject, QgsVectorLayer
from qgis.PyQt.QtCore import QTimer
from qgis.PyQt.QtWidgets import QAction, QDockWidget
from qgis.utils import iface, plugins, unloadPlugin

FOLDER = pathlib.Path(os.environ["MET2NET_PICTURES"])
FRAMES = [int(frame) for frame in os.environ.get("MET2NET_FRAMES", "2 14").split()]
COASTS = "/usr/share/qgis/resources/data/world_map.gpkg|layername=countries"
SETTLE = 2500  # ms for the canvas to draw a frame

report = {"frames": []}


def leave():
    (FOLDER / "report.json").write_text(json.dumps(report, indent=1))
    os._exit(0)  # the question whether to save the project would wait for ever


def guarded(function):
    """A failure ends the program with its reason in the report, instead of a dialog that nobody sees."""
    def call(*args):
        try:
            function(*args)
        except Exception:  # noqa: BLE001
            report["error"] = traceback.format_exc()
            leave()
    return call


def docks():
    return {dock.objectName(): dock for dock in iface.mainWindow().findChildren(QDockWidget)}


def tidy():
    for name in ("Browser", "Browser2", "LayerOrder"):
        if name in docks():
            docks()[name].hide()
    iface.mainWindow().resizeDocks([docks()["Layers"]], [400], 1)


def add_coasts():
    coasts = QgsVectorLayer(COASTS, "Countries", "ogr")
    if coasts.isValid():
        symbol = QgsFillSymbol.createSimple({"style": "no", "outline_color": "40,40,40,150", "outline_width": "0.2"})
        coasts.renderer().setSymbol(symbol)
        QgsProject.instance().addMapLayer(coasts)


@guarded
def opened(group):
    report["group"] = group.name()
    report["layers"] = [node.name() for node in group.findLayers()]
    report["temporal dock"] = docks()["Temporal Controller"].isVisible()
    report["action"] = iface.mainWindow().findChild(QAction, "met2netAddForecast") is not None
    report["algorithms"] = len(QgsApplication.processingRegistry().providerById("met2net").algorithms())
    add_coasts()
    iface.setActiveLayer(next(node.layer() for node in group.findLayers()
                              if node.layer().type() == QgsMapLayer.RasterLayer))
    tidy()
    QTimer.singleShot(SETTLE, lambda: show(0))


@guarded
def show(number):
    if number == len(FRAMES):
        report["unloaded"] = unloadPlugin("met2net")
        report["action left"] = iface.mainWindow().findChild(QAction, "met2netAddForecast") in \
            iface.addLayerMenu().actions()
        report["provider left"] = QgsApplication.processingRegistry().providerById("met2net") is not None
        leave()
    iface.mapCanvas().temporalController().setCurrentFrameNumber(FRAMES[number])
    QTimer.singleShot(SETTLE, lambda: picture(number))


@guarded
def picture(number):
    file = FOLDER / f"window{number}.png"
    iface.mainWindow().grab().save(str(file))
    iface.mapCanvas().grab().save(str(FOLDER / f"map{number}.png"))
    report["frames"].append({"caption": plugins["met2net"].caption.lines(), "picture": file.name})
    show(number + 1)


@guarded
def begin():
    iface.mainWindow().setGeometry(0, 0, 1280, 800)
    plugin = plugins["met2net"]
    plugin.opener.opened.connect(opened)
    plugin.opener.failed.connect(lambda line: (report.update(error=line), leave()))
    plugin.open(os.environ["MET2NET_FORECAST"])


QTimer.singleShot(1000, begin)
