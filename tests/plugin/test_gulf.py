"""A model trained on real ERA5, on real ERA5 in GRIB2: the bands are the oracle's forecast."""
import json
import os
import pathlib
import struct
import subprocess
import unittest

import numpy as np
import tap
from osgeo import gdal

import fixture

gdal.UseExceptions()
SHARED = pathlib.Path(os.environ.get("M2N_SHARED", "/nonexistent"))
GRIB = SHARED / "data/train/derived_grib2/era5_gulf_2024-01_u10v10t2m.grib2"
MODEL = SHARED / "models/gulf_u10v10t2m.safetensors"
VECTOR = SHARED / "vectors/gulf_2024-01-28T00.safetensors"


@unittest.skipUnless(GRIB.exists() and MODEL.exists() and VECTOR.exists(), "no shared files beside the checkout")
class Gulf(unittest.TestCase):
    def test_bands_are_the_oracles_forecast(self):
        data = VECTOR.read_bytes()
        start = 8 + struct.unpack("<Q", data[:8])[0]
        oracle = np.frombuffer(data[start:], "<f4").reshape(12, 3, 16, 32)
        out = f"/tmp/met2net-gulf-{os.getpid()}.tif"
        self.addCleanup(os.unlink, out)
        subprocess.run(["gdal_translate", "-q", f"MET2NET:{GRIB}", "-oo", f"MODEL={MODEL}", "-oo",
                        "INIT_TIME=2024-01-28T00:00:00Z", "-oo", "CACHE=NO", out], check=True)
        ds = gdal.Open(out)
        self.assertEqual(ds.RasterCount, 36)
        self.assertEqual(ds.GetGeoTransform(), (47.125, 0.25, 0, 28.375, 0, -0.25))
        # 2e-3 m/s or K is what regridding and rounding may cost; our own difference is 3e-5
        np.testing.assert_allclose(ds.ReadAsArray().reshape(oracle.shape), oracle, atol=1e-3, rtol=0)
        self.assertIn("t2m 2 m, 2024-01-28T12:00:00Z (+12 h)", ds.GetRasterBand(36).GetDescription())


if __name__ == "__main__":
    tap.main()
