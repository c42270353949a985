"""A folder with a small model, an analysis in GRIB2 and a forecast file, made from nothing.

The weights are random: what is tested with them is the way from GRIB to bands, not the weather.  Five variables,
three steps, 32x16 global grid; the analysis has 6 hours on 64x32, from south to north, so that reading it takes
regridding and a flip."""
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

PROJ = {k: os.environ.get(k) for k in ("PROJ_LIB", "PROJ_DATA")}
import eccodes
import numpy as np

for key, value in PROJ.items():  # Debian's eccodes for Python points PROJ at a folder without a database
    if value is None:
        os.environ.pop(key, None)
    else:
        os.environ[key] = value

PATIENCE = 120 * float(os.environ.get("M2N_PATIENCE", 1))  # seconds for one program; more under a sanitizer
T, V, H, W, S, D = 3, 5, 16, 32, 8, 16
INIT = 1704088800  # 2024-01-01T06:00Z: the last hour of the analysis
NAMES = ["t2m", "u10", "v10", "tcc", "r1000"]
VARIABLES = [  # name, paramId, typeOfLevel, level, units, mean, std, GRIB2 discipline/category/number
    ("t2m", 167, "heightAboveGround", 2, "K", 280.0, 20.0, (0, 0, 0)),
    ("u10", 165, "heightAboveGround", 10, "m s**-1", 0.0, 6.0, (0, 2, 2)),
    ("v10", 166, "heightAboveGround", 10, "m s**-1", 0.0, 6.0, (0, 2, 3)),
    ("tcc", 164, "surface", 0, "(0 - 1)", 0.6, 0.4, (0, 6, 1)),
    ("r1000", 157, "isobaricInhPa", 1000, "%", 75.0, 20.0, (0, 1, 1)),
]
VARIABLE_METADATA = [dict(zip(("name", "paramId", "typeOfLevel", "level", "units", "mean", "std"), v))
                     for v in VARIABLES]


def parameter_shapes():
    """Names and shapes of the published checkpoints for N_S 2, N_T 1."""
    out = {}

    def conv(name, n_out, n_in, size, bias=True):
        out[f"{name}.weight"] = (n_out, n_in, size, size)
        if bias:
            out[f"{name}.bias"] = (n_out,)

    def norm(name, n):
        out[f"{name}.weight"], out[f"{name}.bias"] = (n,), (n,)

    for v in range(V):
        for i in range(2):
            conv(f"enc_q_list.{v}.enc.{i}.conv.conv", S, S if i else 1, 3)
            norm(f"enc_q_list.{v}.enc.{i}.conv.norm", S)
            conv(f"dec_q_list.{v}.dec.{i}.conv.conv" + ("" if i else ".0"), S if i else 4 * S, S, 3)
            norm(f"dec_q_list.{v}.dec.{i}.conv.norm", S)
        conv(f"dec_q_list.{v}.readout", 1, S, 1)
    conv("hid_q.conv1", D, T * S, 1)
    conv("hid_q.conv2", T * S, D, 1)
    block = "hid_q.layers.0"
    norm(f"{block}.norm_1", D)
    norm(f"{block}.norm_2", D)
    for n in ("q_Conv", "k_Conv", "v_Conv", "v_post_f"):
        conv(f"{block}.attn_1.{n}.0", D, D, 1, bias=False)
        norm(f"{block}.attn_1.{n}.1", D)
    unit = f"{block}.ff.ff1"
    gate = f"{unit}.attn.spatial_gating_unit"
    out[f"{unit}.layer_scale_1"] = out[f"{unit}.layer_scale_2"] = (D,)
    for n in ("norm1", "norm2"):
        norm(f"{unit}.{n}", D)
        out[f"{unit}.{n}.running_mean"] = out[f"{unit}.{n}.running_var"] = (D,)
    for name, shape in ((f"{unit}.attn.proj_1", (D, D, 1)), (f"{unit}.attn.proj_2", (D, D, 1)),
                        (f"{gate}.conv0", (D, 1, 5)), (f"{gate}.conv_spatial", (D, 1, 7)),
                        (f"{gate}.conv1", (D, D, 1)), (f"{unit}.mlp.fc1", (4 * D, D, 1)),
                        (f"{unit}.mlp.dwconv.dwconv", (4 * D, 1, 3)), (f"{unit}.mlp.fc2", (D, 4 * D, 1))):
        conv(name, *shape)
    return out


