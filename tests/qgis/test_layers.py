"""A forecast on the map: which layers, how named, timed and coloured, and what opening costs."""
import bridge
import pathlib
import unittest

import numpy
from osgeo import gdal
from qgis.core import QgsLayerTreeGroup, QgsMesh, QgsMeshDatasetIndex, QgsMeshLayer, QgsRasterLayer

bridge.start_qgis()
from met2net import forecast, layers, styles, wind  # noqa: E402

TEMPERATURE = "Temperature 2 m"
VARIABLES = {TEMPERATURE: "t2m", "U-component of wind 10 m": "u10", "V-component of wind 10 m": "v10",
             "Total cloud cover": "tcc", "Relative humidity 1000 hPa": "r1000"}


class Layers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.path = bridge.sample()
        cls.desk = bridge.Desk()
        cls.group = cls.desk.open(cls.path)
        cls.layers = cls.desk.layers()

    @classmethod
    def tearDownClass(cls):
        cls.desk.close()

    def rasters(self):
        return [layer for layer in self.layers.values() if isinstance(layer, QgsRasterLayer)]

    def test_nothing_failed(self):
        self.assertEqual(self.desk.failures, [])
        self.assertTrue(all(layer.isValid() for layer in self.layers.values()))

    def test_group_is_named_by_the_initial_time(self):
        self.assertIsInstance(self.group, QgsLayerTreeGroup)
        self.assertEqual(self.group.name(), "Forecast 2021-03-21 00:00 UTC")

    def test_a_layer_per_variable(self):
        self.assertEqual(list(self.layers), [
            "Wind 10 m", TEMPERATURE, "U-component of wind 10 m", "V-component of wind 10 m", "Total cloud cover",
            "Relative humidity 1000 hPa", "Wind speed 10 m"])

    def test_arrows_and_temperature_are_shown_first(self):
        shown = [node.name() for node in self.group.findLayers() if node.isVisible()]
        self.assertEqual(shown, ["Wind 10 m", TEMPERATURE])

    def test_sources_are_plain_paths_with_an_option(self):
        self.assertEqual(self.layers[TEMPERATURE].source(), f"{self.path}|option:VARIABLE=t2m")

    def test_each_layer_holds_its_own_variable(self):
        for name, variable in VARIABLES.items():
            layer = self.layers[name]
            dataset = gdal.OpenEx(self.path, open_options=[f"VARIABLE={variable}"])
            block = layer.dataProvider().block(1, layer.extent(), layer.width(), layer.height())
            seen = numpy.array([[block.value(r, c) for c in range(layer.width())] for r in range(layer.height())])
            wanted = dataset.GetRasterBand(1).ReadAsArray()
            self.assertGreater(numpy.ptp(wanted), 0)
            numpy.testing.assert_array_equal(seen, wanted, name)

    def test_single_band_renderer(self):
        for layer in self.rasters():
            self.assertEqual(layer.renderer().type(), "singlebandpseudocolor", layer.name())
            self.assertEqual(layer.renderer().usesBands(), [1], layer.name())

    def test_ranges_cover_what_is_forecast(self):
        for name in (TEMPERATURE, "U-component of wind 10 m", "V-component of wind 10 m"):
            layer = self.layers[name]
            values = gdal.OpenEx(self.path, open_options=[f"VARIABLE={VARIABLES[name]}"]).ReadAsArray()
            low, high = layer.renderer().classificationMin(), layer.renderer().classificationMax()
            self.assertLessEqual(low, float(values.min()) + 1e-4, layer.name())
            self.assertGreaterEqual(high, float(values.max()) - 1e-4, layer.name())

    def test_temperature_diverges_at_freezing(self):
        renderer = self.layers[TEMPERATURE].renderer()
        middle = (renderer.classificationMin() + renderer.classificationMax()) / 2
        self.assertAlmostEqual(middle, 273.15, 6)

    def test_wind_components_diverge_at_calm(self):
        renderer = self.layers["U-component of wind 10 m"].renderer()
        self.assertAlmostEqual(renderer.classificationMin(), -renderer.classificationMax(), 6)

    def test_cloud_and_humidity_have_their_whole_range(self):
        humidity, cloud = (self.layers[n].renderer() for n in ("Relative humidity 1000 hPa", "Total cloud cover"))
        self.assertEqual((humidity.classificationMin(), humidity.classificationMax()), (0, 100))
        self.assertEqual((cloud.classificationMin(), cloud.classificationMax()), (0, 1))

    def test_legend_tells_the_unit(self):
        def ends(layer):
            settings = layer.renderer().shader().rasterShaderFunction().legendSettings()
            return settings.minimumLabel(), settings.maximumLabel()
        self.assertRegex(ends(self.layers[TEMPERATURE])[1], r"^\d+ K \(\d+ °C\)$")
        self.assertRegex(ends(self.layers["V-component of wind 10 m"])[0], r"^-\d+ m/s$")
        self.assertEqual(ends(self.layers["Relative humidity 1000 hPa"]), ("0 %", "100 %"))

    def test_legend_has_a_colour_bar(self):
        for layer in self.rasters():
            nodes = layer.renderer().createLegendNodes(self.group.findLayer(layer.id()))
            self.assertIn("QgsColorRampLegendNode", [type(node).__name__ for node in nodes], layer.name())

    def test_layers_are_temporal_over_the_whole_forecast(self):
        for layer in self.rasters():
            self.assertTrue(layer.temporalProperties().isActive())
            span = bridge.span(layer)
            self.assertEqual(span.begin(), layers.moment(forecast.describe(self.path).valid_times[0]))
            self.assertEqual(span.begin().secsTo(span.end()), 24 * 3600)

    def test_the_slider_has_a_frame_per_lead_time(self):
        self.assertEqual(self.desk.clock.totalFrameCount(), 24)
        self.assertEqual(self.desk.clock.frameDuration().hours(), 1)

    def test_nothing_but_the_wind_is_written_beside_the_forecast(self):
        names = sorted(file.name for file in pathlib.Path(self.path).parent.iterdir())
        self.assertEqual(names, ["analysis.grib2", "forecast.json", "forecast_wind_10m.grib2", "model.safetensors"])


