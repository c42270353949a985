"""MAX_MEMORY beside what the process holds at most: inputs as arrays, other grids, files of the tools."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import unittest

import netCDF4
import numpy as np
import tap
from osgeo import gdal

import fixture

gdal.UseExceptions()

BESIDE = 24  # MiB: libraries loaded at the first file, PROJ's database

READ = """
import sys

def peak():
    return int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) / 1024

limit, name, *options = sys.argv[1:]
warm = gdal.Open("sub/warm.json")
warm.GetRasterBand(1).ReadRaster(0, 0, 1, 1)
open("/proc/self/clear_refs", "w").write("5")
before = peak()
try:
    ds = gdal.OpenEx(name, open_options=["CACHE=NO", "THREADS=1", "MAX_MEMORY=" + limit + "MB", *options])
    ds.GetRasterBand(1).ReadRaster(0, 0, 1, 1)
    print("done", peak() - before)
except RuntimeError as e:
    print("error", peak() - before, e)
"""

SECOND = """
def refusal():
    try:
        gdal.OpenEx("forecast.json", open_options=["MAX_MEMORY=20MB"])
    except RuntimeError as e:
        return str(e)

first = refusal()
held = gdal.OpenEx("forecast.json", open_options=["MAX_MEMORY=1GB"])
print(refusal() == first, first)
"""


# A program of its own: the peak of a child begins with what its parent holds, and this one has held arrays.
TOOL = """
import resource, subprocess, sys

def limit():
    if space:
        resource.setrlimit(resource.RLIMIT_AS, (space, space))

