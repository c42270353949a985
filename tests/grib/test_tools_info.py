"""met2net-info on every kind of file: the JSON against REFERENCE.tsv, metadata set and refused, exit codes."""
import csv
import json
import math
import os
import pathlib
import shutil
import struct
import subprocess
import tempfile
import unittest
import zipfile

import tap

INFO = os.environ["M2N_INFO"]
SHARED = pathlib.Path(os.environ["M2N_SHARED"])
SAMPLES = subprocess.run(["codes_info", "-s"], capture_output=True, text=True).stdout.split(":")[0]
ROOT = pathlib.Path(__file__).resolve().parents[2]
KEYS = {"number", "edition", "centre", "shortName", "paramId", "level", "validTime", "step", "gridType", "size", "packing",
        "points", "missing", "min", "max", "mean"}


def info(*arguments):
    p = subprocess.run([INFO, *map(str, arguments)], capture_output=True, text=True)
    return p.returncode, p.stdout, p.stderr


def described(*arguments):
    code, out, err = info("--json", *arguments)
    return code, json.loads(out)["files"]


def peak_memory(*arguments):
    """Octets, and lines that were printed."""
    with tempfile.TemporaryFile() as out:
        child = subprocess.Popen([INFO, *map(str, arguments)], stdout=out)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        assert child.returncode == 0
        out.seek(0)
        return used.ru_maxrss * 1024, out.read().count(b"\n")


def close(got, want, scale):
    return abs(got - want) <= 1e-6 * scale + 1e-30


