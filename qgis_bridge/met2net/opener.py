"""From a forecast file to layers on the map, without ever holding up the window."""
import html
import os

from qgis.core import (Qgis, QgsApplication, QgsCoordinateTransform, QgsInterval, QgsTemporalNavigationObject,
                       QgsUnitTypes)
from qgis.PyQt.QtCore import QObject, pyqtSignal
from qgis.PyQt.QtWidgets import QProgressBar, QPushButton

from . import driver, layers, wind
from .forecast import time_text
from .tasks import ComputeTask

TITLE = "Met2Net"


def plain(text):
    """The bar takes its text for HTML; words of the driver quote what a file from anywhere says."""
    return html.escape(text, quote=False)


def frame_of(seconds):
    """Interval that the temporal controller shows in hours or minutes."""
    if seconds % 3600 == 0:
        return QgsInterval(seconds / 3600, QgsUnitTypes.TemporalHours)
    return QgsInterval(seconds / 60, QgsUnitTypes.TemporalMinutes)


class ForecastOpener(QObject):
    """Opens forecasts into `project`; talks to the user through `bar` alone, never through a dialog.

    opened(group) and failed(line) end each call of open(); a cancelled one ends with cancelled().
    """
    opened = pyqtSignal(object)
    failed = pyqtSignal(str)
    cancelled = pyqtSignal()

    def __init__(self, project, canvas, bar, parent=None):
        super().__init__(parent)
        self.project, self.canvas, self.bar = project, canvas, bar
        self.tasks = {}  # task -> its item in the message bar; a QgsTask without a Python owner is lost
        project.readProject.connect(self.restore)

    def stop(self):
        self.project.readProject.disconnect(self.restore)
        for task in list(self.tasks):
            task.cancel()

    def open(self, path, with_wind=True):
        """Starts to compute `path`; its layers appear when that is done. The task, or None."""
        return self.start(ComputeTask(os.path.abspath(path), self.add, with_wind))

    def start(self, task):
        trouble = driver.problem()
        if trouble:
            self.fail(trouble)
            return None
        self.tasks[task] = self.show_progress(task)
        QgsApplication.taskManager().addTask(task)
        return task

    def show_progress(self, task):
        item = self.bar.createMessage(TITLE, plain(f"Computing {os.path.basename(task.path)}"))
        progress = QProgressBar(item)
        progress.setMaximumWidth(260)
        task.progressChanged.connect(lambda value: progress.setValue(int(value)))
        cancel = QPushButton("Cancel", item)
        cancel.clicked.connect(task.cancel)
        item.layout().addWidget(progress)
        item.layout().addWidget(cancel)
        self.bar.pushWidget(item, Qgis.Info)
        return item

    def end(self, task):
        """Takes the task's progress away; True when it has a result."""
        self.bar.popWidget(self.tasks.pop(task))
        if task.isCanceled():
            self.bar.pushMessage(TITLE, plain(f"{os.path.basename(task.path)}: cancelled"), Qgis.Info, 4)
            self.cancelled.emit()
        elif task.error is not None:
            self.fail(task.error)
        return task.error is None and not task.isCanceled()

    def fail(self, line):
        self.bar.pushMessage(TITLE, plain(line), Qgis.Critical, 0)
        self.failed.emit(line)

    def add(self, task):
        """Called on the main thread when a task has ended."""
        if not self.end(task):
            return
        made = self.make_layers(task)
        invalid = [layer for layer, _ in made if not layer.isValid()]
        if invalid:
            reason = invalid[0].dataProvider().error().message() if invalid[0].dataProvider() else ""
            self.fail(f"{invalid[0].source()}: {reason or 'QGIS cannot show this'}")
            return
        first = not self.project.mapLayers()
        group = layers.add_group(self.project, task.forecast, made)
        self.set_clock(task.forecast)
        if first:
            self.zoom(made[-1][0])
        if task.warning:
            self.bar.pushMessage(TITLE, plain(task.warning), Qgis.Warning, 0)
        self.opened.emit(group)

    @staticmethod
    def make_layers(task):
        """[(layer, shown)] from top to bottom: arrows, temperature (or the first variable), the others."""
        forecast = task.forecast
        variables = sorted(forecast.variables, key=lambda v: v.element != "TMP")
        made = [(wind.arrows(path, level, forecast), i == 0) for i, (level, path) in enumerate(task.winds)]
        made += [(layers.forecast_layer(forecast, v, task.ranges[v.name]), v is variables[0]) for v in variables]
        made += [(wind.speed(path, level, forecast), False) for level, path in task.winds]
        return made

    def set_clock(self, forecast):
        """Sets up the temporal controller, unless the user already uses it."""
        clock = self.canvas.temporalController()
        if not isinstance(clock, QgsTemporalNavigationObject):
            return
        if clock.navigationMode() == QgsTemporalNavigationObject.NavigationOff:
            times = forecast.valid_times
            clock.setFrameDuration(frame_of(forecast.time_step))
            clock.setTemporalExtents(layers.time_range(times[0], times[-1] + forecast.time_step))
            clock.setNavigationMode(QgsTemporalNavigationObject.Animated)
            clock.setCurrentFrameNumber(0)

    def zoom(self, layer):
        transform = QgsCoordinateTransform(layer.crs(), self.canvas.mapSettings().destinationCrs(), self.project)
        self.canvas.setExtent(transform.transformBoundingBox(layer.extent()))
        self.canvas.refresh()

    # ---- a saved project

    def restore(self, *_):
        """Computes the forecasts of a project just read, then ticks their layers again.

        A layer drawn before that would compute on a drawing thread, for which QGIS waits when the map moves.
        Of a layer that QGIS could not open the driver tells why.
        """
        waiting = {}
        for layer in self.project.mapLayers().values():
            if layer.customProperty(layers.FORECAST) == "yes":
                path = self.project.pathResolver().readPath(layer.source().split("|")[0])
                waiting.setdefault(path, []).append(layer)
        for path, members in waiting.items():
            self.restore_one(path, members)

    def restore_one(self, path, members):
        root, was_dirty = self.project.layerTreeRoot(), self.project.isDirty()
        nodes = [n for n in (root.findLayer(layer.id()) for layer in members) if n and n.itemVisibilityChecked()]
        for node in nodes:
            node.setItemVisibilityChecked(False)

        def done(task):
            if self.end(task):
                self.tell_old_arrows(task.forecast)
                for layer in members:
                    layers.renew_times(layer, task.forecast)
                for node in nodes:
                    node.setItemVisibilityChecked(True)
                self.project.setDirty(was_dirty)

        self.start(ComputeTask(path, done))

    def tell_old_arrows(self, forecast):
        """Arrows are a file of their own: when the forecast has moved on, they have not."""
        stem = os.path.splitext(forecast.path)[0] + "_wind_"
        for layer in self.project.mapLayers().values():
            found = layers.times_of(layer)
            if found and layer.source().startswith(stem) and found[0] != forecast.init_time:
                self.bar.pushMessage(TITLE, plain(f"{layer.name()} is of {time_text(found[0])}: add the forecast again "
                                                  "to have the arrows of the new one"), Qgis.Warning, 0)
                return
