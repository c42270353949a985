"""Regridding against CDO (remapbil, remapcon) and gdalwarp, on real files of weather services.

Both sides are compared over interior points: where both have a value and the target lies three target cells inside.
The tolerance is a share of the field's range in the target box: bilinear interpolation within curved cells differs
slightly between programs, and CDO's area weights take cell edges for great circles.
"""
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import numpy as np

import tap

SHARED = pathlib.Path(os.environ["M2N_SHARED"]) / "data" / "grib_conformance"
REGRID = os.environ["M2N_REGRID_FILE"]

# file, message, target box: west, south, east, north
CDO_FILES = [
    ("ecmwf+cfgrib/nam.t00z.awp21100.tm00.grib2", 1, (-115, 25, -80, 50)),
    ("SciTools+iris-test-data/lambert.grib2", 1, (-110, 25, -85, 45)),
    ("ecmwf+cfgrib/lambert_grid.grib", 1, (-2, 49, 8, 56)),
    ("jswhit+pygrib/eta.grb", 1, (-115, 25, -80, 50)),
    ("SciTools+iris-test-data/CMC_glb_TMP_ISBL_1015_ps30km_2013052000_P006.grib2", 1, (-130, 40, -70, 60)),
    ("jswhit+pygrib/CMC_reg_WIND_ISBL_300_ps60km_2010052400_P012.grib", 1, (-120, 35, -80, 55)),
    ("jswhit+pygrib/ngm.grb", 1, (-115, 30, -85, 50)),
    ("jswhit+pygrib/rotated_ll.grib1", 1, (None,) * 4),
    ("SciTools+iris-test-data/sensible_pole.grib2", 1, (None,) * 4),
    ("0x1mason+GribApi.NET/regular_gaussian_surface.grib2", 1, (-170, -80, 170, 80)),
    ("SciTools+iris-test-data/regular_gg.grib2", 1, (-20, -30, 50, 60)),
]
GDAL_FILES = [  # band 1; interior box
    ("rouault+gdal/ds.mint.bin", 1, (-67.5, 17.3, -64.5, 19.2)),
    ("ecmwf+cfgrib/nam.t00z.awp21100.tm00.grib2", 1, (-115, 25, -80, 50)),
    ("jswhit+pygrib/eta.grb", 1, (-115, 25, -80, 50)),
    ("jswhit+pygrib/CMC_reg_WIND_ISBL_300_ps60km_2010052400_P012.grib", 1, (-120, 35, -80, 55)),
]
SIZE = 40


def run(*command):
    return subprocess.run([str(c) for c in command], check=True, capture_output=True).stdout


def need(*tools):
    for tool in tools:
        if shutil.which(tool) is None:
            raise unittest.SkipTest(f"no {tool}")
    if not SHARED.is_dir():
        raise unittest.SkipTest("no conformance files beside the checkout")


def ours(path, message, method, box):
    west, south, east, north = box
    dx, dy = (east - west) / SIZE, (north - south) / SIZE
    raw = run(REGRID, path, message, method, "EPSG:4326", SIZE, SIZE, west, dx, north, -dy)
    return np.frombuffer(raw, np.float32).reshape(SIZE, SIZE).astype(float)


def box_inside(path):
    """The middle half of what the file's points cover, for files whose place is not obvious."""
    lines = run("grib_get_data", path).decode().splitlines()
    points = np.array([[float(v) for v in line.replace(",", " ").split()[:2]] for line in lines if line[:1] in " -0123456789"])
    lat, lon = points[:, 0], (points[:, 1] + 180) % 360 - 180
    if lon.max() - lon.min() > 300:
        lon = points[:, 1] % 360
    q = [float(np.quantile(a, p)) for a in (lon, lat) for p in (0.35, 0.65)]
    return q[0], q[2], q[1], q[3]


