#!/usr/bin/env python3
"""bench_grib.py BENCH_GRIB [PART ...]: reading GRIB beside eccodes, CDO and GDAL, in one run, on files made here.

Parts: scan, regrid, memory, or the name of a packing (PACKINGS); without any all of them, about three minutes.  Fields of
1440 x 721 points; milliseconds a message, the best of several runs."""
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import eccodes
import numpy as np

os.environ.pop("PROJ_LIB", None)  # where the import of eccodes may have pointed it, there is no database
NX, NY = 1440, 721
PACKINGS = {  # name: edition, eccodes' packingType, bits, messages
    "simple": (2, "grid_simple", 16, 12),
    "simple-12-bits": (2, "grid_simple", 12, 12),
    "simple-grib1": (1, "grid_simple", 16, 12),
    "second-order": (1, "grid_second_order", 16, 6),
    "ieee": (2, "grid_ieee", 0, 12),
    "complex": (2, "grid_complex", 16, 6),
    "complex-differences": (2, "grid_complex_spatial_differencing", 16, 6),
    "ccsds": (2, "grid_ccsds", 16, 12),
    "jpeg": (2, "grid_jpeg", 16, 2),
    "png": (2, "grid_png", 16, 4),
}


def field(k):
    y, x = np.mgrid[0:NY, 0:NX]
    noise = np.random.default_rng(1).normal(0, 0.3, x.shape)
    return (270 + k + 30 * np.cos(y / NY * np.pi - np.pi / 2) + 5 * np.sin(x / 50) * np.cos(y / 40) + noise).ravel()


def make(path, edition, packing, bits, messages):
    h = eccodes.codes_grib_new_from_samples(f"regular_ll_sfc_grib{edition}")
    for key, value in {"Ni": NX, "Nj": NY, "latitudeOfFirstGridPointInDegrees": 90, "latitudeOfLastGridPointInDegrees": -90,
                       "longitudeOfFirstGridPointInDegrees": 0, "longitudeOfLastGridPointInDegrees": 359.75,
                       "iDirectionIncrementInDegrees": 0.25, "jDirectionIncrementInDegrees": 0.25}.items():
        eccodes.codes_set(h, key, value)
    if bits:
        eccodes.codes_set(h, "bitsPerValue", bits)
    eccodes.codes_set_values(h, field(0))
    eccodes.codes_set(h, "packingType", packing)
    assert eccodes.codes_get(h, "packingType").startswith(packing)
    with open(path, "wb") as f:
        for k in range(messages):
            if k in (1, 2):
                eccodes.codes_set_values(h, field(k))
            eccodes.codes_set(h, "step", k)
            eccodes.codes_write(h, f)
    eccodes.codes_release(h)


def run(part, path):
    out = subprocess.run([sys.argv[1], part, path], check=True, stdout=subprocess.PIPE, text=True).stdout
    return [[float(v) for v in line.split()] for line in out.splitlines()]


def best(call, n, runs=3):
    """Milliseconds for one of n messages; '-' where the tool cannot."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        try:
            call()
        except Exception:
            return "-"
        times.append(time.perf_counter() - start)
    return f"{1e3 * min(times) / n:.1f}"


def cdo(path):
    subprocess.run(["cdo", "-s", "-P", "1", "outputf,%g", "-fldmean", path], check=True, capture_output=True)


def gdal(path):
    from osgeo import gdal as g
    g.UseExceptions()
    data = g.Open(str(path))
    for b in range(1, data.RasterCount + 1):
        data.GetRasterBand(b).ReadAsArray()


def decode(folder, names):
    print("| packing | eccodes | one thread | two threads | of eccodes | cdo -fldmean | GDAL |\n|---|---|---|---|---|---|---|")
    for name in names:
        edition, packing, bits, n = PACKINGS[name]
        path = folder / f"{name}.grib"
        make(path, edition, packing, bits, n)
        theirs, one, two = run("decode", path)[0]
        print(f"| {name} | {theirs:.1f} | {one:.1f} | {two:.1f} | {one / theirs:.2f}, {two / theirs:.2f} "
              f"| {best(lambda: cdo(path), n)} | {best(lambda: gdal(path), n)} |", flush=True)
        path.unlink()


def others(folder, parts):
    path = folder / "simple.grib2"
    if "scan" in parts:
        h = eccodes.codes_grib_new_from_samples("regular_ll_sfc_grib2")
        with open(folder / "many.grib2", "wb") as f:
            for step in range(40):
                for level in range(50):
                    for key, value in {"typeOfLevel": "isobaricInhPa", "level": 1000 - 10 * level, "step": step}.items():
                        eccodes.codes_set(h, key, value)
                    eccodes.codes_write(h, f)
        ms, n = run("scan", folder / "many.grib2")[0]
        print(f"scan: {ms:.3f} ms/message of {n:.0f} (50 levels, 40 steps)")
    if "regrid" in parts:
        make(path, 2, "grid_simple", 16, 1)
        for method, (weights, apply) in zip(("bilinear", "nearest", "conservative"), run("regrid", path)):
            print(f"regrid to 128 x 128, {method}: weights {weights:.1f} ms, a field {apply:.3f} ms")
    if "memory" in parts:
        for n in (20, 200):
            make(path, 2, "grid_simple", 16, n)
            print(f"memory: {run('memory', path)[0][0]:.0f} MiB at most, file {path.stat().st_size / 2**20:.0f} MiB")


wanted = sys.argv[2:] or [*PACKINGS, "scan", "regrid", "memory"]
with tempfile.TemporaryDirectory() as tmp:
    if set(wanted) & set(PACKINGS):
        decode(pathlib.Path(tmp), [p for p in PACKINGS if p in wanted])
    others(pathlib.Path(tmp), wanted)
