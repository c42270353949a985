#!/usr/bin/env python3
"""Each program on a disk that is really full, at once or after a few pages: a small file system in memory, mounted where
nobody else sees it.  An error that names the file and the cause, exit status 1, no half file; with room again the same result.

    test_full_disk.py [TestFullDisk.test_NAME]        (M2N_BUILD names the build folder)"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import judge
import tap
from scenarios import make_data, of_driver, of_forecast, of_tools, of_training

PAGE = 4096
PAGES = (0, 1, 3, 8, 21, 55, 144, 377)  # free ones
PROGRAMS = ["driver", "forecast", "GTiff", "COG", "netCDF", "Zarr", "prepare", "prepare-netcdf", "verify", "convert", "set",
            "train", "average", "train-grib"]
CAUSES = ("No space left on device", "no room")
INSIDE = "M2N_OWN_MOUNTS"


def enter():
    """Goes on in a mount namespace of its own; returns where there can be none."""
    if INSIDE in os.environ:
        return
    way = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
    if shutil.which("unshare") and subprocess.run([*way, "true"], capture_output=True).returncode == 0:
        os.environ[INSIDE] = "1"
        os.execvp("unshare", [*way, sys.executable, *sys.argv])


def fill(folder, pages):
    """A file that leaves that many pages."""
    s = os.statvfs(folder)
    with open(folder / "filler", "wb") as f:
        os.posix_fallocate(f.fileno(), 0, max(s.f_bavail * s.f_frsize - pages * PAGE, 1))
    return folder / "filler"


class TestFullDisk(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if INSIDE not in os.environ:
            raise unittest.SkipTest("no mount namespace")
        cls.top = pathlib.Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.top)
        (cls.top / "made").mkdir()
        (cls.top / "small").mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "none", cls.top / "small"]
        done = subprocess.run(mount, capture_output=True, text=True)
        if done.returncode != 0:
            raise unittest.SkipTest(done.stderr.strip())
        cls.addClassCleanup(subprocess.run, ["umount", cls.top / "small"], check=True)
        made = make_data(cls.top / "made")
        cls.scenarios = {s.name: s for some in (of_driver, of_forecast, of_tools, of_training) for s in some(made)}

    def attempt(self, scenario, good, still_open, pages):
        """How it ended with so many pages left."""
        folder = judge.make_folder(self.top / "small", scenario)
        before = judge.state_of(folder)
        filler = fill(self.top / "small", pages)
        try:
            done = judge.run(scenario.command, folder, scenario)
            filler.unlink()
            complaints, ended, said = judge.judged(done, "write", scenario, folder, before, good, still_open)
        finally:
            filler.unlink(missing_ok=True)
            shutil.rmtree(folder)
        self.assertEqual(complaints, [], f"with {pages} pages left")
        self.assertTrue(ended == "unhurt" or any(cause in said for cause in CAUSES), said)
        return ended


def with_little_room(name):
    def test(self):
        scenario = self.scenarios[name]
        _, good, still_open = judge.without_fault(scenario, self.top)
        ended = []
        for pages in PAGES:
            if "unhurt" not in ended:
                ended.append(self.attempt(scenario, good, still_open, pages))
        self.assertEqual(ended[-1], "unhurt")
        if scenario.outputs:  # the host's cache is a file that need not be
            self.assertEqual(ended[0], "error")
    return test


for each in PROGRAMS:
    setattr(TestFullDisk, f"test_{each}_says_so_and_leaves_nothing", with_little_room(each))

if __name__ == "__main__":
    enter()
    tap.main()
