"""What the writer writes, read by CDO, cfgrib, GDAL's GRIB driver and eccodes' own tools: names, units, levels, times,
grids and values.  See write_file.c for what is written."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import numpy as np

import tap

WRITE = os.environ["M2N_WRITE_FILE"]
SIZES = {"regular": (32, 16), "rotated": (20, 10), "lambert": (31, 17), "polar": (21, 14), "mercator": (21, 14)}
BASES = {"t2m": 280, "u10": -5, "v10": 3, "msl": 101000, "t850": 270, "r1000": 40}
INIT = 1706400000 + 1800
STEP = 5400


def run(*command, **options):
    return subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True, **options).stdout


def need(tool):
    if shutil.which(tool) is None:
        raise unittest.SkipTest(f"no {tool}")


def expected(grid, name, step):
    """As written: row 0 north."""
    width, height = SIZES[grid]
    c, r = np.meshgrid(np.arange(width), np.arange(height))
    return BASES[name] + step + 0.25 * r + 0.01 * c * c


class Written(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.tmp = pathlib.Path(self.folder.name)

    def write(self, grid, *options):
        path = self.tmp / f"{grid}.grib2"
        run(WRITE, path, grid, *options)
        return path

    def test_eccodes_names_and_steps(self):
        need("grib_get")
        for grid in SIZES:
            with self.subTest(grid):
                rows = run("grib_get", "-p", "shortName,typeOfLevel,level,stepUnits,stepRange,dataDate,dataTime,centre",
                           self.write(grid)).splitlines()
                self.assertEqual([r.split()[0] for r in rows], ["2t", "10u", "10v", "prmsl", "t", "r"] * 2
                                 if "prmsl" in rows[3] else ["2t", "10u", "10v", "msl", "t", "r"] * 2)
                self.assertEqual(rows[4].split()[1:3], ["isobaricInhPa", "850"])
                self.assertEqual(rows[5].split()[1:3], ["isobaricInhPa", "1000"])
                self.assertEqual(rows[0].split()[5:], ["20240128", "0030" if rows[0].split()[6] == "0030" else "30", "ecmf"])

    def test_cdo_names_times_levels_values(self):
        need("cdo")
        for grid in ("regular", "rotated", "lambert", "polar"):
            for packing in ("simple", "ccsds"):
                with self.subTest(grid=grid, packing=packing):
                    path = self.write(grid, packing)
                    listing = run("cdo", "-s", "sinfon", path)
                    self.assertIn("2024-01-28 02:00:00", listing)
                    self.assertIn("2024-01-28 03:30:00", listing)
                    names = run("cdo", "-s", "showname", path).split()
                    for name in ("2t", "10u", "10v", "t", "r"):
                        self.assertIn(name, names)
                    self.assertEqual(run("cdo", "-s", "showlevel", "-selname,t", path).split(), ["85000"])
                    for step, name, key in ((1, "2t", "t2m"), (2, "10u", "u10")):
                        got = np.array(run("cdo", "-s", "outputf,%.6g,1", f"-seltimestep,{step}", f"-selname,{name}",
                                           path).split(), float)
                        want = expected(grid, key, step - 1)
                        if grid in ("lambert", "polar"):
                            want = want[::-1]
                        self.assertLess(np.abs(got - want.ravel()).max(), 2e-3)

    def test_cfgrib_reads_all(self):
        try:
            import cfgrib
        except ImportError:
            raise unittest.SkipTest("no cfgrib")
        path = self.write("regular", "hourly")
        found = {}
        for dataset in cfgrib.open_datasets(str(path), backend_kwargs={"indexpath": ""}):
            for name, variable in dataset.data_vars.items():
                found[name] = variable
        self.assertTrue({"t2m", "u10", "v10", "t", "r"} <= set(found), found.keys())
        t2m = found["t2m"]
        self.assertEqual(t2m.attrs["GRIB_units"], "K")
        self.assertEqual([int(v) for v in t2m.valid_time.values.astype("datetime64[s]").astype(int)],
                         [INIT + 3600, INIT + 7200])
        self.assertAlmostEqual(float(t2m.latitude[0]), 28.25)
        self.assertAlmostEqual(float(t2m.longitude[-1]), 55.0)
        for step in range(2):
            self.assertLess(np.abs(t2m.values[step] - expected("regular", "t2m", step)).max(), 2e-3)

    def test_gdal_elements_times_grid_values(self):
        from osgeo import gdal, osr
        gdal.UseExceptions()
        os.environ["GRIB_NORMALIZE_UNITS"] = "NO"
        for grid, (width, height) in SIZES.items():
            with self.subTest(grid):
                path = self.write(grid, "hole")
                data = gdal.Open(str(path))
                self.assertEqual((data.RasterXSize, data.RasterYSize, data.RasterCount), (width, height, 12))
                elements = [data.GetRasterBand(i + 1).GetMetadataItem("GRIB_ELEMENT") for i in range(6)]
                self.assertEqual(elements, ["TMP", "UGRD", "VGRD", "PRMSL", "TMP", "RH"])
                levels = [data.GetRasterBand(i + 1).GetMetadataItem("GRIB_SHORT_NAME") for i in range(6)]
                self.assertEqual(levels, ["2-HTGL", "10-HTGL", "10-HTGL", "0-MSL", "85000-ISBL", "100000-ISBL"])
                band = data.GetRasterBand(7)
                self.assertIn(str(INIT + 2 * STEP), band.GetMetadataItem("GRIB_VALID_TIME"))
                self.assertIn(str(INIT), band.GetMetadataItem("GRIB_REF_TIME"))
                got, want = band.ReadAsArray().astype(float), expected(grid, "t2m", 1)
                hole = got == band.GetNoDataValue()
                self.assertEqual(np.argwhere(hole).tolist(), [[1, 2]])
                self.assertLess(np.abs(got - want)[~hole].max(), 2e-3)
                # the last point where the grid says it is
                x, y = gdal.ApplyGeoTransform(data.GetGeoTransform(), width - 0.5, height - 0.5)
                back = json.loads(run("gdalinfo", "-json", path))
                self.assertEqual(len(back["bands"]), 12)
                wanted = {"regular": (54.875 + 0.125, 24.5)}.get(grid)
                if wanted:
                    self.assertAlmostEqual(x, wanted[0], 5)
                    self.assertAlmostEqual(y, wanted[1], 5)

    def test_variable_major_gives_gdal_a_time_axis(self):
        from osgeo import gdal
        gdal.UseExceptions()
        path = self.write("regular", "variable-major")
        root = gdal.OpenEx(str(path), gdal.OF_MULTIDIM_RASTER).GetRootGroup()
        sizes = [[d.GetSize() for d in root.OpenMDArray(n).GetDimensions()] for n in root.GetMDArrayNames()]
        self.assertIn([2, 16, 32], sizes)

    def test_files_per_variable_and_level(self):
        need("grib_count")
        self.write("regular", "per-variable")
        self.assertEqual(sorted(p.name for p in self.tmp.iterdir()),
                         sorted(f"regular_{n}.grib2" for n in BASES))
        for p in self.tmp.iterdir():
            self.assertEqual(run("grib_count", p).strip(), "2")
            p.unlink()
        self.write("regular", "per-level")
        self.assertEqual(sorted(p.name for p in self.tmp.iterdir()),
                         ["regular_1000hPa.grib2", "regular_10m.grib2", "regular_2m.grib2", "regular_850hPa.grib2",
                          "regular_meanSea.grib2"])


if __name__ == "__main__":
    tap.main()
