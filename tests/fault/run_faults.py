#!/usr/bin/env python3
"""Every allocation, read, write, fsync, rename ... fails in turn while a forecast is opened and read.

    run_faults.py [--most N] [--kinds K,K] [--threads N]        (M2N_BUILD names the build folder)

For each injected fault, in a fresh folder with an empty cache:
  1. the host with the fault: ends by itself within a minute, with success or with an error that has a message of
     one line; success means the same pixels as without the fault;
  2. the same again without the fault and with whatever cache the first left: success and the same pixels, so
     neither a lock nor a damaged file was left behind;
  3. what is left in the folder: the inputs as they were, nothing beside them; in the cache finished files alone.
--most N takes N faults per kind and scenario, spread over all; without it every one."""
import argparse
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("M2N_BUILD", ROOT / "build"))
FILES = ["model.safetensors", "analysis.grib2", "forecast.json"]
# a fault of these kinds is repaired on the spot: the caller must not notice
HARMLESS = {"short-read", "eintr-read", "short-write", "eintr-write"}
# eccodes ends the process when one of its own allocations fails; nothing of ours can be wrong there
ECCODES_OUT_OF_MEMORY = "ecCodes assertion failed: `0' in ./src/grib_context.c"
KINDS = ["alloc", "big", "open", "read", "short-read", "eintr-read", "write", "short-write", "eintr-write", "fsync",
         "rename", "close", "mmap", "thread", "lock", "stat", "mkdir"]
# the second time with "+": that call and all after it, as on a full disk
STICKY = {"alloc", "open", "read", "write", "fsync", "rename", "thread", "mkdir"}


def preload():
    sanitizer = os.environ.get("M2N_PRELOAD", "")  # libasan must come first
    return " ".join(x for x in (sanitizer, str(BUILD / "tests/fault/libm2nfault.so")) if x)


def make_folder(top, files):
    folder = pathlib.Path(tempfile.mkdtemp(dir=top))
    (folder / "data").mkdir()
    for name, data in files.items():
        (folder / "data" / name).write_bytes(data)
    return folder


class Scenario:
    def __init__(self, name, command, outputs=()):
        self.name, self.command, self.outputs = name, command, list(outputs)

    def run(self, folder, fault="", log=""):
        env = dict(os.environ, XDG_CACHE_HOME=str(folder / "cache"), HOME=str(folder), M2N_FAULT=fault,
                   M2N_FAULT_LOG=log, M2N_FAULT_ROOT=str(folder), LD_PRELOAD=preload(), G_DEBUG="fatal-criticals",
                   GDAL_DRIVER_PATH=str(BUILD / "plugin"), LD_LIBRARY_PATH=str(BUILD / "plugin"))
        env = {k: v for k, v in env.items() if v or k == "M2N_FAULT"}
        return subprocess.run([str(x) for x in self.command], cwd=folder / "data", env=env, timeout=60,
                              capture_output=True, text=True, errors="replace")

    def result(self, folder, run):
        """What has to be equal: the files made, or for want of them what was printed."""
        sums = [hashlib.sha256((folder / "data" / n).read_bytes()).hexdigest() if (folder / "data" / n).exists()
                else "absent" for n in self.outputs]
        return sums or run.stdout


def left_behind(folder, scenario, files):
    """Complaints about files."""
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_dir() or path.suffix == ".log":
            continue
        if name.startswith("data/") and path.name in files:
            if path.read_bytes() != files[path.name]:
                yield f"{name} was changed"
        elif name.startswith("data/") and path.name in scenario.outputs:
            continue
        elif not (name.startswith("cache/met2net/") and name.endswith(".safetensors")):
            yield f"{name} was left"


def counts(scenario, folder):
    """How often each kind of call happens, and the result without a fault."""
    log = folder / "calls.log"
    run = scenario.run(folder, log=str(log))
    if run.returncode != 0:
        raise SystemExit(f"{scenario.name} fails without a fault: {run.stderr}")
    calls = {line.split()[0]: int(line.split()[1]) for line in log.read_text().splitlines()}
    return calls, scenario.result(folder, run)


def check(scenario, top, files, good, fault):
    """One fault; complaints.  Also whether the host saw it as an error."""
    folder, complaints = make_folder(top, files), []
    try:
        run = scenario.run(folder, fault)
        if ECCODES_OUT_OF_MEMORY in run.stderr:
            pass
        elif run.returncode not in (0, 1) or "Sanitizer" in run.stderr:
            complaints.append(f"exit status {run.returncode}: {run.stderr[-600:]}")
        elif run.returncode == 1 and not run.stderr.strip():
            complaints.append("an error without a message")
        elif run.returncode == 0 and scenario.result(folder, run) != good:
            complaints.append("success with another result")
        elif run.returncode == 1 and fault.split(":")[0] in HARMLESS:
            complaints.append(f"not repaired: {run.stderr[-300:]}")
        complaints += left_behind(folder, scenario, files)
        again = scenario.run(folder)
        if again.returncode != 0 or scenario.result(folder, again) != good:
            complaints.append(f"afterwards: exit status {again.returncode}, {again.stderr[-300:]}")
        return complaints, run.returncode == 1
    except subprocess.TimeoutExpired:
        return ["did not end within a minute"], False
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def spread(n, most):
    if most is None or n <= most:
        return list(range(1, n + 1))
    return sorted({1 + round((i + 0.5) * (n - 1) / most) for i in range(most)})


def faults_of(kind, calls, most):
    for n in spread(calls, most):
        yield f"{kind}:{n}"
        if kind in STICKY:
            yield f"{kind}:{n}+"


def scenarios():
    host, forecast = BUILD / "tests/fault/fault_scenario", BUILD / "plugin/cli/met2net-forecast"
    yield Scenario("driver", [host, "MET2NET:forecast.json", "forecast.json"])
    if forecast.exists():
        yield Scenario("forecast", [forecast, "-q", "-m", "model.safetensors", "-o", "out.grib2", "analysis.grib2"],
                       ["out.grib2"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--scenario")
    args = parser.parse_args()
    files = {n: (ROOT / "samples" / n).read_bytes() for n in FILES}
    files["forecast.json"] = files["forecast.json"].replace(b'"24h"', b'"1h"')
    number = bad = 0
    with tempfile.TemporaryDirectory(prefix="met2net-faults-") as top:
        for scenario in scenarios():
            if args.scenario not in (None, scenario.name):
                continue
            calls, good = counts(scenario, make_folder(top, files))
            for kind in args.kinds.split(","):
                done = errors = 0
                complaints = []
                for fault in faults_of(kind, calls.get(kind, 0), args.most):
                    found, failed = check(scenario, top, files, good, fault)
                    complaints += [f"{fault}: {c}" for c in found]
                    done, errors = done + 1, errors + failed
                number, bad = number + 1, bad + bool(complaints)
                print(f"{'not ok' if complaints else 'ok'} {number} {scenario.name}/{kind}"
                      f" # {done} of {calls.get(kind, 0)} calls failed, {errors} seen as errors", flush=True)
                for complaint in complaints:
                    print("\n".join("# " + line for line in complaint.splitlines()), flush=True)
    print(f"1..{number}")
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
