#!/usr/bin/env python3
"""met2net-train and met2net-forecast in several processes, as mpirun starts them: the same models and forecasts as
from one process, killed and stopped and gone on with, one message and one exit status.

    test_mpi.py BUILD_FOLDER MPI [MPIRUN]     MPI: yes when the build has it"""
import filecmp
import json
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import unittest.mock

import tap
import numpy as np

BUILD, MPI = pathlib.Path(sys.argv[1]), sys.argv[2] == "yes"
MPIRUN = os.environ.get("M2N_MPIRUN") or (sys.argv[3] if len(sys.argv) > 3 else "")
TRAIN, FORECAST = (BUILD / "plugin/cli" / f"met2net-{tool}" for tool in ("train", "forecast"))
MODEL = pathlib.Path(__file__).parents[2] / "samples/model.safetensors"
SMALL = ["--steps", "4", "--hid-S", "4", "--hid-T", "16", "--N-T", "2", "--batch", "4", "--epoch-windows", "20",
         "--epochs", "3", "--threads", "1"]
ENVIRONMENT = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
OPEN_MPI = bool(MPIRUN) and "Open MPI" in subprocess.run([MPIRUN, "--version"], capture_output=True, text=True).stdout


def together(n):
    """The words before a command that n processes run; none for one."""
    return [] if n == 1 else [MPIRUN, "-n", str(n), *(["--oversubscribe"] if OPEN_MPI else [])]


def run(n, *command, **more):
    return subprocess.run([*together(n), *map(str, command)], capture_output=True, text=True, env=ENVIRONMENT,
                          timeout=tap.seconds(200), **more)


def tensors(path):
    data = path.read_bytes()
    (n,) = struct.unpack("<Q", data[:8])
    for name, t in json.loads(data[8:8 + n]).items():
        # a bias of the keys changes no softmax: its gradient is rounding, and Adam makes steps of that
        if name != "__metadata__" and not name.endswith("k_Conv.1.bias"):
            begin, end = t["data_offsets"]
            yield name, np.frombuffer(data[8 + n + begin:8 + n + end], "<f4")


def difference(a, b):
    """The largest of any weight."""
    other = dict(tensors(b))
    return max(float(np.abs(x - other[name]).max()) for name, x in tensors(a))


def log_of(model):
    return [json.loads(line) for line in model.with_suffix(".log.jsonl").read_text().splitlines()]


def messages(grib):
    at = 0
    while at < len(grib):
        length = int.from_bytes(grib[at + 8:at + 16], "big")
        yield grib[at:at + length]
        at += length


def descendants(pid):
    found = []
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text()
        except OSError:
            continue
        if int(stat.rsplit(")", 1)[1].split()[1]) == pid:
            found += [(int(folder.name), stat[stat.index("(") + 1:stat.rindex(")")]), *descendants(int(folder.name))]
    return found