def write_model(path, seed=1, readout=1.0, **metadata):
    """readout scales the last layer: 20 drives the fields beyond their bounds."""
    rng = np.random.default_rng(seed)
    header = {"__metadata__": {
        "format": "met2net", "format_version": "1", "time_step": "3600", "normalisation": "zscore",
        "config": json.dumps({"steps": T, "height": H, "width": W, "hid_S": S, "hid_T": D, "N_S": 2, "N_T": 1}),
        "variables": json.dumps(VARIABLE_METADATA),
        "grid": json.dumps({"crs": "EPSG:4326", "width": W, "height": H,
                            "geotransform": [-180, 360 / W, 0, 90, 0, -180 / H]}), **metadata}}
    blobs, offset = [], 0
    for name, shape in parameter_shapes().items():
        x = rng.uniform(-1, 1, shape)
        if len(shape) == 4:
            x *= np.sqrt(3 / np.prod(shape[1:])) * (readout if "readout" in name else 1)
        elif name.endswith("running_var") or name.endswith("weight"):
            x = 1 + 0.25 * x
        else:
            x *= 0.1
        blobs.append(x.astype("<f4").tobytes())
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [offset, offset + len(blobs[-1])]}
        offset += len(blobs[-1])
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    pathlib.Path(path).write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def write_dataset(path, hours, grid):
    """Noise on the model's grid, from 2024-01-01T00Z on; grid: the text of its metadata."""
    rng = np.random.default_rng(1)
    times = (1704067200 + 3600 * np.arange(hours)).astype("<i8")
    header = json.dumps({
        "__metadata__": {"format": "met2net-dataset", "time_step": "3600", "grid": grid, "normalisation": "zscore",
                         "variables": json.dumps(VARIABLE_METADATA)},
        "times": {"dtype": "I64", "shape": [hours], "data_offsets": [0, times.nbytes]},
        "fields": {"dtype": "F32", "shape": [hours, V, H, W],
                   "data_offsets": [times.nbytes, times.nbytes + 4 * hours * V * H * W]}}).encode()
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(header)) + header + times.tobytes())
        for _ in range(hours):  # one by one: what this process holds its children are said to hold
            f.write(rng.normal(0, 1, (V, H, W)).astype("<f4").tobytes())


def analysis_field(v, hour, lat, lon):
    """Smooth, different in every direction, moving: a flip or a shift shows."""
    wave = np.cos(np.radians(lat)) * np.sin(np.radians(lon + 15 * hour + 40 * v))
    mean, std = VARIABLES[v][5:7]
    return np.clip(mean + std * (0.8 * wave + 0.5 * np.sin(np.radians(lat))),
                   0 if VARIABLES[v][0] in ("tcc", "r1000") else -np.inf, 1 if VARIABLES[v][0] == "tcc" else np.inf)


def write_message(f, v, hour, values, member=None, members=0):
    """One field of a global grid, rows from the south, longitude from 0 eastward, valid 2024-01-01T00Z + hour."""
    name, _, kind, level, _, _, _, code = VARIABLES[v]
    rows, columns = values.shape
    dy, dx = 180 / rows, 360 / columns
    h = eccodes.codes_grib_new_from_samples("regular_ll_sfc_grib2")
    for key, value in {
            "Ni": columns, "Nj": rows, "jScansPositively": 1,
            "latitudeOfFirstGridPointInDegrees": dy / 2 - 90, "latitudeOfLastGridPointInDegrees": 90 - dy / 2,
            "longitudeOfFirstGridPointInDegrees": dx / 2, "longitudeOfLastGridPointInDegrees": 360 - dx / 2,
            "iDirectionIncrementInDegrees": dx, "jDirectionIncrementInDegrees": dy,
            "dataDate": 20240101 + hour // 24, "dataTime": 100 * (hour % 24), "discipline": code[0], "parameterCategory": code[1],
            "parameterNumber": code[2], "bitsPerValue": 24,
            **({} if member is None else {"productDefinitionTemplateNumber": 1, "perturbationNumber": member,
                                          "numberOfForecastsInEnsemble": members})}.items():
        eccodes.codes_set(h, key, value)
    if kind == "surface":  # cloud cover: from the ground to the top of the atmosphere, and in per cent
        eccodes.codes_set(h, "typeOfFirstFixedSurface", 1)
        eccodes.codes_set(h, "typeOfSecondFixedSurface", 8)
        values = 100 * values
    else:
        pressure = kind == "isobaricInhPa"
        eccodes.codes_set(h, "typeOfFirstFixedSurface", 100 if pressure else 103)
        eccodes.codes_set(h, "scaleFactorOfFirstFixedSurface", 0)
        eccodes.codes_set(h, "scaledValueOfFirstFixedSurface", level * 100 if pressure else level)
    eccodes.codes_set_values(h, values.ravel().astype(float))
    eccodes.codes_write(h, f)
    eccodes.codes_release(h)


