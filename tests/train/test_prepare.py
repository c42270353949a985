#!/usr/bin/env python3
"""met2net-prepare from the outside: GRIB, NetCDF and Zarr to a dataset, and what it refuses."""
import json
import re
import struct
import subprocess

import numpy as np

import tap
from tool_case import Case, field, header_of, write_grib

try:  # zarr-python 3 writes format 3 unless told otherwise; before, it had none but 2
    import zarr
    ZARR_2 = {"zarr_format": 2} if int(zarr.__version__.split(".")[0]) >= 3 else {}
except ImportError:
    ZARR_2 = {}


class Prepare(Case):
    def test_defaults(self):
        h = header_of(self.folder / "data.safetensors")
        self.assertEqual(h["fields"]["shape"], [72, 2, 8, 16])
        self.assertEqual(h["__metadata__"]["time_step"], "3600")
        self.assertEqual(json.loads(h["__metadata__"]["grid"])["geotransform"], [39.75, 0.5, 0, 30.25, 0, -0.5])
        self.assertEqual(h["__metadata__"]["test"], "2024-01-03T17:00:00Z/2024-01-03T23:00:00Z")

    def test_a_longer_time_step_thins_the_archive(self):
        path = self.here / "threes.safetensors"
        self.run_tool("prepare", "-v", "u10,t2m", "--time-step", "3h", "-o", path, self.folder / "all.grib2")
        h = header_of(path)
        self.assertEqual((h["fields"]["shape"][0], h["__metadata__"]["time_step"]), (24, "10800"))

    def test_gap(self):
        write_grib(self.here / "gap.grib2", [*range(30), *range(33, 60)])
        result = self.run_tool("prepare", self.here / "gap.grib2", "-v", "u10", "-o", self.here / "d.safetensors")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("57 times", result.stdout)

    def bad(self, status, *parts, names=("u10", "t2m"), hours=range(40), change=None, options=("-v", "u10,t2m")):
        path, out = self.here / "bad.grib2", self.here / "bad.safetensors"
        write_grib(path, hours, names, change)
        self.assert_fails(self.run_tool("prepare", path, "-q", *options, "-o", out), status, *parts)
        self.assertEqual(sorted(p.name for p in self.here.iterdir()), ["bad.grib2"])

    def test_an_input_is_not_replaced(self):
        path = self.here / "a.grib2"
        write_grib(path)
        whole = path.read_bytes()
        result = self.run_tool("prepare", path, "-q", "-v", "u10,t2m", "-o", path)
        self.assert_fails(result, 2, "a.grib2: is an input and is not replaced")
        self.assertEqual(path.read_bytes(), whole)

    def test_what_is_cut_is_told(self):
        write_grib(self.here / "a.grib2", range(3), change=lambda n, h, x: np.pad(x, ((0, 3), (0, 2)), mode="reflect"))
        result = self.run_tool("prepare", self.here / "a.grib2", "-q", "-v", "u10,t2m", "-o", self.here / "d.safetensors")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(result.stderr, "^met2net-prepare: .* from 18 x 11 to 16 x 8.* east 2, .* south 3;.*\n$")
        write_grib(self.here / "b.grib2", range(3))
        result = self.run_tool("prepare", self.here / "b.grib2", "-q", "-v", "u10,t2m", "-o", self.here / "d.safetensors")
        self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_constant(self):
        self.bad(1, "t2m: constant (281", change=lambda n, h, x: np.full_like(x, 281) if n == "t2m" else x)

    def test_missing_values(self):
        def hole(name, hour, x):
            if name == "t2m" and hour == 5:
                x[3, 4] = np.nan
            return x
        self.bad(1, "2024-01-01T05:00", "t2m", "1 of 128", "--skip-missing", change=hole)
        result = self.run_tool("prepare", self.here / "bad.grib2", "-v", "u10,t2m", "--skip-missing", "-o",
                               self.here / "d.safetensors")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("39 times", result.stdout)
        self.assertIn("1 times with missing values left out", result.stdout)

    def test_one_time(self):
        self.bad(1, "one time alone (2024-01-01T07:00", hours=[7])

    def test_missing_variable(self):
        self.bad(1, "t2m", names=("u10",))

    def test_unknown_variable(self):
        self.bad(2, "rain2m", options=("-v", "u10,rain2m"))

    def test_two_grids_of_variables(self):
        self.bad(1, "u10 is on", "t2m on", "--region", change=lambda n, h, x: x[:, :12] if n == "t2m" else x)

    def test_two_grids_of_one_variable(self):
        self.bad(1, "u10 on two grids", "message 1", "message 41", "--region",
                 change=lambda n, h, x: x[:, :12] if h >= 20 else x)

    def test_no_overlap(self):
        self.bad(1, "bad.grib2: message 1: no overlap", options=("-v", "u10", "--region", "100,0,108,4", "--resolution", "0.5"))

    def test_bad_options(self):
        for options, part in ((["--region", "1,2,3"], "--region"), (["--size", "4"], "--size"),
                              (["--train", "2024-13"], "--train"), (["--time-step", "1x"], "--time-step"),
                              (["--resampling", "cubic"], "--resampling"), (["--resolution", "-1"], "--resolution"),
                              (["--test", "2024-01-02"], "--train: needed"),
                              (["--train", "none", "--test", "2024-01-02"], "--train: needed"),
                              (["--train", "2024", "--test", "2024-01-02"], "overlap")):
            self.bad(2, part, options=("-v", "u10", *options))


