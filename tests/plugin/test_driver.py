"""The driver through the programs people use: each test is the real tool on a real file."""
import json
import os
import unittest

import numpy as np
import tap
from osgeo import gdal

import fixture
from fixture import H, INIT, NAMES, T, V, W

gdal.UseExceptions()


class Driver(fixture.Case):
    def bands(self, path):
        return gdal.Open(str(path)).ReadAsArray()

    def expected(self):
        """The forecast as GDAL's own GTiff keeps it: the reference for the other ways to it."""
        self.run_tool("gdal_translate", "-q", self.forecast, "expected.tif")
        return self.bands(self.folder / "expected.tif")

    # ---- gdalinfo

    def test_gdalinfo_tells_grid_bands_times_and_units(self):
        info = json.loads(self.run_tool("gdalinfo", "-json", self.forecast, CPL_DEBUG="OFF"))
        self.assertEqual(info["driverShortName"], "MET2NET")
        self.assertEqual(info["size"], [W, H])
        self.assertEqual(info["geoTransform"], [-180, 11.25, 0, 90, 0, -11.25])
        self.assertIn('ID["EPSG",4326]', info["coordinateSystem"]["wkt"])
        self.assertEqual(len(info["bands"]), T * V)
        for i, band in enumerate(info["bands"]):
            step, name = i // V + 1, NAMES[i % V]
            meta = band["metadata"][""]
            self.assertEqual(band["block"], [W, H])
            self.assertEqual(band["type"], "Float32")
            self.assertEqual(str(band["noDataValue"]).lower(), "nan")
            self.assertEqual(band["unit"], ["K", "m/s", "m/s", "1", "%"][i % V])
            self.assertIn(name, band["description"])
            self.assertIn(f"2024-01-01T{6 + step:02}:00:00Z (+{step} h)", band["description"])
            self.assertEqual(meta["GRIB_ELEMENT"], ["TMP", "UGRD", "VGRD", "TCDC", "RH"][i % V])
            self.assertEqual(meta["GRIB_SHORT_NAME"],
                             ["2-HTGL", "10-HTGL", "10-HTGL", "0-SFC", "100000-ISBL"][i % V])
            self.assertEqual(meta["GRIB_UNIT"], "[" + band["unit"] + "]")
            self.assertEqual(meta["GRIB_REF_TIME"], str(INIT))
            self.assertEqual(meta["GRIB_VALID_TIME"], str(INIT + 3600 * step))
            self.assertEqual(meta["GRIB_FORECAST_SECONDS"], str(3600 * step))
        self.assertEqual(len({b["description"] for b in info["bands"]}), T * V)

    def test_dataset_metadata_names_where_it_comes_from(self):
        import hashlib
        meta = gdal.Open(self.forecast).GetMetadata()
        self.assertEqual(meta["MET2NET_MODEL_SHA256"],
                         hashlib.sha256((self.folder / "model.safetensors").read_bytes()).hexdigest())
        self.assertEqual(meta["MET2NET_INIT_TIME"], "2024-01-01T06:00:00Z")
        self.assertEqual(meta["MET2NET_LEAD_TIME"], "3 h")
        self.assertEqual(meta["MET2NET_INPUT"], "analysis.grib2")
        self.assertEqual(meta["MET2NET_MODEL"], "model.safetensors")
        self.assertRegex(meta["MET2NET_VERSION"], r"^\d+\.\d+\.\d+$")

    def test_nothing_is_computed_at_open(self):
        out = self.run_tool("gdalinfo", self.forecast)
        self.assertNotIn("computing", out)
        self.assertFalse(self.cache.exists())

    def test_nothing_is_written_beside_the_files(self):
        before = sorted(os.listdir(self.folder))
        self.run_tool("gdalinfo", "-stats", "-hist", self.forecast)
        self.run_tool("gdaladdo", "-q", self.forecast, "2", status=100)
        self.assertEqual(sorted(os.listdir(self.folder)), before)

    # ---- conversions

    def test_translate_to_cog(self):
        expected = self.expected()
        self.assertEqual(expected.shape, (T * V, H, W))
        self.assertTrue(np.isfinite(expected).all())
        self.run_tool("gdal_translate", "-q", "-of", "COG", "MET2NET:" + self.forecast, "out.tif")
        np.testing.assert_array_equal(self.bands(self.folder / "out.tif"), expected)
        self.assertIn("LAYOUT=COG", self.run_tool("gdalinfo", "out.tif"))

    def test_copies_are_rasters(self):
        """Whole, into formats for which GDAL would copy arrays alone if the dataset had any."""
        expected, source = self.expected(), gdal.Open("MET2NET:" + self.forecast)
        self.run_tool("gdal_translate", "-q", "-of", "VRT", "MET2NET:" + self.forecast, "out.vrt")
        self.run_tool("gdal_translate", "-q", "-of", "netCDF", "-b", 7, self.forecast, "band.nc")
        np.testing.assert_array_equal(self.bands(self.folder / "band.nc"), expected[6])
        for made in (gdal.Open(str(self.folder / "out.vrt")), gdal.Translate("", source, format="MEM")):
            np.testing.assert_array_equal(made.ReadAsArray(), expected)
            self.assertEqual(made.GetRasterBand(1).GetDescription(), source.GetRasterBand(1).GetDescription())
            self.assertEqual(made.GetRasterBand(1).GetMetadata(), source.GetRasterBand(1).GetMetadata())

    def test_translate_to_grib_gives_right_headers(self):
        import eccodes
        self.run_tool("gdal_translate", "-q", "-of", "GRIB", "-b", 1, "-b", 5, "-b", 7, self.forecast, "out.grib2")
        got = []
        with open(self.folder / "out.grib2", "rb") as f:
            while (h := eccodes.codes_grib_new_from_file(f)) is not None:
                got.append([eccodes.codes_get(h, k, kind) for k, kind in
                            (("shortName", str), ("level", int), ("units", str), ("validityDate", int),
                             ("validityTime", int), ("stepRange", str))])
                eccodes.codes_release(h)
        self.assertEqual(got, [["2t", 2, "K", 20240101, 700, "1"], ["r", 1000, "%", 20240101, 700, "1"],
                               ["10u", 10, "m s**-1", 20240101, 800, "2"]])

    def test_warp_to_web_mercator(self):
        expected = self.expected()
        extent = ["-te_srs", "EPSG:4326", "-te", -180, -80, 180, 80]
        for source, out in ((self.forecast, "a.tif"), ("expected.tif", "b.tif")):
            self.run_tool("gdalwarp", "-q", "-t_srs", "EPSG:3857", *extent, "-r", "bilinear", source, out)
        a, b = self.bands(self.folder / "a.tif"), self.bands(self.folder / "b.tif")
        np.testing.assert_array_equal(a, b)
        self.assertGreater(a.std(axis=(1, 2)).min(), 0)
        self.assertEqual(gdal.Open(str(self.folder / "a.tif")).GetSpatialRef().GetAuthorityCode(None), "3857")
        self.assertEqual(a.shape[0], expected.shape[0])

    def test_gdal_calc(self):
        expected = self.expected()
        self.run_tool("gdal_calc.py", "--quiet", "-A", self.forecast, "--A_band=2", "-B", self.forecast, "--B_band=3",
                      "--calc=sqrt(A*A+B*B)", "--outfile=speed.tif")
        np.testing.assert_allclose(self.bands(self.folder / "speed.tif"), np.hypot(expected[1], expected[2]), rtol=1e-5)

    def test_gdallocationinfo(self):
        expected = self.expected()
        out = self.run_tool("gdallocationinfo", "-valonly", "-wgs84", self.forecast, 11, 51, CPL_DEBUG="OFF")
        row, column = int((90 - 51) / 11.25), int((11 + 180) / 11.25)
        np.testing.assert_allclose([float(x) for x in out.split()], expected[:, row, column], rtol=1e-6)

    def test_rasterio(self):
        expected = self.expected()
        code = """
import rasterio, numpy, sys
with rasterio.open(sys.argv[1], VARIABLE="u10,t2m") as d:
    assert d.count == 6 and d.crs.to_epsg() == 4326 and d.width == 32, d.profile
    assert d.units[:2] == ("m/s", "K") and numpy.isnan(d.nodata), d.units
    numpy.save("out.npy", d.read())
"""
        try:
            import rasterio  # noqa: F401
        except ImportError:
            self.skipTest("rasterio is not installed")
        self.run_python(code, self.forecast)
        got = np.load(self.folder / "out.npy")
        np.testing.assert_array_equal(got[0::2], expected[1::V])
        np.testing.assert_array_equal(got[1::2], expected[0::V])

    # ---- names and options

    def test_grib_with_a_model_is_the_same_forecast(self):
        expected = self.expected()
        grib = gdal.OpenEx(f"MET2NET:{self.folder}/analysis.grib2",
                           open_options=[f"MODEL={self.folder}/model.safetensors"])
        np.testing.assert_array_equal(grib.ReadAsArray(), expected)
        with self.assertRaisesRegex(RuntimeError, "open option MODEL"):
            gdal.Open(f"MET2NET:{self.folder}/analysis.grib2")

    def test_variable_option_picks_and_orders(self):
        expected = self.expected()
        ds = gdal.OpenEx(self.forecast, open_options=["VARIABLE=r1000, t2m"])
        np.testing.assert_array_equal(ds.ReadAsArray(), expected[[4, 0, 9, 5, 14, 10]])
        self.write_forecast("other.json", variables=["v10"])
        np.testing.assert_array_equal(gdal.Open(str(self.folder / "other.json")).ReadAsArray(), expected[2::V])

    def test_init_time(self):
        early = gdal.OpenEx(self.forecast, open_options=["INIT_TIME=2024-01-01T04:00:00Z", "VARIABLE=t2m"])
        self.assertIn("T05:00:00Z (+1 h)", early.GetRasterBand(1).GetDescription())
        self.assertGreater(abs(early.ReadAsArray() - self.expected()[0::V]).max(), 1)

    def test_initial_state_is_the_analysis(self):
        ds = gdal.OpenEx(self.forecast, open_options=["INITIAL_STATE=YES"])
        self.assertEqual(ds.RasterCount, (T + 1) * V)
        self.assertIn("T06:00:00Z (+0 h)", ds.GetRasterBand(1).GetDescription())
        lat, lon = np.meshgrid(90 - 11.25 * (np.arange(H) + 0.5), -180 + 11.25 * (np.arange(W) + 0.5), indexing="ij")
        for v in range(V):
            field = ds.GetRasterBand(v + 1).ReadAsArray()
            true = fixture.analysis_field(v, 6, lat, lon)
            std = fixture.VARIABLES[v][6]
            # bilinear from twice as fine a grid: a flipped, shifted or mistimed field is off by a standard deviation
            self.assertLess(abs(field - true).max(), 0.1 * std, NAMES[v])

    def check_feeds_back(self):
        whole = gdal.OpenEx(self.forecast, open_options=["LEAD_TIME=5h"])
        self.assertEqual(whole.RasterCount, 5 * V)
        values = whole.ReadAsArray()
        np.testing.assert_allclose(values[:T * V], self.expected(), rtol=1e-6)
        fixture.write_bands(self.folder / "analysis.grib2", values[:T * V], 7)
        again = gdal.OpenEx(self.forecast, open_options=["LEAD_TIME=2h"])
        self.assertEqual(again.GetMetadataItem("MET2NET_INIT_TIME"), "2024-01-01T09:00:00Z")
        np.testing.assert_allclose(again.ReadAsArray(), values[T * V:], atol=2e-3)  # 24 bits in GRIB
        self.assertGreater(abs(values[T * V:] - values[:2 * V]).max(), 0.5)

    def test_longer_than_the_window_feeds_back(self):
        """Five hours at once = three hours, then two more from an analysis that is that forecast."""
        self.check_feeds_back()

    def test_longer_than_the_window_with_a_model_of_changes(self):
        changes = [dict(v, change_std=v["std"] / 4) for v in fixture.VARIABLE_METADATA]
        fixture.write_model(self.folder / "model.safetensors", target="change", variables=json.dumps(changes))
        self.check_feeds_back()

    def test_bounded_fields_stay_inside(self):
        fixture.write_model(self.folder / "model.safetensors", readout=20)
        values = gdal.OpenEx(self.forecast, open_options=["LEAD_TIME=12h", "VARIABLE=tcc,r1000"]).ReadAsArray()
        self.assertEqual((values[0::2].min(), values[0::2].max()), (0, 1))
        self.assertEqual(values[1::2].min(), 0)
        self.assertGreater(values[1::2].max(), 100)

    def test_other_crs(self):
        self.write_forecast("merc.json", output={"crs": "EPSG:3857", "resampling": "bilinear"})
        self.expected()
        ds = gdal.OpenEx(str(self.folder / "merc.json"), open_options=["VARIABLE=t2m"])
        self.assertEqual(ds.GetSpatialRef().GetAuthorityCode(None), "3857")
        gt = ds.GetGeoTransform()
        self.assertAlmostEqual(gt[0], -20037508.34, 1)
        self.assertAlmostEqual(gt[3], 20048966.1, 0)  # 85.06 degrees
        ours = ds.ReadAsArray()
        # bilinear between the centres, at the place that the formula of the projection gives (radius 6378137 m)
        x = np.degrees((gt[0] + gt[1] * (np.arange(ds.RasterXSize) + 0.5)) / 6378137)
        y = np.degrees(np.arctan(np.sinh((gt[3] + gt[5] * (np.arange(ds.RasterYSize) + 0.5)) / 6378137)))
        column, row = np.meshgrid((x + 180) / 11.25 - 0.5, (90 - y) / 11.25 - 0.5)
        row = np.clip(row, 0, H - 1 - 1e-9)  # the outermost rows look across the poles: left out below
        i, j = np.floor(column).astype(int), np.floor(row).astype(int)
        a, b = column - i, row - j
        for t in range(T):
            f = self.bands(self.folder / "expected.tif")[t * V].astype(float)
            f = ((1 - b) * ((1 - a) * f[j, i % W] + a * f[j, (i + 1) % W]) +
                 b * ((1 - a) * f[j + 1, i % W] + a * f[j + 1, (i + 1) % W]))
            np.testing.assert_allclose(ours[t, 1:-1], f[1:-1], atol=1e-3)
        option = gdal.OpenEx(self.forecast, open_options=["T_SRS=EPSG:3857", "VARIABLE=t2m"])
        np.testing.assert_array_equal(option.ReadAsArray(), ours)

    def test_memory_and_zip_file_systems(self):
        expected = self.expected()
        code = """
import numpy, os, sys, zipfile
names = ["forecast.json", "model.safetensors", "analysis.grib2"]
for n in names:
    gdal.FileFromMemBuffer("/vsimem/f/" + n, open(n, "rb").read())
with zipfile.ZipFile("f.zip", "w", zipfile.ZIP_DEFLATED) as z:
    for n in names:
        z.write(n, "in/" + n)
numpy.save("mem.npy", gdal.Open("/vsimem/f/forecast.json").ReadAsArray())
numpy.save("zip.npy", gdal.Open("/vsizip/" + os.path.abspath("f.zip") + "/in/forecast.json").ReadAsArray())
"""
        self.run_python(code)
        for name in ("mem.npy", "zip.npy"):
            np.testing.assert_array_equal(np.load(self.folder / name), expected)

    # ---- manners

    def test_foreign_files_are_left_alone(self):
        for name, text in (("a.json", '{"type": "FeatureCollection", "features": []}'), ("b.json", ""),
                           ("c.json", '{"model": "m", "met2net": 1}'), ("d.json", '{"met2netx": 1}')):
            (self.folder / name).write_text(text)
            self.assertIsNone(gdal.IdentifyDriverEx(str(self.folder / name), gdal.OF_RASTER, ["MET2NET"]))
        gdal.ErrorReset()
        with self.assertRaises(RuntimeError):
            gdal.OpenEx(str(self.folder / "a.json"), gdal.OF_RASTER, allowed_drivers=["MET2NET"])
        self.assertEqual(gdal.IdentifyDriver(self.forecast).ShortName, "MET2NET")

    def test_update_is_refused(self):
        with self.assertRaisesRegex(RuntimeError, "cannot be opened for writing"):
            gdal.OpenEx(self.forecast, gdal.OF_RASTER | gdal.OF_UPDATE)

    def test_file_list_holds_no_model_and_no_input(self):
        self.assertEqual(gdal.Open("MET2NET:" + self.forecast).GetFileList(), [self.forecast])

    def test_driver_says_what_it_can(self):
        meta = gdal.GetDriverByName("MET2NET").GetMetadata()
        for key in ("DCAP_RASTER", "DCAP_MULTIDIM_RASTER", "DCAP_VIRTUALIO"):
            self.assertEqual(meta[key], "YES")
        self.assertEqual(meta["DMD_CONNECTION_PREFIX"], "MET2NET:")
        for option in ("MODEL", "VARIABLE", "INIT_TIME", "LEAD_TIME", "T_SRS", "THREADS", "PRECISION", "MAX_MEMORY"):
            self.assertIn(f"name='{option}'", meta["DMD_OPENOPTIONLIST"])
        self.assertNotIn("DCAP_CREATECOPY", meta)

    def test_progress_and_cancel_through_a_read(self):
        code = """
import sys
seen = []
dataset = gdal.Open(sys.argv[1])
band = dataset.GetRasterBand(1)
try:
    band.ReadRaster(callback=lambda done, text, data: seen.append(done) or 0)
    sys.exit("was not cancelled")
except RuntimeError as e:
    print("stopped:", e)
assert len(seen) == 1, seen
seen.clear()
band.ReadRaster(callback=lambda done, text, data: seen.append(done) or 1)
assert len(seen) > 3 and seen == sorted(seen) and seen[0] < 0.5 and seen[-1] == 1, seen
"""
        out = self.run_python(code, self.forecast)
        self.assertIn("stopped:", out)
        self.assertEqual(out.count("computing"), 2)

    # ---- multidimensional view

    def test_gdalmdiminfo(self):
        info = json.loads(self.run_tool("gdalmdiminfo", self.forecast, CPL_DEBUG="OFF"))
        self.assertEqual([d["name"] for d in info["dimensions"]], ["time", "y", "x"])
        self.assertEqual([d["size"] for d in info["dimensions"]], [T, H, W])
        self.assertEqual(info["attributes"]["Conventions"], "CF-1.8")
        for name in NAMES:
            self.assertEqual(info["arrays"][name]["dimensions"], ["/time", "/y", "/x"])
        t2m = info["arrays"]["t2m"]
        self.assertEqual(t2m["attributes"]["standard_name"], "air_temperature")
        self.assertEqual((t2m["unit"], t2m["nodata_value"]), ("K", "NaN"))
        self.assertEqual(info["arrays"]["time"]["unit"], "seconds since 1970-01-01 00:00:00")

    def test_units_of_axes(self):
        for crs, unit in (("EPSG:3857", "m"), ("EPSG:2263", "US_survey_foot"), ("+proj=merc +units=km", "km")):
            info = json.loads(self.run_tool("gdalmdiminfo", "-oo", "T_SRS=" + crs, self.forecast, CPL_DEBUG="OFF"))
            self.assertEqual([info["arrays"][axis]["unit"] for axis in "xy"], [unit, unit], crs)

    def test_gdalmdimtranslate(self):
        import xarray
        expected = self.expected()
        self.run_tool("gdalmdimtranslate", "-q", self.forecast, "out.nc")
        self.check_netcdf(xarray, expected)

    def check_netcdf(self, xarray, expected):
        with xarray.open_dataset(self.folder / "out.nc", decode_timedelta=False) as ds:
            for v, name in enumerate(NAMES):
                np.testing.assert_array_equal(ds[name].values, expected[v::V])
            np.testing.assert_array_equal(ds.time.values.astype("datetime64[s]").astype(int),
                                          INIT + 3600 * np.arange(1, T + 1))
            np.testing.assert_allclose(ds.y.values, 90 - 11.25 * (np.arange(H) + 0.5))
            np.testing.assert_allclose(ds.x.values, -180 + 11.25 * (np.arange(W) + 0.5))
            self.assertEqual(ds.t2m.attrs["long_name"], "2 metre temperature")
            self.assertEqual(ds.y.attrs["standard_name"], "latitude")

    def test_multidimensional_slices(self):
        expected = self.expected()
        array = gdal.OpenEx(self.forecast, gdal.OF_MULTIDIM_RASTER).GetRootGroup().OpenMDArray("u10")
        got = array.ReadAsArray(array_start_idx=[2, 13, 4], count=[2, 3, 5], array_step=[-1, -2, 3])
        np.testing.assert_array_equal(got, expected[1::V][2:0:-1, 13:8:-2, 4:17:3])
        view = array.GetView("[1,...]").AsClassicDataset(1, 0)
        np.testing.assert_array_equal(view.ReadAsArray(), expected[1 + V])
        self.assertEqual(view.GetGeoTransform(), gdal.Open(self.forecast).GetGeoTransform())


if __name__ == "__main__":
    tap.main()
