"""libmet2net.so as a program in another language sees it: through plugin/met2net.h and nothing else."""
import ctypes as c
import os
import pathlib
import re
import subprocess
import threading

import numpy as np
import tap
from osgeo import gdal

import fixture
from fixture import H, INIT, NAMES, T, V, W

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ["M2N_BUILD"])


class Error(c.Structure):
    _fields_ = [("code", c.c_int), ("message", c.c_char * 1024)]


class Variable(c.Structure):
    _fields_ = [("name", c.c_char_p), ("long_name", c.c_char_p), ("standard_name", c.c_char_p), ("units", c.c_char_p),
                ("type_of_level", c.c_char_p), ("level", c.c_double), ("param_id", c.c_long), ("lower", c.c_double),
                ("upper", c.c_double)]


class Info(c.Structure):
    _fields_ = [("width", c.c_uint), ("height", c.c_uint), ("geotransform", c.c_double * 6), ("crs_wkt", c.c_char_p),
                ("n_variables", c.c_uint), ("n_steps", c.c_uint), ("variables", c.POINTER(Variable)),
                ("init_time", c.c_int64), ("time_step", c.c_int64), ("first_lead", c.c_int64), ("model", c.c_char_p),
                ("inputs", c.POINTER(c.c_char_p))]


PROGRESS = c.CFUNCTYPE(c.c_int, c.c_double, c.c_char_p, c.c_void_p)
lib = c.CDLL(str(BUILD / "plugin" / "libmet2net.so"))
lib.met2net_open.restype = c.c_void_p
lib.met2net_describe.restype = c.POINTER(Info)
lib.met2net_version.restype = c.c_char_p
lib.met2net_field_description.restype = c.c_char_p
for name in ("met2net_metadata", "met2net_field_metadata"):
    getattr(lib, name).restype = c.POINTER(c.c_char_p)
IO, FORMAT, MISSING, DENIED, ARGUMENT, CANCELLED = 1, 2, 7, 8, 9, 6


def text_list(items):
    out, i = {}, 0
    while items[i] is not None:
        key, _, value = items[i].decode().partition("=")
        out[key] = value
        i += 1
    return out


