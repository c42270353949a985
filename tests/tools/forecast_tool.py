"""What the tests of met2net-forecast share: running it, and what it wrote, as bytes and as numbers.
usage of those that import it: check_X.py MET2NET_FORECAST"""
import hashlib
import os
import pathlib
import subprocess
import sys
import warnings

import cfgrib  # noqa: F401  (else xarray does, later, and with it come the variables that are removed below)
import numpy as np
import xarray as xr
from osgeo import gdal

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "plugin"))
import fixture  # noqa: E402

for name in ("PROJ_LIB", "PROJ_DATA", "GDAL_DATA"):  # some of the above point these at folders of their own
    os.environ.pop(name, None)
warnings.simplefilter("ignore")
gdal.UseExceptions()
PROGRAM = os.path.abspath(sys.argv[1])
FORMATS = {"GRIB2": "grib2", "GTiff": "tif", "COG": "tif", "netCDF": "nc", "Zarr": "zarr"}


def run(*args, stdin=None, cwd=None, locale=None):
    return subprocess.run([PROGRAM, *map(str, args)], capture_output=True, encoding="utf-8", input=stdin, cwd=cwd,
                          env={**os.environ, "LC_ALL": locale} if locale else None)


def digest(path):
    """Of a file or of a folder's names and bytes."""
    h = hashlib.sha256()
    for p in sorted(map(str, pathlib.Path(path).rglob("*"))) if os.path.isdir(path) else [path]:
        if os.path.isfile(p):
            h.update(os.path.relpath(p, path).encode() + pathlib.Path(p).read_bytes())
    return h.hexdigest()


def read_raster(path):
    """[step][variable][H][W]; bands go step by step, as the driver's do."""
    a = gdal.Open(str(path)).ReadAsArray()
    return a.reshape(-1, 5, *a.shape[1:])


def read_arrays(path):
    d = xr.open_zarr(path, chunks=None) if str(path).endswith("zarr") else xr.open_dataset(path)
    return np.stack([d[n].values for n in fixture.NAMES], 1)
