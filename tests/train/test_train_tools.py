#!/usr/bin/env python3
"""met2net-prepare and met2net-train from the outside: GRIB and NetCDF to a model that the driver opens, bad input,
signals, kill -9, a full disk.  GRIB files are made here: waves that move over 16x8 points."""
import json
import os
import pathlib
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

import tap

PROJ = {k: os.environ.get(k) for k in ("PROJ_LIB", "PROJ_DATA")}
import eccodes
import numpy as np

for key, value in PROJ.items():  # Debian's eccodes for Python points PROJ at a folder without a database
    if value is None:
        os.environ.pop(key, None)
    else:
        os.environ[key] = value

BIN = pathlib.Path(os.environ["M2N_BUILD"]) / "plugin" / "cli"
SMALL = ["--steps", "2", "--hid-S", "4", "--hid-T", "16", "--N-T", "1", "--batch", "4", "--epochs", "2",
         "--threads", "1", "--learning-rate", "3e-3"]
try:  # zarr-python 3 writes format 3 unless told otherwise; before, it had none but 2
    import zarr
    ZARR_2 = {"zarr_format": 2} if int(zarr.__version__.split(".")[0]) >= 3 else {}
except ImportError:
    ZARR_2 = {}
CODES = {"t2m": (0, 0, 103, 2), "u10": (2, 2, 103, 10), "v10": (2, 3, 103, 10)}


def field(name, hour, columns=16, rows=8):
    lat, lon = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
    wave = np.sin(0.4 * lon + 0.3 * hour) * np.cos(0.5 * lat + 0.1 * hour)
    return (280 + 8 * wave) if name == "t2m" else 5 * wave + (1 if name == "v10" else 0) * np.cos(0.3 * lon)


def write_message(f, name, hour, values, west=40.0):
    rows, columns = values.shape
    category, number, surface, level = CODES[name]
    h = eccodes.codes_grib_new_from_samples("regular_ll_sfc_grib2")
    keys = {"Ni": columns, "Nj": rows, "latitudeOfFirstGridPointInDegrees": 30.0,
            "latitudeOfLastGridPointInDegrees": 30.0 - 0.5 * (rows - 1), "longitudeOfFirstGridPointInDegrees": west,
            "longitudeOfLastGridPointInDegrees": west + 0.5 * (columns - 1), "iDirectionIncrementInDegrees": 0.5,
            "jDirectionIncrementInDegrees": 0.5, "dataDate": 20240101 + hour // 24, "dataTime": 100 * (hour % 24),
            "discipline": 0, "parameterCategory": category, "parameterNumber": number,
            "typeOfFirstFixedSurface": surface, "scaleFactorOfFirstFixedSurface": 0,
            "scaledValueOfFirstFixedSurface": level, "bitsPerValue": 24}
    if np.isnan(values).any():
        keys["bitmapPresent"] = 1
    for key, value in keys.items():
        eccodes.codes_set(h, key, value)
    missing = eccodes.codes_get(h, "missingValue")
    eccodes.codes_set_values(h, np.where(np.isnan(values), missing, values).ravel())
    eccodes.codes_write(h, f)
    eccodes.codes_release(h)


def write_grib(path, hours=range(72), names=("u10", "t2m"), change=None):
    with open(path, "wb") as f:
        for hour in hours:
            for name in names:
                values = field(name, hour)
                if change:
                    values = change(name, hour, values)
                write_message(f, name, hour, values)


def header_of(path):
    with open(path, "rb") as f:
        (n,) = struct.unpack("<Q", f.read(8))
        return json.loads(f.read(n))


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="m2n-train-"))
        write_grib(cls.folder / "all.grib2")
        subprocess.run([BIN / "met2net-prepare", cls.folder / "all.grib2", "-q", "-v", "u10,t2m", "-o",
                        cls.folder / "data.safetensors"], check=True, stdout=subprocess.DEVNULL)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def setUp(self):
        self.here = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        self.model = self.here / "m.safetensors"

    def run_tool(self, tool, *arguments, **more):
        return subprocess.run([BIN / f"met2net-{tool}", *map(str, arguments)], capture_output=True, text=True,
                              timeout=tap.seconds(120), **more)

    def train(self, *arguments, data=None, model=None):
        return self.run_tool("train", data or self.folder / "data.safetensors", "-q", "-o", model or self.model,
                             *SMALL, *arguments)

    def assert_fails(self, result, status, *parts):
        self.assertEqual(result.returncode, status, result.stderr)
        lines = [l for l in result.stderr.splitlines() if l.startswith("met2net-")]
        self.assertEqual(len(lines), 1, result.stderr)
        for part in parts:
            self.assertIn(part, lines[0])


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


