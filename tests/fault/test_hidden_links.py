#!/usr/bin/env python3
"""An input whose links lead out of the forecast file's folder stays refused when the folder that holds them cannot be listed
at that moment: each opening of a file or folder fails in turn, and what lies outside is never read."""
import json
import pathlib
import tempfile
import unittest

import judge
import tap
from scenarios import HOST, Scenario, make_data


class TestHiddenLinks(unittest.TestCase):
    def test_an_array_elsewhere_is_never_read(self):
        with tempfile.TemporaryDirectory() as top:
            top = pathlib.Path(top)
            made = make_data(top)
            files = {n: made[n] for n in made if n == "model.safetensors" or n.startswith("fields.zarr/")}
            forecast = {"met2net": 1, "model": "model.safetensors", "input": ["fields.zarr"], "lead_time": "1h"}
            scenario = Scenario("links", {**files, "forecast.json": json.dumps(forecast).encode()}, [HOST, "forecast.json"])
            folder = judge.make_folder(top, scenario)
            array, outside = folder / "data/fields.zarr/t2m", folder / "outside"
            array.rename(outside)
            array.symlink_to(outside)

            scenario.env = {"MET2NET_ALLOWED_SOURCE": "ANY", "MET2NET_CACHE": "NO"}
            self.assertEqual(judge.run(scenario.command, folder, scenario).returncode, 0)
            scenario.env = {"MET2NET_CACHE": "NO"}
            self.assertIn("not in the folder of the forecast file", judge.run(scenario.command, folder, scenario).stderr)
            for n in range(1, 200):
                (folder / "hit").unlink(missing_ok=True)
                done = judge.run(scenario.command, folder, scenario, M2N_FAULT=f"open:{n}", M2N_FAULT_HIT=str(folder / "hit"))
                if not (folder / "hit").exists():
                    break
                self.assertIn(done.returncode, (1, 4), f"open:{n}: {done.stderr}")  # 4: nor the second time
                self.assertEqual(done.stdout, "")
            self.assertGreater(n, 3)
            self.assertLess(n, 199)


if __name__ == "__main__":
    tap.main()