class Grib(unittest.TestCase):
    def test_reference(self):
        table = SHARED / "data" / "REFERENCE.tsv"
        if not table.exists():
            self.skipTest("no conformance files beside the checkout")
        wanted = {}
        with open(table) as f:
            next(f)
            for row in csv.DictReader(f, delimiter="\t"):
                wanted.setdefault(row["file"], []).append(row)
        wanted = {f: rows for f, rows in wanted.items() if "MRMS2" not in f and rows[0]["msg"] != "0"}
        files = list(wanted)
        _, got = described(*[SHARED / "data" / f for f in files])
        self.assertEqual(len(got), len(files))
        for name, answer in zip(files, got):
            with self.subTest(name):
                self.assertEqual(answer["kind"], "grib")
                for row in wanted[name]:
                    m = answer["messages"][int(row["msg"]) - 1]
                    if row["status"] != "OK" and m.get("gridType") == "healpix":
                        continue  # which that eccodes was too old for
                    if row["status"] != "OK":
                        self.assertIn("message " + row["msg"], m["error"])
                        continue
                    self.assertTrue(KEYS <= set(m), m)
                    if row["centre"] == "consensus" and m["centre"] == "255":  # eccodes 2.50 has no name for it
                        m["centre"] = "consensus"
                    self.assertEqual((m["edition"], m["centre"], m["gridType"], m["packing"], m["points"], m["missing"]),
                                     (int(row["edition"]), row["centre"], row["gridType"], row["packingType"],
                                      int(row["nvalues"]), int(row["nmissing"])))
                    if m["missing"] == m["points"]:
                        self.assertIsNone(m["min"])
                        continue
                    low, high, mean = (float(row[k]) for k in ("min", "max", "mean"))
                    scale = max(abs(low), abs(high))
                    self.assertTrue(close(m["min"], low, scale) and close(m["max"], high, scale)
                                    and close(m["mean"], mean, scale), (m, row))

    def test_summary_names_variables_as_the_tools_take_them(self):
        code, out, err = info("--headers", ROOT / "samples/analysis.grib2")
        self.assertEqual(code, 0, err)
        lines = [line.split() for line in out.split("In all:")[1].splitlines()[1:]]
        self.assertEqual([line[:2] for line in lines],
                         [["u10", "10u"], ["v10", "10v"], ["t2m", "2t"], ["tcc", "tcc"], ["r1000", "r"]])
        for line in lines:
            self.assertEqual(" ".join(line[4:]), "24 messages, 2021-03-20T01:00 to 2021-03-21T00:00")

    @unittest.skipIf("libasan" in os.environ.get("LD_PRELOAD", ""), "AddressSanitizer keeps what was freed")
    def test_memory_does_not_grow_with_messages(self):
        """20,000 messages of 179 octets, as text and as JSON: a fifth of what their descriptions would take."""
        with tempfile.TemporaryDirectory() as folder:
            one, many = pathlib.Path(folder) / "one.grib2", pathlib.Path(folder) / "many.grib2"
            subprocess.run(["grib_set", "-s", "Ni=2,Nj=2", "-d", "280", pathlib.Path(SAMPLES) / "regular_ll_sfc_grib2.tmpl", one],
                           check=True)
            many.write_bytes(20000 * one.read_bytes())
            for option in ("--headers", "--json"):
                with self.subTest(option):
                    (few, n_few), (peak, n) = peak_memory("-q", option, one), peak_memory("-q", option, many)
                    self.assertGreater(n, 20000 * n_few // 4)
                    self.assertLess(peak - few, 40 << 20)  # of which 13 are the index; descriptions took 120

    def test_a_file_that_ends_early(self):
        """What was read before is told, and still JSON."""
        whole = (ROOT / "samples/analysis.grib2").read_bytes()
        with tempfile.TemporaryDirectory() as folder:
            cut = pathlib.Path(folder) / 'a "quoted" name.grib2'
            cut.write_bytes(whole[:10000])
            code, (first, second) = described("-q", cut, cut)
        self.assertEqual((code, first), (0, second))
        self.assertEqual(first["file"], str(cut))
        self.assertIn("truncated", first["messages"][-1]["error"])
        self.assertEqual(first["messages"][0]["shortName"], "10u")

    def test_in_a_zip(self):
        """The driver's virtual files: messages of 4 KB that lie across its blocks of 64, out of order and to the end."""
        plain = ROOT / "samples" / "analysis.grib2"
        with tempfile.TemporaryDirectory() as folder:
            with zipfile.ZipFile(f"{folder}/a.zip", "w", zipfile.ZIP_DEFLATED) as z:
                z.write(plain, "a.grib2")
            codes, (want, got) = zip(*(described(name) for name in (plain, f"/vsizip/{folder}/a.zip/a.grib2")))
        self.assertEqual(codes, (0, 0))
        self.assertEqual(len(got[0]["messages"]), 120)
        self.assertEqual(got[0]["messages"], want[0]["messages"])

    def test_arrays(self):
        with tempfile.TemporaryDirectory() as tmp:
            name = pathlib.Path(tmp) / "a.nc"
            subprocess.run(["gdal_create", "-q", "-of", "netCDF", "-outsize", "4", "3", "-a_srs", "EPSG:4326", "-a_ullr",
                            "0", "3", "4", "0", name], check=True)
            code, out, err = info(name)
            self.assertEqual(code, 1)
            self.assertIn(f"{name}: Band1: axis time: there is none", err)
        fields = SHARED / "data/train/Ziadt160+PI-GNN-Dust/era5_test.nc"
        if not fields.exists():
            self.skipTest("no shared files beside the checkout")
        code, out, err = info(fields)
        self.assertEqual(code, 0, err)
        self.assertRegex(out, "t2m: paramId 167, .*, K, 744 times from 2024-01-01T00:00:00Z to 2024-01-31T23:00:00Z, EPSG:4326 34x19")
        self.assertEqual(described(fields)[1][0]["kind"], "arrays")

    def test_refusals(self):
        with tempfile.TemporaryDirectory() as tmp:
            bad = pathlib.Path(tmp) / "x.grib"
            bad.write_bytes(b"not a message at all")
            code, out, err = info(bad, "/nonexistent")
            self.assertEqual(code, 1)
            self.assertIn(f"{bad}: no GRIB message", err)
            self.assertIn("/nonexistent", err)
            code, files = described(bad)
            self.assertEqual((code, "error" in files[0]), (1, True))
        self.assertEqual(info()[0], 2)
        self.assertEqual(info("--nonsense")[0], 2)


class Model(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name) / "m.safetensors"
        source = ROOT / "samples" / "model.safetensors"
        if not source.exists():
            self.skipTest("no sample model yet")
        shutil.copy(source, self.path)

    def test_json(self):
        code, (model,) = described(self.path)
        self.assertEqual(code, 0)
        self.assertEqual(model["kind"], "model")
        self.assertNotIn("error", model)
        self.assertGreater(model["parameters"], 1000)
        self.assertEqual(len(model["variables"]), 5)
        self.assertEqual(model["grid"]["width"], 64)

    def test_set(self):
        before = self.path.read_bytes()
        code, (model,) = described("--set", "author=somebody", "--set", "time_step=1800", self.path)
        self.assertEqual((code, model["timeStep"]), (0, 1800))
        self.assertIn("author", model["metadata"])
        after = self.path.read_bytes()
        self.assertEqual(before[-100000:], after[-100000:])  # tensors as they were
        for setting in ("time_step=x", "variables=[]", "nothing", "grid=@/nonexistent", "grid=@/dev/zero"):
            self.assertEqual(info("--set", setting, self.path)[0], 1, setting)
            self.assertEqual(self.path.read_bytes(), after)
        self.assertEqual([p.name for p in pathlib.Path(self.folder.name).iterdir()], ["m.safetensors"])

    def test_variables_of_any_kind_are_shown(self):
        """A file that nothing else takes is the one that somebody looks into."""
        data = self.path.read_bytes()
        n = struct.unpack("<Q", data[:8])[0]
        header = json.loads(data[8:8 + n])
        variables = json.loads(header["__metadata__"]["variables"])
        for value, shown in ((7, "7"), (None, "null"), (True, "true"), ([], ""), ("x", "x"), ([{"a": [1]}], "a 1")):
            keys = ("name", "paramId", "typeOfLevel", "level", "units", "mean")
            header["__metadata__"]["variables"] = json.dumps([{**variables[0], **dict.fromkeys(keys, value)}, value])
            text = json.dumps(header).encode()
            self.path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + n:])
            code, out, err = info(self.path)
            self.assertEqual((code, err), (0, ""), value)
            self.assertIn(f"variable     {shown:<8} paramId {shown:<7} {shown} {shown}", out)
            self.assertIn(f"variable     {shown}\n", out)
            self.assertEqual(info("--json", self.path)[::2], (0, ""))

    def test_forecast_file(self):
        path = ROOT / "samples" / "forecast.json"
        if not path.exists():
            self.skipTest("no sample forecast file yet")
        code, (forecast,) = described(path)
        self.assertEqual((code, forecast["kind"]), (0, "forecast"))
        self.assertTrue(forecast["model"].endswith("model.safetensors"))


if __name__ == "__main__":
    tap.main()
