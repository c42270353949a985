"""What the tests of the plugin share: a private home, the driver just built, a QGIS without a screen.

Import it first: the environment must be right before Qt, GDAL or QGIS start."""
import atexit
import functools
import json
import os
import pathlib
import shutil
import sys
import tempfile
import time

import tap

SOURCE = pathlib.Path(os.environ["MET2NET_SOURCE"])
BUILD = pathlib.Path(os.environ["MET2NET_BUILD"])
SAMPLES = SOURCE / "samples"
PLUGINS = SOURCE / "qgis_bridge"
PATIENCE = tap.seconds(300)  # seconds until something that should happen is said not to happen

HOME = pathlib.Path(tempfile.mkdtemp(prefix="met2net-qgis-"))
atexit.register(shutil.rmtree, HOME, ignore_errors=True)


def environment():
    """Nothing of the user's is read or written; /usr/bin first, where Debian's Python is."""
    (HOME / "run").mkdir(mode=0o700, exist_ok=True)
    return {
        "QT_QPA_PLATFORM": "offscreen", "HOME": str(HOME), "XDG_RUNTIME_DIR": str(HOME / "run"),
        "XDG_CACHE_HOME": str(HOME / "cache"), "XDG_CONFIG_HOME": str(HOME / "config"),
        "XDG_DATA_HOME": str(HOME / "data"), "QGIS_PLUGINPATH": str(PLUGINS), "LC_ALL": "C.UTF-8",
        "GDAL_DRIVER_PATH": str(BUILD / "plugin"), "PYTHONWARNINGS": "ignore",
        "CPL_DEBUG": "MET2NET", "CPL_LOG": str(HOME / "gdal.log"),
        "PATH": f"{BUILD / 'plugin' / 'cli'}:/usr/bin:/bin",
    }


os.environ.update(environment())
sys.path.insert(0, str(PLUGINS))


def need(program):
    """Ends the test file with a word when QGIS is not there."""
    if shutil.which(program) is None:
        print(f"1..0 # skip {program} is not installed")
        sys.exit(0)


def main():
    """Runs the tests of the file as TAP and leaves at once: layers that outlive QGIS would crash on the way out."""
    try:
        tap.main()
    except SystemExit as end:
        sys.stdout.flush()
        shutil.rmtree(HOME, ignore_errors=True)
        os._exit(int(end.code or 0))


need("qgis.bin")
from qgis.core import QgsApplication, QgsDateTimeRange, QgsProject, QgsTemporalNavigationObject  # noqa: E402
from qgis.gui import QgsMapCanvas, QgsMessageBar, QgsMessageBarItem  # noqa: E402
from qgis.PyQt import sip  # noqa: E402
from qgis.PyQt.QtCore import QSize  # noqa: E402


def start_qgis():
    """It prints its settings and all messages, which are not TAP."""
    import qgis.testing
    qgis.testing.print = functools.partial(print, file=sys.stderr)
    return qgis.testing.start_app()


def sample(name="sample", **changes):
    """Folder with a copy of the sample; `changes` go into forecast.json. Path of forecast.json."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix=name + "-", dir=HOME))
    for file in ("analysis.grib2", "model.safetensors"):
        shutil.copy(SAMPLES / file, folder)
    text = json.loads((SAMPLES / "forecast.json").read_text()) | changes
    (folder / "forecast.json").write_text(json.dumps(text))
    return str(folder / "forecast.json")


def span(layer):
    """All the time of a raster layer."""
    properties = layer.temporalProperties()
    if hasattr(properties, "setFixedRangePerBand"):  # QGIS 3.38
        ranges = list(properties.fixedRangePerBand().values())
        return QgsDateTimeRange(ranges[0].begin(), ranges[-1].end())
    return properties.fixedTemporalRange()


def wait(condition, what="it"):
    """Runs Qt's events until condition() holds."""
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not happen in {PATIENCE} s")
        QgsApplication.processEvents()
        time.sleep(0.005)


def computations():
    """How often the driver of this process has computed, as it tells with CPL_DEBUG."""
    log = HOME / "gdal.log"
    return log.read_text().count("MET2NET: computing ") if log.exists() else 0


class Desk:
    """A project with canvas, time slider, message bar and the plugin's parts, as in the main window."""

    def __init__(self):
        from met2net.caption import Caption
        from met2net.opener import ForecastOpener
        from met2net.temporal import LeadTimeFollower
        self.project = QgsProject.instance()
        self.project.clear()
        self.canvas, self.bar = QgsMapCanvas(), QgsMessageBar()
        self.canvas.resize(QSize(640, 320))
        self.canvas.show()
        self.clock = QgsTemporalNavigationObject()
        self.canvas.setTemporalController(self.clock)
        self.follower = LeadTimeFollower(self.project, self.canvas)
        self.caption = Caption(self.canvas)
        self.opener = ForecastOpener(self.project, self.canvas, self.bar)
        self.groups, self.failures, self.cancels, self.messages = [], [], [], []
        self.opener.opened.connect(self.groups.append)
        self.opener.failed.connect(self.failures.append)
        self.opener.cancelled.connect(lambda: self.cancels.append(True))
        self.bar.widgetAdded.connect(self.hear)

    def hear(self, item):
        item = sip.cast(item, QgsMessageBarItem)
        self.messages.append((item.text(), item.level()))

    def open(self, path, with_wind=True):
        """Opens and waits; the group's node, or None when it failed or was cancelled."""
        before = self.ends()
        self.opener.open(path, with_wind)
        wait(lambda: self.ends() > before, f"opening {path}")
        return self.groups[-1] if self.groups else None

    def ends(self):
        return len(self.groups) + len(self.failures) + len(self.cancels)

    def layers(self):
        """{name: layer} in the order of the tree."""
        return {node.layer().name(): node.layer() for node in self.project.layerTreeRoot().findLayers()}

    def close(self):
        self.opener.stop()
        wait(lambda: not self.opener.tasks, "the end of the tasks")
        self.follower.stop()
        self.caption.stop()
        self.project.clear()
