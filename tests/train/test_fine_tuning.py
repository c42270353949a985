#!/usr/bin/env python3
"""met2net-train --init from the outside: a finished model goes on learning, from other data and on another grid."""
import hashlib
import json
import struct
import subprocess
import time

import numpy as np

import tap
from tool_case import BIN, SMALL, Case, header_of, write_grib


class FineTuning(Case):
    """--init: from a model of one set of data to one of another, warmer by 3 K, on another grid."""
    MORE = ["--epochs", "1", "--batch", "4", "--threads", "1"]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.base = cls.folder / "base.safetensors"
        subprocess.run([BIN / "met2net-train", cls.folder / "data.safetensors", "-q", "-o", cls.base, *SMALL, "--target",
                        "change", "--normalisation", "minmax", "--epochs", "6"], check=True, stdout=subprocess.DEVNULL)
        write_grib(cls.folder / "warm.grib2", change=lambda name, hour, x: x[:, :12] + 3 * (name == "t2m"))
        subprocess.run([BIN / "met2net-prepare", cls.folder / "warm.grib2", "-q", "-v", "u10,t2m", "-o",
                        cls.folder / "warm.safetensors"], check=True, stdout=subprocess.DEVNULL)

    def tune(self, *arguments, init=None, data=None, model=None):
        return self.run_tool("train", data or self.folder / "warm.safetensors", "-q", "-o", model or self.model,
                             "--init", init or self.base, *self.MORE, *arguments)

    def losses(self, model):
        return [json.loads(line)["loss_prediction"] for line in model.with_suffix(".log.jsonl").read_text().splitlines()]

    def numbers(self, model):
        """Each variable's, but for its name and place."""
        return [{k: v for k, v in x.items() if k in ("mean", "std", "min", "max", "change_std")}
                for x in json.loads(header_of(model)["__metadata__"]["variables"])]

    def test_takes_network_and_statistics_from_the_model(self):
        result = self.tune()
        self.assertEqual(result.returncode, 0, result.stderr)
        base, tuned = header_of(self.base)["__metadata__"], header_of(self.model)["__metadata__"]
        self.assertEqual(json.loads(tuned["config"]), {**json.loads(base["config"]), "width": 12})
        self.assertEqual((tuned["target"], tuned["normalisation"]), ("change", "minmax"))
        self.assertEqual(self.numbers(self.model), self.numbers(self.base))
        self.assertNotEqual(self.numbers(self.model)[1]["min"],
                            json.loads(header_of(self.folder / "warm.safetensors")["__metadata__"]["variables"])[1]["min"])
        self.assertEqual(tuned["init"], "base.safetensors")
        self.assertEqual(tuned["init_sha256"], hashlib.sha256(self.base.read_bytes()).hexdigest())

    def test_begins_with_what_the_model_knows(self):
        """Hardly a step: the scores are those of the model, also of one with 16-bit weights or beside a key branch."""
        scores = self.run_tool("train", self.folder / "data.safetensors", "-q", "-o", self.base, "--resume").stdout
        model = [l for l in scores.splitlines() if l.startswith("model ")][0].split()[1:]
        half = self.here / "half.safetensors"
        self.assertEqual(self.run_tool("convert", "-q", "-w", "bf16", "-o", half, self.base).returncode, 0)
        published = self.here / "published.safetensors"
        self.publish(published)
        for init in (self.base, half, published):
            result = self.tune("--learning-rate", "1e-9", "--final-learning-rate", "0", "--epoch-windows", "4", "--overwrite",
                               init=init, data=self.folder / "data.safetensors")
            self.assertEqual(result.returncode, 0, result.stderr)
            now = [l for l in result.stdout.splitlines() if l.startswith("model ")][0].split()[1:]
            for a, b in zip(model, now):
                self.assertLess(abs(float(a) - float(b)), 0.05 * float(a), init)
            self.assertLess(self.losses(self.model)[0], 0.9 * self.losses(self.base)[0])

    def publish(self, path):
        """The model as the published code names its tensors, with a key branch that nothing is read of."""
        data = self.base.read_bytes()
        header = header_of(self.base)
        body = data[8 + struct.unpack("<Q", data[:8])[0]:]
        end = len(body)
        names = {k if k == "__metadata__" else f"model.{k}": v for k, v in header.items()}
        names["model.hid_k.conv1.bias"] = {"dtype": "F32", "shape": [2], "data_offsets": [end, end + 8]}
        text = json.dumps(names).encode()
        text += b" " * (-len(text) % 8)
        path.write_bytes(struct.pack("<Q", len(text)) + text + body + struct.pack("<2f", np.nan, np.nan))

    def test_archives_are_prepared_as_the_model_wants_them(self):
        result = self.tune(data=self.folder / "all.grib2")
        self.assertEqual(result.returncode, 0, result.stderr)
        names = [v["name"] for v in json.loads(header_of(self.here / "m.data.safetensors")["__metadata__"]["variables"])]
        self.assertEqual(names, ["u10", "t2m"])

    def test_contradictions(self):
        other = self.here / "other.safetensors"
        self.assertEqual(self.run_tool("prepare", self.folder / "all.grib2", "-q", "-v", "t2m,u10", "-o", other).returncode, 0)
        for arguments, parts in ((["--hid-T", "32"], ["hid-T: base.safetensors has 16, given is 32"]),
                                 (["--target", "field"], ["target: base.safetensors has change, given is field"]),
                                 (["--normalisation", "zscore"], ["has minmax, given is zscore"]),
                                 (["--preset", "gulf"], ["hid-S: base.safetensors has 4, given is 16"])):
            self.assert_fails(self.tune(*arguments), 2, *parts)
        self.assert_fails(self.tune(data=other), 2, "base.safetensors has u10 [m/s], t2m [K]",
                          "other.safetensors has t2m [K], u10 [m/s]")
        self.assert_fails(self.tune(init=self.folder / "data.safetensors"), 1, "no config in its metadata")
        self.assert_fails(self.tune(init=self.here / "none.safetensors"), 1, "none.safetensors")
        self.assert_fails(self.tune(model=self.base, *["--overwrite"]), 2, "base.safetensors is what the run would write")
        self.assertEqual([p.name for p in self.here.iterdir()], ["other.safetensors"])

    def test_resumed(self):
        """The same command line with --resume, or without --init, ends with the bits of a run left alone."""
        long = ["--epochs", "4", "--checkpoint-minutes", "0.0001"]
        whole = self.here / "whole.safetensors"
        self.assertEqual(self.tune(*long, model=whole).returncode, 0)
        for name, words in (("same", ["--init", self.base]), ("without", [])):
            model = self.here / f"{name}.safetensors"
            p = subprocess.Popen([BIN / "met2net-train", self.folder / "warm.safetensors", "-q", "-o", model, "--init",
                                  self.base, *self.MORE, *long], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for _ in range(2000):
                if model.with_suffix(".log.jsonl").exists() or p.poll() is not None:
                    break
                time.sleep(0.01)
            p.kill()
            p.wait()
            result = self.run_tool("train", self.folder / "warm.safetensors", "-q", "-o", model, *words, *self.MORE, *long,
                                   "--resume")
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(model.read_bytes(), whole.read_bytes())
        self.assert_fails(self.tune(*long, "--resume", init=whole, model=model), 2, "init: the run began with base.safetensors",
                          "given is whole.safetensors")
        self.assertEqual(self.train("--epochs", "1").returncode, 0)
        self.assert_fails(self.run_tool("train", self.folder / "data.safetensors", "-q", "-o", self.model, "--resume", "--init",
                                        self.base), 2, "init: the run began with random weights, given is base.safetensors")


if __name__ == "__main__":
    tap.main()
