#!/usr/bin/env python3
"""The sample model through the whole chain, from GRIB2 to bands, on weather it has never seen: every variable clearly
better than persistence, at each lead time it should be.  What a flip, a wrong lead time, a lost normalisation or a
wrong kernel would spoil.  usage: test_skill.py WEATHER DRIVER_FOLDER SAMPLES"""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

WEATHER, DRIVER, SAMPLES = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
os.environ["GDAL_DRIVER_PATH"] = DRIVER
os.environ["MET2NET_CACHE"] = "NO"

import eccodes
os.environ.pop("PROJ_LIB", None)  # Debian's ecmwflibs, which eccodes imports, points it at a folder that is not there
import numpy as np
from osgeo import gdal
import tap

gdal.UseExceptions()
START, T = 1599696000, 12  # 2020-09-10T00Z
NAMES = {165: "u10", 166: "v10", 167: "t2m", 228164: "tcc", 157: "r"}
ELEMENTS = {"UGRD": "u10", "VGRD": "v10", "TMP": "t2m", "TCDC": "tcc", "RH": "r"}


def read_truth(path):
    """{name: [hour][row][column]} north-up, west to east, as eccodes decodes it."""
    out = {n: [] for n in NAMES.values()}
    with open(path, "rb") as f:
        while (h := eccodes.codes_grib_new_from_file(f)) is not None:
            lon = (eccodes.codes_get_array(h, "longitudes") + 180) % 360
            order = np.lexsort((lon, -eccodes.codes_get_array(h, "latitudes")))
            name = NAMES[eccodes.codes_get(h, "paramId")]
            values = eccodes.codes_get_values(h)[order].reshape(32, 64)
            out[name].append(values / 100 if name == "tcc" else values)
            eccodes.codes_release(h)
    return {n: np.stack(v) for n, v in out.items()}


def forecast(path, init):
    """{name: [T][row][column]} from the driver."""
    dataset = gdal.OpenEx(f"MET2NET:{path}", open_options=[f"MODEL={SAMPLES / 'model.safetensors'}", f"INIT_TIME={init}"])
    out = {n: [None] * T for n in ELEMENTS.values()}
    for i in range(1, dataset.RasterCount + 1):
        band = dataset.GetRasterBand(i)
        lead = int(band.GetMetadataItem("GRIB_FORECAST_SECONDS").split()[0]) // 3600
        name = ELEMENTS[band.GetMetadataItem("GRIB_ELEMENT")]
        values = band.ReadAsArray().astype(float)
        out[name][lead - 1] = values / 100 if name == "tcc" and band.GetUnitType() == "%" else values
    return {n: np.stack(v) for n, v in out.items()}


class Skill(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "unseen.grib2")
            subprocess.run([WEATHER, "-q", "--spin-up", "30", "--seed", "5150", "--start", "2020-09-10", "--hours", "84", "-o", path], check=True)
            truth = read_truth(path)
            model, still = {n: [] for n in truth}, {n: [] for n in truth}
            for last in (23, 47, 66):  # 23, 23 and 18 UTC
                init = np.datetime64(START + 3600 * last, "s")
                got = forecast(path, f"{init}Z")
                for n, x in truth.items():
                    want = x[last + 1:last + 1 + T]
                    model[n].append(((got[n] - want) ** 2).mean((1, 2)))
                    still[n].append(((x[last] - want) ** 2).mean((1, 2)))
        cls.model = {n: np.sqrt(np.mean(v, 0)) for n, v in model.items()}
        cls.still = {n: np.sqrt(np.mean(v, 0)) for n, v in still.items()}

    def check(self, name):
        ratio = self.model[name] / self.still[name]
        overall = np.sqrt((self.model[name] ** 2).mean() / (self.still[name] ** 2).mean())
        print(f"# {name}: RMSE / persistence's {overall:.2f}; by hour " + " ".join(f"{r:.2f}" for r in ratio))
        self.assertLess(overall, 0.8)
        self.assertTrue((ratio[5:] < 0.9).all(), ratio)
        self.assertTrue((ratio < 1.3).all(), ratio)

    def test_u10(self):
        self.check("u10")

    def test_v10(self):
        self.check("v10")

    def test_t2m(self):
        self.check("t2m")

    def test_tcc(self):
        self.check("tcc")

    def test_r1000(self):
        self.check("r")


if __name__ == "__main__":
    sys.argv = sys.argv[:1]
    tap.main()