class Library(fixture.Case):
    def setUp(self):
        super().setUp()
        os.environ["XDG_CACHE_HOME"] = str(self.cache)
        self.error = Error()

    def open(self, *options, name=None):
        array = (c.c_char_p * (len(options) + 1))(*[o.encode() for o in options], None)
        handle = lib.met2net_open((name or self.forecast).encode(), array, c.byref(self.error))
        if handle is not None:
            handle = c.c_void_p(handle)
            self.addCleanup(lib.met2net_close, handle)
        return handle

    def read(self, handle, variable, step):
        info = lib.met2net_describe(handle).contents
        out = np.full((info.height, info.width), -999, np.float32)
        ok = lib.met2net_read(handle, variable, step, out.ctypes.data_as(c.c_void_p), c.byref(self.error))
        return out if ok else None

    def test_version_is_that_of_the_header(self):
        header = (ROOT / "plugin" / "met2net.h").read_text()
        self.assertEqual(lib.met2net_api_version(), int(re.search(r"#define MET2NET_API (\d+)", header)[1]))
        self.assertRegex(lib.met2net_version().decode(), r"^\d+\.\d+\.\d+$")

    def test_exports_the_api_and_nothing_else(self):
        header = (ROOT / "plugin" / "met2net.h").read_text()
        declared = set(re.findall(r"MET2NET_EXPORT[^;]*?\b(met2net_\w+)\(", header))
        out = subprocess.run(["nm", "-D", "--defined-only", BUILD / "plugin" / "libmet2net.so"], check=True, text=True,
                             stdout=subprocess.PIPE).stdout
        self.assertEqual({row.split()[-1] for row in out.splitlines()}, declared)
        out = subprocess.run(["readelf", "-d", BUILD / "plugin" / "libmet2net.so"], check=True, text=True,
                             stdout=subprocess.PIPE).stdout
        self.assertRegex(out, r"SONAME.*\[libmet2net.so.0\]")

    def test_recognises(self):
        for text, known in ((b'{"met2net": 1', 1), (b'{\n\t"met2net" :', 1), (b"\xef\xbb\xbf{ \"met2net\"", 1), (b"", 0),
                            (b'{"met2net', 0), (b'{"met2nett"', 0), (b'[{"met2net"', 0), (b'{"model": "met2net"', 0)):
            self.assertEqual(lib.met2net_recognises(text, c.c_size_t(len(text))), known, text)

    def test_describe(self):
        info = lib.met2net_describe(self.open()).contents
        self.assertEqual((info.width, info.height, info.n_variables, info.n_steps), (W, H, V, T))
        self.assertEqual(list(info.geotransform), [-180, 11.25, 0, 90, 0, -11.25])
        self.assertEqual((info.init_time, info.time_step, info.first_lead), (INIT, 3600, 3600))
        self.assertEqual([info.variables[i].name.decode() for i in range(V)], NAMES)
        tcc = info.variables[3]
        self.assertEqual((tcc.long_name, tcc.units, tcc.lower, tcc.upper), (b"Total cloud cover", b"1", 0, 1))
        self.assertEqual(info.variables[0].upper, np.inf)
        self.assertEqual(info.variables[4].level, 1000)
        self.assertTrue(info.inputs[0].decode().endswith("/analysis.grib2"))
        self.assertIsNone(info.inputs[1])

    def test_metadata_and_descriptions(self):
        f = self.open("VARIABLE=u10")
        self.assertEqual(text_list(lib.met2net_metadata(f))["MET2NET_INIT_TIME"], "2024-01-01T06:00:00Z")
        self.assertEqual(text_list(lib.met2net_field_metadata(f, 0, 2))["GRIB_FORECAST_SECONDS"], "10800")
        self.assertEqual(lib.met2net_field_description(f, 0, 2).decode(), "u10 10 m, 2024-01-01T09:00:00Z (+3 h)")
        self.assertFalse(lib.met2net_field_metadata(f, 1, 0))
        self.assertFalse(lib.met2net_field_description(f, 0, 3))

    def test_read_is_what_the_driver_shows(self):
        f = self.open()
        bands = gdal.Open(self.forecast).ReadAsArray()
        for step in range(T):
            for v in range(V):
                np.testing.assert_array_equal(self.read(f, v, step), bands[step * V + v])

    def test_compute_reports_and_is_cancelled(self):
        f, seen = self.open(), []
        stop = PROGRESS(lambda done, message, data: seen.append(done) or len(seen) < 3)
        self.assertEqual(lib.met2net_is_computed(f), 0)
        self.assertEqual(lib.met2net_compute(f, stop, None, c.byref(self.error)), 0)
        self.assertEqual(self.error.code, CANCELLED)
        self.assertEqual(len(seen), 3)
        self.assertEqual(lib.met2net_is_computed(f), 0)
        self.assertFalse(self.cache.exists())
        seen.clear()
        go = PROGRESS(lambda done, message, data: seen.append(done) or 1)
        self.assertEqual(lib.met2net_compute(f, go, None, c.byref(self.error)), 1)
        self.assertEqual(seen, sorted(seen))
        self.assertTrue(0 <= seen[0] and seen[-1] == 1, seen)
        self.assertEqual(lib.met2net_is_computed(f), 1)
        self.assertEqual(lib.met2net_is_computed(self.open("VARIABLE=t2m")), 1)
        self.assertEqual(lib.met2net_is_computed(self.open("LEAD_TIME=1h")), 0)

    def test_waiting_handle_takes_over_from_a_cancelled_one(self):
        """The first is cancelled while the second waits for it: the second computes on its own."""
        first, second = self.open("CACHE=NO"), self.open("CACHE=NO")
        begun, go_on, results = threading.Event(), threading.Event(), {}

        def hold(done, message, data):
            begun.set()
            go_on.wait(20)
            return 0

        hold = PROGRESS(hold)
        a = threading.Thread(target=lambda: results.update(
            a=lib.met2net_compute(first, hold, None, c.byref(Error()))))
        a.start()
        self.assertTrue(begun.wait(20))
        waited = []
        go = PROGRESS(lambda done, message, data: waited.append(done) or go_on.set() or 1)
        results["b"] = lib.met2net_compute(second, go, None, c.byref(self.error))
        a.join()
        self.assertEqual(results, {"a": 0, "b": 1})
        self.assertGreater(len(waited), 1)

    def test_waiting_handle_can_be_cancelled_alone(self):
        first, second = self.open("CACHE=NO"), self.open("CACHE=NO")
        begun, go_on, results = threading.Event(), threading.Event(), {}

        def hold(done, message, data):
            begun.set()
            go_on.wait(20)
            return 1

        hold = PROGRESS(hold)
        a = threading.Thread(target=lambda: results.update(
            a=lib.met2net_compute(first, hold, None, c.byref(Error()))))
        a.start()
        self.assertTrue(begun.wait(20))
        self.assertEqual(lib.met2net_compute(second, PROGRESS(lambda *x: 0), None, c.byref(self.error)), 0)
        self.assertEqual(self.error.code, CANCELLED)
        go_on.set()
        a.join()
        self.assertEqual(results, {"a": 1})

    def test_everyone_who_waits_gets_the_error(self):
        out = self.run_python("""
import sys, threading
start, errors = threading.Barrier(8), []
sets = [gdal.Open(sys.argv[1]) for i in range(8)]
open("analysis.grib2", "ab").write(b"longer")
def read(ds):
    start.wait()
    try:
        ds.ReadRaster()
    except RuntimeError as e:
        errors.append(str(e))
threads = [threading.Thread(target=read, args=(ds,)) for ds in sets]
[t.start() for t in threads]
[t.join() for t in threads]
assert len(errors) == 8 and len(set(errors)) == 1, errors
print(errors[0])
""", self.forecast)
        self.assertIn("analysis.grib2: the file has changed", out)

    def test_failure_stays_and_costs_nothing_again(self):
        f = self.open("MAX_MEMORY=200kB")
        self.assertIsNone(self.read(f, 0, 0))
        first = self.error.message
        self.assertIn(b"model.safetensors: ", first)
        os.unlink(self.folder / "model.safetensors")
        self.assertIsNone(self.read(f, 1, 1))
        self.assertEqual(self.error.message, first)

    def test_errors_by_code(self):
        for code, options, name in ((IO, [], "nothing.json"), (ARGUMENT, ["LEAD_TIME=x"], None),
                                    (ARGUMENT, ["LED_TIME=3h"], None), (ARGUMENT, ["THREADS"], None),
                                    (MISSING, ["INIT_TIME=2030-01-01"], None), (FORMAT, ["MODEL=" + self.forecast], None)):
            self.assertIsNone(self.open(*options, name=name and str(self.folder / name)))
            self.assertEqual(self.error.code, code, self.error.message)
            self.assertNotIn(b"\n", self.error.message)
        self.open("LED_TIME=3h")
        self.assertIn(b'unknown option "LED_TIME"; did you mean "LEAD_TIME"?', self.error.message)
        self.write_forecast("denied.json", input="/etc/passwd")
        self.assertIsNone(self.open(name=str(self.folder / "denied.json")))
        self.assertEqual(self.error.code, DENIED)

    def test_index_out_of_range_is_an_error(self):
        f = self.open()
        for v, t in ((V, 0), (0, T), (2**32 - 1, 0), (0, 2**32 - 1)):
            out = np.zeros((H, W), np.float32)
            self.assertEqual(lib.met2net_read(f, v, t, out.ctypes.data_as(c.c_void_p), c.byref(self.error)), 0)
            self.assertEqual(self.error.code, ARGUMENT)

    def test_error_and_close_may_be_null(self):
        self.assertIsNone(lib.met2net_open(b"/nothing", None, None))
        lib.met2net_close(None)

    def test_long_names_do_not_overflow_the_message(self):
        self.assertIsNone(self.open(name="/" + "\u00e9" * 3000))
        self.assertLess(len(self.error.message), 1024)
        self.error.message.decode()


if __name__ == "__main__":
    tap.main()
