"""What the user sees when something goes wrong: the driver's own words in the message bar, and a window that lives."""
import bridge
import contextlib
import json
import os
import pathlib
import resource
import signal
import subprocess
import sys
import time
import unittest

from osgeo import gdal
from qgis.core import Qgis, QgsProcessingFeedback
from qgis.PyQt.QtCore import QTimer
from qgis.PyQt.QtWidgets import QProgressBar, QPushButton

bridge.start_qgis()
from met2net import dialog, driver, forecast  # noqa: E402
from met2net.processing.forecasting import ForecastToRaster  # noqa: E402


@contextlib.contextmanager
def small_files(size):
    """No file of this process grows beyond that: writing fails, as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)


def words_of_the_driver(path):
    """What GDAL itself says of the file."""
    with driver.listening() as said:
        gdal.OpenEx(path, gdal.OF_RASTER | gdal.OF_VERBOSE_ERROR)
    return said[-1]


class Failures(unittest.TestCase):
    def setUp(self):
        self.desk = bridge.Desk()
        self.addCleanup(self.desk.close)

    def refuses(self, path, *words):
        """Opening fails, with the driver's line as the one message of the bar; nothing is added."""
        self.assertIsNone(self.desk.open(path))
        self.assertEqual(self.desk.failures, [words_of_the_driver(path)])
        self.assertEqual(self.desk.messages[-1], (self.desk.failures[0], Qgis.Critical))
        self.assertEqual(self.desk.project.mapLayers(), {})
        for word in words:
            self.assertIn(word, self.desk.failures[0])

    def test_no_such_file(self):
        self.refuses("/nowhere/forecast.json", "/nowhere/forecast.json")

    def test_no_such_model(self):
        self.refuses(bridge.sample(model="other.safetensors"), "other.safetensors")

    def test_unknown_key(self):
        self.refuses(bridge.sample(lead_tine="24h"), "lead_tine")

    def test_words_of_a_file_are_text_and_no_html(self):
        path = bridge.sample(**{"<img src='file:///etc/hostname'> & <b>": 1})
        self.assertIsNone(self.desk.open(path))
        self.assertIn("<img src='file:///etc/hostname'> & <b>", self.desk.failures[0])
        self.assertIn("&lt;img src='file:///etc/hostname'&gt; &amp; &lt;b&gt;", self.desk.messages[-1][0])
        self.assertNotIn("<img", self.desk.messages[-1][0])

    def test_truncated_input(self):
        path = pathlib.Path(bridge.sample())
        grib = path.parent / "analysis.grib2"
        grib.write_bytes(grib.read_bytes()[:5000])
        self.refuses(str(path), "analysis.grib2")

    def test_time_that_is_not_there(self):
        self.refuses(bridge.sample(init_time="1999-01-01T00:00:00Z"), "1998-12-31T13:00Z")

    def test_source_outside_the_folder(self):
        self.refuses(bridge.sample(model="/etc/hostname"), "/etc/hostname")

    def test_arrows_that_cannot_be_written_are_missed_and_nothing_else(self):
        path = pathlib.Path(bridge.sample())
        (path.parent / "forecast_wind_10m.grib2").mkdir()
        self.assertIsNotNone(self.desk.open(str(path)))
        text, level = self.desk.messages[-1]
        self.assertIn("no wind arrows", text)
        self.assertIn("forecast_wind_10m.grib2", text)
        self.assertEqual(level, Qgis.Warning)
        self.assertEqual(len(self.desk.layers()), 5)
        self.assertEqual([p.name for p in path.parent.glob("*.part*")], [])

    def test_a_full_disk_leaves_the_forecast_file_as_it_was(self):
        path = bridge.HOME / "kept.json"
        forecast.write_whole(str(path), "before")
        self.addCleanup(path.unlink)
        with small_files(100), self.assertRaises(OSError):
            forecast.write_whole(str(path), "x" * 101)
        self.assertEqual(path.read_text(), "before")
        self.assertEqual(list(path.parent.glob("kept.json?*")), [])

    def test_a_full_disk_is_no_raster(self):
        output = str(bridge.HOME / "full.tif")
        dataset = gdal.Open(bridge.sample(lead_time="2h"))
        with small_files(4096), self.assertRaises(driver.DriverError):
            ForecastToRaster.write(dataset, output, QgsProcessingFeedback())
        self.assertFalse(os.path.exists(output))
        ForecastToRaster.write(dataset, output, QgsProcessingFeedback())
        self.assertEqual(gdal.Open(output).RasterCount, dataset.RasterCount)

    def test_a_projection_that_grib_does_not_know(self):
        self.assertIsNotNone(self.desk.open(bridge.sample(output={"crs": "ESRI:54030"})))
        self.assertIn("no wind arrows", self.desk.messages[-1][0])
        self.assertTrue(all(layer.isValid() for layer in self.desk.layers().values()))

    def test_a_failure_leaves_a_session_that_works(self):
        self.desk.open("/nowhere/forecast.json")
        self.assertIsNotNone(self.desk.open(bridge.sample()))

    def test_a_raster_without_times_is_not_a_forecast(self):
        path = str(bridge.HOME / "plain.tif")
        gdal.GetDriverByName("GTiff").Create(path, 4, 4).FlushCache()
        self.desk.open(path)
        self.assertIn("GRIB_VALID_TIME", self.desk.failures[0])

    def test_errors_are_the_same_with_exceptions_switched_on(self):
        path = bridge.sample(model="other.safetensors")
        wanted = words_of_the_driver(path)
        gdal.UseExceptions()
        self.addCleanup(gdal.DontUseExceptions)
        self.desk.open(path)
        self.assertEqual(self.desk.failures, [wanted])

    def test_arrows_in_web_mercator(self):
        before = bridge.computations()
        path = bridge.sample(output={"crs": "EPSG:3857"})
        self.assertIsNotNone(self.desk.open(path))
        arrows = self.desk.layers()["Wind 10 m"]
        self.assertEqual((arrows.crs().authid() or "EPSG:4326", arrows.crs().isGeographic()), ("EPSG:4326", True))
        self.assertEqual(self.desk.layers()["Temperature 2 m"].crs().authid(), "EPSG:3857")
        self.assertLessEqual(bridge.computations(), before + 1)


