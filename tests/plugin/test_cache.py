"""A forecast is computed once, however many threads and processes ask, and never served when it is stale."""
import os
import pathlib
import stat
import time

import numpy as np
import tap
from osgeo import gdal

import fixture

gdal.UseExceptions()

THREADS = """
import hashlib, sys, threading
start, sums = threading.Barrier(16), []
def read():
    start.wait()
    for i in range(3):
        sums.append(hashlib.sha256(gdal.Open(sys.argv[1]).ReadRaster()).hexdigest())
threads = [threading.Thread(target=read) for i in range(16)]
[t.start() for t in threads]
[t.join() for t in threads]
assert len(sums) == 48, len(sums)
print("different:", len(set(sums)))
"""


class Cache(fixture.Case):
    def files(self):
        folder = self.cache / "met2net"
        return sorted(folder.iterdir()) if folder.exists() else []

    def read(self, *options, **env):
        """What the tool said; the bands lie in out.tif."""
        return self.run_tool("gdal_translate", "-q", *[x for o in options for x in ("-oo", o)], self.forecast,
                             "out.tif", **env)

    def values(self):
        return gdal.Open(str(self.folder / "out.tif")).ReadAsArray()

    def test_sixteen_threads_compute_once(self):
        out = self.run_python(THREADS, self.forecast, MET2NET_CACHE="NO")
        self.assertEqual(out.count("computing"), 1, out)
        self.assertIn("different: 1", out)

    def test_views_share_one_computation(self):
        out = self.run_python("""
import sys
for options in ([], ["VARIABLE=t2m"], ["VARIABLE=v10,tcc", "T_SRS=EPSG:3857"], ["INITIAL_STATE=YES"],
                ["INIT_TIME=2024-01-01T06:00:00Z"], ["THREADS=1"]):
    gdal.OpenEx(sys.argv[1], open_options=options).ReadRaster()
group = gdal.OpenEx(sys.argv[1], gdal.OF_MULTIDIM_RASTER).GetRootGroup()
group.OpenMDArray("u10").Read()
""", self.forecast, MET2NET_CACHE="NO")
        self.assertEqual(out.count("computing"), 1, out)

    def test_second_process_reads_the_first_ones_result(self):
        self.assertIn("computing", self.read())
        first = self.values()
        self.assertEqual(len(self.files()), 1)
        out = self.read()
        self.assertNotIn("computing", out)
        self.assertIn("read from the cache", out)
        np.testing.assert_array_equal(self.values(), first)

    def test_can_be_switched_off(self):
        self.read("CACHE=NO")
        self.read(MET2NET_CACHE="NO")
        self.run_tool("gdal_translate", "-q", "--config", "MET2NET_CACHE", "OFF", self.forecast, "out.tif")
        self.assertEqual(self.files(), [])

    def test_folder_and_files_are_private(self):
        self.read()
        for path in [self.cache / "met2net", *self.files()]:
            self.assertEqual(stat.S_IMODE(path.stat().st_mode) & 0o022, 0, path)
        self.assertEqual(stat.S_IMODE((self.cache / "met2net").stat().st_mode), 0o700)

    def test_folder_open_to_others_is_not_trusted(self):
        folder = self.cache / "met2net"
        for mode in (0o777, 0o770, 0o701):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(mode)
            self.assertIn("computing", self.read())
            self.assertEqual(self.files(), [])
        folder.rmdir()
        elsewhere = self.top / "elsewhere"
        elsewhere.mkdir(mode=0o700)
        folder.symlink_to(elsewhere)
        self.assertIn("computing", self.read())
        self.assertEqual(list(elsewhere.iterdir()), [])

    def test_poisoned_file_of_another_user_is_not_trusted(self):
        if os.geteuid() != 0:
            self.skipTest("only root can make files of other users")
        self.read()
        os.chown(self.files()[0], 12345, -1)
        self.assertIn("computing", self.read())

    def test_folder_of_another_user_is_not_trusted(self):
        if os.geteuid() != 0:
            self.skipTest("only root can make folders of other users")
        self.read()
        before = self.files()[0].stat().st_mtime_ns
        os.chown(self.cache / "met2net", 12345, -1)
        self.assertIn("computing", self.read())
        self.assertIn("computing", self.read("INIT_TIME=2024-01-01T05:00:00Z"))
        self.assertEqual([f.stat().st_mtime_ns for f in self.files()], [before])

    def test_replaced_input_is_noticed(self):
        self.read()
        first = self.values()
        for file, change in (("analysis.grib2", lambda p: fixture.write_analysis(p, seed=3)),
                             ("model.safetensors", lambda p: fixture.write_model(p, seed=2))):
            change(self.folder / file)
            self.assertIn("computing", self.read(), file)
            self.assertGreater(abs(self.values() - first).max(), 0.1)
            first = self.values()
        # in place, same size, and the old time put back, as `cp -p` and `rsync --inplace -t` do
        grib = self.folder / "analysis.grib2"
        data, before = grib.read_bytes(), grib.stat()
        half = len(data) // 2
        with open(grib, "r+b") as f:
            f.seek(half + 200)
            f.write(bytes(b ^ 1 for b in data[half + 200:half + 210]))
        os.utime(grib, ns=(before.st_atime_ns, before.st_mtime_ns))
        self.assertIn("computing", self.read())

    def test_input_replaced_between_open_and_read_is_an_error(self):
        out = self.run_python("""
import shutil, sys
ds = gdal.Open(sys.argv[1])
shutil.copy("other.grib2", "analysis.grib2")
try:
    ds.ReadRaster()
    sys.exit("mixed")
except RuntimeError as e:
    print("refused:", e)
assert gdal.Open(sys.argv[1]).ReadRaster()
""", self.forecast, **self.other())
        self.assertRegex(out, "refused: .*analysis.grib2: the file has changed since .* open it again")

    def other(self):
        fixture.write_analysis(self.folder / "other.grib2", seed=5)
        return {}

    def test_open_dataset_keeps_its_forecast(self):
        """Half of the bands read before the input is replaced, half after: all of one forecast."""
        self.other()
        self.run_python("""
import shutil, sys
import numpy
whole = gdal.Open(sys.argv[1]).ReadAsArray()
ds = gdal.Open(sys.argv[1])
first = [ds.GetRasterBand(i).ReadAsArray() for i in range(1, 8)]
shutil.copy("other.grib2", "analysis.grib2")
rest = [ds.GetRasterBand(i).ReadAsArray() for i in range(8, 16)]
assert (numpy.array(first + rest) == whole).all()
assert abs(gdal.Open(sys.argv[1]).ReadAsArray() - whole).max() > 0.1
""", self.forecast)

    def test_replaced_virtual_file_is_noticed(self):
        self.other()
        self.run_python("""
import numpy
def put(name, source):
    gdal.FileFromMemBuffer("/vsimem/" + name, open(source, "rb").read())
put("forecast.json", "forecast.json"); put("model.safetensors", "model.safetensors")
put("analysis.grib2", "analysis.grib2")
a = gdal.Open("/vsimem/forecast.json").ReadAsArray()
put("analysis.grib2", "other.grib2")  # same second, same size
b = gdal.Open("/vsimem/forecast.json").ReadAsArray()
assert abs(a - b).max() > 0.1
""")

    def test_damaged_file_is_computed_anew(self):
        self.read()
        first = self.values()
        whole = self.files()[0].read_bytes()
        for damaged in (b"", whole[:100], whole[:-1], whole[:-9] + bytes([whole[-9] ^ 64]) + whole[-8:], whole + b"x"):
            self.files()[0].write_bytes(damaged)
            self.assertIn("computing", self.read())
            np.testing.assert_array_equal(self.values(), first)
            self.assertEqual(self.files()[0].read_bytes(), whole)

    def test_file_under_a_wrong_name_is_not_served(self):
        self.read()
        mine = self.files()[0]
        fixture.write_analysis(self.folder / "analysis.grib2", seed=9)
        self.read()
        new = next(f for f in self.files() if f != mine)
        new.write_bytes(mine.read_bytes())
        self.assertIn("computing", self.read())

    def test_size_is_bounded_and_the_oldest_goes(self):
        names = []
        for hour in (3, 4, 5, 6):
            self.read(f"INIT_TIME=2024-01-01T0{hour}:00:00Z", MET2NET_CACHE_SIZE="90kB")
            names.append(set(self.files()))
            self.assertLessEqual(sum(f.stat().st_size for f in self.files()), 90 * 1024)
            time.sleep(0.02)
        self.assertEqual([len(n) for n in names], [1, 2, 2, 2])
        self.assertNotIn(next(iter(names[0])), names[3])
        self.read("INIT_TIME=2024-01-01T03:00:00Z", MET2NET_CACHE_SIZE="10kB")  # larger than all of the cache

    def test_a_bound_that_is_none_is_told_once(self):
        out = self.run_python("""
import sys
for hour in (3, 4):
    gdal.OpenEx(sys.argv[1], open_options=[f"INIT_TIME=2024-01-01T0{hour}:00:00Z"]).ReadRaster()
""", self.forecast, MET2NET_CACHE_SIZE="lots", MET2NET_CACHE_MEMORY="-1")
        for name, value, usual in (("SIZE", "lots", "1.0 GB"), ("MEMORY", "-1", "512 MB")):
            self.assertEqual(out.count(f'MET2NET_CACHE_{name}: "{value}" is not a size'), 1, out)
            self.assertIn(f"the bound is {usual}", out)
        self.assertEqual(len(self.files()), 2)

    def test_forgotten_unfinished_file_is_removed(self):
        self.read()
        old = self.cache / "met2net" / ".unfinished"
        old.write_bytes(b"x")
        os.utime(old, (0, 0))
        self.read("INIT_TIME=2024-01-01T05:00:00Z")
        self.assertFalse(old.exists())

    def test_memory_is_bounded(self):
        """The smallest memory keeps one result: another forecast in between drives the first out."""
        out = self.run_python("""
import sys
a = gdal.Open(sys.argv[1]); b = gdal.OpenEx(sys.argv[1], open_options=["INIT_TIME=2024-01-01T05:00:00Z"])
for ds in (a, b, a):
    ds.GetRasterBand(1).ReadRaster(); ds.FlushCache()
""", self.forecast, MET2NET_CACHE="NO", MET2NET_CACHE_MEMORY="1kB")
        self.assertEqual(out.count("computing"), 3, out)

    def test_cache_that_cannot_be_written_is_no_error(self):
        self.cache.write_text("a file where the folder should be")
        self.assertIn("computing", self.read())
        self.assertTrue(np.isfinite(self.values()).all())

    def test_home_without_xdg(self):
        env = {k: v for k, v in self.env.items() if k != "XDG_CACHE_HOME"}
        self.env = {**env, "HOME": str(self.top)}
        self.read()
        self.assertEqual(len(list((pathlib.Path(self.top) / ".cache" / "met2net").iterdir())), 1)


if __name__ == "__main__":
    tap.main()