class Arrays(Case):
    """NetCDF and Zarr hold what the GRIB holds, and become the same dataset."""

    def test_a_date_with_a_time_zone(self):
        try:
            import netCDF4
        except ImportError:
            self.skipTest("python3-netcdf4 is not installed")
        for zone, first in (("", "12:00"), (" Z", "12:00"), (" UTC", "12:00"), (" +01:00", "11:00"), ("+0130", "10:30"),
                            (" -5", "17:00"), (" CET", None)):
            path = self.here / "zone.nc"
            with netCDF4.Dataset(path, "w") as f:
                for name, values, units in (("time", np.arange(4), "hours since 2024-01-01 12:00:00.0" + zone),
                                            ("latitude", 26.5 + 0.5 * np.arange(8), "degrees_north"),
                                            ("longitude", 40 + 0.5 * np.arange(16), "degrees_east")):
                    f.createDimension(name, len(values))
                    v = f.createVariable(name, "f8", (name,))
                    v[:], v.units = values, units
                v = f.createVariable("t2m", "f4", ("time", "latitude", "longitude"))
                v[:], v.units = 280, "K"
            result = self.run_tool("info", path)
            if first is None:
                self.assert_fails(result, 1, "since <date>", "CET")
            else:
                self.assertIn(f"4 times from 2024-01-01T{first}:00Z", result.stdout, zone + result.stderr)

    def test_values_of_netcdf_are_those_of_grib(self):
        try:
            import netCDF4
        except ImportError:
            self.skipTest("python3-netcdf4 is not installed")
        for time_name in ("time", "valid_time"):
            path = self.here / f"{time_name}.nc"
            with netCDF4.Dataset(path, "w") as f:
                for name, values, units in ((time_name, np.arange(72), "hours since 2024-01-01"),
                                            ("latitude", 26.5 + 0.5 * np.arange(8), "degrees_north"),
                                            ("longitude", 40 + 0.5 * np.arange(16), "degrees_east")):
                    f.createDimension(name, len(values))
                    v = f.createVariable(name, "f8", (name,))
                    v[:], v.units = values, units
                    v.standard_name = "time" if name == time_name else name
                for name, units in (("u10", "m s**-1"), ("t2m", "K")):
                    v = f.createVariable(name, "f4", (time_name, "latitude", "longitude"))
                    v.units = units
                    v[:] = np.stack([field(name, hour)[::-1] for hour in range(72)])
            out = self.here / "nc.safetensors"
            result = self.run_tool("prepare", path, "-q", "-v", "u10,t2m", "-o", out)
            self.assertEqual(result.returncode, 0, result.stderr)
            a, b = self.read_fields(out), self.read_fields(self.folder / "data.safetensors")
            self.assertLess(np.abs(a - b).max(), 1e-4)

    LONG_NAMES = {"u10": ("10m_u_component_of_wind", "m s**-1"), "t2m": ("2m_temperature", "K")}

    def xarray(self, hours, transpose=False, **fields):
        """Fields [time][south to north][west to east] as a dataset of xarray."""
        try:
            import xarray
            import zarr  # noqa: F401, F811
        except ImportError:
            self.skipTest("python3-xarray or python3-zarr is not installed")
        dims = ("time", "longitude", "latitude") if transpose else ("time", "latitude", "longitude")
        time = np.datetime64("2024-01-01", "ns") + np.array(hours) * np.timedelta64(3600, "s")
        d = xarray.Dataset({name: (("time", "level", *dims[1:])[-x.ndim:] if x.ndim == 4 else dims,
                                   (x.swapaxes(-1, -2) if transpose else x).astype("f4"), {"units": units})
                            for name, (x, units) in fields.items()},
                           {"time": time, "latitude": ("latitude", 26.5 + 0.5 * np.arange(8), {"units": "degrees_north"}),
                            "longitude": ("longitude", 40 + 0.5 * np.arange(16), {"units": "degrees_east"})})
        return d.assign_coords(level=[500, 1000]) if "level" in d.dims else d

    def assert_prepares_as_grib(self, source):
        out = self.here / "zarr.safetensors"
        result = self.run_tool("prepare", source, "-q", "-v", "u10,t2m", "-o", out)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertLess(np.abs(self.read_fields(out) - self.read_fields(self.folder / "data.safetensors")).max(), 1e-4)

    def test_zarr_in_weatherbench_folders(self):
        """A folder per variable, in it a file per span of years; level as a dimension."""
        for hours in (range(40), range(40, 72)):
            for name, (long_name, units) in self.LONG_NAMES.items():
                d = self.xarray(hours, **{name: (np.stack([field(name, h)[::-1] for h in hours]), units)})
                d.to_zarr(self.here / "wb" / long_name / f"{long_name}_{2000 + hours[0]}_5.625deg.zarr", **ZARR_2)
            humidity = np.stack([[50 + 0 * field("u10", h), 60 + field("u10", h)[::-1]] for h in hours])
            self.xarray(hours, r=(humidity, "%")).to_zarr(
                self.here / "wb" / "relative_humidity" / f"relative_humidity_{2000 + hours[0]}_5.625deg.zarr", **ZARR_2)
        self.assert_prepares_as_grib(self.here / "wb")
        out = self.here / "r.safetensors"
        result = self.run_tool("prepare", self.here / "wb", "-q", "-v", "r1000,u10", "-o", out)
        self.assertEqual(result.returncode, 0, result.stderr)
        r, u = self.read_fields(out).swapaxes(0, 1)
        self.assertLess(np.abs(r - 60 - u).max(), 1e-4)

    def test_zarr_of_weatherbench_2(self):
        """One store, long names, and latitude last."""
        self.xarray(range(72), transpose=True, **{
            long_name: (np.stack([field(name, h)[::-1] for h in range(72)]), units)
            for name, (long_name, units) in self.LONG_NAMES.items()}).to_zarr(self.here / "wb2.zarr", **ZARR_2)
        self.assert_prepares_as_grib(self.here / "wb2.zarr")

    def test_zarr_3(self):
        """What zarr-python 3 writes; GDAL 3.10 does not know its codecs, 3.13 does."""
        version = subprocess.run(["gdalinfo", "--version"], capture_output=True, text=True).stdout  # "GDAL 3.11.0 ..."
        if not ZARR_2 or [int(n) for n in re.findall(r"\d+", version)[:2]] < [3, 13]:
            self.skipTest("needs zarr-python 3 and GDAL 3.13")
        self.xarray(range(72), **{name: (np.stack([field(name, h)[::-1] for h in range(72)]), units)
                                  for name, (_, units) in self.LONG_NAMES.items()}).to_zarr(self.here / "v3.zarr", zarr_format=3)
        self.assert_prepares_as_grib(self.here / "v3.zarr")

    def read_fields(self, path):
        h = header_of(path)["fields"]
        data = path.read_bytes()
        (n,) = struct.unpack("<Q", data[:8])
        first, last = (8 + n + o for o in h["data_offsets"])
        return np.frombuffer(data[first:last], "<f4").reshape(h["shape"])


if __name__ == "__main__":
    tap.main()
