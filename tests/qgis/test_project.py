"""A saved project: opened again, moved with its forecast, and moved on in time."""
import bridge
import pathlib
import re
import shutil
import unittest
import zipfile


bridge.start_qgis()
from met2net import layers, temporal  # noqa: E402

NAMES = ["Wind 10 m", "Temperature 2 m", "U-component of wind 10 m", "V-component of wind 10 m", "Total cloud cover",
         "Relative humidity 1000 hPa", "Wind speed 10 m"]


class Project(unittest.TestCase):
    def setUp(self):
        """A folder with forecast and project; the project is closed and the folder has another name."""
        self.desk = bridge.Desk()
        self.addCleanup(self.desk.close)
        path = pathlib.Path(bridge.sample("before"))
        self.desk.open(str(path))
        self.colours = self.range_of(self.desk.layers()["Temperature 2 m"])
        self.assertTrue(self.desk.project.write(str(path.parent / "weather.qgz")))
        self.desk.project.clear()
        self.folder = path.parent.with_name(path.parent.name.replace("before", "after"))
        path.parent.rename(self.folder)

    @staticmethod
    def range_of(layer):
        return layer.renderer().classificationMin(), layer.renderer().classificationMax()

    def shown(self):
        return [n.name() for n in self.desk.project.layerTreeRoot().findLayers() if n.isVisible()]

    def read(self):
        self.assertTrue(self.desk.project.read(str(self.folder / "weather.qgz")))

    def read_and_wait(self):
        self.read()
        bridge.wait(lambda: not self.desk.opener.tasks, "computing the forecast of the project")

    def test_paths_in_the_file_are_relative(self):
        text = zipfile.ZipFile(self.folder / "weather.qgz").read("weather.qgs").decode()
        self.assertEqual(set(re.findall(r"<datasource>(.*?)</datasource>", text)) - {""},
                         {f"./forecast.json|option:VARIABLE={v}" for v in ("t2m", "u10", "v10", "tcc", "r1000")}
                         | {"./forecast_wind_10m.grib2"})

    def test_moved_project_has_valid_layers(self):
        self.read_and_wait()
        self.assertEqual(list(self.desk.layers()), NAMES)
        for layer in self.desk.layers().values():
            self.assertTrue(layer.isValid(), layer.source())
            self.assertIn(str(self.folder), layer.source())

    def test_colours_and_times_are_kept(self):
        self.read_and_wait()
        layer = self.desk.layers()["Temperature 2 m"]
        self.assertEqual(self.range_of(layer), self.colours)
        self.assertEqual(len(layers.times_of(layer)[1]), 24)

    def test_the_slider_works_again(self):
        self.read_and_wait()
        _, times = layers.times_of(self.desk.layers()["Temperature 2 m"])
        self.desk.canvas.setTemporalRange(layers.time_range(times[16][0], times[17][0]))
        self.assertEqual(temporal.shown_band(self.desk.layers()["Temperature 2 m"]), 17)

    def test_layers_wait_unticked_until_computed(self):
        self.read()
        self.assertEqual(self.shown(), ["Wind 10 m"])
        bridge.wait(lambda: not self.desk.opener.tasks, "computing the forecast of the project")
        self.assertEqual(self.shown(), ["Wind 10 m", "Temperature 2 m"])

    def test_opening_does_not_make_the_project_dirty(self):
        self.read_and_wait()
        self.assertFalse(self.desk.project.isDirty())

    def test_a_moved_on_forecast_has_its_new_times(self):
        text = (self.folder / "forecast.json").read_text()
        (self.folder / "forecast.json").write_text(text.replace('"latest"', '"2021-03-20T20:00:00Z"'))
        self.read_and_wait()
        layer = self.desk.layers()["Temperature 2 m"]
        init, times = layers.times_of(layer)
        self.assertEqual(layers.time_text(init), "2021-03-20 20:00 UTC")
        self.assertEqual(times[0][0] - init, 3600)
        self.assertEqual(bridge.span(layer).begin(), layers.moment(times[0][0]))
        self.assertIn("is of 2021-03-21 00:00 UTC: add the forecast again", self.desk.messages[-1][0])

    def test_a_forecast_that_fails_says_so_and_stays_unticked(self):
        model = self.folder / "model.safetensors"
        model.write_bytes(model.read_bytes()[:200000])
        self.read()
        bridge.wait(lambda: not self.desk.opener.tasks, "the end of the task")
        self.assertEqual(len(self.desk.failures), 1)
        self.assertIn("model.safetensors", self.desk.failures[0])
        self.assertNotIn("Temperature 2 m", self.shown())

    def test_without_the_forecast_the_project_still_opens(self):
        shutil.move(self.folder / "forecast.json", self.folder / "gone.json")
        self.read()
        self.assertFalse(self.desk.layers()["Temperature 2 m"].isValid())
        self.assertTrue(self.desk.layers()["Wind 10 m"].isValid())


if __name__ == "__main__":
    bridge.main()
