"""What tests of met2net-prepare and met2net-train from the outside share: GRIB made here, waves that move over 16x8 points,
a dataset out of it, a small run, and what the tools say when they fail."""
import json
import os
import pathlib
import shutil
import struct
import subprocess
import tempfile
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
