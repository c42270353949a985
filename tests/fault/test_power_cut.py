#!/usr/bin/env python3
"""A power cut leaves the old file or the new one, whole: whatever gets its name by a rename was written, then synced, then
renamed, then its folder synced; and nothing that counts gets its name otherwise.  Checked on the calls that each
program makes (M2N_FAULT_TRACE), for each kind of file it writes."""
import os
import pathlib
import tempfile
import unittest

import judge
import tap
from scenarios import BUILD, Scenario, scenarios

# what each has to have written in that way, besides its outputs
MORE = {"driver": [".safetensors"], "train": ["new.checkpoint.safetensors", "new.log.jsonl", "new.svg"],
        "average": ["new.checkpoint.safetensors", "new.log.jsonl", "new.svg"], "train-grib": ["new.data.safetensors"],
        "forecast": ["out.grib2.json"], "verify": ["out-rmse.svg", "out-bias.svg"]}
WITH = {"forecast": ["--sidecar"], "verify": ["--maps", "out"]}
PROGRAMS = ["driver", "forecast", "GTiff", "COG", "netCDF", "Zarr", "prepare", "verify", "convert", "set", "train", "average",
            "train-grib", "weather"]
WEATHER = Scenario("weather", {}, [BUILD / "samples/weather/weather", "-q", "--hours", "2", "--grid", "16x8",
                                   "--spin-up", "1", "-o", "weather.grib2"], ["weather.grib2"])


def inside(path, folder):
    return path == folder or path.startswith(folder + "/")


def violations(lines):
    """Of a trace: (complaints, names that came by a rename)."""
    dirty, waiting, renamed, complaints = set(), set(), [], []
    source = None
    for line in lines:
        what, _, path = line.partition(" ")
        path = os.path.normpath(path.removesuffix(" (deleted)"))
        folder = str(pathlib.Path(path).parent)
        if what == "write":
            dirty.add(path)
            if path in renamed:
                complaints.append(f"{path}: written to after it had its name")
        elif what == "mkdir":
            dirty.add(path)  # its entries
        elif what == "fsync":
            dirty.discard(path)
            waiting.discard(path)
        elif what == "from":
            source = path
        elif what == "to":
            complaints += [f"{path}: {name} was not synced before" for name in dirty if inside(name, source)]
            dirty -= {name for name in dirty if inside(name, source)}
            renamed.append(path)
            waiting.add(folder)
    return complaints + [f"{folder}: not synced after a rename in it" for folder in sorted(waiting)], renamed


class TestPowerCut(unittest.TestCase):
    def test_what_is_out_of_order_is_noticed(self):
        good = ["write /d/a.X", "fsync /d/a.X", "from /d/a.X", "to /d/a", "fsync /d"]
        self.assertEqual(violations(good), ([], ["/d/a"]))
        for without in (1, 4):
            self.assertEqual(len(violations(good[:without] + good[without + 1:])[0]), 1)
        self.assertEqual(len(violations([good[1], good[0], *good[2:]])[0]), 1)
        self.assertEqual(len(violations([*good, "write /d/a"])[0]), 1)


    def test_a_zarr_folder_that_is_replaced_has_its_name_at_every_moment(self):
        with tempfile.TemporaryDirectory() as top:
            top = pathlib.Path(top)
            scenario = scenarios(top, "Zarr")[0]
            scenario.before = (scenario.command,)
            folder = judge.make_folder(top, scenario)
            done = judge.run([*scenario.command, "--overwrite"], folder, scenario, M2N_FAULT_TRACE=str(folder / "trace"))
            self.assertEqual(done.returncode, 0, done.stderr)
            lines = (folder / "trace").read_text().replace(f"{folder}/", "").splitlines()
            self.assertEqual(violations(lines)[0], [])
            self.assertIn("to data/out.zarr", lines)
            self.assertNotIn("from data/out.zarr", lines)
            self.assertEqual([p.name for p in (folder / "data").glob(".*")], [])


def order_of(name):
    def test(self):
        with tempfile.TemporaryDirectory() as top:
            top = pathlib.Path(top)
            scenario = WEATHER if name == "weather" else scenarios(top, name)[0]
            folder = judge.make_folder(top, scenario)
            done = judge.run([*scenario.command, *WITH.get(name, [])], folder, scenario, M2N_FAULT_TRACE=str(folder / "trace"))
            self.assertEqual(done.returncode, 0, done.stderr)
            lines = (folder / "trace").read_text().replace(f"{folder}/", "").splitlines()
        complaints, renamed = violations(lines)
        self.assertEqual(complaints, [], "\n".join(lines))
        for wanted in [*scenario.outputs, *MORE.get(name, [])]:
            self.assertTrue(any(path.endswith(wanted) for path in renamed), f"{wanted} is not among {renamed}")
    return test


for each in PROGRAMS:
    setattr(TestPowerCut, f"test_{each}_write_sync_rename_sync", order_of(each))

if __name__ == "__main__":
    tap.main()
