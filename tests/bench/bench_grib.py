"""bench_grib.py BENCH_GRIB: reading GRIB beside eccodes, CDO and GDAL, in one run, on files made here.

Files of 1440 x 721 points in each packing; one of 200 messages and one of 20 to show that memory does not follow the
file's size."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import eccodes
import numpy as np

bench = sys.argv[1]
NX, NY = 1440, 721


def make(path, packing, messages):
    y, x = np.mgrid[0:NY, 0:NX]
    rng = np.random.default_rng(1)
    base = 270 + 30 * np.cos(y / NY * np.pi - np.pi / 2) + 5 * np.sin(x / 50) * np.cos(y / 40) + rng.normal(0, 0.3, x.shape)
    h = eccodes.codes_grib_new_from_samples("regular_ll_sfc_grib2")
    for key, value in {"Ni": NX, "Nj": NY, "latitudeOfFirstGridPointInDegrees": 90, "latitudeOfLastGridPointInDegrees": -90,
                       "longitudeOfFirstGridPointInDegrees": 0, "longitudeOfLastGridPointInDegrees": 359.75,
                       "iDirectionIncrementInDegrees": 0.25, "jDirectionIncrementInDegrees": 0.25,
                       "bitsPerValue": 16}.items():
        eccodes.codes_set(h, key, value)
    eccodes.codes_set_values(h, base.ravel())
    eccodes.codes_set(h, "packingType", packing)
    with open(path, "wb") as f:
        for k in range(messages):
            if k < 3:
                eccodes.codes_set_values(h, (base + k).ravel())
            eccodes.codes_set(h, "forecastTime", k)
            eccodes.codes_write(h, f)


def seconds(call, runs=3):
    best = float("inf")
    for _ in range(runs):
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return best


def gdal_read(path):
    from osgeo import gdal
    gdal.UseExceptions()
    data = gdal.Open(str(path))
    for b in range(1, data.RasterCount + 1):
        data.GetRasterBand(b).ReadAsArray()


with tempfile.TemporaryDirectory() as tmp:
    tmp = pathlib.Path(tmp)
    for packing in ("grid_simple", "grid_ccsds", "grid_complex_spatial_differencing", "grid_jpeg"):
        n = 4 if packing == "grid_jpeg" else 20
        path = tmp / f"{packing}.grib2"
        make(path, packing, n)
        print(f"== {packing}, {n} messages of {NX} x {NY}")
        print(subprocess.run([bench, path], check=True, capture_output=True, text=True).stdout, end="")
        if shutil.which("cdo"):
            t = seconds(lambda: subprocess.run(["cdo", "-s", "-P", "1", "outputf,%g", "-fldmean", path], check=True,
                                               capture_output=True))
            print(f"cdo-fldmean {1e3 * t / n:.3f} ms/message (a whole process: decode and mean)")
        try:
            t = seconds(lambda: gdal_read(path))
            print(f"gdal-read {1e3 * t / n:.3f} ms/message")
        except Exception as e:
            print(f"gdal-read fails: {str(e).splitlines()[0][:80]}")
    path = tmp / "long.grib2"
    make(path, "grid_simple", 200)
    print("== grid_simple, 200 messages")
    print(subprocess.run([bench, path], check=True, capture_output=True, text=True).stdout, end="")