def write_analysis(path, hours=range(1, 7), names=NAMES, seed=0, members=(None,), celsius=False):
    """2024-01-01T00Z + hours, 64x32; `seed` shifts the weather, as the number of a member does; `celsius`: what is
    labelled K is not."""
    lat, lon = np.meshgrid(-90 + 5.625 * (np.arange(32) + 0.5), 5.625 * (np.arange(64) + 0.5), indexing="ij")
    with open(path, "wb") as f:
        for hour in hours:
            for v, name in enumerate(NAMES):
                for member in members if name in names else ():
                    field = analysis_field(v, hour + seed + (member or 0), lat, lon) - (273.15 if celsius and v == 0 else 0)
                    write_message(f, v, hour, field, member, len(members))


def messages(path):
    """The messages of a GRIB2 file, octet by octet."""
    data, at = pathlib.Path(path).read_bytes(), 0
    while at < len(data):
        length, = struct.unpack_from(">Q", data, at + 8)
        yield data[at:at + length]
        at += length


def sections(message):
    """(number, octets) of sections 1 to 7."""
    at = 16
    while message[at:at + 4] != b"7777":
        length, = struct.unpack_from(">I", message, at)
        yield message[at + 4], message[at:at + length]
        at += length


def write_bands(path, bands, first_hour):
    """Bands of a forecast (step-major, north-up from 180 W) as an analysis of the same hours."""
    with open(path, "wb") as f:
        for i, band in enumerate(bands):
            write_message(f, i % V, first_hour + i // V, np.roll(band[::-1], W // 2, axis=1))


class Case(unittest.TestCase):
    """Each test in a folder of its own, with a cache of its own."""

    def setUp(self):
        self.top = pathlib.Path(tempfile.mkdtemp(prefix="met2net-"))
        self.addCleanup(shutil.rmtree, self.top)
        self.cache = self.top / "cache"
        self.folder = self.top / "folder"
        self.folder.mkdir()
        self.env = dict(os.environ, XDG_CACHE_HOME=str(self.cache), CPL_DEBUG="MET2NET")
        for name in ("MET2NET_CACHE", "MET2NET_ALLOWED_SOURCE", "MET2NET_CACHE_SIZE"):
            self.env.pop(name, None)
        write_model(self.folder / "model.safetensors")
        write_analysis(self.folder / "analysis.grib2")
        self.write_forecast()

    def write_forecast(self, name="forecast.json", **changes):
        content = {"met2net": 1, "model": "model.safetensors", "input": ["analysis.grib2"], **changes}
        path = self.folder / name
        path.write_text(json.dumps(content))
        return str(path)

    @property
    def forecast(self):
        return str(self.folder / "forecast.json")

    def run_tool(self, *command, status=0, **env):
        """Output and errors of a program, together."""
        done = subprocess.run([str(c) for c in command], cwd=self.folder, env={**self.env, **env}, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE, errors="replace")
        self.assertEqual(done.returncode, status, f"{command}\n{done.stdout}")
        self.assertNotRegex(done.stdout, "Sanitizer|runtime error:|CRITICAL|WARNING \\*\\*")
        return done.stdout

    def run_python(self, code, *args, **env):
        return self.run_tool(sys.executable, "-c", "from osgeo import gdal; gdal.UseExceptions()\n" + code, *args, **env)
