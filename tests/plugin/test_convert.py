"""met2net-convert: every tensor as numpy rounds it, and what it says about size and skill."""
import json
import os
import pathlib
import re
import struct

import numpy as np
import tap
from osgeo import gdal

import fixture

gdal.UseExceptions()
TOOL = pathlib.Path(os.environ["M2N_BUILD"]).resolve() / "plugin/cli/met2net-convert"


def tensors(path):
    """{name: (dtype, shape, bytes)} and the metadata."""
    data = pathlib.Path(path).read_bytes()
    n = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + n])
    metadata = header.pop("__metadata__")
    return {k: (v["dtype"], v["shape"], data[8 + n:][slice(*v["data_offsets"])]) for k, v in header.items()}, metadata


def to_bf16(x):
    bits = x.view("<u4").astype(np.uint64)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype("<u2")


class Convert(fixture.Case):
    def convert(self, *args, status=0):
        return self.run_tool(TOOL, "-q", *args, status=status)

    def test_tensors_are_rounded_and_nothing_else_changes(self):
        before, metadata = tensors(self.folder / "model.safetensors")
        for kind, dtype, to in (("f16", "F16", lambda x: x.astype("<f2")), ("bf16", "BF16", to_bf16)):
            out = self.convert("-w", kind, "-o", "out.safetensors", "model.safetensors")
            self.assertRegex(out, r"^model.safetensors: [\d.]+ [kM]?B, out.safetensors: [\d.]+ [kM]?B\n$")
            after, same = tensors(self.folder / "out.safetensors")
            self.assertEqual(same, metadata)
            self.assertEqual(list(after), list(before))
            for name, (_, shape, data) in before.items():
                x = np.frombuffer(data, "<f4")
                want = (dtype, shape, to(x).tobytes()) if len(shape) > 1 else ("F32", shape, data)
                self.assertEqual(after[name], want, name)
            sizes = [(self.folder / f).stat().st_size for f in ("out.safetensors", "model.safetensors")]
            self.assertLess(sizes[0], 0.75 * sizes[1])
            self.convert("-w", "float32", "-o", "back.safetensors", "out.safetensors")
            back, _ = tensors(self.folder / "back.safetensors")
            self.assertEqual({d for d, _, _ in back.values()}, {"F32"})
            self.convert("-w", kind, "-o", "again.safetensors", "back.safetensors")  # rounding twice is rounding once
            self.assertEqual(tensors(self.folder / "again.safetensors"), (after, metadata))

    def test_bf16_is_the_default_and_forecasts(self):
        self.convert("-o", "small.safetensors", "model.safetensors")
        self.assertIn("BF16", {d for d, _, _ in tensors(self.folder / "small.safetensors")[0].values()})
        want = gdal.OpenEx(self.forecast, open_options=["CACHE=NO"]).ReadAsArray()
        small = self.write_forecast("small.json", model="small.safetensors")
        for options in (["CACHE=NO"], ["CACHE=NO", "PRECISION=bf16"], ["CACHE=NO", "PRECISION=int8"]):
            got = gdal.OpenEx(small, open_options=options).ReadAsArray()
            self.assertFalse(np.array_equal(got, want))
            np.testing.assert_allclose(got, want, rtol=0.03, atol=3)

    def test_what_is_no_weight_is_copied(self):
        path = self.folder / "model.safetensors"
        data = path.read_bytes()
        n = struct.unpack("<Q", data[:8])[0]
        header = json.loads(data[8:8 + n])
        end = len(data) - 8 - n
        header["hid_q.layers.0.num_batches_tracked"] = {"dtype": "I64", "shape": [1, 1], "data_offsets": [end, end + 8]}
        text = json.dumps(header).encode()
        path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + n:] + b"12345678")
        self.convert("-o", "small.safetensors", "model.safetensors")
        after, _ = tensors(self.folder / "small.safetensors")
        self.assertEqual(after["hid_q.layers.0.num_batches_tracked"], ("I64", [1, 1], b"12345678"))

    def test_skill_before_and_after(self):
        fixture.write_analysis(self.folder / "a.grib2", hours=range(1, 16))
        out = self.convert("-w", "bf16", "-o", "small.safetensors", "--verify", "a.grib2", "model.safetensors")
        rows = re.findall(r"^(\w+) \[\S+\] +(\S+) +(\S+) +([-+]\d+\.\d\d)%$", out, re.M)
        self.assertEqual([r[0] for r in rows], fixture.NAMES)
        for _, before, after, change in rows:
            self.assertAlmostEqual((float(after) / float(before) - 1) * 100, float(change), delta=0.02)
        self.assertTrue(any(b != a for _, b, a, _ in rows))
        out = self.convert("-p", "int8", "--verify", "a.grib2", "model.safetensors")
        self.assertRegex(out, r"before +int8 +change")
        out = self.convert("-p", "float32", "--verify", "a.grib2", "model.safetensors")
        self.assertEqual(len(re.findall(r"\+0\.00%", out)), fixture.V)

    def test_errors(self):
        for args, status, message in (
                (["-o", "model.safetensors", "model.safetensors"], 2, "model.safetensors: is the model itself"),
                (["-o", "analysis.grib2", "--verify", "ana*b2", "model.safetensors"], 2, "analysis.grib2: is an input and is not replaced"),
                (["-o", "x", "none.safetensors"], 1, "none.safetensors"),
                (["-o", "x", "analysis.grib2"], 1, "analysis.grib2: not safetensors"),
                (["-o", "no/x", "model.safetensors"], 1, "no/x: No such file"),
                (["-w", "int4", "-o", "x", "model.safetensors"], 2, '--weights "int4": expected float32, f16 or bf16'),
                (["-p", "int4", "--verify", "analysis.grib2", "model.safetensors"], 2, '--precision "int4": expected'),
                (["-p", "int8", "-o", "x", "model.safetensors"], 2, "--precision and --span are for --verify"),
                (["model.safetensors"], 2, "--output FILE, --verify DATA, or both"), ([], 2, "expected one MODEL")):
            with self.subTest(args):
                out = self.convert(*args, status=status)
                self.assertIn("met2net-convert: ", out)
                self.assertIn(message, out)
                self.assertEqual(out.count("\n"), 1)
        self.assertFalse((self.folder / "x").exists())

    def test_too_large_for_f16(self):
        fixture.write_model(self.folder / "model.safetensors", readout=1e6)
        out = self.convert("-w", "f16", "-o", "x", "model.safetensors", status=1)
        self.assertRegex(out, r"tensor dec_q_list.\d.readout.weight: \S+ is too large for f16; bf16 has room")
        self.assertFalse((self.folder / "x").exists())
        self.assertEqual([p.name for p in self.folder.iterdir() if p.name.startswith("x")], [])
        self.convert("-w", "bf16", "-o", "x", "model.safetensors")


if __name__ == "__main__":
    tap.main()
