"""Files made to do harm, beside test_allowed_source.py (which files are read) and test_bad_input.py (mistakes)."""
import json
import os
import pathlib
import shutil
import struct
import subprocess

import netCDF4
import numpy as np
import tap
from osgeo import gdal

import fixture

gdal.UseExceptions()


class Hostile(fixture.Case):
    def read(self, name="forecast.json"):
        """All bands, or the error's text"""
        try:
            return gdal.OpenEx(str(self.folder / name), open_options=["CACHE=NO", "MAX_MEMORY=512MB"]).ReadAsArray()
        except RuntimeError as e:
            told, _, again = str(e).partition("\nMay be caused by: ")  # GDAL 3.13 repeats what was said first
            self.assertNotIn("\n", told + again)
            return told

    def refused(self, pattern):
        told = self.read()
        self.assertIsInstance(told, str, "it was read")
        self.assertRegex(told, pattern)

    def arrays(self, units="hours since 2024-01-01", at=None, **axes):
        """analysis.nc and a forecast of it; at: (value, of one point)"""
        values = {"time": np.arange(4.0, 7), "latitude": 90 - 11.25 * (np.arange(16) + 0.5),
                  "longitude": -180 + 11.25 * (np.arange(32) + 0.5), **axes}
        with netCDF4.Dataset(self.folder / "analysis.nc", "w", format="NETCDF3_CLASSIC") as f:
            for name, unit in (("time", units), ("latitude", "degrees_north"), ("longitude", "degrees_east")):
                f.createDimension(name, len(values[name]))
                v = f.createVariable(name, "f8", (name,))
                v.units, v[...] = unit, values[name]
            for name, unit, value in (("t2m", "K", 280), ("u10", "m s-1", 3), ("v10", "m s-1", 4), ("tcc", "1", 0.5),
                                      ("r1000", "%", 60)):
                v = f.createVariable(name, "f4", ("time", "latitude", "longitude"))
                v.units, v[...] = unit, value
                if at is not None and name == "u10":
                    v[1, 3, 3] = at
        self.write_forecast(input="analysis.nc")

    # ---- what leads on

    def test_formats_that_name_other_files_are_not_tried(self):
        vrt = ('<VRTDataset><Group name="/"><Array name="t2m"><DataType>Float32</DataType><Source><SourceFilename>'
               '/etc/passwd</SourceFilename></Source></Array></Group></VRTDataset>')
        (self.folder / "sub").mkdir()
        for name in ("a.vrt", "a.nc", "sub/a.nc"):
            (self.folder / name).write_text(vrt)
        for name, pattern in (("a.vrt", "no GRIB message"), ("a.nc", "no GRIB message"), ("sub", "neither NetCDF nor Zarr")):
            self.write_forecast(input=name)
            self.refused(pattern)
        self.write_forecast(model="a.vrt")
        self.refused("not safetensors")

    def test_a_failure_that_gdal_does_not_explain_has_a_reason(self):
        (self.folder / "a.nc").write_bytes(b"CDF\1")
        self.write_forecast(input="a.nc")
        self.refused("a.nc: damaged header of NetCDF: more is claimed than the file, or a header of 64 MiB, holds at octet 4")

    def test_parts_of_zarr_that_cannot_be_opened_are_not_fill_values(self):
        """GDAL takes what it cannot open for a chunk that was never written: zeros."""
        self.arrays()
        gdal.MultiDimTranslate(str(self.folder / "a.zarr"), str(self.folder / "analysis.nc"), format="Zarr")
        options = [f"MODEL={self.folder}/model.safetensors", "CACHE=NO"]
        self.assertTrue(gdal.OpenEx(f"MET2NET:{self.folder}/a.zarr", open_options=options).ReadRaster())
        for part, told in (("u10/0.0.0", "u10: cannot be read: Too many levels of symbolic links"),
                           ("longitude/0", "axis longitude: cannot be read: Too many levels of symbolic links")):
            path = self.folder / "a.zarr" / part
            whole = path.read_bytes()
            path.unlink()
            path.symlink_to(path.name)  # to itself
            with self.assertRaisesRegex(RuntimeError, told):
                gdal.OpenEx(f"MET2NET:{self.folder}/a.zarr", open_options=options).ReadRaster()
            path.unlink()
            path.write_bytes(whole)

    def test_indexes_beside_a_grib_file_are_not_read(self):
        """wgrib2's, cfgrib's, GRIB-Java's and GDAL's: whoever opens one of these pipes waits for ever"""
        for tail in (".idx", ".inv", ".5b7b6.idx", ".gbx9", ".ncx4", ".aux.xml", ".msk", ".ovr"):
            os.mkfifo(self.folder / ("analysis.grib2" + tail))
        self.run_tool("gdal_translate", "-q", "forecast.json", "out.tif")

    def test_zarr_dimensions_elsewhere(self):
        """GDAL looks for a dimension's coordinates under the name that an array gives it"""
        self.arrays()
        self.run_tool("gdalmdimtranslate", "-q", "-of", "Zarr", "analysis.nc", "a.zarr", CPL_DEBUG="OFF")
        self.write_forecast(input="a.zarr")
        self.assertTrue(np.isfinite(self.read()).all())
        (self.top / "latitude").mkdir()
        os.mkfifo(self.top / "latitude" / ".zarray")  # who opens it waits for ever
        attributes = self.folder / "a.zarr" / "t2m" / ".zattrs"
        whole = json.loads(attributes.read_text())
        for name in ("../../latitude", str(self.top / "latitude"), "..\\u002f../latitude", "../../latitude/"):
            attributes.write_text(json.dumps({**whole, "_ARRAY_DIMENSIONS": ["time", "@", "longitude"]}).replace("@", name))
            out = self.run_tool("gdal_translate", "-q", "forecast.json", "out.tif", status=1, CPL_DEBUG="OFF")
            self.assertRegex(out, r"t2m/.zattrs: may lead to other files; allow it with MET2NET_ALLOWED_SOURCE=ANY")

    # ---- names of a CRS: as a file they are pipes, and whoever opens one waits for ever

    NAMES = ("secret", "epsg", "EPSG", "EPSG:32633", "FOO:1", "EPSG:4326x")

    def crs_names(self):
        for name in self.NAMES:
            os.mkfifo(self.folder / name)
        secret = self.folder / "secret"
        return (*self.NAMES, str(secret), f"file://{secret}", "http://127.0.0.1:9/crs.wkt", "/vsicurl/http://127.0.0.1:9/x",
                "+init=epsg:32633", "init=epsg:32633", "+init=secret:1", f"+init={secret}:1", f"+init=file:{secret}",
                f"+proj=tinshift +file={secret}", f"+proj=defmodel +model={secret}", f"+proj=utm +zone=33 +nadgrids={secret}",
                f"+proj=utm +zone=33 +geoidgrids={secret}", f"+proj=vgridshift +grids={secret} +type=crs",
                f"+proj=utm +zone=33 +init={secret}:1", f"proj=utm zone=33 init={secret}:1",
                'BOUNDCRS[SOURCECRS[GEOGCRS["a",DATUM["d",ELLIPSOID["e",6378137,298]],CS[ellipsoidal,2],AXIS["x",north],'
                'AXIS["y",east],ANGLEUNIT["degree",0.0174]]],TARGETCRS[GEOGCRS["a",DATUM["d",ELLIPSOID["e",6378137,298]],'
                'CS[ellipsoidal,2],AXIS["x",north],AXIS["y",east],ANGLEUNIT["degree",0.0174]]],ABRIDGEDTRANSFORMATION["t",'
                f'METHOD["NTv2"],PARAMETERFILE["f","{secret}"]]]')

    def test_crs_of_a_forecast_file(self):
        for crs in self.crs_names():
            self.write_forecast(output={"crs": crs})
            out = self.run_tool("gdalinfo", "forecast.json", status=1, CPL_DEBUG="OFF")
            self.assertIn("expected a code such as EPSG:3857", out, crs)

    def write_crs(self, crs):
        """A model in that CRS and a dataset on the same grid, so that no regridding comes first"""
        grid = json.dumps({"crs": crs, "width": 32, "height": 16, "geotransform": [0, 9e4, 0, 7e6, 0, -9e4]})
        fixture.write_model(self.folder / "model.safetensors", grid=grid)
        fixture.write_dataset(self.folder / "data.safetensors", 60, grid)

    def test_crs_of_a_model(self):
        tools = pathlib.Path(os.environ["M2N_BUILD"]) / "plugin" / "cli"
        self.write_crs("+proj=merc +R=6371229")
        verify = (tools / "met2net-verify", "-q", "-m", "model.safetensors", "data.safetensors")
        self.run_tool(*verify)
        self.run_tool(tools / "met2net-forecast", "-q", "-m", "model.safetensors", "-o", "out.grib2", "data.safetensors")
        for crs in self.crs_names():
            print("# of a model:", crs[:60])
            self.write_crs(crs)
            self.write_forecast(input="data.safetensors")
            self.run_tool("gdalinfo", "forecast.json", status=1, CPL_DEBUG="OFF")
            for name in ("2.grib2", "2.nc", "2.tif"):
                self.run_tool(tools / "met2net-forecast", "-q", "-m", "model.safetensors", "-o", name, "data.safetensors", status=1)
            self.assertIn("expected a code such as EPSG:3857", self.run_tool(*verify, status=1), crs)

    def test_crs_of_arrays(self):
        """What GDAL makes of it is its own affair, as long as it opens nothing"""
        self.arrays(latitude=1e5 * np.arange(16.0), longitude=1e5 * np.arange(32.0))
        with netCDF4.Dataset(self.folder / "analysis.nc", "a") as f:
            f.renameVariable("latitude", "y"), f.renameVariable("longitude", "x")
            f.renameDimension("latitude", "y"), f.renameDimension("longitude", "x")
            f["x"].units = f["y"].units = "m"
            f["x"].standard_name, f["y"].standard_name = "projection_x_coordinate", "projection_y_coordinate"
            f.createVariable("crs", "i4", ())
            for name in ("t2m", "u10", "v10", "tcc", "r1000"):
                f[name].grid_mapping = "crs"
        self.run_tool("gdalmdimtranslate", "-q", "-of", "Zarr", "analysis.nc", "a.zarr", CPL_DEBUG="OFF")
        names = self.crs_names()
        some = [crs for crs in names if "tinshift" in crs or "init=" in crs]
        self.write_forecast(input="analysis.nc")
        for key in ("spatial_ref", "crs_wkt", "proj4", "grid_mapping_name", "epsg_code"):
            for crs in names if key == "spatial_ref" else some:
                with netCDF4.Dataset(self.folder / "analysis.nc", "a") as f:
                    f["crs"].setncatts({**{k: "" for k in f["crs"].ncattrs()}, key: crs})
                self.assertIsInstance(self.run_free(), str, (key, crs))
        self.write_forecast(input="a.zarr")
        for key in ("url", "wkt", "projjson"):
            for crs in names if key == "url" else some:
                for array in ("t2m", "u10", "v10", "tcc", "r1000"):
                    attributes = self.folder / "a.zarr" / array / ".zattrs"
                    whole = json.loads(attributes.read_text())
                    attributes.write_text(json.dumps({**whole, "_CRS": {key: crs}}))
                self.assertIsInstance(self.run_free(), str, (key, crs))

    def run_free(self):
        """What gdalinfo says, whether it fails or not, as long as it ends"""
        done = subprocess.run(["gdalinfo", "forecast.json"], cwd=self.folder, env={**self.env, "CPL_DEBUG": "OFF"}, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=fixture.PATIENCE)
        self.assertIn(done.returncode, (0, 1))
        return done.stdout

    # ---- values

    def test_infinite_fields_are_missing_values(self):
        self.arrays()
        self.assertTrue(np.isfinite(self.read()).all())
        for value in (np.inf, -np.inf, np.nan):
            self.arrays(at=value)
            self.refused(r"u10 at 2024-01-01T05:00:00Z: missing values inside")
        self.arrays(at=3e38)
        self.assertFalse(np.isinf(self.read()).any())

    def test_infinity_in_grib(self):
        out = bytearray()
        for i, message in enumerate(fixture.messages(self.folder / "analysis.grib2")):
            sections = dict(fixture.sections(message))
            values = np.full(64 * 32, 7 if i % 5 else 280, ">f4")
            if i == 26:
                values[999] = np.inf
            packing = struct.pack(">IBIHB", 12, 5, 64 * 32, 4, 1)  # as IEEE numbers of 32 bits
            data = struct.pack(">IB", 5 + values.nbytes, 7) + values.tobytes()
            body = b"".join([sections[1], sections[3], sections[4], packing, sections[6], data, b"7777"])
            out += message[:8] + struct.pack(">Q", 16 + len(body)) + body
        (self.folder / "analysis.grib2").write_bytes(out)
        self.refused(r"message 27: u10 has no value at \d+ of 512 points")

    def test_infinite_weights_give_no_data(self):
        path = self.folder / "model.safetensors"
        data = path.read_bytes()
        for bits in (0x7F800000, 0xFF800000, 0x7FC00000, 0x7F7FFFFF):
            path.write_bytes(data[:-4] + struct.pack("<I", bits))
            self.assertTrue(np.isnan(self.read()).any())
            self.assertFalse(np.isinf(self.read()).any())

    # ---- numbers that are too large

    def test_times(self):
        for times in ([np.nan] * 3, [np.inf, 1, 2], [1e300] * 3, [9e18] * 3, [-1e15, 0, 1]):
            self.arrays(time=np.array(times))
            self.refused("axis time: holds no time")
        for units in ("hours since 99999-01-01", "hours since", "months since 2000-13-45", "hours since 2024-01-01 99:99:99",
                      "x" * 5000, "\u00e9" * 5000, "hours\nsince"):
            self.arrays(units=units)
            self.refused(r"axis time: units \".{0,64}\" are not")
        self.arrays(time=np.full(3, 4.0))
        self.refused("needs 3 fields .* has 1 times")

    def test_packed_axes(self):
        """Coordinates with scale_factor and add_offset are those of the axes without; a scale that is none leaves no axis"""
        self.arrays()
        plain = self.read()
        for name, factor, offset in (("time", 0.5, -2), ("latitude", -2, 10), ("longitude", 0.25, 3)):
            self.arrays()
            with netCDF4.Dataset(self.folder / "analysis.nc", "a") as f:
                f.set_auto_maskandscale(False)
                f[name][...] = (f[name][...] - offset) / factor
                f[name].scale_factor, f[name].add_offset = factor, float(offset)
            self.assertTrue(np.array_equal(self.read(), plain), name)
            for factor in (0.0, np.nan, np.inf):
                with netCDF4.Dataset(self.folder / "analysis.nc", "a") as f:
                    f[name].scale_factor = factor
                self.assertIsInstance(self.read(), str, (name, factor))

    def test_many_coordinates(self):
        """Ten million names, and each was opened: minutes"""
        self.arrays()
        with netCDF4.Dataset(self.folder / "analysis.nc", "a") as f:
            f["t2m"].coordinates = "time " * 10000000
        self.run_tool("gdal_translate", "-q", "forecast.json", "out.tif", CPL_DEBUG="OFF")

    def test_axes(self):
        for axis in (np.full(16, np.nan), np.full(16, np.inf), np.zeros(16), np.array([1e308, -1e308] * 8)):
            self.arrays(latitude=axis)
            self.refused("axis latitude: is not evenly spaced")
        uneven = 90 - 11.25 * (np.arange(16) + 0.5)
        uneven[[3, 4]] = uneven[[4, 3]]
        self.arrays(latitude=uneven)
        self.refused("axis latitude: is not evenly spaced")
        longitude = -180 + 11.25 * (np.arange(32) + 0.5)
        for value in (1e308, -1e17, np.inf, np.nan):  # unwrapped by turns of 360 degrees, 1e17 never moves
            longitude[2] = value
            self.arrays(longitude=longitude)
            self.refused("axis longitude: is not evenly spaced")

    def test_longitudes_to_and_fro(self):
        """Each of two million takes more turns of 360 degrees than the one before"""
        with netCDF4.Dataset(self.folder / "analysis.nc", "w", format="NETCDF3_CLASSIC") as f:
            for name, values, unit in (("time", [4], "hours since 2024-01-01"), ("latitude", [50], "degrees_north"),
                                       ("longitude", np.tile([999.0, -999.0], 1000000), "degrees_east")):
                f.createDimension(name, len(values))
                v = f.createVariable(name, "f8", (name,))
                v.units, v[...] = unit, values
            f.createVariable("t2m", "f4", ("time", "latitude", "longitude"))[...] = 280
        self.write_forecast(input="analysis.nc")
        self.refused("axis longitude: is not evenly spaced")

    def zarr(self, axes, fields, **units):
        """arrays.zarr of a kilobyte and a forecast of it; axes: name -> (size, value of all), or (2, [two values])"""
        units = {"time": "hours since 2024-01-01", "level": "hPa", "latitude": "degrees_north", "longitude": "degrees_east", **units}
        root = self.folder / "arrays.zarr"
        shutil.rmtree(root, ignore_errors=True)
        for name, dims in {**{a: [a] for a in axes}, **fields}.items():
            shape = [axes[d][0] for d in dims]
            value = axes[name][1] if name in axes else 280
            (root / name).mkdir(parents=True)
            (root / name / ".zarray").write_text(json.dumps(
                {"zarr_format": 2, "shape": shape, "chunks": [min(n, 1000) for n in shape], "dtype": "<f8", "compressor": None,
                 "fill_value": value if np.isscalar(value) else 0, "order": "C", "filters": None}))
            (root / name / ".zattrs").write_text(json.dumps({"_ARRAY_DIMENSIONS": dims, "units": units.get(name, "K")}))
            if not np.isscalar(value):
                (root / name / "0").write_bytes(np.array(value, "<f8").tobytes())
        (root / ".zgroup").write_text('{"zarr_format": 2}')
        self.write_forecast(input="arrays.zarr")

    def test_arrays_that_claim_more_than_there_is(self):
        grid = {"latitude": (2, [45, -45]), "longitude": (2, [-90, 90])}
        axes = {"time": (10**5, 4), "level": (5000, 1000), **grid}
        self.zarr(axes, {"r": list(axes), **{n: ["time", *grid] for n in ("t2m", "u10", "v10", "tcc")}}, r="%")
        self.refused("r_1000: no memory for 500000000 times")
        for axes, pattern in (({"time": (3, 4), "level": (10**7, 1000)}, "axis level: more levels than a field has"),
                              ({"time": (3, 4), "expver": (10**9, 1)}, "axis expver: more versions than a field has"),
                              ({"time": (10**9, 4)}, "axis time: cannot be read")):
            self.zarr({**axes, **grid}, {"t2m": [*axes, *grid]})
            self.refused(pattern)
        axes = {"time": (10**7, 4), **grid}  # each array with other times, as far as anybody can tell
        self.zarr({**axes, **{f"time{i}": (10**7, i) for i in range(12)}},
                  {f"t{i}": [f"time{i}", *grid] for i in range(12)}, **{f"time{i}": "hours since 2024-01-01" for i in range(12)})
        self.refused("t.*: 1 levels, 10000000 times: more than an archive has")

    def test_metadata_of_a_model(self):
        def model(pattern, **metadata):
            fixture.write_model(self.folder / "model.safetensors", **metadata)
            self.refused("model.safetensors: " + pattern)

        for key, number in (("std", "0"), ("std", "-1"), ("std", "1e999"), ("mean", "1e999"), ("level", "1e999"),
                            ("paramId", "1e30")):
            variables = [dict(v) for v in fixture.VARIABLE_METADATA]
            variables[0][key] = "@"
            model(f"metadata: variables: variable t2m: no usable {key}",
                  variables=json.dumps(variables).replace('"@"', number))
        for change, pattern in (({"geotransform": [-180, 0, 0, 90, 0, 0]}, "not north-up"),
                                ({"geotransform": [-180, 1e20, 0, 90, 0, -11.25]}, "geotransform reaches beyond the earth"),
                                ({"geotransform": [-1e17, 11.25, 0, 90, 0, -11.25]}, "geotransform reaches beyond the earth"),
                                ({"geotransform": [0, 9e4, 0, 7e10, 0, -9e4], "crs": "EPSG:32633"},
                                 "geotransform reaches beyond the earth"),
                                ({"width": 2 * 10**9, "height": 2 * 10**9}, "no usable width and height"),
                                ({"crs": "A" * 100000}, "no usable crs"), ({"crs": "GEOGCS[" * 20000}, "no usable crs")):
            model("metadata: grid: .*" + pattern, grid=json.dumps(
                {"crs": "EPSG:4326", "width": 32, "height": 16, "geotransform": [-180, 11.25, 0, 90, 0, -11.25], **change}))
        for change, pattern in (({"height": 2**31 - 1}, "height is 2147483647"), ({"steps": 10**9}, "steps is 1000000000"),
                                ({"hid_S": 10**9}, "hid_S is 1000000000"), ({"N_T": 2**40}, "N_T is not a whole number")):
            model("config: " + pattern, config=json.dumps(
                {"steps": 3, "height": 16, "width": 32, "hid_S": 8, "hid_T": 16, "N_S": 2, "N_T": 1, **change}))
        model("metadata: format_version: only 1 is read: 2", format_version="2")
        for step in ("0", "-3600", "1e9", str(2**63 - 1), "9" * 20):
            model("metadata: time_step: " + step, time_step=step)

    def test_forecast_file(self):
        for change, pattern in (({"lead_time": "9" * 20 + "h"}, "is not a length of time"),
                                ({"lead_time": "-3h"}, "is not a length of time"),
                                ({"init_time": "-9999-01-01T00:00:00Z"}, "is neither \"latest\" nor a time in UTC"),
                                ({"init_time": "9999-12-31T23:59:59Z"}, "needs .* at 9999-12-31"),
                                ({"variables": ["t2m"] * 1001}, "variables: more than 1000"),
                                ({"input": ["analysis.grib2"] * 1001}, "input: more than 1000")):
            self.write_forecast(**change)
            self.refused(pattern)
        for crs in ("+proj=utm +zone=33 " + "+x=1 " * 30000, "https://epsg.io/3857.wkt", '{"type":' * 10000,
                    "/vsicurl/http://127.0.0.1:9/x.prj", "+proj=pipeline +step +proj=hgridshift +grids=/etc/passwd"):
            self.write_forecast(output={"crs": crs})
            self.refused("WKT or a PROJ string without files")


if __name__ == "__main__":
    tap.main()
