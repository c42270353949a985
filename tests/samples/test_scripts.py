#!/usr/bin/env python3
"""The scripts a newcomer runs first.  usage: test_scripts.py BUILD SOURCE"""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

BUILD, SOURCE = (pathlib.Path(a).resolve() for a in sys.argv[1:3])

from osgeo import gdal
import tap

gdal.UseExceptions()
PNG = b"\x89PNG\r\n\x1a\n"


def run(*command, **environment):
    return subprocess.run([str(c) for c in command], cwd="/", env=os.environ | environment, capture_output=True, text=True)


class SetUp(unittest.TestCase):
    """samples/setup.sh with stand-ins for what would change the machine."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.calls = self.folder / "calls"
        self.stand_in("apt-get", f'echo "$*" >> {self.calls}')
        self.stand_in("sudo", 'exec "$@"')

    def stand_in(self, name, script):
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def script(self, *options):
        return run(SOURCE / "samples/setup.sh", *options, PATH=f"{self.folder}:{os.environ['PATH']}")

    def test_wrong_usage(self):
        for options, word in [((), "usage"), (("buidl",), "buidl")]:
            r = self.script(*options)
            self.assertEqual(r.returncode, 2)
            self.assertIn(word, r.stderr)
        self.assertFalse(self.calls.exists())

    def test_nothing_missing_touches_nothing(self):
        self.stand_in("dpkg-query", "echo 'ii '")
        r = self.script("build", "test", "qgis")
        self.assertEqual((r.returncode, r.stdout, r.stderr), (0, "", ""))
        self.assertFalse(self.calls.exists())

    def test_installs_what_is_missing_alone(self):
        self.stand_in("dpkg-query", 'case "$*" in *meson|*libgdal-dev) exit 1 ;; esac; echo "ii "')
        r = self.script("build")
        self.assertEqual(r.returncode, 0, r.stderr)
        update, install = self.calls.read_text().splitlines()
        self.assertTrue(update.startswith("update"), update)
        self.assertEqual([w for w in install.split() if not w.startswith(("-", "DPkg", "Dpkg"))],
                         ["install", "meson", "libgdal-dev"])

    def test_removed_but_configured_is_missing(self):
        self.stand_in("dpkg-query", 'case "$*" in *meson) echo "rc " ;; *) echo "ii " ;; esac')
        self.script("build")
        self.assertIn("meson", self.calls.read_text())

    def test_says_what_could_not_be_installed(self):
        self.stand_in("dpkg-query", 'case "$*" in *meson) exit 1 ;; esac; echo "ii "')
        self.stand_in("apt-get", "exit 100")
        r = self.script("build")
        self.assertEqual(r.returncode, 1)
        self.assertIn("could not install: meson", r.stderr)


class QuickStart(unittest.TestCase):
    def test_forecast_and_picture_from_any_folder_twice(self):
        with tempfile.TemporaryDirectory() as folder:
            home = {"M2N_BUILD": str(BUILD), "XDG_CACHE_HOME": f"{folder}/cache"}
            for _ in range(2):
                r = run(SOURCE / "samples/quickstart.sh", f"{folder}/out", **home)
                self.assertEqual(r.returncode, 0, r.stdout + r.stderr)
                self.assertEqual(r.stdout.splitlines()[-2:],
                                 [f"forecast: {folder}/out/forecast.tif", f"picture:  {folder}/out/forecast.png"])
            self.assertEqual(sorted(os.listdir(f"{folder}/out")), ["forecast.png", "forecast.tif"])
            self.check_tif(f"{folder}/out/forecast.tif")
            png = pathlib.Path(f"{folder}/out/forecast.png").read_bytes()
            self.assertTrue(png.startswith(PNG) and len(png) > 100_000)

    def check_tif(self, path):
        d = gdal.Open(path)
        self.assertEqual((d.RasterCount, d.RasterXSize, d.RasterYSize), (120, 64, 32))
        self.assertEqual(d.GetGeoTransform(), (-180, 5.625, 0, 90, 0, -5.625))
        self.assertEqual(d.GetSpatialRef().GetAuthorityCode(None), "4326")
        t2m = d.GetRasterBand(8)
        self.assertEqual(t2m.GetDescription(), "t2m 2 m, 2021-03-21T02:00:00Z (+2 h)")
        self.assertEqual((t2m.GetUnitType(), t2m.GetMetadataItem("GRIB_ELEMENT")), ("K", "TMP"))
        low, high = t2m.ComputeRasterMinMax(False)
        self.assertTrue(200 < low < 270 and 295 < high < 330, (low, high))
        d = None

    def test_the_readme_shows_the_sample(self):
        self.assertTrue((SOURCE / "samples/forecast.png").read_bytes().startswith(PNG))
        self.assertLess((SOURCE / "samples/model.safetensors").stat().st_size, 5_000_000)

    def test_map_names_the_lead_times_there_are(self):
        with tempfile.TemporaryDirectory() as folder:
            r = run("/usr/bin/python3", SOURCE / "samples/draw_map.py", f"MET2NET:{SOURCE}/samples/forecast.json",
                    f"{folder}/map.png", "--lead", "25", GDAL_DRIVER_PATH=str(BUILD / "plugin"))
            self.assertEqual(r.returncode, 1)
            self.assertIn("no band at +25 h; there are +1, +2", r.stderr)
            self.assertEqual(os.listdir(folder), [])


if __name__ == "__main__":
    sys.argv = sys.argv[:1]
    tap.main()
