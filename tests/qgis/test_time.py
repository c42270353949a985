"""The time slider moves the forecast, shows the right hour, and costs no model time."""
import bridge
import unittest

from osgeo import gdal
from qgis.core import (QgsDateTimeRange, QgsMapRendererSequentialJob, QgsMapSettings,
                       QgsPointXY, QgsRaster, QgsSingleBandGrayRenderer, QgsTemporalNavigationObject)
from qgis.PyQt.QtCore import QSize, Qt
from qgis.PyQt.QtGui import QColor, QImage, QPainter

bridge.start_qgis()
from met2net import caption, forecast, layers, temporal  # noqa: E402

HOURS = (1, 9, 24)


def seconds(path, hour):
    return forecast.describe(path).init_time + 3600 * hour


class Slider(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.path = bridge.sample()
        cls.desk = bridge.Desk()
        cls.desk.open(cls.path)
        cls.layer = cls.desk.layers()["Temperature 2 m"]
        cls.arrows = cls.desk.layers()["Wind 10 m"]

    @classmethod
    def tearDownClass(cls):
        cls.desk.close()

    def move(self, hour):
        """As the user does, in frames of an hour from the first valid time."""
        self.desk.clock.setCurrentFrameNumber(hour - 1)
        start = self.desk.canvas.temporalRange().begin()
        self.assertEqual(start, layers.moment(seconds(self.path, hour)))

    def render(self, layer_list, when=None):
        """Map of the whole layer, one pixel per grid point, at the canvas's time or another."""
        settings = QgsMapSettings()
        settings.setLayers(layer_list)
        settings.setDestinationCrs(self.layer.crs())
        settings.setExtent(self.layer.extent())
        settings.setOutputSize(QSize(self.layer.width(), self.layer.height()))
        settings.setFlag(QgsMapSettings.Antialiasing, False)
        settings.setTemporalRange(when or self.desk.canvas.temporalRange())
        settings.setIsTemporal(True)
        job = QgsMapRendererSequentialJob(settings)
        job.start()
        job.waitForFinished()
        return job.renderedImage().convertToFormat(QImage.Format_RGB32)

    def colours_of_band(self, band):
        """What the layer's own colours make of the driver's values."""
        dataset = gdal.OpenEx(self.path, open_options=["VARIABLE=t2m"])
        values = dataset.GetRasterBand(band).ReadAsArray()
        shader = self.layer.renderer().shader().rasterShaderFunction()
        return [[QColor(*shader.shade(float(v))[1:4]) for v in row] for row in values]

    def assert_shows(self, image, hour):
        wanted = self.colours_of_band(hour)
        for row in range(self.layer.height()):
            for column in range(self.layer.width()):
                seen, want = image.pixelColor(column, row), wanted[row][column]
                difference = max(abs(a - b) for a, b in zip(seen.getRgb(), want.getRgb()))
                self.assertLessEqual(difference, 2, f"+{hour} h, row {row}, column {column}")

    def test_three_times_are_three_maps_of_the_right_bands(self):
        images = []
        for hour in HOURS:
            self.move(hour)
            images.append(self.render([self.layer]))
            self.assert_shows(images[-1], hour)
        for a in range(3):
            for b in range(a):
                self.assertNotEqual(images[a], images[b])

    def test_long_and_shifted_frames_show_the_last_hour_at_or_before_their_begin(self):
        self.addCleanup(self.move, 1)
        for begin, end, hour in ((3, 6, 3), (1, 25, 1), (4.5, 5.5, 4), (7, 7, 7), (24, 25, 24), (1, 1, 1)):
            first, last = (layers.moment(seconds(self.path, h)) for h in (begin, end))
            when = QgsDateTimeRange(first, last, True, begin == end)
            self.desk.canvas.setTemporalRange(when)
            self.assertEqual(temporal.shown_band(self.layer), hour)
            self.assertEqual(self.arrows.activeVectorDatasetAtTime(when).dataset() + 1, hour)
            self.assert_shows(self.render([self.layer]), hour)

    def test_outside_of_the_forecast_nothing_is_drawn(self):
        for begin, end in ((-5, -2), (30, 31)):
            image = self.render([self.layer], layers.time_range(seconds(self.path, begin), seconds(self.path, end)))
            self.assertEqual(image.pixelColor(5, 5), QColor(Qt.white), begin)

    def test_layouts_and_animations_have_their_own_time(self):
        if not layers.follows_by_itself(self.layer):
            self.skipTest("a raster layer has one range of time before QGIS 3.38")
        self.move(2)
        self.assert_shows(self.render([self.layer], layers.time_range(seconds(self.path, 12), seconds(self.path, 13))), 12)

    def test_arrows_move_too(self):
        images = []
        for hour in HOURS:
            self.move(hour)
            images.append(self.render([self.arrows]))
        self.assertTrue(images[0] != images[1] != images[2] != images[0])

    def test_the_band_is_that_of_the_hour(self):
        for hour in (1, 2, 13, 24):
            self.move(hour)
            self.assertEqual(temporal.shown_band(self.layer), hour)

    def test_the_legend_follows(self):
        changes = []
        self.layer.legendChanged.connect(lambda: changes.append(True))
        self.move(3)
        self.move(4)
        self.assertGreaterEqual(len(changes), 1)
        node = self.desk.project.layerTreeRoot().findLayer(self.layer.id())
        self.assertIn("T04:00:00Z", self.layer.renderer().createLegendNodes(node)[0].data(Qt.DisplayRole))

    def test_colours_stay_the_same(self):
        self.move(1)
        before = self.layer.renderer().classificationMin(), self.layer.renderer().classificationMax()
        self.move(20)
        self.assertEqual(before, (self.layer.renderer().classificationMin(),
                                  self.layer.renderer().classificationMax()))

    def test_another_renderer_follows_as_well(self):
        other = self.desk.layers()["Total cloud cover"]
        other.setRenderer(QgsSingleBandGrayRenderer(other.dataProvider(), 1))
        self.move(6)
        self.assertEqual(temporal.shown_band(other), 6)

    def test_a_layer_added_later_shows_the_hour_at_hand(self):
        self.move(5)
        described = forecast.describe(self.path)
        late = layers.forecast_layer(described, described.variables[0])
        self.desk.project.addMapLayer(late, False)
        self.assertEqual(temporal.shown_band(late), 5)
        self.desk.project.removeMapLayer(late.id())

    def test_slider_and_identify_compute_nothing(self):
        before = bridge.computations()
        self.assertGreater(before, 0)
        for hour in (4, 11, 23):
            self.move(hour)
            self.render([self.arrows, self.layer])
        found = self.layer.dataProvider().identify(QgsPointXY(13.4, 52.5), QgsRaster.IdentifyFormatValue)
        self.assertEqual(len(found.results()), 24)
        self.assertTrue(200 < found.results()[11] < 330)
        self.assertEqual(bridge.computations(), before)

    def test_the_users_own_slider_is_left_alone(self):
        clock = self.desk.clock
        self.assertEqual(clock.navigationMode(), QgsTemporalNavigationObject.Animated)
        span = QgsDateTimeRange(layers.moment(0), layers.moment(86400))
        kept = clock.temporalExtents()
        clock.setTemporalExtents(span)
        self.desk.opener.set_clock(forecast.describe(self.path))
        self.assertEqual(clock.temporalExtents().begin(), span.begin())
        clock.setTemporalExtents(kept)

    def test_the_caption_tells_valid_and_lead_time(self):
        self.desk.canvas.setLayers([self.arrows, self.layer])
        self.move(9)
        self.assertEqual(self.desk.caption.lines(),
                         ("Sun 21 Mar 2021  09:00 UTC", "+9 h from 2021-03-21 00:00 UTC"))

    def test_the_caption_is_drawn(self):
        self.move(9)
        plain = QImage(400, 200, QImage.Format_RGB32)
        plain.fill(Qt.darkGreen)
        image = plain.copy()
        painter = QPainter(image)
        caption.draw(painter, self.desk.caption.lines() or caption.caption_lines(0, 0))
        painter.end()
        changed = [(x, y) for x in range(400) for y in range(200) if image.pixel(x, y) != plain.pixel(x, y)]
        self.assertGreater(len(changed), 2000)
        self.assertLess(max(x for x, _ in changed), 399)

    def test_the_caption_is_on_the_canvas(self):
        canvas = self.desk.canvas
        canvas.setLayers([self.layer])
        self.move(9)
        drawn = []
        paint, self.desk.caption.lines = self.desk.caption.lines, lambda: drawn.append(paint()) or drawn[-1]
        canvas.refreshAllLayers()
        bridge.wait(lambda: drawn, "a rendering of the canvas")
        del self.desk.caption.lines
        self.assertEqual(drawn[0][1], "+9 h from 2021-03-21 00:00 UTC")


class Rule(unittest.TestCase):
    TIMES = [(100, 3), (200, 5), (300, 7)]

    def test_last_at_or_before(self):
        self.assertEqual([temporal.band_at(self.TIMES, s) for s in (100, 199, 200, 299, 300, 999)],
                         [3, 3, 5, 5, 7, 7])

    def test_before_the_first_it_is_the_first(self):
        self.assertEqual(temporal.band_at(self.TIMES, 0), 3)

    def test_arrows_and_colours_agree_between_hours(self):
        path, desk = bridge.sample(), bridge.Desk()
        self.addCleanup(desk.close)
        desk.open(path)
        arrows, raster = desk.layers()["Wind 10 m"], desk.layers()["Temperature 2 m"]
        begin = seconds(path, 5) + 1800
        when = layers.time_range(begin, begin + 3600)
        desk.canvas.setTemporalRange(when)
        dataset = arrows.activeVectorDatasetAtTime(when)
        self.assertEqual(dataset.dataset() + 1, 5)
        self.assertEqual(temporal.shown_band(raster), 5)


if __name__ == "__main__":
    bridge.main()
