"""PRECISION in all the places where it can be said: close to float32 and not it, kept apart in both caches, told in
the metadata; what it costs in skill on real ERA5."""
import json
import os
import pathlib
import unittest

import numpy as np
import tap
from osgeo import gdal

import fixture

gdal.UseExceptions()
BUILD = pathlib.Path(os.environ["M2N_BUILD"]).resolve()
SHARED = pathlib.Path(os.environ.get("M2N_SHARED", "/nonexistent"))
FIELDS = SHARED / "data/train/Ziadt160+PI-GNN-Dust/era5_test.nc"
MODEL = SHARED / "models/gulf_u10v10t2m.safetensors"
STD = np.array([v[6] for v in fixture.VARIABLES])[:, None, None]


class Precision(fixture.Case):
    def bands(self, *options, name=None):
        """[step][variable][H][W], computed in a process of its own."""
        self.last = self.run_tool("gdal_translate", "-q", *[x for o in options for x in ("-oo", o)],
                                  name or self.forecast, "out.tif")
        return gdal.Open(str(self.folder / "out.tif")).ReadAsArray().reshape(fixture.T, fixture.V, fixture.H, fixture.W)

    def assertClose(self, a, b, most):
        """Different, by less than `most` of a standard deviation in the root mean square."""
        rms = np.sqrt(np.mean(((a - b) / STD) ** 2))
        self.assertGreater(rms, 0)
        self.assertLess(rms, most)

    def test_open_option(self):
        exact, bf16, int8 = (self.bands("CACHE=NO", f"PRECISION={p}") for p in ("float32", "BF16", "int8"))
        np.testing.assert_array_equal(self.bands("CACHE=NO"), exact)  # float32 is the default
        self.assertClose(bf16, exact, 0.005)
        self.assertClose(int8, exact, 0.02)

    def test_threads_do_not_change_a_bit(self):
        one = self.bands("CACHE=NO", "PRECISION=int8", "THREADS=1")
        np.testing.assert_array_equal(self.bands("CACHE=NO", "PRECISION=int8", "THREADS=3"), one)

    def test_a_processor_without_fast_int8_is_told_of_once(self):
        read = """
import sys
for time in ("latest", "2024-01-01T05:00Z"):
    gdal.OpenEx(sys.argv[1], open_options=["PRECISION=" + sys.argv[2], "CACHE=NO", "INIT_TIME=" + time]).ReadRaster()
"""
        words = "Warning 1: PRECISION=int8: this processor has no VNNI"
        out = self.run_python(read, self.forecast, "int8", M2N_ISA="scalar")
        self.assertEqual((out.count("computing"), out.count(words)), (2, 1), out)
        self.assertNotIn("VNNI", self.run_python(read, self.forecast, "bf16", M2N_ISA="scalar"))

    def test_forecast_file_and_option_over_it(self):
        int8 = self.bands("CACHE=NO", "PRECISION=int8")
        path = self.write_forecast("int8.json", precision="int8")
        np.testing.assert_array_equal(self.bands("CACHE=NO", name=path), int8)
        np.testing.assert_array_equal(self.bands("CACHE=NO", "PRECISION=float32", name=path), self.bands("CACHE=NO"))

    def test_caches_keep_them_apart(self):
        exact = self.bands()
        self.assertIn("computing", self.last)
        int8 = self.bands("PRECISION=int8")
        self.assertIn("computing", self.last)
        self.assertClose(int8, exact, 0.02)
        for options, want in ((("PRECISION=int8",), int8), ((), exact)):  # from the disk
            np.testing.assert_array_equal(self.bands(*options), want)
            self.assertIn("read from the cache", self.last)
        out = self.run_python("""
import sys
for options in ([], ["PRECISION=int8"], ["PRECISION=float32"], ["PRECISION=INT8", "VARIABLE=t2m"], ["PRECISION=bf16"]):
    gdal.OpenEx(sys.argv[1], open_options=options).ReadRaster()
""", self.forecast, MET2NET_CACHE="NO")
        self.assertEqual(out.count("computing"), 3, out)  # in memory: one for each precision

    def test_metadata_tells(self):
        for options, want in (([], "float32"), (["PRECISION=INT8"], "int8")):
            ds = gdal.OpenEx(self.forecast, gdal.OF_RASTER, open_options=options)
            self.assertEqual(ds.GetMetadataItem("MET2NET_PRECISION"), want)

    def test_a_field_that_is_not_a_number_does_not_become_one(self):
        fixture.write_model(self.folder / "model.safetensors", readout=np.inf)
        for precision in ("float32", "int8"):
            self.assertTrue(np.isnan(self.bands("CACHE=NO", f"PRECISION={precision}")).all())

    def test_too_little_memory_for_the_weights(self):
        out = self.run_tool("gdal_translate", "-oo", "MAX_MEMORY=100kB", self.forecast, "out.tif", status=1)
        self.assertIn("fields and weights take", out)

    # ---- tools

    def test_met2net_forecast(self):
        tool = BUILD / "plugin/cli/met2net-forecast"
        command = (tool, "-m", "model.safetensors", "-o", "tool.tif", "analysis.grib2")
        self.run_tool(*command, "--precision", "int8")
        got = gdal.Open(str(self.folder / "tool.tif"))
        self.assertEqual(got.GetMetadataItem("MET2NET_PRECISION"), "int8")
        first = got.ReadAsArray()
        np.testing.assert_array_equal(first.reshape(fixture.T, fixture.V, fixture.H, fixture.W),
                                      self.bands("PRECISION=int8"))
        self.assertIn("1 already complete", self.run_tool(*command, "-p", "int8"))
        self.run_tool(tool, "-m", "model.safetensors", "-o", "tool.tif", "analysis.grib2")  # another forecast: again
        self.assertFalse(np.array_equal(gdal.Open(str(self.folder / "tool.tif")).ReadAsArray(), first))
        out = self.run_tool(*command, "-p", "int4", status=2)
        self.assertEqual(out.strip(), 'met2net-forecast: --precision "int4": expected float32, bf16 or int8; '
                                      'did you mean "int8"?')
        out = self.run_tool(*command, "-p", "int8", "-q", "--overwrite", M2N_ISA="scalar")
        self.assertNotIn("VNNI", out)
        self.assertIn("no VNNI", self.run_tool(*command, "-p", "int8", M2N_ISA="scalar"))

    @unittest.skipUnless(FIELDS.exists() and MODEL.exists(), "no shared files beside the checkout")
    def test_skill_on_the_gulf_test_span(self):
        rmse = {}
        for precision in ("float32", "bf16", "int8"):
            self.run_tool(BUILD / "plugin/cli/met2net-verify", "-q", "-p", precision, "-m", MODEL, "--span",
                          "2024-01-27/2024-01-31", "--json", "scores.json", FIELDS)
            overall = json.loads((self.folder / "scores.json").read_text())["overall"]
            rmse[precision] = np.array([r["rmse"] for r in overall if r["forecast"] == "forecast"])
        self.assertFalse(np.array_equal(rmse["int8"], rmse["float32"]))
        np.testing.assert_allclose(rmse["bf16"], rmse["float32"], rtol=0.005)
        np.testing.assert_allclose(rmse["int8"], rmse["float32"], rtol=0.01)  # seen: 0.003


if __name__ == "__main__":
    tap.main()
