"""The whole QGIS, under a virtual screen: plugin switched on, forecast opened, slider moved, pictures taken.

MET2NET_PICTURES names a folder to keep the pictures in."""
import bridge
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

from qgis.PyQt.QtGui import QImage

bridge.need("xvfb-run")
SCRIPT = pathlib.Path(__file__).with_name("desktop_script.py")


def differing(a, b):
    """Share of pixels that differ."""
    if a.size() != b.size():
        return 1.0
    step, count, different = 3, 0, 0
    for x in range(0, a.width(), step):
        for y in range(0, a.height(), step):
            count += 1
            different += a.pixel(x, y) != b.pixel(x, y)
    return different / count


class Desktop(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(os.environ.get("MET2NET_PICTURES") or tempfile.mkdtemp(dir=bridge.HOME))
        cls.folder.mkdir(exist_ok=True)
        environment = os.environ | {"MET2NET_FORECAST": bridge.sample(), "MET2NET_PICTURES": str(cls.folder),
                                    "QT_QPA_PLATFORM": "xcb"}
        subprocess.run(["qgis_process.bin", "plugins", "enable", "met2net"], check=True, capture_output=True)
        run = subprocess.run(["xvfb-run", "-a", "-s", "-screen 0 1280x800x24", "qgis.bin", "--nologo",
                              "--noversioncheck", "--code", SCRIPT], env=environment, capture_output=True, text=True,
                             timeout=2 * bridge.PATIENCE)
        report = cls.folder / "report.json"
        if not report.exists():
            raise AssertionError(f"QGIS ended with {run.returncode} and told nothing: {run.stderr[-2000:]}")
        cls.report = json.loads(report.read_text())

    def test_nothing_failed(self):
        self.assertNotIn("error", self.report, self.report.get("error"))

    def test_the_plugin_is_in_place(self):
        self.assertTrue(self.report["action"])
        self.assertEqual(self.report["algorithms"], 7)

    def test_the_forecast_is_in_the_tree(self):
        self.assertEqual(self.report["group"], "Forecast 2021-03-21 00:00 UTC")
        self.assertEqual(len(self.report["layers"]), 7)

    def test_the_slider_is_shown(self):
        self.assertTrue(self.report["temporal dock"])

    def test_unloading_leaves_nothing(self):
        self.assertTrue(self.report["unloaded"])
        self.assertFalse(self.report["action left"] or self.report["provider left"])

    def test_two_times_have_their_captions(self):
        self.assertEqual([frame["caption"][1].split()[0:2] for frame in self.report["frames"]],
                         [["+3", "h"], ["+15", "h"]])

    def test_two_times_are_two_maps(self):
        first, second = (QImage(str(self.folder / f"map{i}.png")) for i in (0, 1))
        self.assertFalse(first.isNull() or second.isNull())
        self.assertGreater(differing(first, second), 0.2)

    def test_the_map_is_coloured_and_has_arrows(self):
        image = QImage(str(self.folder / "map1.png"))
        pixels = [image.pixelColor(x, y) for x in range(0, image.width(), 2) for y in range(0, image.height(), 2)]
        self.assertGreater(len({p.rgb() for p in pixels}), 500)
        dark = sum(p.lightness() < 60 for p in pixels) / len(pixels)
        self.assertTrue(0.002 < dark < 0.3, dark)


if __name__ == "__main__":
    bridge.main()