class Wind(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.path = bridge.sample()
        cls.desk = bridge.Desk()
        cls.desk.open(cls.path)
        cls.arrows, cls.speed = (cls.desk.layers()[n] for n in ("Wind 10 m", "Wind speed 10 m"))

    @classmethod
    def tearDownClass(cls):
        cls.desk.close()

    def test_is_a_mesh_of_vectors_for_every_lead_time(self):
        self.assertIsInstance(self.arrows, QgsMeshLayer)
        group = wind.vector_group(self.arrows)
        self.assertEqual(group, 0)
        self.assertEqual(self.arrows.datasetCount(QgsMeshDatasetIndex(group, 0)), 24)
        self.assertEqual(self.arrows.rendererSettings().activeVectorDatasetGroup(), group)
        self.assertEqual(self.arrows.rendererSettings().activeScalarDatasetGroup(), -1)

    def test_speed_is_coloured_from_calm(self):
        settings = self.speed.rendererSettings()
        self.assertEqual((settings.activeScalarDatasetGroup(), settings.activeVectorDatasetGroup()), (0, -1))
        self.assertEqual(settings.scalarSettings(0).classificationMinimum(), 0)

    def test_times_are_those_of_the_forecast(self):
        times = self.arrows.temporalProperties()
        self.assertTrue(times.isActive())
        self.assertEqual(times.timeExtent().begin(), layers.moment(forecast.describe(self.path).valid_times[0]))
        self.assertEqual(times.timeExtent().end(), layers.moment(forecast.describe(self.path).valid_times[-1]))

    def test_vectors_are_the_forecast_of_their_hour(self):
        u, v = (gdal.OpenEx(self.path, open_options=[f"VARIABLE={name}"]).ReadAsArray() for name in ("u10", "v10"))
        left, dx, _, top, _, dy = gdal.Open(self.path).GetGeoTransform()
        mesh = QgsMesh()
        self.arrows.dataProvider().populateMesh(mesh)
        self.assertEqual(mesh.vertexCount(), u[0].size)
        for step in (0, 7, 23):
            block = self.arrows.datasetValues(QgsMeshDatasetIndex(0, step), 0, u[0].size)
            for vertex in (5, 700, 1333):
                point, arrow = mesh.vertex(vertex), block.value(vertex)
                row, column = int((point.y() - top) / dy), int((point.x() - left) / dx) % u.shape[2]
                self.assertAlmostEqual(arrow.x(), float(u[step, row, column]), delta=2e-3)
                self.assertAlmostEqual(arrow.y(), float(v[step, row, column]), delta=2e-3)

    def test_without_arrows_nothing_is_written(self):
        path, desk = bridge.sample(), bridge.Desk()
        self.addCleanup(desk.close)
        desk.open(path, with_wind=False)
        self.assertEqual([p.name for p in pathlib.Path(path).parent.glob("*wind*")], [])
        self.assertNotIn("Wind 10 m", desk.layers())


class Words(unittest.TestCase):
    def test_levels(self):
        self.assertEqual([forecast.level_text(t) for t in ("2-HTGL", "100000-ISBL", "0-SFC", "1-HYBL")],
                         ["2 m", "1000 hPa", "", "1-HYBL"])

    def test_units(self):
        self.assertEqual([forecast.unit_text(u) for u in ("m s**-1", "[K]", "(0 - 1)", "%")], ["m/s", "K", "", "%"])

    def test_lead_times(self):
        self.assertEqual([forecast.lead_text(s) for s in (0, 3600, 5400, 432000)],
                         ["+0 h", "+1 h", "+90 min", "+120 h"])

    def test_range_of_a_constant_field_is_not_empty(self):
        for element in ("TMP", "WIND", "unheard of"):
            low, high = styles.display_range(styles.style_of(element, ""), (5.0, 5.0))
            self.assertLess(low, high)

    def test_a_small_side_does_not_waste_the_colours(self):
        low, high = styles.display_range(styles.style_of("TMP", "K"), (272.0, 310.0))
        self.assertEqual((low, high), (272.0, 310.0))


if __name__ == "__main__":
    bridge.main()
