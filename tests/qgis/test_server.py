"""QGIS Server draws the hour that TIME asks for: the real qgis_mapserv.fcgi, as CGI."""
import bridge
import os
import pathlib
import shutil
import subprocess
import unittest

bridge.SERVER = shutil.which("qgis_mapserv.fcgi", path="/usr/lib/cgi-bin:/usr/libexec/qgis:/usr/bin")
bridge.need(bridge.SERVER or "qgis_mapserv.fcgi")
from osgeo import gdal  # noqa: E402
from qgis.PyQt.QtGui import QColor, QImage  # noqa: E402

bridge.start_qgis()
from met2net import server  # noqa: E402

BASE = ("SERVICE=WMS&VERSION=1.3.0&CRS=EPSG:4326&BBOX=-90,-180,90,180&WIDTH=64&HEIGHT=32&LAYERS=Temperature 2 m"
        "&STYLES=")


class Server(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        desk = bridge.Desk()
        path = pathlib.Path(bridge.sample())
        desk.open(str(path))
        layer = desk.layers()["Temperature 2 m"]
        shader = layer.renderer().shader().rasterShaderFunction()
        dataset = gdal.OpenEx(str(path), open_options=["VARIABLE=t2m"])
        cls.ninth = [[QColor(*shader.shade(float(v))[1:4]).getRgb() for v in row]
                     for row in dataset.GetRasterBand(9).ReadAsArray()]
        cls.project = str(path.parent / "weather.qgs")
        assert desk.project.write(cls.project)
        desk.close()

    def request(self, query):
        """Body of the server's answer."""
        environment = os.environ | {"REQUEST_METHOD": "GET", "QGIS_PROJECT_FILE": self.project,
                                    "QUERY_STRING": query.replace(" ", "%20")}
        run = subprocess.run([bridge.SERVER], env=environment, capture_output=True, timeout=2 * bridge.PATIENCE)
        head, _, body = run.stdout.partition(b"\r\n\r\n" if b"\r\n\r\n" in run.stdout else b"\n\n")
        self.assertTrue(body, run.stderr.decode()[-2000:] + head.decode()[-500:])
        return body

    def map_at(self, time):
        query = f"{BASE}&REQUEST=GetMap&FORMAT=image/png" + (f"&TIME={time}" if time else "")
        image = QImage.fromData(self.request(query))
        self.assertEqual((image.width(), image.height()), (64, 32))
        return image

    def value_at(self, time):
        """What GetFeatureInfo tells at one point."""
        body = self.request(f"{BASE}&REQUEST=GetFeatureInfo&QUERY_LAYERS=Temperature 2 m&I=40&J=10"
                            f"&INFO_FORMAT=text/plain&TIME={time}")
        return body.decode()

    def test_times_are_different_maps(self):
        first, ninth, none = (self.map_at(t) for t in ("2021-03-21T01:00:00Z", "2021-03-21T09:00:00Z", None))
        self.assertNotEqual(first, ninth)
        self.assertEqual(first, none)

    def test_the_map_is_that_of_the_hour(self):
        image = self.map_at("2021-03-21T09:00:00Z")
        for row, colours in enumerate(self.ninth):
            for column, wanted in enumerate(colours):
                seen = image.pixelColor(column, row).getRgb()
                self.assertLessEqual(max(abs(a - b) for a, b in zip(seen, wanted)), 2, f"row {row}, column {column}")

    def test_identify_gives_the_values(self):
        self.assertRegex(self.value_at("2021-03-21T09:00:00Z"), r"= '2\d\d\.\d+'")

    def test_capabilities_name_the_layers(self):
        self.assertIn("Temperature 2 m", self.request("SERVICE=WMS&REQUEST=GetCapabilities").decode())

    def test_times_are_read(self):
        self.assertEqual([server.seconds_of(t) for t in (
            "1970-01-01T01:00:00Z", "1970-01-01T01:00:00", "1970-01-01T01:00:00Z/1970-01-01T02:00:00Z",
            "1970-01-01T02:00:00+01:00", "yesterday")], [3600, 3600, 3600, 3600, None])


if __name__ == "__main__":
    bridge.main()
