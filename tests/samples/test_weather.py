#!/usr/bin/env python3
"""The program `weather`: its GRIB2 as eccodes and GDAL read it, its options, its failures.  usage: test_weather.py WEATHER"""
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import eccodes
import numpy as np
from osgeo import gdal
import tap

gdal.UseExceptions()
WEATHER = sys.argv[1]
QUICK = ["--truncation", "10", "--spin-up", "5"]


def weather(*options):
    return subprocess.run([WEATHER, *map(str, options)], capture_output=True, text=True)


def messages(path):
    with open(path, "rb") as f:
        while (h := eccodes.codes_grib_new_from_file(f)) is not None:
            yield h
            eccodes.codes_release(h)


def keys(h, *names):
    return tuple(eccodes.codes_get(h, n) for n in names)


class Weather(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.out = pathlib.Path(self.folder.name) / "w.grib2"

    def make(self, *options):
        r = weather(*QUICK, *options, "-o", self.out)
        self.assertEqual((r.returncode, r.stderr, r.stdout), (0, "", ""))
        return self.out

    def test_messages_say_what_when_and_where(self):
        found = [keys(h, "edition", "paramId", "typeOfLevel", "level", "dataDate", "dataTime", "step")
                 for h in messages(self.make("--hours", 3, "--start", "2020-02-28T23:00Z"))]
        fields = [(165, "heightAboveGround", 10), (166, "heightAboveGround", 10), (167, "heightAboveGround", 2),
                  (228164, "entireAtmosphere", 0), (157, "isobaricInhPa", 1000)]
        times = [(20200228, 2300), (20200229, 0), (20200229, 100)]
        self.assertEqual(found, [(2, *f, *t, 0) for t in times for f in fields])

    def test_cell_centres_of_the_whole_globe(self):
        for h in messages(self.make("--hours", 1)):
            self.assertEqual(keys(h, "Ni", "Nj", "gridType", "numberOfMissing"), (64, 32, "regular_ll", 0))
            self.assertEqual(keys(h, "iDirectionIncrementInDegrees", "jDirectionIncrementInDegrees"), (5.625, 5.625))
            latitudes = eccodes.codes_get_array(h, "distinctLatitudes")
            longitudes = (eccodes.codes_get_array(h, "distinctLongitudes") + 180) % 360 - 180
            np.testing.assert_allclose(sorted(latitudes), np.arange(-87.1875, 88, 5.625))
            np.testing.assert_allclose(sorted(longitudes), np.arange(-177.1875, 178, 5.625))

    def test_maps_are_the_right_way_up(self):
        dataset = gdal.Open(str(self.make("--hours", 1, "--start", "2020-01-15T12")))
        np.testing.assert_allclose(dataset.GetGeoTransform(), (-180, 5.625, 0, 90, 0, -5.625))
        t2m = dataset.GetRasterBand(3).ReadAsArray()
        self.assertGreater(t2m[15:17].mean(), t2m[0].mean() + 20)  # tropics, Arctic
        tibet, arabian_sea = t2m[10, 47], t2m[13, 43]
        self.assertLess(tibet, arabian_sea - 10)

    def test_regional_grid(self):
        h = next(messages(self.make("--hours", 1, "--area", "60/-10/35/30", "--grid", "40x25")))
        self.assertEqual(keys(h, "Ni", "Nj"), (40, 25))
        self.assertEqual(keys(h, "latitudeOfFirstGridPointInDegrees", "longitudeOfFirstGridPointInDegrees"), (59.5, 350.5))
        self.assertEqual(keys(h, "latitudeOfLastGridPointInDegrees", "longitudeOfLastGridPointInDegrees"), (35.5, 29.5))

    def test_every_third_hour(self):
        found = [keys(h, "dataTime")[0] for h in messages(self.make("--hours", 7, "--every", 3))]
        self.assertEqual(found[::5], [0, 300, 600])

    def test_seed_makes_the_weather(self):
        one = self.make("--hours", 2, "--seed", 1).read_bytes()
        again = self.make("--hours", 2, "--seed", 1).read_bytes()
        two = self.make("--hours", 2, "--seed", 2).read_bytes()
        self.assertEqual(one, again)
        self.assertEqual(len(one), len(two))
        self.assertNotEqual(one, two)

    def test_a_longer_run_begins_like_a_shorter_one(self):
        short = self.make("--hours", 2).read_bytes()
        self.assertEqual(self.make("--hours", 4).read_bytes()[:len(short)], short)

    def test_wrong_usage_says_what_is_wrong(self):
        for options, word in [(["--grid", "64"], '"64"'), (["--grid", "1x9"], '"1x9"'), (["--area", "10/0/20/5"], "10/0/20/5"),
                              (["--start", "tomorrow"], "tomorrow"), (["--hours", "0"], "--hours: 0"),
                              (["--truncation", "4"], "--truncation: 4"), (["--frobnicate"], "frobnicate"),
                              (["extra"], "too many arguments")]:
            r = weather("-o", self.out, *options)
            self.assertEqual(r.returncode, 2, options)
            self.assertIn(word, r.stderr)
            self.assertEqual(len(r.stderr.splitlines()), 1, r.stderr)
            self.assertFalse(self.out.exists())
        self.assertEqual(weather("--hours", 1).returncode, 2)

    def test_a_folder_that_is_not_there(self):
        r = weather(*QUICK, "--hours", 1, "-o", "/nowhere/at/all.grib2")
        self.assertEqual(r.returncode, 1)
        self.assertIn("/nowhere/at/all.grib2", r.stderr)

    def test_stopped_leaves_nothing(self):
        p = subprocess.Popen([WEATHER, *QUICK, "--hours", "900000", "-o", self.out], stderr=subprocess.PIPE, text=True)
        while not os.listdir(self.folder.name) and p.poll() is None:
            time.sleep(0.02)
        p.send_signal(signal.SIGINT)
        self.assertEqual(p.wait(60), 130, p.stderr.read())
        p.stderr.close()
        self.assertEqual(os.listdir(self.folder.name), [])


if __name__ == "__main__":
    sys.argv = sys.argv[:1]
    tap.main()