def runs(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def own_lines(text):
    return [line for line in text.splitlines() if line.startswith("met2net-")]


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not MPI:
            raise unittest.SkipTest("built without MPI: Meson found neither libopenmpi-dev nor libmpich-dev, "
                                    "or the option mpi is disabled")
        if not MPIRUN:
            raise unittest.SkipTest("no mpirun (Debian package openmpi-bin)")
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="m2n-mpi-"))
        subprocess.run([BUILD / "samples/weather/weather", "--seed", "1", "--start", "2020-08-01", "--hours", "96", "-o",
                        cls.folder / "w1.grib2"], check=True, stderr=subprocess.DEVNULL)
        fields = list(messages((cls.folder / "w1.grib2").read_bytes()))
        for day in range(2, 5):  # the same weather, one day of it each
            (cls.folder / f"w{day}.grib2").write_bytes(b"".join(fields[len(fields) * (day - 2) // 4:
                                                                       len(fields) * (day - 1) // 4]))
        subprocess.run([BUILD / "plugin/cli/met2net-prepare", cls.folder / "w1.grib2", "-q", "-v", "u10,t2m", "-o",
                        cls.folder / "data.safetensors"], check=True, stdout=subprocess.DEVNULL)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def setUp(self):
        self.here = pathlib.Path(tempfile.mkdtemp(dir=self.folder))

    def train(self, n, name, *more, status=0, data=None):
        model = self.here / f"{name}.safetensors"
        result = run(n, TRAIN, data or self.folder / "data.safetensors", "-o", model, *SMALL, *more)
        self.assertEqual(result.returncode, status, result.stderr)
        return model, result


class Training(Case):
    def test_fifty_steps_are_those_of_one_process(self):
        """With a rate of 1e-3 training is chaotic at first: rounding grows tenfold in five steps, for one seed of three to 5e-3."""
        steps = ["--epoch-windows", "4", "--epochs", "50", "--drop-path", "0", "--learning-rate", "1e-4", "-q"]
        for isa in ("scalar", None):
            with self.subTest(isa), unittest.mock.patch.dict(ENVIRONMENT, {"M2N_ISA": isa} if isa else {}):
                one, said = self.train(1, f"one-{isa}", *steps)
                two, also = self.train(2, f"two-{isa}", *steps)
                for a, b in zip(log_of(one), log_of(two)):
                    self.assertEqual(a["step"], b["step"])
                    for key in ("loss_reconstruction", "loss_latent", "loss_prediction", "validation_mse"):
                        self.assertLess(abs(a[key] - b[key]), 1e-6, (a, b))
                self.assertEqual(len(log_of(two)), 50)
                self.assertLess(difference(one, two), 1e-5)
                self.assertEqual(len(also.stdout.splitlines()), len(said.stdout.splitlines()))
        self.assertEqual(sorted(p.name.replace("one-", "two-") for p in self.here.glob("one*")),
                         sorted(p.name for p in self.here.glob("two*")))

    def test_three_processes_with_drop_path(self):
        one, _ = self.train(1, "one", "-q")
        three, said = self.train(3, "three")
        self.assertIn("3 processes, 3 of them on this machine; this one: 1 thread\n", said.stderr)
        self.assertEqual(said.stderr.count("memory: "), 1)
        self.assertLess(difference(one, three), 1e-4)

    def test_fine_tuning(self):
        """Two processes begin with the same model as one, and go on with the same command line."""
        base, _ = self.train(1, "base", "-q", "--target", "change")
        words = ["-q", "--epochs", "1", "--init", base, "--target", "change", "--learning-rate", "1e-4", "--seed", "2"]
        one, _ = self.train(1, "one", *words)
        two, _ = self.train(2, "two", *words)
        self.assertLess(difference(one, two), 1e-4)
        self.assertGreater(difference(base, two), 0)
        self.assertLess(log_of(two)[0]["loss_prediction"], log_of(base)[0]["loss_prediction"])
        self.train(2, "two", *words, "--resume")
        _, result = self.train(2, "m", *words, "--hid-S", "8", status=2)
        self.assertEqual(len(own_lines(result.stderr)), 1, result.stderr)
        self.assertIn("hid-S: base.safetensors has 4, given is 8", result.stderr)

    def test_archives_are_prepared_once(self):
        self.train(2, "m", "-v", "u10,t2m", "-q", data=self.folder / "w1.grib2")
        self.assertTrue(filecmp.cmp(self.here / "m.data.safetensors", self.folder / "data.safetensors", shallow=False))

    def test_threads_follow_the_binding(self):
        model = self.here / "m.safetensors"
        words = together(2) + (["--bind-to", "none"] if OPEN_MPI else [])
        for cpus in sorted({1, min(4, os.cpu_count())}):
            some = ",".join(map(str, sorted(os.sched_getaffinity(0))[:cpus]))
            result = subprocess.run(["taskset", "-c", some, *words, TRAIN, self.folder / "data.safetensors", "-o", model,
                                     *SMALL, "--threads", "0", "--epochs", "1", "--overwrite"],
                                    capture_output=True, text=True, env=ENVIRONMENT, timeout=tap.seconds(200))
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertRegex(result.stderr, f"this one: {max(1, cpus // 2)} thread")

    def test_errors_are_told_once(self):
        for status, part, more in ((2, "cannot be shared by 2 processes", ["--batch", "1"]),
                                   (2, "learning-rate", ["--learning-rate", "-1"])):
            _, result = self.train(2, "m", "-q", *more, status=status)
            self.assertEqual(len(own_lines(result.stderr)), 1, result.stderr)
            self.assertIn(part, result.stderr)
        _, result = self.train(2, "m", "-q", status=1, data=self.here / "none.safetensors")
        self.assertEqual(len(own_lines(result.stderr)), 1, result.stderr)

    LONG = ["--epochs", "5", "--drop-path", "0.1", "-q"]

    def begin(self, n, name):
        """A run of n processes that has just saved its first epoch: launcher, model, the processes."""
        model = self.here / f"{name}.safetensors"
        words = [*together(n), TRAIN, self.folder / "data.safetensors", "-o", model, *SMALL, *self.LONG]
        job = subprocess.Popen(list(map(str, words)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env=ENVIRONMENT)
        log = model.with_suffix(".log.jsonl")
        for _ in range(6000):
            if log.exists() or job.poll() is not None:
                ranks = [pid for pid, program in descendants(job.pid) if program == TRAIN.name]
                self.assertEqual(len(ranks), n)
                return job, model, ranks
            time.sleep(0.02)
        job.kill()
        self.fail("no epoch in two minutes")

    def resume(self, model, *numbers):
        """What was cut off goes on with any number of processes and ends as if nothing had happened."""
        whole, _ = self.train(1, "whole", *self.LONG)
        for n in numbers:
            for path in self.here.glob(f"{model.stem}.*"):
                shutil.copy(path, self.here / path.name.replace(model.stem, f"by{n}", 1))
            end, _ = self.train(n, f"by{n}", *self.LONG, "--resume")
            a, b = log_of(whole), log_of(end)
            self.assertEqual([x["step"] for x in a], [x["step"] for x in b])
            self.assertLess(abs(a[-1]["validation_mse"] - b[-1]["validation_mse"]), 1e-4)
            self.assertLess(difference(whole, end), 1e-3)

    def test_killed_process_ends_the_job_and_any_number_goes_on(self):
        job, model, ranks = self.begin(2, "killed")
        os.kill(ranks[1], signal.SIGKILL)
        _, errors = job.communicate(timeout=tap.seconds(60))
        self.assertNotEqual(job.returncode, 0)
        self.assertRegex(errors, "signal 9|KILLED|BAD TERMINATION")
        for _ in range(200):  # Open MPI's does not wait for those it kills
            if not any(map(runs, ranks)):
                break
            time.sleep(0.1)
        self.assertFalse(any(map(runs, ranks)))
        self.resume(model, 1, 2, 3)

    def test_signal_to_one_stops_all(self):
        job, model, ranks = self.begin(3, "stopped")
        os.kill(ranks[-1], signal.SIGTERM)
        _, errors = job.communicate(timeout=tap.seconds(60))
        self.assertEqual(job.returncode, 130, errors)
        self.assertEqual(len(own_lines(errors)), 1, errors)
        self.assertIn("go on with --resume", errors)
        self.resume(model, 1)


class Forecasts(Case):
    def setUp(self):
        super().setUp()
        self.inputs = [self.folder / f"w{i}.grib2" for i in range(1, 5)]
        (self.here / "text.grib2").write_text("no GRIB")
        (self.here / "cut.grib2").write_bytes((self.folder / "w1.grib2").read_bytes()[:100000])
        self.bad = [self.here / "text.grib2", self.here / "cut.grib2"]

    def forecast(self, n, folder, *inputs, **more):
        return run(n, FORECAST, "-m", MODEL, "-d", self.here / folder, *inputs, **more)

    def test_same_files_one_summary_one_status(self):
        mixed = [self.bad[0], *self.inputs[:2], self.bad[1], *self.inputs[2:]]
        one, three = self.forecast(1, "one", *mixed), self.forecast(3, "three", *mixed)
        for result in (one, three):
            self.assertEqual(result.returncode, 1, result.stderr)
            self.assertEqual(result.stderr.count("4 forecasts made (4 files), 0 already complete, 2 failed"), 1,
                             result.stderr)
            self.assertEqual(len(own_lines(result.stderr)), 2, result.stderr)
            self.assertEqual(len(result.stdout.splitlines()), 4)
        names = sorted(p.name for p in (self.here / "one").iterdir())
        self.assertEqual(filecmp.cmpfiles(self.here / "one", self.here / "three", names, shallow=False)[0], names)
        again = self.forecast(2, "three", *self.inputs)
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertIn("0 forecasts made (0 files), 4 already complete, 0 failed", again.stderr)

    def test_two_inputs_for_one_name(self):
        shutil.copy(self.folder / "w1.grib2", self.here / "w1.grib2")
        result = self.forecast(2, "out", self.folder / "w1.grib2", self.here / "w1.grib2")
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn("1 forecast made (1 file), 0 already complete, 1 failed", result.stderr)
        self.assertIn("put {input}, {init} or {member} into the output name", result.stderr)

    def test_names_from_standard_input(self):
        result = self.forecast(2, "out", "-", input="".join(f"{path}\n" for path in self.inputs))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(len(list((self.here / "out").iterdir())), 4)

    def test_dry_run_is_one(self):
        result = self.forecast(2, "out", "-n", *self.inputs)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(len(result.stdout.splitlines()), 5, result.stdout)


class Launchers(unittest.TestCase):
    def test_another_launcher_is_refused(self):
        """Or several processes would write the same files."""
        for tool, words in ((TRAIN, ["x.safetensors", "-o", "y.safetensors"]), (FORECAST, ["-m", "m", "x.grib2"])):
            result = subprocess.run([tool, *words], capture_output=True, text=True,
                                    env={**ENVIRONMENT, "OMPI_COMM_WORLD_SIZE": "3"}, timeout=tap.seconds(60))
            self.assertEqual(result.returncode, 2, result.stderr)
            self.assertIn("the launcher must be that of the same MPI" if MPI else "built without MPI", result.stderr)

    def test_library_and_driver_know_no_mpi(self):
        for path in (BUILD / "plugin/libmet2net.so", BUILD / "plugin/gdal_MET2NET.so"):
            needed = subprocess.run(["ldd", path], capture_output=True, text=True, check=True).stdout
            own = subprocess.run(["readelf", "-d", path], capture_output=True, text=True, check=True).stdout
            self.assertNotIn("libmpi", own, path)
            self.assertIn("libglib", needed)


if __name__ == "__main__":
    tap.main()
