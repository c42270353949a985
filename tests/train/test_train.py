#!/usr/bin/env python3
"""met2net-train from the outside: GRIB to a model that the driver opens, settings, what it refuses."""
import json
import os
import shutil
import subprocess

import tap
from tool_case import Case, header_of


class Train(Case):
    def test_grib_to_driver(self):
        """From GRIB to a model with one command, and the driver forecasts with it."""
        result = self.train("-v", "u10,t2m", data=self.folder / "all.grib2")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("persistence", result.stdout)
        self.assertRegex(result.stdout, r"test RMSE +u10 +m/s +t2m +K\n")
        for name in ("m.safetensors", "m.last.safetensors", "m.checkpoint.safetensors", "m.log.jsonl", "m.svg",
                     "m.data.safetensors"):
            self.assertTrue((self.here / name).exists(), name)
        log = [json.loads(line) for line in (self.here / "m.log.jsonl").read_text().splitlines()]
        self.assertEqual([r["epoch"] for r in log], [1, 2])
        self.assertTrue(all(r["loss_latent"] > 0 and r["memory_bytes"] > 0 for r in log))
        for name, words in (("m.checkpoint.safetensors", ("checkpoint of a training run", "--resume")),
                            ("m.log.jsonl", ("log of a training run", "epochs       2"))):
            said = self.run_tool("info", self.here / name)
            self.assertEqual((said.returncode, said.stderr), (0, ""))
            for word in words:
                self.assertIn(word, said.stdout)
        (self.here / "c.json").write_text('// mine\n{"met2net": 1}')
        self.assert_fails(self.run_tool("info", self.here / "c.json"), 1, "c.json:1:1: JSON has no comments")
        metadata = header_of(self.model)["__metadata__"]
        self.assertEqual(metadata["format"], "met2net")
        self.assertEqual(metadata["target"], "field")
        shutil.copy(self.folder / "all.grib2", self.here / "a.grib2")
        (self.here / "f.json").write_text(json.dumps({"met2net": 1, "model": "m.safetensors", "input": ["a.grib2"]}))
        out = subprocess.run(["gdal_translate", "-q", self.here / "f.json", self.here / "f.tif"], capture_output=True,
                             text=True)
        self.assertEqual(out.returncode, 0, out.stderr)

    def test_target_change(self):
        """A network that has learnt nothing predicts no change: persistence, and the driver knows."""
        result = self.train("--target", "change", "--learning-rate", "1e-9", "--final-learning-rate", "0")
        self.assertEqual(result.returncode, 0, result.stderr)
        metadata = header_of(self.model)["__metadata__"]
        self.assertEqual(metadata["target"], "change")
        self.assertTrue(all(v["change_std"] > 0 for v in json.loads(metadata["variables"])))
        table = {line[:20].strip(): [float(x) for x in line[20:].split()] for line in result.stdout.splitlines()[1:]}
        for model, persistence in zip(table["model"], table["persistence"]):
            self.assertLess(model, 1.5 * persistence)

    def test_minmax_preset_and_file(self):
        (self.here / "s.json").write_text('{"epochs": 1, "normalisation": "minmax", "hid_T": 24}')
        result = self.run_tool("train", self.folder / "data.safetensors", "-q", "-o", self.model, "-p", "GULF", "-c",
                               self.here / "s.json", "--steps", "2", "--hid-S", "4", "--N-T", "1")
        self.assertEqual(result.returncode, 0, result.stderr)
        metadata = header_of(self.model)["__metadata__"]
        self.assertEqual(metadata["normalisation"], "minmax")
        config = json.loads(metadata["config"])
        self.assertEqual((config["hid_T"], config["hid_S"]), (24, 4))
        self.assertEqual(len((self.here / "m.log.jsonl").read_text().splitlines()), 1)

    def test_help_names_presets(self):
        text = self.run_tool("train", "--help").stdout
        for name in ("weatherbench", "wb_mv5", "era5_128", "--learning-rate", "[0.001]"):
            self.assertIn(name, text)

    def test_bad_settings(self):
        for arguments, parts in ((["--learning-rate", "-1"], ["learning-rate", "-1"]),
                                 (["--epochs", "0"], ["epochs"]), (["--preset", "imagenet"], ["weatherbench"]),
                                 (["--batch", "two"], ["batch", "two"]), (["--hid-T", "20"], ["hid-T", "20"]),
                                 (["--config", "/nonexistent.json"], ["/nonexistent.json"])):
            result = self.train(*arguments)
            self.assert_fails(result, 1 if "config" in arguments[0] else 2, *parts)
            self.assertEqual(list(self.here.iterdir()), [])

    def test_window_longer_than_data(self):
        self.assert_fails(self.train("--steps", "40"), 1, "data.safetensors", "80 in a row", "58 times")

    def test_grid_does_not_divide(self):
        self.assert_fails(self.train("--N-S", "8"), 1, "8")

    def test_memory_too_small(self):
        self.assert_fails(self.train("--max-memory", "3M"), 1, "max-memory", "3 MiB are allowed")

    def test_no_such_data(self):
        for name, arguments in (("nothing.safetensors", []), ("nothing.grib2", ["-v", "u10"])):
            self.assert_fails(self.train(*arguments, data=self.here / name), 1, name)

    def test_what_is_for_archives_is_refused_for_a_dataset(self):
        for arguments in (["--variables", "u10"], ["--like", "model.safetensors"], ["--region", "40,26,48,30"], ["--size", "8x8"],
                          ["--resolution", "0.5"], ["--crs", "nonsense"], ["--time-step", "3h"], ["--resampling", "nearest"],
                          ["--skip-missing"]):
            self.assert_fails(self.train(*arguments), 2, arguments[0], "data.safetensors is prepared already")
        self.assertEqual(list(self.here.iterdir()), [])

    def test_settings_from_what_has_no_end(self):
        os.mkfifo(self.here / "pipe")
        (self.here / "large.json").write_bytes(b" " * (1 << 20) + b"{}")
        for name, *parts in (("/dev/zero", "/dev/zero", "not a regular file"), (self.here / "pipe", "not a regular file"),
                             (self.here / "large.json", "large.json", "more than 1048576 bytes")):
            self.assert_fails(self.train("--config", str(name)), 1, *parts)

    def test_a_dataset_is_not_replaced(self):
        whole = (self.folder / "data.safetensors").read_bytes()
        self.assert_fails(self.train("--epochs", "1", model=self.folder / "data.safetensors"), 2, "is an input and is not replaced")
        self.assertEqual((self.folder / "data.safetensors").read_bytes(), whole)

    def test_a_pipe_is_not_replaced(self):
        os.mkfifo(self.model)
        self.assert_fails(self.train("--epochs", "1"), 2, self.model.name, "is not replaced")
        self.assertTrue(self.model.is_fifo())
        self.assertEqual(list(self.here.iterdir()), [self.model])

    def test_earlier_run_is_kept(self):
        self.assertEqual(self.train("--epochs", "1").returncode, 0)
        before = self.model.read_bytes()
        self.assert_fails(self.train("--seed", "5"), 2, "--resume", "--overwrite")
        self.assertEqual(self.model.read_bytes(), before)
        self.assert_fails(self.train("--resume", "--epochs", "1", "--seed", "5"), 2, "seed: the run has 1, given is 5")
        self.assertEqual(self.train("--overwrite", "--epochs", "1", "--seed", "5").returncode, 0)
        self.assertNotEqual(self.model.read_bytes(), before)


if __name__ == "__main__":
    tap.main()