class Train(Case):
    def test_grib_to_driver(self):
        """From GRIB to a model with one command, and the driver forecasts with it."""
        result = self.train("-v", "u10,t2m", data=self.folder / "all.grib2")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("persistence", result.stdout)
        for name in ("m.safetensors", "m.last.safetensors", "m.checkpoint.safetensors", "m.log.jsonl", "m.svg",
                     "m.data.safetensors"):
            self.assertTrue((self.here / name).exists(), name)
        log = [json.loads(line) for line in (self.here / "m.log.jsonl").read_text().splitlines()]
        self.assertEqual([r["epoch"] for r in log], [1, 2])
        self.assertTrue(all(r["loss_latent"] > 0 and r["memory_bytes"] > 0 for r in log))
        for name, words in (("m.checkpoint.safetensors", ("checkpoint of a training run", "--resume")),
                            ("m.log.jsonl", ("log of a training run", "epochs       2"))):
            said = self.run_tool("info", self.here / name)
            self.assertEqual((said.returncode, said.stderr), (0, ""))
            for word in words:
                self.assertIn(word, said.stdout)
        metadata = header_of(self.model)["__metadata__"]
        self.assertEqual(metadata["format"], "met2net")
        self.assertEqual(metadata["target"], "field")
        shutil.copy(self.folder / "all.grib2", self.here / "a.grib2")
        (self.here / "f.json").write_text(json.dumps({"met2net": 1, "model": "m.safetensors", "input": ["a.grib2"]}))
        out = subprocess.run(["gdal_translate", "-q", self.here / "f.json", self.here / "f.tif"], capture_output=True,
                             text=True)
        self.assertEqual(out.returncode, 0, out.stderr)

    def test_target_change(self):
        """A network that has learnt nothing predicts no change: persistence, and the driver knows."""
        result = self.train("--target", "change", "--learning-rate", "1e-9", "--final-learning-rate", "0")
        self.assertEqual(result.returncode, 0, result.stderr)
        metadata = header_of(self.model)["__metadata__"]
        self.assertEqual(metadata["target"], "change")
        self.assertTrue(all(v["change_std"] > 0 for v in json.loads(metadata["variables"])))
        table = {line[:20].strip(): [float(x) for x in line[20:].split()] for line in result.stdout.splitlines()[1:]}
        for model, persistence in zip(table["model"], table["persistence"]):
            self.assertLess(model, 1.5 * persistence)

    def test_minmax_preset_and_file(self):
        (self.here / "s.json").write_text('{"epochs": 1, "normalisation": "minmax", "hid_T": 24}')
        result = self.run_tool("train", self.folder / "data.safetensors", "-q", "-o", self.model, "-p", "GULF", "-c",
                               self.here / "s.json", "--steps", "2", "--hid-S", "4", "--N-T", "1")
        self.assertEqual(result.returncode, 0, result.stderr)
        metadata = header_of(self.model)["__metadata__"]
        self.assertEqual(metadata["normalisation"], "minmax")
        config = json.loads(metadata["config"])
        self.assertEqual((config["hid_T"], config["hid_S"]), (24, 4))
        self.assertEqual(len((self.here / "m.log.jsonl").read_text().splitlines()), 1)

    def test_help_names_presets(self):
        text = self.run_tool("train", "--help").stdout
        for name in ("weatherbench", "wb_mv5", "era5_128", "--learning-rate", "[0.001]"):
            self.assertIn(name, text)

    def test_bad_settings(self):
        for arguments, parts in ((["--learning-rate", "-1"], ["learning-rate", "-1"]),
                                 (["--epochs", "0"], ["epochs"]), (["--preset", "imagenet"], ["weatherbench"]),
                                 (["--batch", "two"], ["batch", "two"]), (["--hid-T", "20"], ["hid-T", "20"]),
                                 (["--config", "/nonexistent.json"], ["/nonexistent.json"])):
            result = self.train(*arguments)
            self.assert_fails(result, 1 if "config" in arguments[0] else 2, *parts)
            self.assertEqual(list(self.here.iterdir()), [])

    def test_window_longer_than_data(self):
        self.assert_fails(self.train("--steps", "40"), 1, "data.safetensors", "80 in a row", "58 times")

    def test_grid_does_not_divide(self):
        self.assert_fails(self.train("--N-S", "8"), 1, "8")

    def test_memory_too_small(self):
        self.assert_fails(self.train("--max-memory", "3M"), 1, "max-memory", "3 MiB are allowed")

    def test_no_such_data(self):
        for name in ("nothing.safetensors", "nothing.grib2"):
            self.assert_fails(self.train("-v", "u10", data=self.here / name), 1, name)

    def test_earlier_run_is_kept(self):
        self.assertEqual(self.train("--epochs", "1").returncode, 0)
        before = self.model.read_bytes()
        self.assert_fails(self.train("--seed", "5"), 2, "--resume", "--overwrite")
        self.assertEqual(self.model.read_bytes(), before)
        self.assert_fails(self.train("--resume", "--epochs", "1", "--seed", "5"), 2, "seed: the run has 1, given is 5")
        self.assertEqual(self.train("--overwrite", "--epochs", "1", "--seed", "5").returncode, 0)
        self.assertNotEqual(self.model.read_bytes(), before)