class Cancel(unittest.TestCase):
    """A forecast of ten days computes for seconds: long enough to be stopped on the way."""
    LONG = {"lead_time": "10d"}

    def setUp(self):
        self.desk = bridge.Desk()
        self.addCleanup(self.desk.close)
        self.path = bridge.sample(**self.LONG)

    def cancel_at(self, task, percent):
        task.progressChanged.connect(lambda value: value >= percent and task.cancel())

    def test_nothing_is_added_and_nothing_written(self):
        task = self.desk.opener.open(self.path)
        self.cancel_at(task, 1)
        bridge.wait(self.desk.ends, "the end")
        self.assertEqual((self.desk.groups, self.desk.failures, len(self.desk.cancels)), ([], [], 1))
        self.assertEqual(self.desk.project.mapLayers(), {})
        names = sorted(file.name for file in pathlib.Path(self.path).parent.iterdir())
        self.assertEqual(names, ["analysis.grib2", "forecast.json", "model.safetensors"])

    def test_the_computation_itself_stops(self):
        seen = []

        def progress(done):
            seen.append(done)
            return False
        with self.assertRaises(driver.DriverError):
            forecast.compute(self.path, progress=progress)
        self.assertLess(seen[-1], 1)

    def test_after_it_the_same_forecast_can_be_opened(self):
        self.cancel_at(self.desk.opener.open(self.path), 1)
        bridge.wait(self.desk.ends, "the end")
        self.assertIsNotNone(self.desk.open(self.path))

    def test_the_button_cancels(self):
        self.desk.opener.open(self.path)
        item = self.desk.bar.currentItem()
        item.findChild(QPushButton).click()
        bridge.wait(self.desk.ends, "the end")
        self.assertEqual(len(self.desk.cancels), 1)

    def test_the_bar_fills(self):
        self.desk.opener.open(self.path)
        progress = self.desk.bar.currentItem().findChild(QProgressBar)
        seen = []
        progress.valueChanged.connect(seen.append)
        bridge.wait(self.desk.ends, "the end")
        between = [value for value in seen if 0 < value < 100]
        self.assertGreater(len(between), 3)
        self.assertEqual(seen, sorted(seen))

    def test_the_window_lives_while_it_computes(self):
        """Timers go on firing on the main thread between the start and the end of the task."""
        ticks = []
        timer = QTimer()
        timer.timeout.connect(lambda: ticks.append(time.monotonic()))
        timer.start(10)
        self.desk.open(self.path)
        timer.stop()
        self.assertGreater(len(ticks), 20)

    def test_unloading_while_computing_ends_the_task(self):
        task = self.desk.opener.open(self.path)
        bridge.wait(lambda: task.progress() > 0 or self.desk.ends(), "the start")
        self.desk.opener.stop()
        bridge.wait(lambda: not self.desk.opener.tasks, "the end")
        self.desk.project.readProject.connect(self.desk.opener.restore)


