"""The window of "Add forecast...": a forecast file, or weather and a model to make one from. Never modal."""
import json
import os

from qgis.core import QgsSettings
from qgis.gui import QgsFileWidget, QgsProjectionSelectionWidget
from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import (QCheckBox, QComboBox, QDialog, QDialogButtonBox, QFormLayout, QLabel, QLineEdit,
                                 QSpinBox, QTabWidget, QVBoxLayout, QWidget)

from .forecast import write_whole

WIND = "met2net/wind"
WEATHER_FILTER = "GRIB and NetCDF (*.grib *.grib2 *.grb *.grb2 *.grib1 *.nc *.nc4);;All files (*)"
MODEL_FILTER = "Models (*.safetensors);;All files (*)"
FORECAST_FILTER = "Forecasts (*.json);;All files (*)"


LOWEST = -1  # the member that is taken when none is chosen
PRECISIONS = (("", "float32"), ("int8", "int8: faster, a little less skill"), ("bf16", "bf16: half the memory"))


def forecast_text(path, model, inputs, init_time="", lead_time="", crs="", member=LOWEST, precision=""):
    """Text of the forecast file `path`; files beside or below it are named relative to it."""
    folder = os.path.dirname(os.path.abspath(path))

    def name(file):
        relative = os.path.relpath(file, folder)
        return file if relative.startswith("..") else relative

    description = {"met2net": 1, "model": name(model), "input": [name(file) for file in inputs]}
    if init_time:
        description["init_time"] = init_time
    if lead_time:
        description["lead_time"] = lead_time
    if member > LOWEST:
        description["member"] = member
    if precision:
        description["precision"] = precision
    if crs:
        description["output"] = {"crs": crs}
    return json.dumps(description, indent=2, ensure_ascii=False) + "\n"


def outside(path, sources):
    """The first of `sources` that lies neither beside nor below the forecast file, or None.

    The driver refuses those, unless MET2NET_ALLOWED_SOURCE allows them.
    """
    folder = os.path.realpath(os.path.dirname(os.path.abspath(path)))
    for source in sources:
        if os.path.commonpath([folder, os.path.realpath(source)]) != folder:
            return source
    return None


def file_widget(mode, file_filter, title):
    widget = QgsFileWidget()
    widget.setStorageMode(mode)
    widget.setFilter(file_filter)
    widget.setDialogTitle(title)
    return widget


class AddForecastDialog(QDialog):
    """chosen(path, with_wind) when the user has a forecast file to open; it exists then."""
    chosen = pyqtSignal(str, bool)

    def __init__(self, parent=None):
        super().__init__(parent)
        self.setWindowTitle("Add forecast")
        self.setModal(False)
        self.setMinimumWidth(520)
        self.tabs = QTabWidget()
        self.tabs.addTab(self.open_page(), "Forecast file")
        self.tabs.addTab(self.make_page(), "Weather and model")
        self.wind = QCheckBox("Wind arrows (writes a GRIB2 file beside the forecast file)")
        self.wind.setChecked(QgsSettings().value(WIND, True, bool))
        self.note = QLabel()
        self.note.setWordWrap(True)
        self.buttons = QDialogButtonBox(QDialogButtonBox.Close)
        self.add = self.buttons.addButton("Add", QDialogButtonBox.AcceptRole)
        self.add.clicked.connect(self.take)
        self.buttons.rejected.connect(self.close)
        layout = QVBoxLayout(self)
        for widget in (self.tabs, self.wind, self.note, self.buttons):
            layout.addWidget(widget)
        self.tabs.currentChanged.connect(self.check)
        self.check()

    def open_page(self):
        page = QWidget()
        self.file = file_widget(QgsFileWidget.GetFile, FORECAST_FILTER, "Forecast file")
        self.file.fileChanged.connect(self.check)
        form = QFormLayout(page)
        form.addRow("Forecast file", self.file)
        return page

    def make_page(self):
        page = QWidget()
        self.grib = file_widget(QgsFileWidget.GetMultipleFiles, WEATHER_FILTER, "Weather up to now")
        self.model = file_widget(QgsFileWidget.GetFile, MODEL_FILTER, "Model")
        self.save = file_widget(QgsFileWidget.SaveFile, FORECAST_FILTER, "Forecast file to write")
        self.init_time = QLineEdit()
        self.init_time.setPlaceholderText("latest, or 2024-01-28T00:00:00Z")
        self.lead_time = QLineEdit()
        self.lead_time.setPlaceholderText("the model's window, or 24h, 5d")
        self.crs = QgsProjectionSelectionWidget()
        self.crs.setOptionVisible(QgsProjectionSelectionWidget.CrsNotSet, True)
        self.crs.setNotSetText("the model's")
        self.member = QSpinBox()
        self.member.setRange(LOWEST, 9999)
        self.member.setValue(LOWEST)
        self.member.setSpecialValueText("the lowest, if it is an ensemble")
        self.precision = QComboBox()
        for value, text in PRECISIONS:
            self.precision.addItem(text, value)
        form = QFormLayout(page)
        for label, widget in (("Weather up to now", self.grib), ("Model", self.model),
                              ("Initial time", self.init_time), ("Lead time", self.lead_time),
                              ("Ensemble member", self.member), ("Precision", self.precision),
                              ("Map projection", self.crs), ("Forecast file to write", self.save)):
            form.addRow(label, widget)
        for widget in (self.grib, self.model, self.save):
            widget.fileChanged.connect(self.check)
        return page

    def makes(self):
        return self.tabs.currentIndex() == 1

    def inputs(self):
        return QgsFileWidget.splitFilePaths(self.grib.filePath())

    def check(self, *_):
        """Offers what can be done, and says early what the driver would refuse."""
        note, ready = "", bool(self.file.filePath())
        if self.makes():
            model, path = self.model.filePath(), self.save.filePath()
            ready = bool(self.inputs() and model and path)
            stray = outside(path, [*self.inputs(), model]) if ready else None
            if stray:
                note = (f"{stray} lies outside the forecast file's folder: the driver opens it only when "
                        "MET2NET_ALLOWED_SOURCE allows (Settings > Options > System > Environment).")
        self.note.setText(note)
        self.note.setVisible(bool(note))
        self.add.setEnabled(ready)

    def take(self):
        path = self.file.filePath()
        if self.makes():
            path = self.save.filePath()
            path = path if path.endswith(".json") else path + ".json"
            crs = self.crs.crs()
            text = forecast_text(path, self.model.filePath(), self.inputs(), self.init_time.text().strip(),
                                 self.lead_time.text().strip(), crs.authid() or crs.toWkt() if crs.isValid() else "",
                                 self.member.value(), self.precision.currentData())
            try:
                write_whole(path, text)
            except OSError as error:
                self.note.setText(f"{path}: {error.strerror}")
                self.note.setVisible(True)
                return
        QgsSettings().setValue(WIND, self.wind.isChecked())
        self.close()
        self.chosen.emit(path, self.wind.isChecked())