space = int(sys.argv[1])
status = subprocess.call(sys.argv[2:], stderr=1, preexec_fn=limit)
print(status, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


@unittest.skipIf("libasan" in os.environ.get("LD_PRELOAD", ""), "AddressSanitizer keeps what was freed")
class Memory(fixture.Case):
    def setUp(self):
        super().setUp()
        (self.folder / "sub").mkdir()
        for name in ("model.safetensors", "analysis.grib2"):
            shutil.copy(self.folder / name, self.folder / "sub")
        self.write_forecast("sub/warm.json")

    def measure(self, limit, *options):
        out = self.run_python(READ, limit, "forecast.json", *options, CPL_DEBUG="OFF").strip().splitlines()[-1]
        word, peak, *told = out.split(" ", 2)
        return word == "done", float(peak), " ".join(told)

    def holds(self, *options, first=36):
        """The least of some bounds that serves, and every one below it"""
        limit, done = first, False
        while not done:
            done, peak, told = self.measure(int(limit), *options)
            print(f"# {self.id()} {options}: bound {int(limit)} MiB, peak {peak:.0f} MiB, {told}")
            self.assertLessEqual(peak, int(limit) + BESIDE, told)
            if not done:
                self.assertRegex(told, "allow")
            limit *= 1.6
            self.assertLess(limit, 3000)
        return peak

    def arrays(self, rows=1000, columns=2000, chunks=None, kind="NETCDF4", times=4, compressed=True, dtype="f4"):
        with netCDF4.Dataset(self.folder / "analysis.nc", "w", format=kind) as f:
            for name, unit, values in (
                    ("time", "hours since 2024-01-01", np.arange(4.0, 4 + times)),
                    ("latitude", "degrees_north", 90 - 180 / rows * (np.arange(rows) + 0.5)),
                    ("longitude", "degrees_east", -180 + 360 / columns * (np.arange(columns) + 0.5))):
                f.createDimension(name, len(values))
                v = f.createVariable(name, "f8", (name,))
                v.units, v[...] = unit, values
            for name, unit, value in (("t2m", "K", 28), ("u10", "m s-1", 3), ("v10", "m s-1", 4), ("tcc", "1", 1),
                                      ("r1000", "%", 60)):
                more = {"chunksizes": chunks, "zlib": compressed} if kind == "NETCDF4" else {}
                v = f.createVariable(name, dtype, ("time", "latitude", "longitude"), fill_value=False, **more)
                v.units = unit
                if name == "t2m":
                    v.add_offset = 252.0
                v.set_auto_maskandscale(False)
                for t in range(times):
                    v[t] = np.full((rows, columns), value, dtype)
        self.write_forecast(input="analysis.nc")

    def test_netcdf(self):
        self.arrays(kind="NETCDF3_CLASSIC")
        self.holds()

    def test_netcdf4(self):
        self.arrays(chunks=(1, 250, 500))
        self.holds()

    def test_netcdf4_in_large_chunks(self):
        self.arrays(chunks=(4, 1000, 2000))
        self.holds()

    def test_zarr(self):
        self.arrays(chunks=(1, 1000, 2000))
        self.run_tool("gdalmdimtranslate", "-q", "-of", "Zarr", "analysis.nc", "analysis.zarr", CPL_DEBUG="OFF")
        self.write_forecast(input="analysis.zarr")
        self.holds()

    def test_another_crs(self):
        """A strip around the equator becomes a square: as many points on its diagonal"""
        columns, rows = 2048, 4
        grid = {"crs": "EPSG:4326", "width": columns, "height": rows, "geotransform": [-180, 360 / columns, 0, 1, 0, -0.5]}
        config = {"steps": 3, "height": rows, "width": columns, "hid_S": 8, "hid_T": 16, "N_S": 2, "N_T": 1}
        fixture.write_model(self.folder / "model.safetensors", grid=json.dumps(grid), config=json.dumps(config))
        self.assertGreater(self.holds("T_SRS=+proj=laea +lat_0=90", first=30), 40)
        done, peak, told = self.measure(7, "T_SRS=+proj=laea +lat_0=90")
        self.assertRegex(told, r"a field of \d+x\d+ is more than MAX_MEMORY allows, 7.0 MB")

    # ---- the tools

    GRID = json.dumps({"crs": "EPSG:4326", "width": fixture.W, "height": fixture.H,
                       "geotransform": [-180, 360 / fixture.W, 0, 90, 0, -180 / fixture.H]})

    def tool(self, name, *args, space=None, status=0):
        """What a tool says, and the most that it held in MiB; space: of addresses, in bytes"""
        program = pathlib.Path(os.environ["M2N_BUILD"]) / "plugin" / "cli" / name
        out = self.run_tool(sys.executable, "-S", "-c", TOOL, space or 0, program, *args)
        told, _, ended = out.rstrip("\n").rpartition("\n")
        code, peak = ended.split()
        self.assertEqual(int(code), status, told)
        return told, int(peak) / 1024

    def add_messages(self, n):
        """To the analysis: fields of four points, of a variable that nobody wants"""
        samples = subprocess.run(["codes_info", "-s"], capture_output=True, text=True, check=True).stdout.split(":")[0]
        subprocess.run(["grib_set", "-s", "Ni=2,Nj=2,shortName=sp", "-d", "1", f"{samples}/regular_ll_sfc_grib2.tmpl", "one"],
                       cwd=self.folder, check=True)
        with (self.folder / "analysis.grib2").open("ab") as f:
            f.write(n * (self.folder / "one").read_bytes())

    def test_an_index_that_others_use(self):
        """40,000 messages: 26 MB"""
        self.add_messages(40000)
        told = self.run_python(SECOND).strip().splitlines()[-1]
        self.assertRegex(told, "^True .*an index of them all takes about 2. MiB, 20 MiB are allowed")

    def test_index_of_forecasts_to_be_judged(self):
        self.add_messages(40000)
        told, _ = self.tool("met2net-verify", "-q", "--max-memory", "40MB", "-f", "analysis.grib2", "analysis.grib2", status=1)
        self.assertRegex(told, "an index of them all takes about 2. MiB, 20 MiB are allowed")

    def test_verify(self):
        """A year of hours: 8,160 means of 20 kB each, of what lies before the 341st day"""
        fixture.write_dataset(self.folder / "data.safetensors", 360 * 24, self.GRID)
        common = ("-q", "-m", "model.safetensors", "--span", "2024-12-06/2024-12-25", "--every", "5d", "-j", 1, "data.safetensors")
        for memory, pattern in (("500MB", r"climatology: means at 8160 times of the year take \d+ MB, allowed are 125 MB"),
                                ("100kB", "two times take 20 kB, allowed are 12 kB of what verification may take"), ("2MB", "allow")):
            told, peak = self.tool("met2net-verify", "--max-memory", memory, *common, status=1)
            self.assertRegex(told, pattern)
            self.assertLess(peak, 200)
        told, peak = self.tool("met2net-verify", "--max-memory", "800MB", *common)
        self.assertIn("season", told)
        print(f"# verify: peak {peak:.0f} MiB")
        self.assertTrue(150 < peak < 500, peak)
        told, _ = self.tool("met2net-verify", "--max-memory", "500MB", "-c", "2024-01-01/2024-01-31", *common)
        self.assertIn("climatology: mean at the same time of day, 7", told)

    def test_prepare_within_what_the_process_has(self):
        told, peak = self.tool("met2net-prepare", "-q", "-v", "t2m,u10", "--region", "0,0,90,90", "--size", "16384x16384", "-o",
                               "d.safetensors", "analysis.grib2", space=2 << 30, status=1)
        self.assertRegex(told, r"2 variables on 16384x16384: one time takes 4096 MiB, 1536 MiB are allowed")
        told, peak = self.tool("met2net-prepare", "-q", "-v", "t2m,u10", "--region", "0,0,90,90", "--size", "6000x6000", "-o",
                               "d.safetensors", "analysis.grib2", space=2 << 30, status=1)
        self.assertRegex(told, r"36000000 points takes? \d+ MiB and more, \d+ MiB are allowed")

    def test_training_within_what_the_process_has(self):
        fixture.write_dataset(self.folder / "data.safetensors", 200, self.GRID)
        told, peak = self.tool("met2net-train", "-q", "--steps", 3, "--hid-S", 32, "--hid-T", 512, "--N-T", 4, "--batch", 100, "-o",
                               "m.safetensors", "data.safetensors", space=2 << 30, status=1)
        self.assertRegex(told, r"max-memory: batch 100 needs at least \d+ MiB, 1536 MiB are allowed; a smaller batch needs less")
        self.assertLess(peak, 500)

    def test_another_grid_of_files(self):
        for size in (2000, 20000):
            told, peak = self.tool("met2net-forecast", "-q", "--max-memory", "300MB", "-v", "t2m", "--resolution", 360 / size, "-o",
                                   "f.nc", "forecast.json", status=0 if size == 2000 else 1)
            print(f"# forecast: {size}: peak {peak:.0f} MiB {told}")
            self.assertLess(peak, 300 + 100)
        self.assertRegex(told, "allowed are 300 MB")


if __name__ == "__main__":
    tap.main()