class MissingDriver(unittest.TestCase):
    """In a process of its own each: a driver is loaded for good."""

    def problem(self, **environment):
        code = "from met2net import driver; print(driver.problem())"
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                             env=os.environ | {"PYTHONPATH": str(bridge.PLUGINS)} | environment)
        self.assertEqual(run.returncode, 0, run.stderr)
        return run.stdout.strip()

    def test_at_hand(self):
        self.assertEqual(self.problem(), "None")

    def test_not_installed(self):
        empty = str(bridge.HOME / "empty")
        os.makedirs(empty, exist_ok=True)
        said = self.problem(GDAL_DRIVER_PATH=empty)
        self.assertRegex(said, r"not installed for GDAL 3|is not where GDAL 3")
        self.assertIn("meson install" if "not installed" in said else "GDAL_DRIVER_PATH=", said)

    def test_switched_off(self):
        self.assertIn("GDAL_SKIP", self.problem(GDAL_SKIP="MET2NET"))

    def test_built_for_another_gdal(self):
        """A library that needs a symbol which this GDAL does not have."""
        folder = bridge.HOME / "other"
        folder.mkdir(exist_ok=True)
        source = folder / "driver.c"
        source.write_text("extern void GDALOfAnotherRelease(void);\n"
                          "void GDALRegister_MET2NET(void) { GDALOfAnotherRelease(); }\n")
        subprocess.run(["cc", "-shared", "-fPIC", "-Wl,-z,now", "-o", folder / driver.LIBRARY, source], check=True)
        said = self.problem(GDAL_DRIVER_PATH=str(folder))
        self.assertIn("GDALOfAnotherRelease", said)
        self.assertIn("built for another GDAL", said)
        self.assertIn("meson install", said)

    def test_the_bar_says_so(self):
        desk = bridge.Desk()
        self.addCleanup(desk.close)
        kept, driver.problem = driver.problem, lambda: "no driver, and this is how to get it"
        self.addCleanup(setattr, driver, "problem", kept)
        self.assertIsNone(desk.opener.open(bridge.sample()))
        self.assertEqual(desk.messages, [("no driver, and this is how to get it", Qgis.Critical)])