class Interrupted(Case):
    EPOCHS = ["--epochs", "6", "--checkpoint-minutes", "0.001"]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.whole = cls.folder / "whole.safetensors"
        start = time.monotonic()
        subprocess.run([BIN / "met2net-train", cls.folder / "data.safetensors", "-q", "-o", cls.whole, *SMALL,
                        *cls.EPOCHS], check=True, stdout=subprocess.DEVNULL)
        cls.seconds = time.monotonic() - start

    def start(self, *arguments):
        return subprocess.Popen([BIN / "met2net-train", self.folder / "data.safetensors", "-q", "-o", self.model,
                                 *SMALL, *self.EPOCHS, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def finish(self):
        if not (self.here / "m.checkpoint.safetensors").exists():  # killed before the run began
            self.assertEqual(self.train(*self.EPOCHS, "--overwrite").returncode, 0)
            return
        result = self.train(*self.EPOCHS, "--resume")
        self.assertEqual(result.returncode, 0, result.stderr)

    def assert_same_as_whole(self):
        self.assertEqual(self.model.read_bytes(), self.whole.read_bytes())
        self.assertEqual((self.here / "m.last.safetensors").read_bytes(),
                         (self.folder / "whole.last.safetensors").read_bytes())
        epochs = [json.loads(line)["epoch"] for line in (self.here / "m.log.jsonl").read_text().splitlines()]
        self.assertEqual(epochs, [1, 2, 3, 4, 5, 6])

    def test_signals(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            p = self.start("--overwrite")
            time.sleep(0.4 * self.seconds)
            p.send_signal(number)
            _, stderr = p.communicate(timeout=tap.seconds(60))
            if p.returncode != 0:  # else it was faster than the signal
                self.assertEqual(p.returncode, 130, stderr)
                self.assertIn(b"--resume", stderr)
            self.finish()
            self.assert_same_as_whole()

    def test_kill_at_random_moments(self):
        r = random.Random(os.environ.get("M2N_SEED", "1"))
        kills, left = 0, set()
        for _ in range(int(os.environ.get("M2N_KILLS", "3"))):
            for path in self.here.iterdir():
                path.unlink()
            p = self.start()
            time.sleep(r.uniform(0, 1.2 * self.seconds))
            p.kill()
            p.communicate()
            kills += p.returncode == -signal.SIGKILL
            self.finish()
            self.assert_same_as_whole()
            left |= {path.name for path in self.here.iterdir()}
        print(f"# {kills} of the runs were killed at work", flush=True)
        known = {f"m{end}" for end in (".safetensors", ".last.safetensors", ".checkpoint.safetensors", ".log.jsonl",
                                       ".svg")}
        # what a kill leaves behind are temporary files, never files of a user's name that are not whole
        self.assertTrue(all(name.startswith(("m.", ".m.")) for name in left - known), left - known)

    def test_full_disk(self):
        """A tmpfs with room for two and a half checkpoints: some save in the run must fail."""
        self.assertEqual(self.train(*self.EPOCHS[2:], "--epochs", "1").returncode, 0)
        checkpoint = self.here / "m.checkpoint.safetensors"
        before, size = self.model.read_bytes(), checkpoint.stat().st_size
        mount = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={int(2.6 * size) // 1024}k", "tmpfs", mount],
                          capture_output=True).returncode != 0:
            self.skipTest("no right to mount a small file system")
        try:
            model = mount / "m.safetensors"
            first = self.train(*self.EPOCHS[2:], "--epochs", "3", model=model)
            self.assert_fails(first, 1, "m.", "No space left on device")
            if (mount / "m.checkpoint.safetensors").exists():  # whole, as it was before the failed write
                settings = json.loads(header_of(mount / "m.checkpoint.safetensors")["__metadata__"]["settings"])
                self.assertEqual(settings["epochs"], 3)
            self.assertFalse([p.name for p in mount.iterdir() if p.name not in
                              {"m.safetensors", "m.last.safetensors", "m.checkpoint.safetensors", "m.log.jsonl",
                               "m.svg"}])
            subprocess.run(["mount", "-o", "remount,size=50m", mount], check=True)
            result = self.train(*self.EPOCHS[2:], "--epochs", "3", "--resume", model=model)
            self.assertEqual(result.returncode, 0, result.stderr)
        finally:
            subprocess.run(["umount", mount])
        self.assertEqual(self.model.read_bytes(), before)


if __name__ == "__main__":
    tap.main()