class AgainstCdo(unittest.TestCase):
    def compare(self, name, message, box, operator, method, tolerance):
        import netCDF4
        with tempfile.TemporaryDirectory() as tmp:
            tmp = pathlib.Path(tmp)
            run("grib_copy", "-w", f"count={message}", SHARED / name, tmp / "one.grib")
            if box[0] is None:
                box = box_inside(tmp / "one.grib")
            west, south, east, north = box
            dx, dy = (east - west) / SIZE, (north - south) / SIZE
            (tmp / "grid").write_text(
                f"gridtype = lonlat\nxsize = {SIZE}\nysize = {SIZE}\nxfirst = {west + dx / 2!r}\nxinc = {dx!r}\n"
                f"yfirst = {north - dy / 2!r}\nyinc = {-dy!r}\n")
            run("cdo", "-s", "-b", "F64", "-f", "nc", f"{operator},{tmp / 'grid'}", tmp / "one.grib", tmp / "out.nc")
            with netCDF4.Dataset(tmp / "out.nc") as f:
                field = [v for v in f.variables.values() if v.ndim >= 2 and v.shape[-2:] == (SIZE, SIZE)][-1]
                theirs = np.ma.filled(np.ma.squeeze(field[:].astype(float)), np.nan)
            mine = ours(tmp / "one.grib", 1, method, box)
        inner = np.s_[3:-3, 3:-3]
        both = np.isfinite(mine[inner]) & np.isfinite(theirs[inner])
        self.assertGreater(both.mean(), 0.5, "the grids hardly overlap")
        spread = np.ptp(theirs[inner][both])
        self.assertGreater(spread, 0)
        difference = np.abs(mine - theirs)[inner][both]
        print(f"# {name} {operator}: largest {difference.max() / spread:.1e}, mean {difference.mean() / spread:.1e} "
              f"of the range {spread:.4g}", flush=True)
        self.assertLess(difference.max(), tolerance[0] * spread)
        self.assertLess(difference.mean(), tolerance[1] * spread)

    def test_remapbil(self):
        need("cdo", "grib_copy", "grib_get_data")
        for name, message, box in CDO_FILES:
            with self.subTest(name):
                self.compare(name, message, box, "remapbil", "bilinear", (6e-3, 5e-4))

    def test_remapcon(self):
        need("cdo", "grib_copy", "grib_get_data")
        for name, message, box in CDO_FILES:
            with self.subTest(name):
                self.compare(name, message, box, "remapcon", "conservative", (6e-3, 5e-4))


class AgainstGdalwarp(unittest.TestCase):
    def test_bilinear(self):
        need("gdalwarp")
        from osgeo import gdal
        os.environ["GRIB_NORMALIZE_UNITS"] = "NO"  # K stays K
        for name, band, box in GDAL_FILES:
            with self.subTest(name), tempfile.TemporaryDirectory() as tmp:
                out = os.path.join(tmp, "out.tif")
                run("gdal_translate", "-q", "-b", band, SHARED / name, os.path.join(tmp, "band.tif"))
                # the sphere's latitude and longitude are the target's, as here: no datum shift
                srs = gdal.Open(os.path.join(tmp, "band.tif")).GetSpatialRef()
                sphere = f"+proj=longlat +a={srs.GetSemiMajor()!r} +b={srs.GetSemiMinor()!r}"
                run("gdalwarp", "-q", "-r", "bilinear", "-t_srs", sphere, "-te", *box, "-ts", SIZE, SIZE, "-et", 0, "-wo", "XSCALE=1", "-wo", "YSCALE=1",  # no widening of the kernel
                    "-dstnodata", "nan", "-ot", "Float64", os.path.join(tmp, "band.tif"), out)
                theirs = gdal.Open(out).ReadAsArray()
                mine = ours(SHARED / name, band, "bilinear", box)
                inner = np.s_[3:-3, 3:-3]
                both = np.isfinite(mine[inner]) & np.isfinite(theirs[inner])
                spread = np.ptp(theirs[inner][both])
                difference = np.abs(mine - theirs)[inner][both]
                print(f"# {name}: largest {difference.max() / spread:.1e}, mean {difference.mean() / spread:.1e}", flush=True)
                self.assertGreater(both.mean(), 0.3)
                self.assertLess(difference.max(), 1e-4 * spread)


if __name__ == "__main__":
    tap.main()