class Dialog(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(bridge.sample()).parent
        self.window = dialog.AddForecastDialog()
        self.addCleanup(self.window.close)
        self.chosen = []
        self.window.chosen.connect(lambda *what: self.chosen.append(what))

    def fill(self, model, grib, save):
        self.window.tabs.setCurrentIndex(1)
        for widget, value in ((self.window.model, model), (self.window.grib, grib), (self.window.save, save)):
            widget.setFilePath(str(value))

    def test_is_not_modal(self):
        self.assertFalse(self.window.isModal())

    def test_wants_a_file_first(self):
        self.assertFalse(self.window.add.isEnabled())
        self.window.file.setFilePath(str(self.folder / "forecast.json"))
        self.assertTrue(self.window.add.isEnabled())
        self.window.add.click()
        self.assertEqual(self.chosen, [(str(self.folder / "forecast.json"), self.window.wind.isChecked())])

    def test_writes_a_forecast_that_the_driver_opens(self):
        self.fill(self.folder / "model.safetensors", self.folder / "analysis.grib2", self.folder / "mine")
        self.window.lead_time.setText("6h")
        self.window.init_time.setText("2021-03-20T20:00:00Z")
        self.window.add.click()
        path = self.chosen[0][0]
        self.assertEqual(json.loads(pathlib.Path(path).read_text())["model"], "model.safetensors")
        self.assertEqual(set(json.loads(pathlib.Path(path).read_text())), {"met2net", "model", "input", "init_time",
                                                                             "lead_time"})
        described = forecast.describe(path)
        self.assertEqual(len(described.valid_times), 6)
        self.assertEqual(forecast.time_text(described.init_time), "2021-03-20 20:00 UTC")

    def test_warns_of_sources_that_the_driver_refuses(self):
        self.fill("/etc/hostname", self.folder / "analysis.grib2", self.folder / "mine.json")
        self.assertIn("/etc/hostname", self.window.note.text())
        self.assertIn("MET2NET_ALLOWED_SOURCE", self.window.note.text())
        self.fill(self.folder / "model.safetensors", self.folder / "analysis.grib2", self.folder / "mine.json")
        self.assertEqual(self.window.note.text(), "")

    def test_says_when_it_cannot_write(self):
        self.fill(self.folder / "model.safetensors", self.folder / "analysis.grib2", "/nowhere/mine.json")
        self.window.add.click()
        self.assertEqual(self.chosen, [])
        self.assertIn("/nowhere/mine.json: No such file", self.window.note.text())

    def test_a_projection_becomes_output(self):
        text = json.loads(dialog.forecast_text("/a/f.json", "/a/m", ["/a/b/c.grib"], crs="EPSG:3857"))
        self.assertEqual(text, {"met2net": 1, "model": "m", "input": ["b/c.grib"], "output": {"crs": "EPSG:3857"}})
        self.assertEqual(list(text)[0], "met2net")

    def test_member_and_precision(self):
        ensemble = self.folder / "ensemble.grib2"
        ensemble.write_bytes(b"".join(subprocess.run(
            ["grib_set", "-s", f"productDefinitionTemplateNumber=1,perturbationNumber={n},numberOfForecastsInEnsemble=2",
             self.folder / "analysis.grib2", "/dev/stdout"], check=True, capture_output=True).stdout for n in (3, 4)))
        self.fill(self.folder / "model.safetensors", ensemble, self.folder / "of4.json")
        self.assertIn("lowest", self.window.member.text())
        self.window.member.setValue(4)
        self.window.precision.setCurrentIndex(self.window.precision.findData("int8"))
        self.window.lead_time.setText("6h")
        if "MET2NET_PICTURES" in os.environ:
            self.window.show()
            self.window.grab().save(os.path.join(os.environ["MET2NET_PICTURES"], "dialog.png"))
        self.window.add.click()
        path = self.chosen[0][0]
        text = json.loads(pathlib.Path(path).read_text())
        self.assertEqual((text["member"], text["precision"]), (4, "int8"))
        items = forecast.compute(path).GetMetadata()
        self.assertEqual((items["MET2NET_MEMBER"], items["MET2NET_PRECISION"]), ("4", "int8"))
        self.fill(self.folder / "model.safetensors", ensemble, self.folder / "of7.json")
        self.window.member.setValue(7)
        self.window.add.click()
        with self.assertRaisesRegex(driver.DriverError, "member 7"):
            forecast.compute(self.chosen[1][0])


if __name__ == "__main__":
    bridge.main()
